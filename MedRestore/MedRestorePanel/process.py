"""The library's worker as a process of Slicer's: studies and requests go in, progress and results come back.

Nothing here waits: Qt says when the process has written something or ended, and studies are copied in short steps.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import Any

import qt
from slicer.i18n import tr as _

from . import stepping

CANCEL_MS = 2000  # how long a worker may take to hear a cancel before it is killed
CLOSE_MS = 2000  # how long a killed worker may take to end
DETAILS_BYTES = 4096


@dataclass(eq=False)
class Job:
    """A request, and whom to tell."""

    request: dict
    onDone: Any
    onProgress: Any
    onError: Any
    onCancelled: Any
    cancelled: bool = False

    @property
    def id(self):
        return self.request["id"]


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

    def __init__(self, python=None, parent=None):
        self._python = python or shutil.which("PythonSlicer") or sys.executable
        self._process = qt.QProcess(parent)
        self._process.readyReadStandardOutput.connect(self._onOutput)
        self._process.readyReadStandardError.connect(self._onErrorOutput)
        self._process.finished.connect(self._onFinished)
        self._process.errorOccurred.connect(self._onProcessError)
        self._exchange = None
        self._running = False
        self._pid = None  # the worker's own; the process that was started may only be its launcher
        self._output = b""
        self._details = b""
        self._jobs = deque()
        self._current = None
        self._steps = []

    @property
    def exchange(self):
        """What passes between Slicer and the worker (``service.exchange.Exchange``); made when first needed."""
        if self._exchange is None:
            from MedRestoreLib.service.exchange import Exchange

            self._exchange = Exchange()
        return self._exchange

    @property
    def isBusy(self):
        """Whether anything is under way: a job, one that waits, or a study on its way."""
        return self._current is not None or bool(self._jobs) or any(steps.isRunning for steps in self._steps)

    @property
    def pid(self):
        """The worker's process id, None while there is none that answers."""
        return self._pid

    @property
    def details(self):
        """The last that the worker wrote on standard error, for a bug report; it never knows a patient's name."""
        return self._details.decode("utf-8", "replace").strip()

    def start(self):
        """Start the process, so that it is warm when it is needed; ``submit`` starts it, too."""
        if self._running:
            return
        from MedRestoreLib.service import exchange

        environment = qt.QProcessEnvironment.systemEnvironment()  # Slicer's own, with what its Python needs
        environment.insert("PYTHONPATH", exchange.search_path())
        self._process.setProcessEnvironment(environment)
        self._process.setWorkingDirectory(tempfile.gettempdir())  # a folder that nobody wants to remove or unmount
        program, *arguments = exchange.command(self._python, self.exchange.folder)
        self._running = True
        self._output = b""
        self._process.start(program, arguments)

    def upload(self, frames, described, onDone, onError):
        """Copy a study (see ``Exchange.sending``) to where the worker finds it.

        Args:
            onDone: called with the upload, for ``exchange.request``.
            onError: called with a message.

        Returns:
            The work in progress, whose ``stop()`` ends it without calling back.
        """
        return self._step(self.exchange.sending(frames, described), onDone, onError)

    def receive(self, id, arrays, onDone, onError):
        """Copy the result of request ``id`` into ``arrays`` (see ``Exchange.receiving``).

        Args:
            onDone: called without arguments.
            onError: called with a message.

        Returns:
            The work in progress, as ``upload`` does. The result is removed, also when it is stopped.
        """
        return self._step(self.exchange.receiving(id, arrays), lambda nothing: onDone(), onError)

    def forgetUpload(self, upload):
        """Remove a study that is not needed any more; jobs about it that wait will fail."""
        request = self.exchange.forget_upload(upload)
        if self._pid is not None:
            self._send(request)

    def submit(self, request, onDone, onProgress=None, onError=None, onCancelled=None):
        """Let the worker do a request of ``exchange.request`` when those before it are done.

        Exactly one of the other three is called at the end, unless ``close`` comes first.

        Args:
            onDone: called with the worker's reply, a dict: "plan" or "report", as the request has it.
            onProgress: called with a fraction (0 to 1) and what is being done.
            onError: called with a sentence for the user, also when the worker crashed.
            onCancelled: called without arguments.

        Returns:
            The request's id, for ``cancel`` and ``receive``.
        """

        def ignore(*arguments):
            pass

        job = Job(request, onDone, onProgress or ignore, onError or ignore, onCancelled or ignore)
        self._jobs.append(job)
        self._next()
        return job.id

    def cancel(self, id):
        """End a job: one that waits now, one under way as soon as the worker hears it, two seconds later by force."""
        for job in self._jobs:
            if job.id == id:
                self._jobs.remove(job)
                self._leave(job)
                job.onCancelled()
                return
        job = self._current
        if job is None or job.id != id or job.cancelled:
            return
        job.cancelled = True
        self._send({"id": id, "do": "cancel"})
        qt.QTimer.singleShot(CANCEL_MS, lambda: self._kill() if self._current is job else None)

    def close(self):
        """End everything at once; nobody is called back. The next ``start`` or ``submit`` begins anew."""
        self._jobs.clear()
        self._current = None
        for steps in self._steps:
            steps.stop()
        if self._running:
            self._running = False  # what the process still says is not listened to
            self._kill()  # it has nothing to lose
            if not self._process.waitForFinished(CLOSE_MS):
                self._process.kill()
        self._pid = None
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def _step(self, generator, onDone, onError):
        steps = stepping.run(generator, onDone, lambda error: onError(_sentence(error)))
        self._steps = [other for other in self._steps if other.isRunning] + [steps]
        return steps

    def _next(self):
        """Give the worker its next job, once it is there and has nothing else to do."""
        if self._current is not None or not self._jobs:
            return
        if self._pid is None:
            self.start()
            return
        self._current = self._jobs.popleft()
        self._send(self._current.request)

    def _send(self, request):
        self._process.write(json.dumps(request) + "\n")

    def _onOutput(self):
        self._output += self._process.readAllStandardOutput().data()
        while b"\n" in self._output and self._running:
            line, self._output = self._output.split(b"\n", 1)
            try:
                reply = json.loads(line)
                event = reply["event"]
            except (ValueError, TypeError, KeyError):  # not the worker's: a launcher's, say
                self._note(line + b"\n")
            else:
                self._onReply(event, reply)

    def _onReply(self, event, reply):
        if event == "ready":
            self._pid = reply["pid"]
            self._next()
            return
        job = self._current
        if job is None or reply.get("id") != job.id:
            return
        if event == "progress":
            if not job.cancelled:
                job.onProgress(reply["fraction"], reply["message"])
            return
        self._current = None
        if job.cancelled or event != "done":
            self._leave(job)
        self._next()
        if job.cancelled or event == "cancelled":
            job.onCancelled()
        elif event == "done":
            job.onDone(reply)
        else:
            job.onError(reply["message"])

    def _onErrorOutput(self):
        self._note(self._process.readAllStandardError().data())

    def _onFinished(self):
        """The process is gone: by our hand, or on its own."""
        self._onOutput()
        self._onErrorOutput()
        self._gone()

    def _onProcessError(self, error):
        if error == qt.QProcess.FailedToStart:  # it does not finish then; Windows says so before start() returns
            qt.QTimer.singleShot(0, self._gone)

    def _gone(self):
        if not self._running:
            return
        self._running = False
        wasReady, self._pid = self._pid is not None, None
        lost, self._current = [self._current] if self._current is not None else [], None
        if not wasReady:
            lost += self._jobs
            self._jobs.clear()
        for job in lost:
            self._leave(job)
        self._next()
        for job in lost:
            if job.cancelled:
                job.onCancelled()
            else:
                job.onError(_stopped() if wasReady else self._notStarted())

    def _notStarted(self):
        details = self.details.splitlines() or [_("it said nothing.")]
        return _("the worker process did not start ({program}): {details}").format(
            program=os.path.basename(self._python), details=details[-1]
        )

    def _leave(self, job):
        """Remove what a job that gave no result has left."""
        if self._exchange is not None:
            self._exchange.forget(job.id)

    def _kill(self):
        """Kill the worker. Its launcher, if there is one, then leaves by itself, so once that is gone both are."""
        if self._pid is None:
            self._process.kill()
            return
        with contextlib.suppress(OSError):  # it is gone already
            os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows: ends it at once, too

    def _note(self, text):
        self._details = (self._details + text)[-DETAILS_BYTES:]


def _stopped():
    from MedRestoreLib.service.exchange import STOPPED

    return STOPPED


def _sentence(error):
    """What to tell the user about an error while copying."""
    from MedRestoreLib.errors import MedRestoreError

    if isinstance(error, MedRestoreError):
        return str(error)
    logging.error("MedRestore: a study could not be copied", exc_info=error)
    return _("the study could not be copied ({reason}).").format(reason=type(error).__name__)
