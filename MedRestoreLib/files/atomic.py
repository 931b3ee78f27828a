"""Studies that are on the disk whole or not at all, whenever the process is killed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import OutputError
from . import held

# Names of what is being written begin with this; what bears it and is held by no process may be deleted.
PARTIAL = ".medrestore-partial-"


@dataclass(frozen=True)
class Staging:
    """Where something is written before it takes its place.

    Attributes:
        path: a path of the target's name in a temporary folder.
        hashes: once it has taken its place, SHA-256 of every file that was written, read again from the disk, by its
            path relative to the target's folder.
    """

    path: Path
    hashes: dict[str, str] = field(default_factory=dict)


@contextmanager
def staged(target: Path, flush: bool = True) -> Iterator[Staging]:
    """A path of the same name in a temporary folder beside ``target``.

    What the block writes there, and beside it, is read again, flushed to the disk, and takes its place when the block
    ends. A header and its data files appear together: a former header goes first, the new one comes last. If the block
    fails, nothing is left.

    Args:
        target: where it takes its place.
        flush: False where a power cut may take it, or leave it empty; a kill never does.

    Raises:
        OutputError: the disk is full, or the place cannot be written to.
    """
    folder = holder = None
    try:
        folder, holder = held.new_folder(lambda: _made(target.with_name(f"{PARTIAL}{uuid.uuid4().hex[:12]}")))
        staging = Staging(folder / target.name)
        yield staging
        staging.hashes.update(hashes_below(folder))
        if flush:
            for entry in folder.iterdir():
                _flush(entry)
        companions = [entry for entry in folder.iterdir() if entry.name != target.name]
        if companions:
            target.unlink(missing_ok=True)
        for entry in [*companions, folder / target.name]:
            _put(entry, target.with_name(entry.name))
        if flush:
            _flush_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if holder is not None:
            holder.release()


def write_bytes(path: Path, data: bytes, flush: bool = True) -> Path:
    """Write a file in one step: whoever looks sees the old one or the whole new one. ``flush`` is that of ``staged``.

    Raises:
        OutputError: the folder does not exist or is not writable, or the disk is full.
    """
    with staged(path, flush) as staging:
        staging.path.write_bytes(data)
    return path


def hashes_below(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path relative to it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}


def sha256(path: Path) -> str:
    """SHA-256 of a file's contents."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_partials(folder: Path) -> None:
    """Remove what processes that were killed left half-written below ``folder``; what others are writing stays."""
    for path in sorted(folder.rglob(f"{PARTIAL}*")):
        held.remove_abandoned(path)


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


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _flush(path: Path) -> None:
    """Have the disk hold a file, or a folder with its files: some file systems tell only now that they are full."""
    for file in path.iterdir() if path.is_dir() else [path]:
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    if path.is_dir():
        _flush_folder(path)


def _flush_folder(folder: Path) -> None:
    """Have the disk hold the names in a folder; where folders cannot be flushed, it does so in its own time."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put(written: Path, target: Path) -> None:
    """Give what was written its name. A former file goes in the same step, a former series right after."""
    if not (target.is_dir() and written.is_dir()):
        os.replace(written, target)
        return
    former = written.with_name(f"{written.name}-former")
    target.rename(former)
    written.rename(target)
