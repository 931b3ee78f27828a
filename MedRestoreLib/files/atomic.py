"""Files that are either whole or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..errors import OutputError

# Names of files and folders that are being written begin with this; whatever bears it after a crash may be deleted.
PARTIAL = ".medrestore-partial-"


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file in one step: whoever looks sees the old one or the whole new one.

    Raises:
        OutputError: the folder does not exist or is not writable, or the disk is full.
    """
    partial = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=PARTIAL, delete=False) as file:
            partial = Path(file.name)
            file.write(data)
        partial.chmod(0o644)
        os.replace(partial, path)
    except OSError as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def remove_partials(folder: Path) -> None:
    """Remove what a process that was killed left half-written below ``folder``."""
    for path in sorted(folder.rglob(f"{PARTIAL}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
