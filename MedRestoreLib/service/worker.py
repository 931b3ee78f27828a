"""Restores in a process of its own, kept warm, so that a window never freezes and a crash is only a message.

``python -m MedRestoreLib worker FOLDER`` reads requests and writes replies as JSON, one a line, on standard input and
output (``conversation`` has the messages). Voxels pass as ``.npy`` files in FOLDER, which the caller creates, so the
worker itself creates no file: inputs are ``(frames, slices, rows, columns[, components])`` of any real type, outputs
float32, or the input's type in colour.

A job is done as ``restore(image, plan, **edits)`` does it; without "plan" one is recommended. When standard input ends,
the worker stops its job, removes FOLDER and leaves; a job that does not hear is left after ``GRACE_SECONDS``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import Cancelled, InvalidPlan, MedRestoreError, OutOfMemory, UnsupportedImage
from ..image import Image, Source
from ..pipeline import device as devices
from ..pipeline.plan import Plan, recommend, revise
from ..pipeline.restore import restore
from ..pipeline.trust import MAPS, restore_with_maps
from ..progress import Progress, heard
from ..version import __version__
from . import folders, slabs
from .conversation import GRACE_SECONDS, JobCancelled, JobDone, JobFailed, JobProgress, Ready, encode
from .plain import from_plain
from .preview import glance, preview

LONGEST_LINE = 1 << 26  # bytes: a request may hold an array of options, never a study

NO_MEMORY = (
    "there is not enough memory for this study; close other programs, restore fewer slices or frames, "
    "or choose a lighter method such as adf."
)


def main(folder: Path) -> None:
    """The worker process. Whatever else prints goes to standard error, so replies stay one JSON object a line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's, who then says what to do
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    server = _Server(folder, sys.stdin.buffer, replies)
    try:
        server.run()
    finally:
        folders.remove(folder)


