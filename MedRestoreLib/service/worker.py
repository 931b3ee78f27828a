"""Restores in a process of its own, kept warm, so that a window never freezes and a crash is only a message.

``python -m MedRestoreLib worker FOLDER`` reads requests and writes replies as JSON, one a line, on standard input and
output. Voxels pass as ``.npy`` files in FOLDER, which the caller creates, so the worker itself creates no file: inputs
are ``(frames, slices, rows, columns[, components])`` of any real type, outputs float32, or the input's type in colour.

    ← {"event": "ready", "version": "0.1.0", "pid": 1234}
    → {"id": 1, "do": "restore", "input": "1-study.npy", "output": "2-out.npy", "image": {...}, "plan": {...}, ...}
    ← {"id": 1, "event": "progress", "fraction": 0.25, "message": "Restoring with BM3D"}
    ← {"id": 1, "event": "done", "report": {...}}      or "error" (kind, message), or "cancelled"
    → {"id": 1, "do": "cancel"}
    → {"id": 2, "do": "recommend", "input": ...}       ← "done" with "plan"; "recognise" likewise
    → {"id": 3, "do": "preview", "frame": 0, "slice": 12, ...}
    → {"do": "forget", "input": "1-study.npy"}         → {"do": "quit"}

A job is done as ``restore(image, plan, **edits)`` does it; without "plan" one is recommended. When standard input ends,
the worker stops at the next tile, removes FOLDER and leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import Cancelled, InvalidPlan, MedRestoreError, OutOfMemory, UnsupportedImage
from ..image import Image, Source
from ..noise import Estimate
from ..pipeline import device as devices
from ..pipeline.plan import Plan, draft, revise
from ..pipeline.restore import restore
from ..version import __version__
from . import slabs
from .preview import preview

PREFIX = "medrestore-"  # of the exchange folders' names: the worker removes no other folder

NO_MEMORY = (
    "there is not enough memory for this study; close other programs, restore fewer slices or frames, "
    "or choose a lighter method such as adf."
)


def serve(folder: Path, requests: IO[str], replies: IO[str]) -> None:
    """Answer requests until standard input ends or "quit" comes."""
    server = _Server(folder, requests, replies)
    try:
        server.run()
    finally:
        if folder.name.startswith(PREFIX):
            shutil.rmtree(folder, ignore_errors=True)


def main(folder: Path) -> None:
    """The worker process. Whatever else prints goes to standard error, so replies stay one JSON object a line."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(folder, sys.stdin, replies)


