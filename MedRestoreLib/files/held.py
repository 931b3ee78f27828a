"""Files and folders that a process holds: the system ends the hold with the process, however that ends.

A hold is ``flock``'s, which also keeps apart containers that share a folder but number their processes differently.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Where nobody can tell who holds a file (Windows, some network disks), it counts as abandoned after so long.
ABANDONED_SECONDS = 86_400.0
WAITING_SECONDS = 0.2


class Held:
    """A hold on a file or folder, until ``release`` or the end of this process."""

    _all: ClassVar[set[Held]] = set()

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._all.add(self)

    def release(self) -> None:
        """End the hold; harmless when it has ended."""
        if self in self._all:
            self._all.remove(self)
            os.close(self._descriptor)

    @classmethod
    def release_all(cls) -> None:
        """A process that was forked off holds nothing, or its parent's holds would outlive the parent."""
        for one in list(cls._all):
            one.release()


def hold(path: Path, *, create: bool = False) -> Held | None:
    """Hold a file or folder; None while somebody else holds it, other threads included, or when it is gone.

    Args:
        path: on a disk that knows no locks nobody is kept out.
        create: make an empty file first, if there is none.

    Raises:
        OSError: the file cannot be opened or made.
    """
    flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except FileNotFoundError:
        return None
    if _lock(descriptor) is not False and _is_at(descriptor, path):
        return Held(descriptor)
    os.close(descriptor)
    return None


def new_folder(make: Callable[[], Path]) -> tuple[Path, Held | None]:
    """A folder that ``make`` makes, held from the beginning; on Windows not held."""
    while True:
        folder = make()
        if fcntl is None:
            return folder, None
        held = hold(folder)
        if held is not None:  # else somebody took it for abandoned before it was held
            return folder, held


@contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a file while the block runs, and remove it then; whoever else wants to hold it waits.

    Args:
        path: it is made if need be.
        waiting: called several times a second while somebody else holds the file; what it raises ends the waiting.

    Raises:
        OSError: the file cannot be made.
    """
    while (holder := hold(path, create=True)) is None:
        waiting()
        time.sleep(WAITING_SECONDS)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file
            path.unlink()
        holder.release()


def remove_abandoned(path: Path) -> None:
    """Remove a file or folder of this user's that nobody holds; whatever else lies at ``path`` stays."""
    try:
        status = path.lstat()
        kind = stat.S_IFMT(status.st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR) or status.st_uid != getattr(os, "geteuid", lambda: 0)():
            return
        descriptor = None if fcntl is None else os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        locked = None if descriptor is None else _lock(descriptor)
        if locked or (locked is None and time.time() - status.st_mtime > ABANDONED_SECONDS):
            if kind == stat.S_IFDIR:
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    except OSError:
        pass
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Whether an open file could be locked at once; None where that cannot be told."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file still bears its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Held.release_all)