class _Server:
    """Does one job after the other, until its input ends or "quit" comes."""

    def __init__(self, folder: Path, requests: IO[bytes], replies: IO[bytes]) -> None:
        self.folder, self.requests, self.replies = folder, requests, replies
        self.jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.pending: set[Any] = set()  # ids of the jobs that have not ended
        self.cancelled: set[Any] = set()
        self.studies: dict[str, Image] = {}  # by the file's name: the one that was used last
        self.closing, self.finished = threading.Event(), threading.Event()
        self.lock = threading.Lock()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=_load_torch, daemon=True).start()
        self._reply(Ready(os.getpid(), __version__))
        while (request := self.jobs.get()) is not None:
            self._answer(request)
        self.finished.set()

    def _listen(self) -> None:
        """Read requests while the main thread works, so that a cancel is heard in time."""
        for line in _lines(self.requests):
            try:
                request = _request(line)
            except (ValueError, RecursionError, MemoryError) as error:
                self._reply(JobFailed(None, "BadRequest", f"not understood: {error}"))
                continue
            id = request.get("id")
            if request.get("do") == "cancel":
                self.cancelled |= {id} & self.pending
            elif request.get("do") == "quit":
                break
            else:
                self.pending.add(id)
                self.jobs.put(request)
        self.closing.set()
        self.jobs.put(None)
        if not self.finished.wait(GRACE_SECONDS):  # a job does not hear
            folders.remove(self.folder)
            os._exit(1)

    def _answer(self, request: dict[str, Any]) -> None:
        id = request.get("id")
        try:
            if request.get("do") == "forget":
                self._forget(request)
                return
            tasks: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
                "restore": self._restore,
                "preview": partial(self._preview, preview),
                "glance": partial(self._preview, glance),
                "recommend": self._recommend,
                "recognise": self._recognise,
            }
            if request.get("do") not in tasks:
                raise InvalidPlan(f"the worker cannot '{request.get('do')}'; it can {', '.join(tasks)}.")
            self._stop_if_cancelled(id)
            self._reply(JobDone(id, tasks[request["do"]](request)))
        except Cancelled:
            self._reply(JobCancelled(id))
        except MedRestoreError as error:
            self._reply(JobFailed.of(id, error))
        except Exception as error:  # the worker outlives a job that fails for a reason nobody foresaw
            if devices.is_out_of_memory(error):
                self._reply(JobFailed.of(id, OutOfMemory(NO_MEMORY)))
                return
            traceback.print_exc()
            message = f"an unexpected {type(error).__name__} ended the job; the worker's log says where."
            self._reply(JobFailed(id, "Unexpected", message))
        finally:
            self.pending.discard(id)
            self.cancelled.discard(id)

    def _recommend(self, request: dict[str, Any]) -> dict[str, Any]:
        image = self._study(request)
        plan, edits = self._plan(request)
        with self._heard(request):
            return {"plan": revise(image, plan, **edits).to_dict()}

    def _recognise(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._heard(request):
            plan = recommend(self._study(request), **self._plan(request)[1])
        return plan.to_dict() | {"level": None if plan.level_is_default else plan.level, "start": plan.level}

    def _restore(self, request: dict[str, Any]) -> dict[str, Any]:
        image = self._study(request)
        plan, edits = self._plan(request)
        _spare_a_core()
        progress = self._progress(request.get("id"))
        if all(part in request for part in MAPS):
            result, maps = restore_with_maps(image, plan, progress=progress, **edits)
            for part, made in maps.items():
                self._write(request, made, part)
        else:
            result = restore(image, plan, progress=progress, **edits)
        self._write(request, result.image)
        return {"report": result.report.to_dict()}

    def _preview(self, work: Callable[..., Image], request: dict[str, Any]) -> dict[str, Any]:
        image = self._study(request)
        plan, edits = self._plan(request)
        _spare_a_core()
        progress = self._progress(request.get("id"))
        self._write(request, work(image, plan, request["frame"], request["slice"], progress=progress, **edits))
        return {}

    def _study(self, request: dict[str, Any]) -> Image:
        """The study. Its voxels are kept for the next request: an integer or colour study is converted only once."""
        path, about = self._file(request, "input"), request.get("image", {})
        if path.name not in self.studies:
            self.studies.clear()
            self.studies[path.name] = _load(path)
        study = self.studies[path.name]
        return replace(
            study,
            spacing=about.get("spacing", study.spacing),
            spacing_known=about.get("spacing_known", study.spacing_known),
            modality=about.get("modality", study.modality),
            unit=about.get("unit", study.unit),
            source=Source(dtype=about.get("dtype", study.source.dtype)),
        )

    def _plan(self, request: dict[str, Any]) -> tuple[Plan | None, dict[str, Any]]:
        """The plan and the edits to it, as ``restore`` takes them."""
        plan, edits = (from_plain(request.get(name, {})) for name in ("plan", "edits"))
        if "mask" in request:
            edits["mask"] = np.load(self._file(request, "mask"))[0]
        return Plan(**plan) if plan else None, edits

    def _write(self, request: dict[str, Any], image: Image, part: str = "output") -> None:
        """The restored study, or another part of the reply, into its file: float32, or colour in its own type."""
        path = self._file(request, part)
        frames: Iterable[np.ndarray] = image.voxels
        shape, dtype = image.voxels.shape, "float32"
        if image.colour is not None:  # frame by frame: going back to colour takes many times what comes out
            frames = (_frame(image, number).stored()[0] for number in range(len(image.voxels)))
            shape, dtype = image.colour.shape, image.source.dtype
        for _ in slabs.write(path, frames, shape, dtype):
            self._stop_if_cancelled(request.get("id"))

    def _forget(self, request: dict[str, Any]) -> None:
        name = Path(str(request.get("input", ""))).name
        self.studies.pop(name, None)
        (self.folder / name).unlink(missing_ok=True)

    def _file(self, request: dict[str, Any], name: str) -> Path:
        """A file of the exchange folder; no request reaches outside it."""
        path = self.folder / Path(str(request.get(name, ""))).name
        if not path.is_file():
            raise UnsupportedImage(f"the request's '{name}' is not a file of the exchange folder.")
        return path

    def _progress(self, id: Any) -> Callable[[float, str], None]:
        def report(fraction: float, message: str) -> None:
            self._stop_if_cancelled(id)
            self._reply(JobProgress(id, round(fraction, 4), message))

        return report

    def _heard(self, request: dict[str, Any]) -> AbstractContextManager[Progress]:
        """A cancel is heard while a plan is made, of which nothing is told on the way."""
        return heard(lambda *_: self._stop_if_cancelled(request.get("id")))

    def _stop_if_cancelled(self, id: Any) -> None:
        if self.closing.is_set() or id in self.cancelled:
            raise Cancelled("the job was cancelled.")

    def _reply(self, event: Ready | JobProgress | JobDone | JobFailed | JobCancelled) -> None:
        line = encode(event)
        with self.lock, contextlib.suppress(OSError):  # the caller left: the end of its input says so too
            self.replies.write(line)
            self.replies.flush()


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream; one that is too long comes cut."""
    while line := stream.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)


def _request(line: bytes) -> dict[str, Any]:
    """The request that a line holds.

    Raises:
        ValueError, RecursionError, MemoryError: it holds none.
    """
    if len(line) == LONGEST_LINE:
        raise ValueError("the line is too long")
    request = json.loads(line)
    if not isinstance(request, dict):
        raise ValueError("a request is a JSON object")
    if not isinstance(request.get("id"), int | str | None):
        raise ValueError("an id is a number or a text")
    return request


def _load(path: Path) -> Image:
    """A study as it was sent; float32 voxels stay in the file until they are needed."""
    voxels = np.load(path, mmap_mode="r")
    if voxels.ndim == 5:
        return Image.from_array(voxels, axes="fzyxc")
    return Image(voxels, source=Source(dtype=str(voxels.dtype)))


def _frame(image: Image, number: int) -> Image:
    """One frame of a colour study."""
    one = slice(number, number + 1)
    colour = None if image.colour is None else image.colour[one]
    return replace(image, voxels=image.voxels[one], colour=colour, frame_times=())


def _load_torch() -> None:
    """Import torch, which takes seconds, while a person is still choosing; if it is missing, a job will say so."""
    with contextlib.suppress(ImportError, OSError):
        import torch  # noqa: F401


def _spare_a_core() -> None:
    """Leave one core to the caller's window if there are more than two.

    Raises:
        MissingPackage: torch is not installed.
    """
    devices.require_torch()
    import torch

    cores = os.cpu_count() or 1
    if cores > 2:
        torch.set_num_threads(min(torch.get_num_threads(), cores - 1))
