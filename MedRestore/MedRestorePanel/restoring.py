"""The Output section and the button: starts the job, shows how far it is, and adds what comes back to the scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from . import stepping
from .setup import ensurePackages, ensureTorch, neededBy
from .words import explained

if TYPE_CHECKING:
    from MedRestoreLib.mrml import Output

    from .parameters import MedRestoreParameterNode
    from .study import StudySection
    from .workers import Workers

# How the bar is shared: sending the study, restoring it, fetching the result.
SENT, RESTORED = 0.02, 0.97
STEPS = 1000


class RestoreSection(VTKObservationMixin):
    """Apply and Cancel. One job at a time; nothing is in the scene before it is whole.

    Args:
        ui: the panel's widgets.
        workers: where the work is done.
        study: the ``StudySection``: what to restore and how.
        onStarted: called when a job begins.
        onRestored: called with the restored volume.
    """

    def __init__(
        self,
        ui: Any,
        workers: Workers,
        study: StudySection,
        *,
        onStarted: Callable[[], None],
        onRestored: Callable[[slicer.vtkMRMLVolumeNode], None],
    ) -> None:
        VTKObservationMixin.__init__(self)
        self.ui, self.workers, self.study = ui, workers, study
        self.onStarted, self.onRestored = onStarted, onRestored
        self._parameterNode = None
        self._job = None
        self._message = ""
        self._study = None  # what the message belongs to
        ui.progressBar.setRange(0, STEPS)
        ui.applyButton.clicked.connect(self.onApply)
        ui.setUpButton.clicked.connect(self.onSetUp)

    @property
    def isRunning(self) -> bool:
        return self._job is not None

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self.cancel()
        self._parameterNode = parameterNode
        self._message = ""

    def cleanup(self) -> None:
        self.cancel()
        self.removeObservers()

    def update(self) -> None:
        """Say beside the button what is missing, what became of the study on show, or what to know about it."""
        ui, running = self.ui, self.isRunning
        missing = self.study.missing()
        study = self._parameterNode.inputVolume if self._parameterNode is not None else None
        if study is not None and study is not self._study:
            self._study, self._message = study, ""
        ui.applyButton.text = _("Cancel") if running else _("Apply")
        ui.applyButton.enabled = running or not missing
        ui.applyButton.toolTip = _("Stop; nothing is kept.") if running else missing or _("Restore the study.")
        ui.progressBar.visible = running
        earlier = None if running else self._earlier()
        ui.replaceCheckBox.visible = earlier is not None
        if earlier is not None:
            ui.replaceCheckBox.toolTip = _("'{name}' and its removed part make way for the new result.").format(
                name=earlier.GetName()
            )
        if not running:
            ui.statusLabel.text = " ".join(filter(None, (missing, self._message))) or self.study.hint()

    def onApply(self) -> None:
        if self.isRunning:
            self.cancel(_("Cancelled. The scene is as it was."))
            return
        from MedRestoreLib import MedRestoreError

        try:
            self._install(neededBy(self._parameterNode.method))
            self._start()
        except MedRestoreError as error:
            self.fail(explained(error))

    def onSetUp(self) -> None:
        """Install all that any method needs."""
        from MedRestoreLib import MedRestoreError

        try:
            self._install()
            self.say(_("All that restoring needs is installed."))
        except MedRestoreError as error:
            self.fail(explained(error))

    def _install(self, packages: Sequence[str] | None = None) -> None:
        """Have PyTorch and the packages (None: all of the list); a worker that ran before would not see what is new."""
        installed = ensureTorch()
        if packages is None or packages:
            installed |= ensurePackages(*packages or ())
        if installed:
            self.workers.restart()

    def fail(self, message: str) -> None:
        """Show an error; the panel is ready for the next try."""
        self._end()
        self.say(message)

    def cancel(self, message: str = "") -> None:
        """End the job, if there is one; the worker is killed if it does not hear."""
        job = self._job
        if job is not None:
            self._end()
            if job.steps is not None:
                job.steps.stop()
            self.workers.cancel(job.request)
        self.say(message)

    def _start(self) -> None:
        from MedRestoreLib import mrml

        p = self._parameterNode
        study = self.study.study()
        mask = mrml.mask_of(p.maskSegmentation, p.maskSegment, study) if p.maskSegmentation is not None else None
        target = self._earlier() if p.replaceResult else None
        output = mrml.Output(study, target=target)
        job = self._job = _Job((study, p.inputVolume, target), output, p.keepRemoved)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._onNodeRemoved)
        self.onStarted()
        job.request = self.workers.request(
            "restore",
            study,
            self.study.edits(),
            mask=mask,
            onProgress=lambda fraction, message: self._progress(job, SENT + (RESTORED - SENT) * fraction, message),
            onDone=lambda reply: self._restored(job, reply["report"]),
            onError=lambda error: self.fail(explained(error)) if self._job is job else None,
            onCancelled=lambda: self._dropped(job),
        )
        self._progress(job, 0.0, _("Sending the study"))
        self.update()

    def _earlier(self) -> slicer.vtkMRMLVolumeNode | None:
        """The result in Compare, if the study on show was restored to it: what another Apply may replace."""
        from MedRestoreLib import mrml

        p = self._parameterNode
        study, result = self.study.study(), None if p is None else p.lastOutput
        if study is None or result is None or study is not p.inputVolume:  # a restored sequence is always a new one
            return None
        return result if mrml.source_of(result) is study else None

    def _dropped(self, job: _Job) -> None:
        """The study was exchanged for another before it had arrived at the worker."""
        if self._job is job:
            self.cancel(_("Cancelled: another study was chosen before this one was read."))

    def _restored(self, job: _Job, report: dict[str, Any]) -> None:
        """The worker is done: fetch the voxels in steps, then add the nodes."""
        if self._job is not job:
            self.workers.first.exchange.forget(job.request.id)
            return
        self._progress(job, RESTORED, _("Fetching the result"))

        def fetching() -> Iterator[None]:
            yield from self.workers.first.exchange.receiving(job.request.id, job.output.arrays)
            if job.keepRemoved:
                yield from job.output.removing()

        def failed(error: Exception) -> None:
            self.fail(_("The result could not be fetched: {reason}").format(reason=error))

        job.steps = stepping.run(fetching(), lambda nothing: self._add(job, report), failed)

    def _add(self, job: _Job, report: dict[str, Any]) -> None:
        from MedRestoreLib import MedRestoreError

        try:
            node = job.output.add(report, job.keepRemoved)
        except MedRestoreError as error:
            self.fail(explained(error))
            return
        self._end()
        seconds = time.monotonic() - job.began
        self.say(_("'{name}' is done, in {seconds} s.").format(name=node.GetName(), seconds=f"{seconds:.1f}"))
        self.onRestored(node)

    def _end(self) -> None:
        self._job = None
        self.removeObservers()

    def say(self, message: str) -> None:
        """Show a sentence below the button until there is another one, or another study."""
        self._message = message
        self.update()

    def _progress(self, job: _Job, fraction: float, message: str) -> None:
        if self._job is not job:
            return
        self.ui.progressBar.value = round(STEPS * fraction)
        self.ui.statusLabel.text = f"{message}. {job.timeLeft(fraction)}"

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller: vtk.vtkObject, event: str, node: slicer.vtkMRMLNode) -> None:
        if self._job is not None and self._job.needs(node):
            self.cancel(_("Cancelled: '{name}' was deleted.").format(name=node.GetName()))


class _Job:
    """What is under way: the nodes it needs, what it will add, since when."""

    def __init__(self, nodes: tuple[slicer.vtkMRMLNode | None, ...], output: Output, keepRemoved: bool) -> None:
        self.nodes, self.output, self.keepRemoved = nodes, output, keepRemoved
        self.request = self.steps = None
        self.began = time.monotonic()

    def needs(self, node: slicer.vtkMRMLNode) -> bool:
        return any(node is needed for needed in self.nodes)

    def timeLeft(self, fraction: float) -> str:
        """How long it will still take at this pace, in words; "" before that can be told."""
        passed = time.monotonic() - self.began
        if fraction <= SENT or passed < 2.0:
            return ""
        left = passed * (1 - fraction) / fraction
        if left < 1.5:
            return _("Nearly done.")
        if left < 90:
            return _("{seconds} s left.").format(seconds=round(left))
        return _("{minutes} min left.").format(minutes=round(left / 60))
