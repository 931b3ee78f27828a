"""Private temporary folders that studies pass through between a caller and its worker."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..errors import OutputError

PREFIX = "medrestore-"  # of the folders' names; no other folder is ever removed


def make() -> Path:
    """A new folder that only this user can read; its name holds the id of this process.

    Raises:
        OutputError: the disk is full or the temporary folder is not writable.
    """
    try:
        return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    except OSError as error:
        raise OutputError(f"no temporary folder can be made ({error.strerror}); make room on that disk.") from error


def remove(folder: Path) -> None:
    """Remove a folder of ours and all in it; any other is left alone."""
    if folder.name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of processes that died before they could."""
    if os.name != "posix":  # elsewhere a process cannot be asked for by number without risk
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        pid = int(folder.name.removeprefix(PREFIX).split("-")[0])
        if not _is_running(pid):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
