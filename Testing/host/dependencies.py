"""Packages that a module may find missing: `slicer.packaging` and the PyTorch extension's `PyTorchUtils`.

Nothing is installed and nothing is downloaded. A test sets in `packages` and `torch` what would happen.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import slicer
from packaging.requirements import Requirement

from Testing.host import messages
from Testing.host.scene import LoadableModule, add_module


@dataclass
class Packages:
    """``missing``: requirements that are not there. ``outcome`` of installing: "accepted", "refused" or "failed"."""

    missing: set[str] = field(default_factory=set)
    outcome: str = "accepted"
    asked: list[list[str]] = field(default_factory=list)


@dataclass
class Torch:
    """``installed``, and the ``outcome`` of installing: "accepted", "refused" (gives None) or "failed" (raises)."""

    installed: bool = True
    outcome: str = "accepted"
    asked: int = 0


packages, torch = Packages(), Torch()


def _pip_check(requirements) -> bool:
    names = [requirements] if isinstance(requirements, str) else [str(one) for one in requirements]
    return not any(missing in name for name in names for missing in packages.missing)


def _pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
) -> None:
    if _pip_check(requirements):
        return
    packages.asked.append([str(one) for one in requirements])
    messages.shown.append(messages.Message("pip", f"{requester or 'A module'} needs {', '.join(packages.asked[-1])}"))
    if packages.outcome == "refused":
        raise RuntimeError("User declined package installation")
    if packages.outcome == "failed":
        raise RuntimeError("pip install failed: no matching distribution found")
    packages.missing.clear()


def _load_requirements(path) -> list[Requirement]:
    """As Slicer's: whole lines are comments or pip's options; what follows a requirement makes it invalid."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


class PyTorchUtilsLogic:
    """As far as a module that needs torch asks of it."""

    @staticmethod
    def torchInstalled() -> bool:
        return torch.installed

    def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
        torch.asked += 1
        if torch.outcome == "failed":
            raise RuntimeError("torch could not be installed")
        if torch.outcome == "refused":
            return None
        torch.installed = True
        return self.torch

    @property
    def torch(self):
        return importlib.import_module("torch") if torch.installed else self.installTorch()


def add_pytorch_utils() -> None:
    """The PyTorch extension is there from now on, until the next scene."""
    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    sys.modules["PyTorchUtils"] = module
    add_module("PyTorchUtils", LoadableModule("PyTorchUtils", None))


def forget() -> None:
    """Everything is installed, and the PyTorch extension is not."""
    packages.__init__()
    torch.__init__()
    sys.modules.pop("PyTorchUtils", None)


def install() -> None:
    module = types.ModuleType("slicer.packaging", __doc__)
    module.pip_check, module.pip_ensure, module.load_requirements = _pip_check, _pip_ensure, _load_requirements
    sys.modules[module.__name__] = module
    slicer.packaging = module
