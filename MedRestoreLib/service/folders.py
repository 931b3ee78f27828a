"""Private temporary folders that studies pass through between a caller and its worker."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from ..errors import OutputError
from ..files import held
from ..files.held import Held

PREFIX = "medrestore-exchange-"  # of the folders' names; no other folder is ever removed


def make() -> tuple[Path, Held | None]:
    """A new folder that only this user can open, and the hold that keeps ``sweep`` from it.

    Raises:
        OutputError: the disk is full or the temporary folder is not writable.
    """
    try:
        return held.new_folder(lambda: Path(tempfile.mkdtemp(prefix=PREFIX)))
    except OSError as error:
        raise OutputError(f"no temporary folder can be made ({error.strerror}); make room on that disk.") from error


def remove(folder: Path) -> None:
    """Remove a folder of ours and all in it; any other is left alone."""
    if folder.name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of this user's whose callers died before they could."""
    if os.name != "posix":  # elsewhere nobody can tell whether a caller lives
        return
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            held.remove_abandoned(folder)
