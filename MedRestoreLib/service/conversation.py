"""What a caller and its worker say to each other, apart from how it travels: bytes in, events out.

``Conversation`` is the caller's side. It starts no process, reads no pipe and knows no clock (sans I/O), so plain
Python and Slicer's event loop share it. A message is a JSON object on a line of its own, here with ← from the worker:

    ← {"event": "ready", "pid": 1234, "version": "0.1.0"}
    → {"id": 1, "do": "restore", "input": "1-study.npy", "output": "2-out.npy", "image": {...}, "plan": {...}, ...}
    ← {"event": "progress", "id": 1, "fraction": 0.25, "message": "Restoring with BM3D"}
    ← {"event": "done", "id": 1, "report": {...}}
      or {"event": "error", "id": 1, "kind": "InvalidPlan", "message": "...", "field": "level"}
      or {"event": "cancelled", "id": 1}
    → {"id": 2, "do": "recommend", "input": ...}       ← "done" with "plan"; "recognise" likewise
    → {"id": 3, "do": "preview", "frame": 0, "slice": 12, ...}
    → {"id": 3, "do": "cancel"}
    → {"do": "forget", "input": "1-study.npy"}         → {"do": "quit"}

Lines that are none of these, such as a launcher's greeting, are passed on as ``ForeignLine``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import MedRestoreError

# A caller kills a worker that has not heard a cancel, or not left, after so long.
GRACE_SECONDS = 2.0

STOPPED = (
    "the worker process stopped before it was done (killed, or out of memory); the study is unchanged: "
    "try again, with a lighter method or another device."
)
NOT_STARTED = "the worker process did not start; run it by hand to see why: python -m MedRestoreLib worker FOLDER."


JobId = int | str | None  # as the request gave it


@dataclass(frozen=True)
class Ready:
    """The worker has started and listens; ``pid`` is its own, even if a launcher started it."""

    pid: int
    version: str = ""


@dataclass(frozen=True)
class JobProgress:
    """``fraction`` of the job is done, 0 to 1; ``message`` says what is being done."""

    id: JobId
    fraction: float
    message: str


@dataclass(frozen=True)
class JobDone:
    """The job has ended; ``reply`` holds "plan", "report" or what else the request asks for."""

    id: JobId
    reply: Mapping[str, Any]


@dataclass(frozen=True)
class JobFailed:
    """The job has ended with an error: the name of its class, its message and its field."""

    id: JobId
    kind: str
    message: str
    field: str = ""

    @classmethod
    def of(cls, id: int | None, error: MedRestoreError) -> JobFailed:
        """The event for an error that a job raised."""
        return cls(id, type(error).__name__, str(error), error.field)

    @property
    def error(self) -> MedRestoreError:
        """The error to raise; of a kind that ``errors`` does not know, a plain ``MedRestoreError``."""
        kinds = {kind.__name__: kind for kind in MedRestoreError.__subclasses__()}
        return kinds.get(self.kind, MedRestoreError)(self.message, field=self.field)


@dataclass(frozen=True)
class JobCancelled:
    """The job has ended because the caller cancelled it."""

    id: JobId


@dataclass(frozen=True)
class ForeignLine:
    """A line that is no reply to a job under way; worth a place in a log."""

    text: bytes


Event = Ready | JobProgress | JobDone | JobFailed | JobCancelled | ForeignLine


def encode(event: Ready | JobProgress | JobDone | JobFailed | JobCancelled) -> bytes:
    """The line, with its end, by which a worker says an event."""
    fields = dict(vars(event))
    if isinstance(event, JobDone):
        fields |= fields.pop("reply")
    names = {Ready: "ready", JobProgress: "progress", JobDone: "done", JobFailed: "error", JobCancelled: "cancelled"}
    return _line({"event": names[type(event)], **fields})


def decode(line: bytes) -> Event:
    """The event that a line says; any other line is a ``ForeignLine``.

    >>> decode(encode(JobProgress(1, 0.25, "Restoring")))
    JobProgress(id=1, fraction=0.25, message='Restoring')
    >>> decode(b"Python 3.12 on linux")
    ForeignLine(text=b'Python 3.12 on linux')
    """
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        return ForeignLine(line)
    match reply:
        case {"event": "ready", "pid": int(pid)} if pid >= 1:  # 1 in a container
            return Ready(pid, str(reply.get("version", "")))
        case {"event": "progress", "id": id, "fraction": int() | float() as fraction, "message": str(message)}:
            return JobProgress(id, fraction, message)
        case {"event": "done", "id": id, **rest}:
            return JobDone(id, {str(name): value for name, value in rest.items()})
        case {"event": "error", "id": id, "kind": str(kind), "message": str(message)}:
            return JobFailed(id, kind, message, str(reply.get("field", "")))
        case {"event": "cancelled", "id": id}:
            return JobCancelled(id)
    return ForeignLine(line)


class Conversation:
    """The caller's side of a conversation: one job after the other, whatever becomes of the worker meanwhile.

    The caller carries bytes and reports what happened: it writes what ``to_send`` returns after each call below, gives
    what it reads to ``receive``, calls ``ended`` when the worker's output ends, and then takes events from
    ``next_event`` until there is none. After its end the conversation goes on with the next worker. Every job ends
    with one of ``JobDone``, ``JobFailed`` and ``JobCancelled``.

    >>> conversation = Conversation()
    >>> conversation.submit({"id": 1, "do": "restore"})
    >>> conversation.receive(b'{"event": "ready", "pid": 123}\\n{"event": "done", ')
    >>> conversation.next_event(), conversation.next_event()
    (Ready(pid=123, version=''), None)
    >>> conversation.to_send()
    b'{"id": 1, "do": "restore"}\\n'
    >>> conversation.receive(b'"id": 1, "report": {}}\\n')
    >>> conversation.next_event()
    JobDone(id=1, reply={'report': {}})
    """

    def __init__(self) -> None:
        self._worker: Ready | None = None
        self._waiting: deque[dict[str, Any]] = deque()
        self._current: dict[str, Any] | None = None
        self._is_cancelled = False  # the current job
        self._outgoing = b""
        self._incoming: deque[bytes | None] = deque()  # lines; None where the worker's output ended
        self._incomplete = b""  # the line whose end has not come yet
        self._events: deque[Event] = deque()
        self._why_not_started = NOT_STARTED

    @property
    def pid(self) -> int | None:
        """The worker's own process id; None while no worker listens."""
        return None if self._worker is None else self._worker.pid

    @property
    def current(self) -> int | None:
        """The id of the job that the worker is doing."""
        return None if self._current is None else self._current["id"]

    @property
    def is_busy(self) -> bool:
        """Whether a job is under way or waits."""
        return self._current is not None or bool(self._waiting)

    @property
    def needs_worker(self) -> bool:
        """Whether a job waits for a worker to be started."""
        return self._worker is None and bool(self._waiting)

    def submit(self, request: dict[str, Any]) -> None:
        """Have a request of ``Exchange.request`` done when those before it are done."""
        self._waiting.append(request)
        self._advance()

    def cancel(self, id: int) -> None:
        """End a job: one that waits at once, the current one when the worker hears of it. Harmless for others."""
        for request in self._waiting:
            if request["id"] == id:
                self._waiting.remove(request)
                self._events.append(JobCancelled(id))
                return
        if self.current == id and not self._is_cancelled:
            self._is_cancelled = True
            self._say({"id": id, "do": "cancel"})

    def tell(self, request: dict[str, Any]) -> None:
        """Send a request that has no reply, such as "forget"; a worker that is not there needs none."""
        if self._worker is not None:
            self._say(request)

    def to_send(self) -> bytes:
        """What is to be written to the worker now; it is returned once."""
        data, self._outgoing = self._outgoing, b""
        return data

    def receive(self, data: bytes) -> None:
        """Take what the worker wrote, in pieces of any length."""
        self._incomplete += data
        if b"\n" in data:
            *lines, self._incomplete = self._incomplete.split(b"\n")
            self._incoming.extend(lines)

    def ended(self, why_not_started: str = NOT_STARTED) -> None:
        """The worker's output has ended. The current job fails; those that wait go to the next worker.

        Args:
            why_not_started: what to say if the worker was never ready; all jobs then fail with it, for the next worker
                would not start either.
        """
        if self._incomplete:
            self._incoming.append(self._incomplete)
            self._incomplete = b""
        self._why_not_started = why_not_started
        self._incoming.append(None)

    def next_event(self) -> Event | None:
        """What happened next; None until more is received."""
        while self._incoming and not self._events:
            line = self._incoming.popleft()
            if line is None:
                self._lose_worker()
            else:
                self._read(line)
        return self._events.popleft() if self._events else None

    def _read(self, line: bytes) -> None:
        event = decode(line)
        if isinstance(event, Ready) and self._worker is None:
            self._worker = event
            self._advance()
        elif isinstance(event, Ready | ForeignLine) or self._current is None or event.id != self.current:
            event = ForeignLine(line)
        elif isinstance(event, JobProgress):
            if self._is_cancelled:
                return
        else:
            event = JobCancelled(event.id) if self._is_cancelled else event
            self._current = None
            self._advance()
        self._events.append(event)

    def _lose_worker(self) -> None:
        lost = [] if self._current is None else [self._current]
        message = STOPPED if self._worker is not None else self._why_not_started
        if self._worker is None:
            lost += self._waiting
            self._waiting.clear()
        for request in lost:
            if request is self._current and self._is_cancelled:
                self._events.append(JobCancelled(request["id"]))
            else:
                self._events.append(JobFailed(request["id"], "WorkerStopped", message))
        self._worker = self._current = None
        self._outgoing = b""

    def _advance(self) -> None:
        """Send the next request, if a worker is there and has nothing else to do."""
        if self._worker is not None and self._current is None and self._waiting:
            self._current = self._waiting.popleft()
            self._is_cancelled = False
            self._say(self._current)

    def _say(self, request: dict[str, Any]) -> None:
        self._outgoing += _line(request)


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
