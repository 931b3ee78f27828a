"""Restores in a process of its own, kept warm, so that a window never freezes and a crash is only a message.

``python -m MedRestoreLib worker FOLDER`` reads requests and writes replies as JSON, one a line, on standard input and
output. Voxels pass as ``.npy`` files in FOLDER, which the caller creates, so the worker itself creates no file.

    → {"id": 1, "do": "restore", "input": "1-in.npy", "output": "1-out.npy", "image": {...}, "plan": {...}}
    ← {"id": 1, "event": "progress", "fraction": 0.25, "message": "Restoring with BM3D"}
    ← {"id": 1, "event": "done", "report": {...}}      or "error" (kind, message), or "cancelled"
    → {"id": 1, "do": "cancel"}        → {"id": 2, "do": "recommend", ...}        → {"do": "quit"}

When standard input ends, the worker stops at the next tile, removes FOLDER and leaves.
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
from pathlib import Path
from typing import IO, Any

import numpy as np

from . import __version__
from .errors import Cancelled, InvalidPlan, MedRestoreError, UnsupportedImage
from .image import Image, Source
from .noise import Estimate
from .plan import recommend
from .restore import restore

PREFIX = "medrestore-"  # of the exchange folders' names: the worker removes no other folder


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
        self.closing = threading.Event()
        self.lock = threading.Lock()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        self._reply(event="ready", version=__version__)
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
            tasks = {"restore": self._restore, "recommend": self._recommend}
            if request.get("do") not in tasks:
                raise InvalidPlan(f"the worker cannot '{request.get('do')}'; it can {', '.join(tasks)}.")
            self._reply(id=id, event="done", **tasks[request["do"]](request))
        except Cancelled:
            self._reply(id=id, event="cancelled")
        except MedRestoreError as error:
            self._reply(id=id, event="error", kind=type(error).__name__, message=str(error))
        except Exception as error:  # the worker outlives a job that fails for a reason nobody foresaw
            traceback.print_exc()
            message = f"an unexpected {type(error).__name__} ended the job; the worker's log says where."
            self._reply(id=id, event="error", kind="Unexpected", message=message)
        finally:
            self.cancelled.discard(id)

    def _restore(self, request: dict[str, Any]) -> dict[str, Any]:
        image, edits = self._read(request)
        result = restore(image, progress=self._progress(request.get("id")), **edits)
        output = np.load(self._file(request, "output"), mmap_mode="r+")
        output[...] = result.image.voxels
        output.flush()
        return {"report": result.report.to_dict()}

    def _recommend(self, request: dict[str, Any]) -> dict[str, Any]:
        image, edits = self._read(request)
        return {"plan": recommend(image, **edits).to_dict()}

    def _read(self, request: dict[str, Any]) -> tuple[Image, dict[str, Any]]:
        about, edits = request.get("image", {}), dict(request.get("plan", {}))
        if "estimate" in edits:
            edits["estimate"] = Estimate(**edits["estimate"])
        voxels = np.load(self._file(request, "input"), mmap_mode="r")
        if voxels.dtype != np.float32 or voxels.ndim != 4:
            raise UnsupportedImage("the worker takes float32 voxels (frames, slices, rows, columns).")
        image = Image(
            voxels,
            spacing=tuple(about.get("spacing", (1.0, 1.0, 1.0))),
            modality=about.get("modality", "OT"),
            unit=about.get("unit", ""),
            source=Source(dtype=about.get("dtype", "float32")),
        )
        if "mask" in request:
            edits["mask"] = np.load(self._file(request, "mask"))
        return image, edits

    def _file(self, request: dict[str, Any], name: str) -> Path:
        """A file of the exchange folder; no request reaches outside it."""
        path = self.folder / Path(str(request.get(name, ""))).name
        if not path.is_file():
            raise UnsupportedImage(f"the request's '{name}' is not a file of the exchange folder.")
        return path

    def _progress(self, id: Any) -> Callable[[float, str], None]:
        def report(fraction: float, message: str) -> None:
            if self.closing.is_set() or id in self.cancelled:
                raise Cancelled("the job was cancelled.")
            self._reply(id=id, event="progress", fraction=round(fraction, 4), message=message)

        return report

    def _reply(self, **reply: Any) -> None:
        with self.lock, contextlib.suppress(BrokenPipeError):  # the caller left: the end of its input says so too
            self.replies.write(json.dumps(reply) + "\n")
            self.replies.flush()
