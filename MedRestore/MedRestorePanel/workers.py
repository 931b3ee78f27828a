"""Two workers: one restores, and while it does the other reads and previews whatever a person looks at meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .process import WorkerProcess
from .uploads import Uploads

if TYPE_CHECKING:
    import slicer

    from .uploads import Request


class Workers:
    """Passes requests on: to the first worker, or to the second while the first one restores.

    The second is started when it is first needed, and closed at the first request after the job that it was for. It
    does what ``Uploads`` does, with the same arguments.

    Attributes:
        first: the worker that restores, kept warm.
    """

    def __init__(self) -> None:
        self.first = WorkerProcess()
        self._uploads = Uploads(self.first)
        self._second: Uploads | None = None
        self._job: Request | None = None
        self._onSecond: list[Request] = []

    @property
    def isBusy(self) -> bool:
        return self.first.isBusy or (self._second is not None and self._second.worker.isBusy)

    def request(self, do: str, study: slicer.vtkMRMLNode, edits: dict[str, Any], **options: Any) -> Request:
        """As ``Uploads.request``."""
        if do == "restore":
            self._job = self._uploads.request(do, study, edits, **options)
            return self._job
        if self._job is None or self._job.isOver:
            self._dismissSecond()
            return self._uploads.request(do, study, edits, **options)
        if self._second is None:
            self._second = Uploads(WorkerProcess())
        request = self._second.request(do, study, edits, **options)
        self._onSecond = [other for other in self._onSecond if not other.isOver] + [request]
        return request

    def result(self, request: Request, id: int) -> Any:
        """The voxels that a request gave, with the id of the worker's reply."""
        return self._of(request).worker.exchange.result(id)

    def cancel(self, request: Request) -> None:
        self._of(request).cancel(request)

    def forget(self) -> None:
        """Let the studies go that no request needs."""
        self._uploads.forget()
        if self._second is not None:
            self._second.forget()

    def restart(self) -> None:
        """Begin anew with what was installed meanwhile."""
        self.forget()
        self.close()
        self.first.start()

    def close(self) -> None:
        """End both at once."""
        self.first.close()
        if self._second is not None:
            self._second.worker.close()
        self._second, self._job, self._onSecond = None, None, []

    def _of(self, request: Request) -> Uploads:
        isOnSecond = any(other is request for other in self._onSecond)
        return self._second if isOnSecond and self._second is not None else self._uploads

    def _dismissSecond(self) -> None:
        """Close the second worker once nobody waits for it."""
        if self._second is not None and not self._second.worker.isBusy:
            self._second.worker.close()
            self._second, self._onSecond = None, []
