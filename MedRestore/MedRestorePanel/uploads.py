"""Requests about a volume node: its voxels go to the worker once, then serve every request about it."""


class Request:
    """One request of the panel: waiting for its study to arrive, with the worker, or over."""

    def __init__(self, submit, onError, onCancelled):
        self.submit = submit  # called with the upload once the study has arrived; returns the worker's id
        self.onError = onError
        self.onCancelled = onCancelled
        self.upload = None
        self.id = None
        self.isOver = False


class Uploads:
    """Sends the chosen study, and requests about it, to the worker.

    The last study is kept, and others as long as a request about them is under way; one whose voxels changed since is
    sent again.

    Args:
        worker: the ``WorkerProcess``.
    """

    def __init__(self, worker):
        self.worker = worker
        self._key = None
        self._upload = None
        self._sending = None
        self._waiting = []
        self._submitted = []
        self._retired = []

    def request(self, do, study, edits, *, onDone, onError, onProgress=None, onCancelled=None, at=None, mask=None):
        """Ask the worker about a study.

        Args:
            do: "recognise", "restore" or "preview".
            study: scalar or colour volume, or a sequence of them.
            edits: fields of ``Plan``, and the modality.
            onDone, onError, onProgress, onCancelled: as for ``WorkerProcess.submit``; one of the three that end a
                request is called, once, unless ``cancel`` comes before the study has arrived.
            at: frame and slice of a preview.
            mask: bool ``(slices, rows, columns)``: restore inside only.

        Returns:
            A ``Request``, for ``cancel``.

        Raises:
            MedRestoreError: the study cannot be restored; the message says why.
        """

        def ending(callback):
            def end(*arguments):
                request.isOver = True
                self._sweep()
                if callback is not None:
                    callback(*arguments)

            return end

        def submit(upload, maskUpload=None):
            asked = self.worker.exchange.request(do, upload, at=at, mask=maskUpload, **edits)

            def leave(callback):
                def end(*arguments):
                    if maskUpload is not None:
                        self.worker.forgetUpload(maskUpload)
                    callback(*arguments)

                return end

            return self.worker.submit(
                asked, leave(ending(onDone)), onProgress, leave(ending(onError)), leave(ending(onCancelled))
            )

        def submitMasked(upload):
            def arrived(maskUpload):
                if request.isOver:
                    self.worker.forgetUpload(maskUpload)
                else:
                    request.id = submit(upload, maskUpload)

            self.worker.upload([mask], {}, onDone=arrived, onError=request.onError)

        request = Request(submit if mask is None else submitMasked, ending(onError), ending(onCancelled))
        self._send(study)
        self._waiting.append(request)
        self._serve()
        return request

    def cancel(self, request):
        """End a request that is not over; harmless for one that is."""
        if request.isOver:
            return
        if request.id is not None:
            self.worker.cancel(request.id)
            return
        request.isOver = True
        self._waiting = [other for other in self._waiting if other is not request]

    def forget(self):
        """Let the study go; requests that still wait for it are cancelled."""
        if self._sending is not None:
            self._sending.stop()
        if self._upload is not None:
            self._retired.append(self._upload)
        self._key = self._upload = self._sending = None
        self._sweep()
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            request.onCancelled()

    def _send(self, study):
        from MedRestoreLib import mrml

        described, frames = mrml.describe(study), mrml.frames_of(study)
        key = (study.GetID(), str(described), mrml.modified(study))
        if key == self._key:
            return
        self.forget()
        self._key = key
        self._sending = self.worker.upload(frames, described, onDone=self._sent, onError=self._notSent)

    def _sent(self, upload):
        self._upload, self._sending = upload, None
        self._serve()

    def _notSent(self, message):
        waiting, self._waiting = self._waiting, []
        self.forget()
        for request in waiting:
            request.onError(message)

    def _serve(self):
        """Pass on what waited, once the study has arrived."""
        if self._upload is None:
            return
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            request.upload = self._upload
            self._submitted.append(request)
            request.id = request.submit(self._upload)

    def _sweep(self):
        """Remove the studies that nobody chose any more and no request needs."""
        self._submitted = [request for request in self._submitted if not request.isOver]
        needed = {id(request.upload) for request in self._submitted}
        for upload in [upload for upload in self._retired if id(upload) not in needed]:
            self._retired.remove(upload)
            self.worker.forgetUpload(upload)
