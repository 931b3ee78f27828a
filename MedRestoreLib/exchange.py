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
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from . import errors
from .errors import Cancelled, MedRestoreError, WorkerStopped
from .image import Image
from .plan import Plan, as_mask
from .restore import Progress
from .worker import PREFIX

# How long a worker may take to hear a cancel or to leave before it is killed.
GRACE_SECONDS = 2.0


class Exchange:
    """The caller's side: a private folder, the requests to send and the voxels that come back. Knows no process.

    Used by ``Worker`` below and by the Slicer panel, which runs the process through Qt.

    >>> with Exchange() as exchange:
    ...     exchange.folder.name.startswith("medrestore-")
    True
    """

    def __init__(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._count = 0

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def request(self, do: str, image: Image, plan: Plan | None = None, **edits: Any) -> dict[str, Any]:
        """The request to "restore" or "recommend", its voxels already in the folder."""
        self._count += 1
        id = self._count
        files = {"input": f"{id}-in.npy"}
        np.save(self.folder / files["input"], image.voxels)
        if do == "restore":
            files["output"] = f"{id}-out.npy"
            np.lib.format.open_memmap(self.folder / files["output"], "w+", np.float32, image.voxels.shape).flush()
        fields = {} if plan is None else {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
        fields = {name: value for name, value in {**fields, **edits}.items() if value is not None}
        estimate = fields.pop("estimate", None)
        if estimate is not None:
            fields["estimate"] = asdict(estimate)
        fields["options"] = {k: np.asarray(v).tolist() for k, v in fields.get("options", {}).items()}
        mask = fields.pop("mask", None)
        if mask is not None:
            files["mask"] = f"{id}-mask.npy"
            np.save(self.folder / files["mask"], as_mask(mask, image))
        described = {
            "spacing": image.spacing,
            "modality": image.modality,
            "unit": image.unit,
            "dtype": image.source.dtype,
        }
        return {"id": id, "do": do, **files, "image": described, "plan": fields}

    def restored(self, id: int, image: Image) -> Image:
        """The study with the voxels that came back for request ``id``, whose files are removed."""
        voxels = np.load(self.folder / f"{id}-out.npy")
        self.forget(id)
        return image.with_voxels(voxels)

    def forget(self, id: int) -> None:
        """Remove the files of a request that ended."""
        for name in ("in", "out", "mask"):
            (self.folder / f"{id}-{name}.npy").unlink(missing_ok=True)


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
        request = exchange.request("restore", image, plan, **edits)
        try:
            self._send(request)
            report = self._outcome(request["id"], progress or (lambda fraction, message: None))["report"]
            return exchange.restored(request["id"], image), report
        finally:
            exchange.forget(request["id"])

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
            package_parent = str(Path(__file__).resolve().parent.parent)
            search = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH", "")]))
            self._process = subprocess.Popen(
                [self._python, "-m", "MedRestoreLib", "worker", str(self._exchange.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": search},
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

    def _lost(self) -> WorkerStopped:
        """The error to raise when the process is gone; the next call starts another."""
        self.close()
        return WorkerStopped(
            "the worker process stopped before it was done (killed, or out of memory); the study is unchanged: "
            "try again, with a smaller memory limit or another device."
        )


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
