"""Files that are either whole or absent."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError

# Names of files and folders that are being written begin with this; whatever bears it after a crash may be deleted.
PARTIAL = ".medrestore-partial-"


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A path of the same name in a temporary folder beside ``target``.

    What the block writes there, and beside it, is flushed to the disk and takes its place when the block ends; the
    file or folder that bears the target's name comes last. Where the block fails, nothing is left.

    Raises:
        OutputError: the disk is full, or the place cannot be written to.
    """
    folder = target.with_name(f"{PARTIAL}{uuid.uuid4().hex[:12]}")
    try:
        folder.mkdir()
        yield folder / target.name
        written = sorted(folder.iterdir(), key=lambda entry: entry.name == target.name)
        for entry in written:
            _flush(entry)
        for entry in written:
            _put(entry, target.with_name(entry.name))
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file in one step: whoever looks sees the old one or the whole new one.

    Raises:
        OutputError: the folder does not exist or is not writable, or the disk is full.
    """
    with staged(path) as partial:
        partial.write_bytes(data)
    return path


def remove_partials(folder: Path) -> None:
    """Remove what a process that was killed left half-written below ``folder``."""
    for path in sorted(folder.rglob(f"{PARTIAL}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error for the user when writing to ``path`` met ``error``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path.absolute().parent)
    if error.errno == errno.ENAMETOOLONG:
        return OutputError(f"the name {path.name[:40]}... is too long for this disk; choose a shorter one.")
    return OutputError(f"{path} cannot be written ({error.strerror or type(error).__name__}).")


def disk_full(folder: Path) -> OutputError:
    """The error for the user when the disk of ``folder`` is full."""
    return OutputError(f"the disk of {folder} is full; free some space or choose another folder.")


def _flush(path: Path) -> None:
    """Have the disk hold a file, or each file of a folder: some file systems tell only now that they are full."""
    for file in path.iterdir() if path.is_dir() else [path]:
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


def _put(written: Path, target: Path) -> None:
    """Give what was written its name. A former file goes in the same step, a former folder right after."""
    if not target.is_dir():
        os.replace(written, target)
        return
    former = written.with_name(f"{written.name}-former")
    target.rename(former)
    written.rename(target)
