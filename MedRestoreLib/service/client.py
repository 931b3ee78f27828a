"""A worker process driven from plain Python, blocking."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import Cancelled
from ..image import Image
from ..pipeline.plan import Plan, as_mask
from ..pipeline.quadrature import joined, parts
from ..pipeline.restore import of_magnitude
from ..progress import Progress, ignore
from ..reporting.report import Report
from .conversation import GRACE_SECONDS, Conversation, Event, JobCancelled, JobDone, JobFailed, JobProgress
from .exchange import Exchange, Upload, command, kill, search_path


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
        self._conversation = Conversation()
        self._exchange: Exchange | None = None
        self._process: Any = None  # a Popen; None where there is none

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
        if image.phase is not None:
            restored, told = self.restore(parts(image), plan, progress=progress, **edits)
            after = joined(image, restored.voxels)
            return after, of_magnitude(Report.from_dict(told), image, after).to_dict()
        exchange = self._running()
        mask = edits.pop("mask", None if plan is None else plan.mask)
        mask = None if mask is None else as_mask(mask, image)
        described = {name: getattr(image, name) for name in ("spacing", "spacing_known", "modality", "unit")}
        with contextlib.ExitStack() as leaving:

            def send(frames: Sequence[np.ndarray] | np.ndarray, about: Mapping[str, Any]) -> Upload:
                upload = exchange.send(frames, about)
                leaving.callback(self._forget, exchange, upload)
                return upload

            upload = send(image.voxels, {**described, "dtype": image.source.dtype})
            uploaded_mask = None if mask is None else send([mask], {})
            request = exchange.request("restore", upload, plan, mask=uploaded_mask, **edits)
            leaving.callback(exchange.forget, request["id"])
            report = self._reply(request, progress or ignore)["report"]
            voxels = exchange.result(request["id"])
            return image.enlarged(voxels.shape[3] // image.voxels.shape[3], voxels), report

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is none that listens."""
        return self._conversation.pid

    def close(self) -> None:
        """End the process and remove what was exchanged; also safe when it never started or is dead."""
        self._end_process()
        self._conversation = Conversation()

    def _end_process(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):  # it may be dead already
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
            self._kill()
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
                env={**os.environ, "PYTHONPATH": search_path()},
            )
        assert self._exchange is not None
        return self._exchange

    def _reply(self, request: dict[str, Any], progress: Progress) -> Mapping[str, Any]:
        """Have a request done; what it replies."""
        self._conversation.submit(request)
        try:
            while True:
                match self._next_event():
                    case JobProgress(_, fraction, message):
                        progress(fraction, message)
                    case JobDone(_, reply):
                        return reply
                    case JobFailed() as failed:
                        raise failed.error
                    case JobCancelled():
                        raise Cancelled("the job was cancelled.")
        except BaseException:
            if self._conversation.is_busy:
                self._cancel(request["id"])
            raise

    def _cancel(self, id: int) -> None:
        """End a job: ask, and kill a worker that does not hear in time."""
        self._conversation.cancel(id)
        watchdog = threading.Timer(GRACE_SECONDS, self._kill)
        watchdog.start()
        try:
            while self._conversation.is_busy:
                self._next_event()
        except BaseException:  # a second Ctrl-C, say
            self.close()
            raise
        finally:
            watchdog.cancel()

    def _kill(self) -> None:
        if self._exchange is not None:
            kill(self._exchange.folder, self.pid)
        self._process.kill()  # if it has not become the command yet, or the system does not tell

    def _next_event(self) -> Event:
        """Carry bytes both ways until something happens."""
        while (event := self._conversation.next_event()) is None:
            self._send()
            data = self._process.stdout.read1()
            if data:
                self._conversation.receive(data)
            else:
                self._conversation.ended()
                self._end_process()
        return event

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # the worker died: the end of its output says so
            self._process.stdin.write(self._conversation.to_send())
            self._process.stdin.flush()

    def _forget(self, exchange: Exchange, upload: Upload) -> None:
        request = exchange.forget_upload(upload)
        if self._process is not None:
            self._conversation.tell(request)
            self._send()
