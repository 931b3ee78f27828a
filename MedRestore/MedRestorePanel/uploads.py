"""Requests about a volume node: its voxels go to the worker once, then serve every request about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from .process import Callbacks, WorkerProcess

if TYPE_CHECKING:
    import numpy as np
    import slicer

    from MedRestoreLib import MedRestoreError
    from MedRestoreLib.service.exchange import Upload

    from .stepping import Steps


class State(Enum):
    """What a request waits for."""

    STUDY = "for its study to arrive"
    MASK = "for its mask to arrive"
    WORKER = "for the worker"
    OVER = "for nothing more"


@dataclass(eq=False)
class Request:
    """One request of the panel, from ``Uploads.request`` to its end.

    Attributes:
        do, edits, at, mask: what is asked.
        callbacks: whom to tell.
        state: what it waits for.
        upload, maskUpload: the study and the mask, once they have arrived.
        id: the worker's id for it, once the worker has it.
    """

    do: str
    edits: Mapping[str, Any]
    at: tuple[int, int] | None
    mask: np.ndarray | None
    callbacks: Callbacks
    state: State = State.STUDY
    upload: Upload | None = None
    maskUpload: Upload | None = None
    id: int | None = None

    @property
    def isOver(self) -> bool:
        return self.state is State.OVER


class Uploads:
    """Sends the chosen study, and requests about it, to the worker.

    The last study is kept, and others as long as a request about them is under way; one whose voxels changed since is
    sent again.

    Args:
        worker: the ``WorkerProcess``.
    """

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self._key: tuple[Any, ...] | None = None  # tells the study that was sent last, and the state of its voxels
        self._upload: Upload | None = None
        self._sending: Steps | None = None
        self._requests: list[Request] = []  # those that are not over
        self._retired: list[Upload] = []  # studies that nobody chooses any more

    def request(
        self,
        do: str,
        study: slicer.vtkMRMLNode,
        edits: Mapping[str, Any],
        *,
        at: tuple[int, int] | None = None,
        mask: np.ndarray | None = None,
        **callbacks: Callable,
    ) -> Request:
        """Ask the worker about a study.

        Args:
            do: "recognise", "restore", "preview" or "glance".
            study: scalar or colour volume, or a sequence of them.
            edits: fields of ``Plan``, and the modality.
            at: frame and slice of a preview.
            mask: bool ``(slices, rows, columns)``: restore inside only.
            **callbacks: the fields of ``process.Callbacks``. One of the three that end a request is called, once,
                unless ``cancel`` comes before the worker has the request.

        Returns:
            The request, for ``cancel``.

        Raises:
            MedRestoreError: the study cannot be restored; the message says why.
        """
        self._send(study)
        request = Request(do, edits, at, mask, Callbacks(**callbacks))
        self._requests.append(request)
        self._serve()
        return request

    def cancel(self, request: Request) -> None:
        """End a request that is not over; harmless for one that is."""
        if request.state is State.WORKER:
            self.worker.cancel(request.id)
        elif request.state is not State.OVER:
            self._finish(request)

    def forget(self) -> None:
        """Let the study go; requests that still wait for it are cancelled."""
        waiting = self._waiting()
        self._retire()
        for request in waiting:
            self._end(request, request.callbacks.onCancelled)

    def _send(self, study: slicer.vtkMRMLNode) -> None:
        from MedRestoreLib import mrml

        described, frames = mrml.describe(study), mrml.frames_of(study)
        key = (study.GetID(), str(described), mrml.modified(study))
        if key == self._key:
            return
        self.forget()
        self._key = key
        self._sending = self.worker.upload(frames, described, onDone=self._sent, onError=self._notSent)

    def _sent(self, upload: Upload) -> None:
        self._upload, self._sending = upload, None
        self._serve()

    def _notSent(self, error: MedRestoreError) -> None:
        waiting = self._waiting()
        self._retire()
        for request in waiting:
            self._end(request, request.callbacks.onError, error)

    def _retire(self) -> None:
        """Let the study go that was sent last, or is being sent."""
        if self._sending is not None:
            self._sending.stop()
        if self._upload is not None:
            self._retired.append(self._upload)
        self._key = self._upload = self._sending = None
        self._sweep()

    def _waiting(self) -> list[Request]:
        return [request for request in self._requests if request.state is State.STUDY]

    def _serve(self) -> None:
        """Pass on what waited, once the study has arrived."""
        if self._upload is None:
            return
        for request in self._waiting():
            request.upload = self._upload
            if request.mask is None:
                self._submit(request)
            else:
                request.state = State.MASK
                masked = partial(self._masked, request)
                failed = partial(self._end, request, request.callbacks.onError)
                self.worker.upload([request.mask], {}, onDone=masked, onError=failed)

    def _masked(self, request: Request, maskUpload: Upload) -> None:
        """A mask has arrived."""
        if request.state is State.OVER:
            self.worker.forgetUpload(maskUpload)
        else:
            request.maskUpload = maskUpload
            self._submit(request)

    def _submit(self, request: Request) -> None:
        asked = self.worker.exchange.request(
            request.do, request.upload, at=request.at, mask=request.maskUpload, **request.edits
        )
        request.state, request.id = State.WORKER, asked["id"]
        self.worker.submit(
            asked,
            onDone=partial(self._end, request, request.callbacks.onDone),
            onProgress=request.callbacks.onProgress,
            onError=partial(self._end, request, request.callbacks.onError),
            onCancelled=partial(self._end, request, request.callbacks.onCancelled),
        )

    def _end(self, request: Request, callback: Callable, *arguments: Any) -> None:
        """The request is over: tell the panel."""
        if request.state is not State.OVER:
            self._finish(request)
            callback(*arguments)

    def _finish(self, request: Request) -> None:
        """The request is over: what it alone needed goes."""
        request.state = State.OVER
        self._requests.remove(request)
        if request.maskUpload is not None:
            self.worker.forgetUpload(request.maskUpload)
        self._sweep()

    def _sweep(self) -> None:
        """Remove the studies that nobody chooses any more and no request needs."""
        needed = {id(request.upload) for request in self._requests}
        for upload in [upload for upload in self._retired if id(upload) not in needed]:
            self._retired.remove(upload)
            self.worker.forgetUpload(upload)
