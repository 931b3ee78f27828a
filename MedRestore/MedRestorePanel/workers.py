"""Two workers: one restores, and while it does the other reads and previews whatever a person looks at meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .process import WorkerProcess, ignore
from .uploads import Uploads

if TYPE_CHECKING:
    import slicer

    from .uploads import Request


class Workers:
    """Passes requests on: to the first worker, or to the second while the first one restores.

    Who restores holds the first worker meanwhile. The second is started when it is first needed, and closed at the
    first request after the first one was released. It does what ``Uploads`` does, with the same arguments.

    Args:
        onHeld: called when the first worker was taken or released.

    Attributes:
        first: the worker that restores, kept warm.
    """

    def __init__(self, onHeld: Callable[[], None] = ignore) -> None:
        self.onHeld = onHeld
        self.first = WorkerProcess()
        self._uploads = Uploads(self.first)
        self._second: Uploads | None = None
        self._holder: object | None = None
        self._onSecond: list[Request] = []

    @property
    def isBusy(self) -> bool:
        return self.first.isBusy or (self._second is not None and self._second.worker.isBusy)

    @property
    def details(self) -> str:
        """The last that the workers wrote on standard error."""
        workers = [self.first] + ([] if self._second is None else [self._second.worker])
        return "\n".join(filter(None, (worker.details for worker in workers)))

    def isHeldBy(self, who: object) -> bool:
        """Whether the first worker is theirs, or nobody's."""
        return self._holder in (None, who)

    def hold(self, who: object) -> None:
        """From now on the first worker restores for ``who``, and everything else is asked of the second."""
        self._holder = who
        self.onHeld()

    def release(self, who: object) -> None:
        """The first worker is there for everybody again."""
        if self._holder is who:
            self._holder = None
            self.onHeld()

    def request(self, do: str, study: slicer.vtkMRMLNode, edits: dict[str, Any], **options: Any) -> Request:
        """As ``Uploads.request``."""
        if do == "restore":
            return self._uploads.request(do, study, edits, **options)
        if self._holder is None:
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
        self._second, self._onSecond = None, []

    def _of(self, request: Request) -> Uploads:
        isOnSecond = any(other is request for other in self._onSecond)
        return self._second if isOnSecond and self._second is not None else self._uploads

    def _dismissSecond(self) -> None:
        """Close the second worker once nobody waits for it."""
        if self._second is not None and not self._second.worker.isBusy:
            self._second.worker.close()
            self._second, self._onSecond = None, []
