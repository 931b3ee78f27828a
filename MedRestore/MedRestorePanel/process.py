"""The library's worker as a process of Slicer's: studies and requests go in, progress and results come back.

Nothing here waits: Qt says when the process has written something or ended, and studies are copied in short steps.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from . import stepping

if TYPE_CHECKING:
    import numpy as np

    from MedRestoreLib import MedRestoreError
    from MedRestoreLib.service.conversation import Conversation, Event
    from MedRestoreLib.service.exchange import Exchange, Upload

CLOSE_MS = 2000  # how long a killed worker may take to end
DETAILS_BYTES = 4096


def ignore(*arguments: Any) -> None:
    """A callback for those who do not want to know."""


@dataclass(frozen=True)
class Callbacks:
    """Whom to tell about a job. Exactly one of the last three is called at its end, unless ``close`` comes first.

    Attributes:
        onProgress: called with a fraction (0 to 1) and what is being done.
        onDone: called with the worker's reply, a dict: "id", and "plan" or "report", as the request has it.
        onError: called with a ``MedRestoreError``, also when the worker crashed.
        onCancelled: called without arguments.
    """

    onProgress: Callable[[float, str], None] = ignore
    onDone: Callable[[dict[str, Any]], None] = ignore
    onError: Callable[[MedRestoreError], None] = ignore
    onCancelled: Callable[[], None] = ignore


class WorkerProcess:
    """A warm worker that does one job after the other and is replaced when it dies.

    Studies are uploaded once and then serve any number of requests, whatever becomes of the worker meanwhile::

        worker = WorkerProcess()
        worker.upload(frames, described, onDone=uploaded, onError=show)
        request = worker.exchange.request("restore", upload, method="bm3d", level=12.0)
        worker.submit(request, onDone=done, onProgress=show, onError=show, onCancelled=forget)
        worker.receive(request["id"], arrays, onDone=finished, onError=show)
        worker.close()

    Args:
        python: the program that runs the worker; None is Slicer's own Python.
        parent: the QObject that owns the process.
    """

    def __init__(self, python: str | None = None, parent: qt.QObject | None = None) -> None:
        self._python = python or shutil.which("PythonSlicer") or sys.executable
        self._process = qt.QProcess(parent)
        self._process.readyReadStandardOutput.connect(self._onOutput)
        self._process.readyReadStandardError.connect(self._onErrorOutput)
        self._process.finished.connect(self._onFinished)
        self._process.errorOccurred.connect(self._onProcessError)
        self._exchange: Exchange | None = None
        self._conversation: Conversation | None = None
        self._callbacks: dict[int, Callbacks] = {}  # of the jobs that have not ended, by their ids
        self._isRunning = False
        self._details = b""
        self._steps: list[stepping.Steps] = []

    @property
    def exchange(self) -> Exchange:
        """What passes between Slicer and the worker (``service.exchange.Exchange``); made when first needed."""
        if self._exchange is None:
            from MedRestoreLib.service.exchange import Exchange

            self._exchange = Exchange()
        return self._exchange

    @property
    def conversation(self) -> Conversation:
        """What was said to and by the worker (``service.conversation.Conversation``); made when first needed."""
        if self._conversation is None:
            from MedRestoreLib.service.conversation import Conversation

            self._conversation = Conversation()
        return self._conversation

    @property
    def isBusy(self) -> bool:
        """Whether anything is under way: a job, one that waits, or a study on its way."""
        return bool(self._callbacks) or any(steps.isRunning for steps in self._steps)

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none that answers."""
        return self.conversation.pid

    @property
    def details(self) -> str:
        """The last that the worker wrote on standard error, for a bug report; it never knows a patient's name."""
        return self._details.decode("utf-8", "replace").strip()

    def start(self) -> None:
        """Start the process, so that it is warm when it is needed; ``submit`` starts it, too."""
        if self._isRunning:
            return
        from MedRestoreLib.service import exchange

        environment = qt.QProcessEnvironment.systemEnvironment()  # Slicer's own, with what its Python needs
        environment.insert("PYTHONPATH", exchange.search_path())
        self._process.setProcessEnvironment(environment)
        self._process.setWorkingDirectory(tempfile.gettempdir())  # a folder that nobody wants to remove or unmount
        program, *arguments = exchange.command(self._python, self.exchange.folder)
        self._isRunning = True
        self._process.start(program, arguments)

    def upload(
        self,
        frames: Sequence[np.ndarray],
        described: Mapping[str, Any],
        onDone: Callable[[Upload], None],
        onError: Callable[[MedRestoreError], None],
    ) -> stepping.Steps:
        """Copy a study (see ``Exchange.sending``) to where the worker finds it.

        Args:
            onDone: called with the upload, for ``exchange.request``.
            onError: called with a ``MedRestoreError``.

        Returns:
            The work in progress, whose ``stop()`` ends it without calling back.
        """
        return self._step(self.exchange.sending(frames, described), onDone, onError)

    def receive(
        self,
        id: int,
        arrays: Sequence[np.ndarray],
        onDone: Callable[[], None],
        onError: Callable[[MedRestoreError], None],
    ) -> stepping.Steps:
        """Copy the result of request ``id`` into ``arrays`` (see ``Exchange.receiving``).

        Args:
            onDone: called without arguments.
            onError: called with a ``MedRestoreError``.

        Returns:
            The work in progress, as ``upload`` does. The result is removed, also when it is stopped.
        """
        return self._step(self.exchange.receiving(id, arrays), lambda nothing: onDone(), onError)

    def forgetUpload(self, upload: Upload) -> None:
        """Remove a study that is not needed any more; jobs about it that wait will fail."""
        self.conversation.tell(self.exchange.forget_upload(upload))
        self._send()

    def submit(self, request: dict[str, Any], **callbacks: Callable) -> int:
        """Have the worker do a request of ``exchange.request`` when those before it are done.

        Args:
            request: what to do.
            **callbacks: the fields of ``Callbacks``.

        Returns:
            The request's id, for ``cancel`` and ``receive``.
        """
        self._callbacks[request["id"]] = Callbacks(**callbacks)
        self.conversation.submit(request)
        self._send()
        return request["id"]

    def cancel(self, id: int) -> None:
        """End a job: one that waits now, one under way as soon as the worker hears it, two seconds later by force."""
        from MedRestoreLib.service.conversation import GRACE_SECONDS

        conversation = self.conversation
        conversation.cancel(id)
        self._tellAll()

        def killIfDeaf() -> None:
            if conversation is self._conversation and conversation.current == id:
                self._kill()

        if conversation.current == id:
            qt.QTimer.singleShot(round(1000 * GRACE_SECONDS), killIfDeaf)

    def close(self) -> None:
        """End everything at once; nobody is called back. The next ``start`` or ``submit`` begins anew."""
        self._callbacks.clear()
        for steps in self._steps:
            steps.stop()
        if self._isRunning:
            self._isRunning = False  # what the process still says is not listened to
            self._kill()  # it has nothing to lose
            if not self._process.waitForFinished(CLOSE_MS):
                self._process.kill()
        self._conversation = None
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def _step(self, generator: Generator, onDone: Callable, onError: Callable) -> stepping.Steps:
        steps = stepping.run(generator, onDone, lambda error: onError(_asOurs(error)))
        self._steps = [other for other in self._steps if other.isRunning] + [steps]
        return steps

    def _send(self) -> None:
        """Write what is to be said; start a worker if one is needed."""
        if self.conversation.needs_worker:
            self.start()
        data = self.conversation.to_send()
        if data:
            self._process.write(data)

    def _tellAll(self) -> None:
        """Tell everybody what happened. Those who are told may submit, cancel or close."""
        while (event := self.conversation.next_event()) is not None:
            self._send()
            self._tell(event)
        self._send()

    def _tell(self, event: Event) -> None:
        from MedRestoreLib.service.conversation import ForeignLine, JobCancelled, JobDone, JobFailed, JobProgress

        match event:
            case ForeignLine(text):  # a launcher's, say
                self._note(text + b"\n")
            case JobProgress(id, fraction, message):
                self._callbacks[id].onProgress(fraction, message)
            case JobDone(id, reply):
                self._callbacks.pop(id).onDone({"id": id, **reply})
            case JobFailed(id):
                self.exchange.forget(id)
                self._callbacks.pop(id).onError(event.error)
            case JobCancelled(id):
                self.exchange.forget(id)
                self._callbacks.pop(id).onCancelled()

    def _onOutput(self) -> None:
        data = self._process.readAllStandardOutput().data()
        if self._isRunning:
            self.conversation.receive(data)
            self._tellAll()

    def _onErrorOutput(self) -> None:
        self._note(self._process.readAllStandardError().data())

    def _onFinished(self) -> None:
        """The process is gone: by our hand, or on its own."""
        self._onOutput()
        self._onErrorOutput()
        self._gone()

    def _onProcessError(self, error: qt.QProcess.ProcessError) -> None:
        if error == qt.QProcess.FailedToStart:  # it does not finish then; Windows says so before start() returns
            qt.QTimer.singleShot(0, self._gone)

    def _gone(self) -> None:
        if self._isRunning:
            self._isRunning = False
            self.conversation.ended(self._whyNotStarted())
            self._tellAll()

    def _whyNotStarted(self) -> str:
        details = self.details.splitlines() or [_("it said nothing.")]
        return _("the worker process did not start ({program}): {details}").format(
            program=os.path.basename(self._python), details=details[-1]
        )

    def _kill(self) -> None:
        """Kill the worker and its launcher, if there is one."""
        from MedRestoreLib.service.exchange import kill

        kill(self.exchange.folder, self.pid)
        if self.pid is None:  # else its launcher, if it was not killed, leaves by itself: once it has gone, both have
            self._process.kill()

    def _note(self, text: bytes) -> None:
        self._details = (self._details + text)[-DETAILS_BYTES:]


def _asOurs(error: Exception) -> MedRestoreError:
    """An error while copying as one that has a sentence for the user."""
    from MedRestoreLib import MedRestoreError

    if isinstance(error, MedRestoreError):
        return error
    logging.error("MedRestore: a study could not be copied", exc_info=error)
    return MedRestoreError(_("the study could not be copied ({reason}).").format(reason=type(error).__name__))
