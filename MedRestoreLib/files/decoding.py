"""Decoders of other libraries run in a child process: what crashes, hangs or talks there does so there.

``run`` is the caller's side, ``serve`` the child's. A request is one line of JSON: a job's name and its arguments. The
replies are messages of four bytes of length and JSON; one that describes an array is followed by the array's bytes. A
child stays warm and takes one job after the other; threads that decode at once have one each.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, BinaryIO

import numpy as np

from .. import errors
from ..errors import MedRestoreError, MissingPackage, UnsupportedImage

# What a child can do: generators that yield mappings (JSON) and arrays. They may raise MedRestoreErrors.
JOBS = {
    "picture": "MedRestoreLib.files.pictures:decode",
    "dicom": "MedRestoreLib.files.dicom_pixels:decode",
    "video": "MedRestoreLib.files.video:decode",
    "k-space": "MedRestoreLib.files.kspace:decode",
    "encode video": "MedRestoreLib.files.video:encode",
    "encode picture": "MedRestoreLib.files.pictures:encode",
}
_COMMAND = "from MedRestoreLib.files.decoding import serve; serve()"
_WORK = (
    15  # seconds of processor time without a message after which a child is taken to hang, where that can be limited
)
_PATIENCE = 100.0 if os.name == "posix" else 20.0  # and seconds of any kind: a busy machine is no hanging decoder
_SPARE = int(6e8)  # bytes that a child may take beyond what the budget allows for voxels
_PIPE = 1 << 20  # bytes: with the usual 64 kB both sides would wait for one another again and again
_LENGTH = struct.Struct(">I")


def demand_plain_name(path: Path) -> None:
    """Raise UnsupportedImage where a path cannot be told to a library that takes UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UnsupportedImage(f"{path} has a name, or a folder, that is not UTF-8; rename it.") from error


class Undecodable(UnsupportedImage):
    """A decoder crashed, hung, or met an error of its own."""


def run(
    job: str, path: Path, *arguments: Any, arrays: tuple[np.ndarray, ...] = (), memory: float = 2e9
) -> Iterator[Any]:
    """What a job yields about the file at ``path``, from a child process.

    Args:
        arguments: plain values for JSON, passed behind the path.
        arrays: sent behind the request, and passed last.
        memory: bytes that the job may take.

    Raises:
        Undecodable: the child crashed, hung, or met an error of its own: the file is damaged.
        MedRestoreError: as the job raised it.
    """
    child = _take()
    request = {"job": job, "arguments": [str(path.absolute()), *arguments], "memory": int(memory)}
    request["arrays"] = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    try:
        try:
            child.send(request, arrays)
        except OSError:  # it was killed while it was idle
            child.end()
            child = _Child()
            child.send(request, arrays)
        while True:
            message = child.receive()
            if message is None:
                raise Undecodable(f"{path} is damaged: the program that decodes it crashed or did not come to an end.")
            if isinstance(message, dict) and "end" in message:
                break
            if isinstance(message, dict) and "error" in message:
                raise _error(path, **message["error"])
            yield message
    except MedRestoreError:
        if child.idle:
            _give_back(child)
        else:
            child.end()
        raise
    except BaseException:
        child.end()
        raise
    _give_back(child)


def _error(path: Path, kind: str, message: str, field: str) -> MedRestoreError:
    known = getattr(errors, kind, None)
    if known is not None:
        return known(message, field=field)
    return Undecodable(f"{path} is damaged, or of a kind that cannot be decoded ({kind}).")


class _Child:
    """One child process, and the conversation with it."""

    def __init__(self) -> None:
        package_parent = str(Path(__file__).resolve().parents[2])
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.idle = True
        self._watch = _Watch()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=_PIPE,
            env={**os.environ, **threads, "PYTHONPATH": package_parent + os.pathsep + os.environ.get("PYTHONPATH", "")},
            start_new_session=os.name == "posix",  # a launcher may stand between: the whole group is ended
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout

    def send(self, request: dict[str, Any], arrays: tuple[np.ndarray, ...]) -> None:
        self.idle = False
        self._watch = _Watch(self._kill)
        self._requests.write(json.dumps(request).encode() + b"\n")
        for array in arrays:
            self._requests.write(_bytes(np.ascontiguousarray(array)))
            self._watch.postpone()
        self._requests.flush()

    def receive(self) -> Any:
        """The next mapping or array; None when the child is no more."""
        message = _receive(self._replies)
        self.idle = isinstance(message, dict) and ("end" in message or "error" in message)
        if self.idle or message is None:
            self._watch.stop()
        else:
            self._watch.postpone()
        return message

    def _kill(self) -> None:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def end(self) -> None:
        self._watch.stop()
        self._kill()
        for stream in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                stream.close()
        self._process.wait()


