"""The caller's side of a worker: what passes through the exchange folder, and a worker started from plain Python."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import errors
from ..errors import Cancelled, MedRestoreError, OutputError, UnsupportedImage, WorkerStopped
from ..image import Image
from ..noise import Estimate
from ..pipeline.plan import Plan, as_mask
from ..pipeline.restore import Progress
from . import slabs
from .worker import PREFIX

# How long a worker may take to hear a cancel or to leave before it is killed.
GRACE_SECONDS = 2.0

STOPPED = (
    "the worker process stopped before it was done (killed, or out of memory); the study is unchanged: "
    "try again, with a smaller memory limit or another device."
)


@dataclass(frozen=True)
class Upload:
    """A study in the exchange folder: its file, and what its ``Image`` needs beside voxels."""

    path: Path
    about: Mapping[str, Any]


class Exchange:
    """The caller's side: a private folder, the requests to send and the voxels that come back. Knows no process.

    Used by ``Worker`` below and by the Slicer panel, which runs the process through Qt.

    >>> with Exchange() as exchange:
    ...     exchange.folder.name.startswith("medrestore-")
    True
    """

    def __init__(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        except OSError as error:
            raise OutputError(f"no temporary folder can be made ({error.strerror}); make room on that disk.") from error
        self._count = 0

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def sending(self, frames: Sequence[np.ndarray], described: Mapping[str, Any]) -> Generator[float, None, Upload]:
        """Copy a study into the folder, a slab of some 2 MB at each step; yields the fraction done.

        Args:
            frames: arrays ``(slices, rows, columns[, components])`` of one shape and real type, one a frame. A mask is
                sent likewise, as one frame.
            described: ``Image``'s ``spacing``, ``modality`` and ``unit``; other entries are not needed. ``dtype``: the
                type that the study is stored in, where it is not the arrays'.

        Returns:
            What requests name the study by (the value of ``StopIteration``). Stopped before that, no file is left.

        Raises:
            UnsupportedImage: the frames are not alike, or not of a real type.
            OutputError: the folder's disk is full.
        """
        first = frames[0]
        if first.ndim not in (3, 4) or first.dtype.kind not in "biuf":
            raise UnsupportedImage(f"frames of shape {first.shape} and type {first.dtype} cannot be restored.")
        if any(frame.shape != first.shape or frame.dtype != first.dtype for frame in frames):
            raise UnsupportedImage("the frames differ in size or type; resample the sequence first.")
        about = {name: described[name] for name in ("modality", "unit", "dtype") if name in described}
        about["spacing"] = [float(s) for s in described.get("spacing", (1.0, 1.0, 1.0))]
        path = self.folder / f"{self._next()}-study.npy"
        try:
            yield from slabs.write(path, frames, (len(frames), *first.shape), first.dtype)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Upload(path, about)

    def send(self, frames: Sequence[np.ndarray], described: Mapping[str, Any]) -> Upload:
        """As ``sending``, all at once."""
        steps = self.sending(frames, described)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def request(
        self,
        do: str,
        upload: Upload,
        plan: Plan | Mapping[str, Any] | None = None,
        *,
        mask: Upload | None = None,
        at: tuple[int, int] | None = None,
        modality: str | None = None,
        **edits: Any,
    ) -> dict[str, Any]:
        """A request about an uploaded study, to be sent as one line of JSON.

        Args:
            do: "recommend", "recognise", "restore" or "preview".
            upload: the study; it serves any number of requests.
            plan: a ``Plan``, or one as plain values as "recommend" gave it; None recommends one.
            mask: restore inside it only.
            at: frame and slice of a preview.
            modality: what the study is, where that is known better by now than when it was sent.
            **edits: fields of ``Plan`` that replace the plan's.
        """
        request = {"id": self._next(), "do": do, "input": upload.path.name, "image": dict(upload.about)}
        if plan is not None:
            if isinstance(plan, Plan):
                plan = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
            request["plan"] = _plain(plan)
        request["edits"] = _plain(edits)
        if modality is not None:
            request["image"]["modality"] = modality
        if mask is not None:
            request["mask"] = mask.path.name
        if at is not None:
            request["frame"], request["slice"] = (int(number) for number in at)
        if do in ("restore", "preview"):
            request["output"] = f"{request['id']}-out.npy"
            (self.folder / request["output"]).touch()
        return request

    def receiving(self, id: int, arrays: Sequence[np.ndarray]) -> Generator[float, None, None]:
        """Fill ``arrays`` with the result of request ``id``, slab by slab; yields the fraction done.

        The arrays are like the frames that were sent, float32 unless they are in colour; of a preview one array
        ``(1, rows, columns[, components])``. The result's file is removed, also when this is stopped before its end.
        """

        def receive() -> Generator[float, None, None]:
            try:
                yield 0.0
                yield from slabs.read(self.folder / f"{id}-out.npy", arrays)
            finally:
                self.forget(id)

        steps = receive()
        next(steps)  # begun, so that it tidies up even if it is stopped before the caller's first step
        return steps

    def result(self, id: int) -> np.ndarray:
        """The result of request ``id``, ``(frames, slices, rows, columns[, components])``; its file is removed."""
        try:
            return np.load(self.folder / f"{id}-out.npy")
        finally:
            self.forget(id)

    def forget(self, id: int) -> None:
        """Remove the result of a request."""
        (self.folder / f"{id}-out.npy").unlink(missing_ok=True)

    def forget_upload(self, upload: Upload) -> dict[str, Any]:
        """Remove a study; the request that is returned lets a running worker forget it, too."""
        with contextlib.suppress(PermissionError):  # on Windows while the worker reads it, who then removes it
            upload.path.unlink(missing_ok=True)
        return {"do": "forget", "input": upload.path.name}

    def _next(self) -> int:
        self._count += 1
        return self._count


def command(python: str, folder: Path) -> list[str]:
    """The command that starts a worker; its PYTHONPATH must be ``search_path()``.

    Python's -P keeps it from importing what happens to lie in the working directory.
    """
    return [python, "-P", "-m", "MedRestoreLib", "worker", str(folder)]


def search_path() -> str:
    """The environment's PYTHONPATH with this package's folder in front."""
    package_parent = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH", "")]))


class Worker:
    """A warm worker process. The first call starts it, later calls find torch loaded; a dead one is replaced.

    >>> with Worker() as worker:
    ...     image = Image.from_array(np.random.default_rng(0).normal(100, 5, (32, 32)), modality="MR")
    ...     restored, report = worker.restore(image, method="adf", noise="gaussian", level=5.0)
    >>> bool(restored.voxels.std() < image.voxels.std())
    True
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._exchange: Exchange | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def restore(
        self, image: Image, plan: Plan | None = None, *, progress: Progress | None = None, **edits: Any
    ) -> tuple[Image, dict[str, Any]]:
        """As ``MedRestoreLib.restore``, in the worker.

        Returns:
            The restored study and its report as plain values.

        Raises:
            MedRestoreError: as ``restore`` raises; ``WorkerStopped`` when the process died.
            BaseException: whatever ``progress`` raises, once the worker has stopped working on the job.
        """
        exchange = self._running()
        mask = edits.pop("mask", None if plan is None else plan.mask)
        mask = None if mask is None else as_mask(mask, image)
        described = {"spacing": image.spacing, "modality": image.modality, "unit": image.unit}
        with contextlib.ExitStack() as leaving:

            def send(frames: Sequence[np.ndarray], about: Mapping[str, Any]) -> Upload:
                upload = exchange.send(frames, about)
                leaving.callback(self._forget, exchange, upload)
                return upload

            upload = send(image.voxels, {**described, "dtype": image.source.dtype})
            uploaded_mask = None if mask is None else send([mask], {})
            request = exchange.request("restore", upload, plan, mask=uploaded_mask, **edits)
            leaving.callback(exchange.forget, request["id"])
            self._send(request)
            report = self._outcome(request["id"], progress or (lambda fraction, message: None))["report"]
            return image.with_voxels(exchange.result(request["id"])), report

    @property
    def pid(self) -> int | None:
        """The process's id; None before the first call."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process and remove what was exchanged; also safe when it never started or is dead."""
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):  # it may be dead already
                self._process.stdin.close()
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        if self._exchange is not None:
            self._exchange.close()
        self._process = self._exchange = None

    def _running(self) -> Exchange:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._exchange = Exchange()
            self._process = subprocess.Popen(
                command(self._python, self._exchange.folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": search_path()},
            )
        return self._exchange

    def _send(self, request: dict[str, Any]) -> None:
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None

    def _outcome(self, id: int, progress: Progress) -> dict[str, Any]:
        while line := self._process.stdout.readline():
            reply = json.loads(line)
            if reply.get("id") != id:
                continue
            if reply["event"] == "progress":
                try:
                    progress(reply["fraction"], reply["message"])
                except BaseException:
                    self._cancel(id)
                    raise
            elif reply["event"] == "done":
                return reply
            elif reply["event"] == "cancelled":
                raise Cancelled("the job was cancelled.")
            elif reply["event"] == "error":
                raise getattr(errors, reply["kind"], MedRestoreError)(reply["message"])
        raise self._lost()

    def _cancel(self, id: int) -> None:
        """Ask, and kill a worker that does not stop in time."""
        self._send({"id": id, "do": "cancel"})
        watchdog = threading.Timer(GRACE_SECONDS, self._process.kill)
        watchdog.start()
        try:
            while line := self._process.stdout.readline():
                reply = json.loads(line)
                if reply.get("id") == id and reply["event"] in ("cancelled", "done", "error"):
                    return
            self.close()
        finally:
            watchdog.cancel()

    def _forget(self, exchange: Exchange, upload: Upload) -> None:
        request = exchange.forget_upload(upload)
        if self._process is not None:
            with contextlib.suppress(WorkerStopped):  # it forgot everything then
                self._send(request)

    def _lost(self) -> WorkerStopped:
        """The error to raise when the process is gone; the next call starts another."""
        self.close()
        return WorkerStopped(STOPPED)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a plan for JSON; the mask goes as a file."""
    values = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in fields.items()
        if value is not None and name != "mask"
    }
    if isinstance(values.get("estimate"), Estimate):
        values["estimate"] = asdict(values["estimate"])
    if "options" in values:
        values["options"] = {name: np.asarray(value).tolist() for name, value in values["options"].items()}
    return values


def _sweep(parent: Path) -> None:
    """Remove exchange folders whose caller died without a word."""
    if os.name != "posix":  # elsewhere a process cannot be asked for by number without risk
        return
    for folder in parent.glob(f"{PREFIX}[0-9]*-*"):
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
