"""The command that says whether MedRestore can work here."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from .. import weights
from ..errors import MedRestoreError
from ..pipeline import device as devices
from ..version import __version__
from . import options as opt
from . import screen

PACKAGES = ("torch", "numpy", "scipy", "SimpleITK", "pydicom", "nibabel", "opencv-python-headless", "safetensors")
ROOM_GB = 1.0  # of the temporary folder: what a large study and its result take
GB = 1e9


def doctor(as_json: opt.AsJson = False) -> None:
    """Say what is installed, which devices there are and whether weights are whole; exit code 1 if not all is well."""
    found = list(checks())
    if as_json:
        screen.print_json([{"what": what, "found": said, "well": well} for what, said, well in found])
    else:
        screen.print_table("", ("", "", ""), [(what, "ok" if well else "!", said) for what, said, well in found])
    if not all(well for _, _, well in found):
        raise typer.Exit(1)


def checks() -> Iterator[tuple[str, str, bool]]:
    """What was looked at, what was found, and whether that is well."""
    yield "MedRestore", __version__, True
    yield "Python", f"{platform.python_version()}, {platform.platform()}", True
    for name in PACKAGES:
        yield name, *_version(name)
    yield from _devices()
    for row in weights.manifest(weights.folder()).values():
        yield f"weights {row.name}", *_whole(row)
    if not weights.manifest(weights.folder()):
        yield "weights", f"none in {weights.folder()}; install MedRestore again", False
    free = shutil.disk_usage(tempfile.gettempdir()).free / GB
    yield "temporary folder", f"{free:.1f} GB free", free >= ROOM_GB
    slicer = _slicer()
    yield "3D Slicer", str(slicer) if slicer else "not found (not needed here)", True


def _version(name: str) -> tuple[str, bool]:
    try:
        return importlib.metadata.version(name), True
    except importlib.metadata.PackageNotFoundError:
        return f"missing: pip install {name}", False


def _devices() -> Iterator[tuple[str, str, bool]]:
    if not devices.has_torch():
        return
    import torch

    yield "processor", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads are used", True
    for number in range(torch.cuda.device_count()):
        about: Any = torch.cuda.get_device_properties(number)
        yield f"cuda:{number}", f"{about.name}, {about.total_memory / GB:.1f} GB", True
    if torch.backends.mps.is_available():
        yield "mps", "Apple's GPU", True


def _whole(row: weights.Weights) -> tuple[str, bool]:
    try:
        row.contents()
    except MedRestoreError as error:
        return str(error), False
    return f"SHA-256 {row.sha256[:12]}…, as recorded", True


def _slicer() -> Path | None:
    """Slicer's program, where it can be told without searching the disk."""
    homes = [os.environ.get("SLICER_HOME", ""), "/Applications/Slicer.app/Contents/MacOS"]
    places = [shutil.which("Slicer"), *(str(Path(home) / "Slicer") for home in homes if home)]
    return next((Path(place) for place in places if place and Path(place).is_file()), None)