class _Watch:
    """Calls ``late`` unless it is postponed or stopped in time; without ``late`` it does nothing."""

    def __init__(self, late: Callable[[], None] | None = None) -> None:
        self._late, self._stopped = late, threading.Event()
        self.postpone()
        if late is not None:
            threading.Thread(target=self._wait, daemon=True).start()

    def postpone(self) -> None:
        self._deadline = time.monotonic() + _PATIENCE

    def stop(self) -> None:
        self._stopped.set()

    def _wait(self) -> None:
        while (left := self._deadline - time.monotonic()) > 0:
            if self._stopped.wait(left):
                return
        if self._late is not None:
            self._late()


_idle: list[_Child] = []
_lock = threading.Lock()


def _take() -> _Child:
    with _lock:
        if _idle:
            return _idle.pop()
    return _Child()


def _give_back(child: _Child) -> None:
    with _lock:
        if len(_idle) < (os.cpu_count() or 1):
            _idle.append(child)
            return
    child.end()


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


if hasattr(os, "register_at_fork"):  # a forked process must not talk with its parent's children
    os.register_at_fork(after_in_child=_idle.clear)


def _receive(stream: Any) -> Any:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    text = stream.read(_LENGTH.unpack(head)[0])
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return _read_array(stream, **message["array"]) if "array" in message else message


def _read_array(stream: Any, dtype: str, shape: list[int]) -> np.ndarray | None:
    array = np.empty(shape, dtype)
    return array if not array.size or stream.readinto(_bytes(array)) == array.nbytes else None


def _bytes(array: np.ndarray) -> memoryview:
    return memoryview(array.data).cast("B") if array.size else memoryview(b"")


def serve() -> None:
    """Take requests from standard input until it ends; nothing that a library prints leaves this process."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    while line := requests.readline():
        request = json.loads(line)
        arrays = [_read_array(requests, **about) for about in request["arrays"]]
        try:
            _limit_memory(request["memory"])
            _limit_work()
            for message in resolve_name(JOBS[request["job"]])(*request["arguments"], *arrays):
                _reply(replies, message)
                _limit_work()
            _reply(replies, {"end": True})
        except MedRestoreError as error:
            _reply(replies, {"error": {"kind": type(error).__name__, "message": str(error), "field": error.field}})
        except ImportError as error:
            message = f"{error.name} is not installed: run 'pip install {error.name}'"
            _reply(replies, {"error": {"kind": MissingPackage.__name__, "message": message, "field": ""}})
        except Exception as error:  # its text may hold what a header says of a patient
            _reply(replies, {"error": {"kind": type(error).__name__, "message": "", "field": ""}})


def _reply(stream: BinaryIO, message: Any) -> None:
    array = np.ascontiguousarray(message) if isinstance(message, np.ndarray) else None
    about = message if array is None else {"array": {"dtype": array.dtype.str, "shape": array.shape}}
    text = json.dumps(about).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    if array is not None:
        stream.write(_bytes(array))
    stream.flush()


def _limit_memory(size: int) -> None:
    """Let this process take ``size`` bytes more than it has, where the system can hold it to that."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + size + _SPARE
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    except (ImportError, OSError, ValueError):
        return


def _limit_work() -> None:
    """Let this process work for ``_WORK`` seconds more, where the system can hold it to that."""
    try:
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + 1 + _WORK
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    except (ImportError, OSError, ValueError):
        return


@contextlib.contextmanager
def complaints() -> Iterator[list[str]]:
    """What libraries print to standard error while it lasts, for a job in a child; the list is filled at its end.

    libjpeg and FFmpeg say there alone that data are corrupt, and return something.
    """
    import tempfile

    said: list[str] = []
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said.append(file.read(1 << 16).decode("utf-8", "replace"))