class _Server:
    def __init__(self, folder: Path, requests: IO[str], replies: IO[str]) -> None:
        self.folder, self.requests, self.replies = folder, requests, replies
        self.jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.cancelled: set[Any] = set()
        self.studies: dict[str, Image] = {}  # by the file's name: the one that was used last
        self.closing = threading.Event()
        self.lock = threading.Lock()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=_load_torch, daemon=True).start()
        self._reply(event="ready", version=__version__, pid=os.getpid())
        while (request := self.jobs.get()) is not None:
            self._answer(request)

    def _listen(self) -> None:
        """Read requests while the main thread works, so that a cancel is heard in time."""
        for line in self.requests:
            try:
                request = json.loads(line)
                if not isinstance(request, dict):
                    raise ValueError("a request is a JSON object")
            except ValueError as error:
                self._reply(event="error", kind="BadRequest", message=f"not understood: {error}")
                continue
            if request.get("do") == "cancel":
                self.cancelled.add(request.get("id"))
            elif request.get("do") == "quit":
                break
            else:
                self.jobs.put(request)
        self.closing.set()
        self.jobs.put(None)

    def _answer(self, request: dict[str, Any]) -> None:
        id = request.get("id")
        try:
            if request.get("do") == "forget":
                self._forget(request)
                return
            tasks = {
                "restore": self._restore,
                "preview": self._preview,
                "recommend": self._recommend,
                "recognise": self._recognise,
            }
            if request.get("do") not in tasks:
                raise InvalidPlan(f"the worker cannot '{request.get('do')}'; it can {', '.join(tasks)}.")
            self._stop_if_cancelled(id)
            self._reply(id=id, event="done", **tasks[request["do"]](request))
        except Cancelled:
            self._reply(id=id, event="cancelled")
        except MedRestoreError as error:
            self._reply(id=id, event="error", kind=type(error).__name__, message=str(error))
        except Exception as error:  # the worker outlives a job that fails for a reason nobody foresaw
            if devices.is_out_of_memory(error):
                self._reply(id=id, event="error", kind=OutOfMemory.__name__, message=NO_MEMORY)
                return
            traceback.print_exc()
            message = f"an unexpected {type(error).__name__} ended the job; the worker's log says where."
            self._reply(id=id, event="error", kind="Unexpected", message=message)
        finally:
            self.cancelled.discard(id)

    def _recommend(self, request: dict[str, Any]) -> dict[str, Any]:
        image = self._study(request)
        plan, edits = self._plan(request)
        return {"plan": revise(image, plan, **edits).to_dict()}

    def _recognise(self, request: dict[str, Any]) -> dict[str, Any]:
        plan = draft(self._study(request), **self._plan(request)[1])
        return plan.to_dict() | {"level": None if plan.level_is_default else plan.level}

    def _restore(self, request: dict[str, Any]) -> dict[str, Any]:
        image = self._study(request)
        plan, edits = self._plan(request)
        leave_a_core()
        result = restore(image, plan, progress=self._progress(request.get("id")), **edits)
        self._write(request, result.image)
        return {"report": result.report.to_dict()}

    def _preview(self, request: dict[str, Any]) -> dict[str, Any]:
        image = self._study(request)
        plan, edits = self._plan(request)
        leave_a_core()
        progress = self._progress(request.get("id"))
        self._write(request, preview(image, plan, request["frame"], request["slice"], progress=progress, **edits))
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
            modality=about.get("modality", study.modality),
            unit=about.get("unit", study.unit),
            source=Source(dtype=about.get("dtype", study.source.dtype)),
        )

    def _plan(self, request: dict[str, Any]) -> tuple[Plan | None, dict[str, Any]]:
        """The plan and the edits to it, as ``restore`` takes them."""
        plan, edits = (
            {**fields, "estimate": Estimate(**fields["estimate"])} if fields.get("estimate") else fields
            for fields in (dict(request.get("plan", {})), dict(request.get("edits", {})))
        )
        if "mask" in request:
            edits["mask"] = np.load(self._file(request, "mask"))[0]
        return Plan(**plan) if plan else None, edits

    def _write(self, request: dict[str, Any], image: Image) -> None:
        """The restored study into the request's output: float32, or colour in its own type."""
        path = self._file(request, "output")
        if image.colour is None:
            frames, shape, dtype = image.voxels, image.voxels.shape, np.float32
        else:  # frame by frame: going back to colour takes many times the memory of what comes out
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
            self._reply(id=id, event="progress", fraction=round(fraction, 4), message=message)

        return report

    def _stop_if_cancelled(self, id: Any) -> None:
        if self.closing.is_set() or id in self.cancelled:
            raise Cancelled("the job was cancelled.")

    def _reply(self, **reply: Any) -> None:
        with self.lock, contextlib.suppress(BrokenPipeError):  # the caller left: the end of its input says so too
            self.replies.write(json.dumps(reply) + "\n")
            self.replies.flush()


def _load(path: Path) -> Image:
    """A study as it was sent; float32 voxels stay in the file until they are needed."""
    voxels = np.load(path, mmap_mode="r")
    if voxels.ndim == 5:
        return Image.from_array(voxels, axes="fzyxc")
    return Image(voxels, source=Source(dtype=str(voxels.dtype)))


def _frame(image: Image, number: int) -> Image:
    """One frame of a colour study."""
    one = slice(number, number + 1)
    return replace(image, voxels=image.voxels[one], colour=image.colour[one], frame_times=())


def _load_torch() -> None:
    """Import torch, which takes seconds, while a person is still choosing; if it is missing, a job will say so."""
    with contextlib.suppress(ImportError, OSError):
        import torch  # noqa: F401


def leave_a_core() -> None:
    """Leave one core to the caller's window, where there are more than two.

    Raises:
        MissingPackage: torch is not installed.
    """
    devices.require_torch()
    import torch

    cores = os.cpu_count() or 1
    if cores > 2:
        torch.set_num_threads(min(torch.get_num_threads(), cores - 1))
