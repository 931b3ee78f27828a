"""One restoration under way, from the request to the nodes in the scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from . import stepping
from .settings import resultsInFolder
from .words import explained

if TYPE_CHECKING:
    import numpy as np

    from .workers import Workers

# How the bar is shared: sending the study, restoring it, fetching the result.
SENT, RESTORED = 0.02, 0.97

FOLDER = "MedRestore"  # of results in the subject hierarchy, where the settings want one


@dataclass(frozen=True)
class Order:
    """What is to be restored, and how.

    Attributes:
        study: a volume, or a sequence.
        edits: fields of ``Plan`` that are decided.
        mask: bool ``(slices, rows, columns)``: restore inside only.
        target: an earlier result that makes way.
        keepRemoved: also add what was removed.
        trustMap: also make the map of trust.
        others: nodes besides study and target that the job is for, such as the volume that shows a sequence.
    """

    study: slicer.vtkMRMLNode
    edits: dict[str, Any] = field(default_factory=dict)
    mask: np.ndarray | None = None
    target: slicer.vtkMRMLVolumeNode | None = None
    keepRemoved: bool = True
    trustMap: bool = False
    others: tuple[slicer.vtkMRMLNode | None, ...] = ()


class Job(VTKObservationMixin):
    """Has a study restored in the worker and adds the result to the scene; nothing is in the scene before it is whole.

    Exactly one of ``onDone`` and ``onFailed`` is called at its end, unless ``cancel`` comes first.

    Args:
        workers: where the work is done.
        order: what to restore, and how.
        onProgress: called with a fraction (0 to 1) and what is being done.
        onDone: called with the restored volume.
        onFailed: called with a sentence for the user.

    Raises:
        MedRestoreError: the study cannot be restored; the message says why.
    """

    def __init__(
        self,
        workers: Workers,
        order: Order,
        *,
        onProgress: Callable[[float, str], None],
        onDone: Callable[[slicer.vtkMRMLVolumeNode], None],
        onFailed: Callable[[str], None],
    ) -> None:
        from MedRestoreLib import mrml

        VTKObservationMixin.__init__(self)
        self.workers, self.order = workers, order
        self._onProgress, self._onDone, self._onFailed = onProgress, onDone, onFailed
        self._isOver = False
        self._steps = None
        factor = order.edits.get("factor", 1)
        self._output = mrml.Output(order.study, target=order.target, trust=order.trustMap, factor=factor)
        self._pace = Pace()
        self._request = workers.request(
            "restore",
            order.study,
            order.edits | {"trust": order.trustMap},
            mask=order.mask,
            onProgress=lambda fraction, message: self._progress(SENT + (RESTORED - SENT) * fraction, message),
            onDone=lambda reply: self._restored(reply["report"]),
            onError=lambda error: self._fail(explained(error)),
            onCancelled=lambda: self._fail(_("Cancelled: another study was chosen before this one was read.")),
        )
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._onNodeRemoved)

    @property
    def seconds(self) -> float:
        """Since the job began."""
        return self._pace.seconds

    def cancel(self) -> None:
        """End it; the worker is killed if it does not hear. Harmless when it is over."""
        if self._isOver:
            return
        self._end()
        if self._steps is not None:
            self._steps.stop()
            self._forgetResult()
        self.workers.cancel(self._request)

    def _progress(self, fraction: float, message: str) -> None:
        if not self._isOver:
            self._onProgress(fraction, message)

    def _restored(self, report: dict[str, Any]) -> None:
        """The worker is done: fetch the voxels in steps, then add the nodes."""
        if self._isOver:
            self._forgetResult()
            return
        exchange = self.workers.first.exchange
        self._progress(RESTORED, _("Fetching the result"))

        def fetching() -> Iterator[None]:
            for part, arrays in self._output.trust_arrays.items():
                yield from exchange.receiving(self._request.id, arrays, part)
            yield from exchange.receiving(self._request.id, self._output.arrays)
            if self.order.keepRemoved:
                yield from self._output.removing()

        def failed(error: Exception) -> None:
            self._forgetResult()
            self._fail(_("The result could not be fetched: {reason}").format(reason=error))

        self._steps = stepping.run(fetching(), lambda nothing: self._add(report), failed)

    def _forgetResult(self) -> None:
        """What was not fetched to its end leaves no file; steps that never began cannot tidy up themselves."""
        self.workers.first.exchange.forget(self._request.id)

    def _add(self, report: dict[str, Any]) -> None:
        from MedRestoreLib import MedRestoreError, mrml

        try:
            node = self._output.add(report, self.order.keepRemoved)
        except MedRestoreError as error:
            self._fail(explained(error))
            return
        if resultsInFolder():
            mrml.put_into_folder(node, FOLDER)
        self._end()
        self._onDone(node)

    def _fail(self, message: str) -> None:
        if not self._isOver:
            self._end()
            self._onFailed(message)

    def _end(self) -> None:
        self._isOver = True
        self.removeObservers()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller: vtk.vtkObject, event: str, node: slicer.vtkMRMLNode) -> None:
        needed = (self.order.study, self.order.target, *self.order.others)
        if not self._isOver and any(node is one for one in needed):
            self.cancel()
            self._onFailed(_("Cancelled: '{name}' was deleted.").format(name=node.GetName()))


class Pace:
    """How long work has taken, and how long it will still take."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def left(self, fraction: float) -> str:
        """How long it will still take at this pace, in words; "" before that can be told."""
        if fraction <= SENT or self.seconds < 2.0:
            return ""
        left = self.seconds * (1 - fraction) / fraction
        if left < 1.5:
            return _("Nearly done.")
        if left < 90:
            return _("{seconds} s left.").format(seconds=round(left))
        return _("{minutes} min left.").format(minutes=round(left / 60))
