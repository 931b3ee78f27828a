"""What restoring needs and Slicer does not bring: asked for where it is needed, with a way out offline."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from MedRestoreLib import MissingPackage

    from .workers import Workers

TORCH = ">=2.2"
REQUIREMENTS = Path(__file__).resolve().parent.parent / "Resources" / "requirements.txt"


def install(workers: Workers, *packages: str, everything: bool = False) -> None:
    """Have PyTorch and packages (``everything``: all of the list); a worker that ran before is begun anew.

    Raises:
        MedRestoreLib.MissingPackage: something is not there and was not installed; the message holds the steps by hand.
    """
    installed = ensureTorch()
    if everything or packages:
        installed |= ensurePackages(*packages)
    if installed:
        workers.restart()


def ensureTorch(confirm: bool = True) -> bool:
    """Have PyTorch, installed through the PyTorch extension if need be.

    Blocks while it is installed, which takes minutes and shows the extension's own dialogs.

    Args:
        confirm: ask the user first.

    Returns:
        Whether something was installed. A worker process that ran before does not see it and must be closed.

    Raises:
        MedRestoreLib.MissingPackage: it is not there and was not installed; the message holds the steps by hand.
    """
    if _torchIsThere():
        return False
    if _isIntelMac() and _numpyVersion() >= (2,):
        reason = _(
            "PyTorch cannot be used here: the last one for Macs with an Intel processor, 2.2, does not work with "
            "NumPy 2, which this Slicer has. Use an earlier Slicer, or another computer. Nothing was installed."
        )
        raise _missing(reason)
    if slicer.app.testingEnabled():  # as Slicer's own installer: a test changes nothing
        raise _missing(_("PyTorch is not installed."), _torchByHand())
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        reason = _(
            "PyTorch is not installed, and neither is the extension PyTorch that installs it: choose it in the "
            "Extensions Manager and restart Slicer."
        )
        raise _missing(reason, _torchByHand()) from None
    try:
        torch = PyTorchUtilsLogic().installTorch(askConfirmation=confirm, torchVersionRequirement=TORCH)
    except Exception as error:  # pip, light-the-torch and torch's own libraries each fail in ways of their own
        reason = _("PyTorch could not be installed ({reason}).").format(reason=_firstLine(error))
        raise _missing(reason, _adviceFor(error), _torchByHand()) from error
    if torch is None or not _torchIsThere():
        reason = _("PyTorch was not installed, and nothing can be restored without it. Try again at any time.")
        raise _missing(reason, _torchByHand())
    return True


def ensurePackages(*names: str) -> bool:
    """Have packages of the list in Resources/requirements.txt; all of the list without names. Slicer asks the user.

    Classical methods need none of them; ``neededBy`` says what a method needs.

    Returns:
        Whether something was installed. A worker process that ran before does not see it and must be closed.

    Raises:
        MedRestoreLib.MissingPackage: the user refused or pip failed; the message holds the steps by hand.
    """
    from subprocess import CalledProcessError

    from slicer.packaging import load_requirements, pip_check, pip_ensure

    wanted = [r for r in load_requirements(REQUIREMENTS) if not names or r.name in names]
    assert set(names) <= {r.name for r in wanted}, f"not listed: {names}"
    if pip_check(wanted):
        return False
    text = ", ".join(r.name for r in wanted)
    byHand = _byHand(*map(str, wanted))
    try:
        pip_ensure(wanted, requester="MedRestore")
    except (RuntimeError, CalledProcessError, OSError) as error:
        reason = _("{packages} could not be installed ({reason}).").format(packages=text, reason=_firstLine(error))
        raise _missing(reason, _adviceFor(error), byHand) from error
    importlib.invalidate_caches()
    if not pip_check(wanted):  # Slicer installs nothing while it is being tested
        raise _missing(_("Not installed: {packages}.").format(packages=text), byHand)
    return True


def neededBy(method: str) -> tuple[str, ...]:
    """Names for ``ensurePackages``: what a method needs besides PyTorch and what Slicer brings."""
    from MedRestoreLib.methods import catalogue

    return ("safetensors",) if any(row.id == method and row.learned for row in catalogue.METHODS) else ()


def _torchIsThere() -> bool:
    """Whether a torch that will do is installed. It is not imported here: that takes seconds and memory in Slicer."""
    from packaging.specifiers import SpecifierSet

    importlib.invalidate_caches()
    if importlib.util.find_spec("torch") is None:
        return False
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:  # half installed: as if it were not there
        return False
    return SpecifierSet(TORCH).contains(version, prereleases=True)


def _isIntelMac() -> bool:
    return sys.platform == "darwin" and platform.machine() == "x86_64"


def _numpyVersion() -> tuple[int, ...]:
    return tuple(int(part) for part in importlib.metadata.version("numpy").split(".")[:2])


def _missing(*lines: str) -> MissingPackage:
    from MedRestoreLib import MissingPackage

    return MissingPackage("\n".join(line for line in lines if line))


def _torchByHand() -> str:
    gpu = _(
        "If a GPU is there but not found: update its driver, then uninstall and install PyTorch again in the module "
        "PyTorch Utils. MedRestore also works without a GPU."
    )
    return f"{_byHand(f'torch{TORCH}')}\n{gpu}"


def _byHand(*packages: str) -> str:
    """How to install without the internet, for this very Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _(
        "Without internet: on a computer of the same kind that has it, with Python {version}, run\n"
        "    python -m pip download --only-binary :all: -d wheels {packages}\n"
        "copy the folder wheels, and enter in Slicer's Python console\n"
        "    slicer.util.pip_install('--no-index --find-links /path/to/wheels {packages}')"
    ).format(version=python, packages=" ".join(f'"{package}"' for package in packages))


def _adviceFor(error: Exception) -> str:
    """A known cure for a known trouble, "" for others."""
    if getattr(error, "winerror", None) == 206 or "WinError 206" in str(error):
        return _(
            "The path is too long for Windows: turn on long paths (Settings, System, For developers), or install "
            "Slicer in a short folder such as C:\\Slicer, and try again."
        )
    if getattr(error, "errno", None) == 28:
        return _("The disk is full: PyTorch needs up to 6 GB.")
    return ""


def _firstLine(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
