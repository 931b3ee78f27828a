"""The Output section and the button: starts the job, shows how far it is, and says what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .job import Job, Order, Pace
from .setup import install, neededBy
from .words import explained

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode
    from .study import StudySection
    from .workers import Workers

STEPS = 1000  # of the bar


class RestoreSection:
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
        self.ui, self.workers, self.study = ui, workers, study
        self.onStarted, self.onRestored = onStarted, onRestored
        self._parameterNode = None
        self._job: Job | None = None
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

    def update(self) -> None:
        """Say beside the button what is missing, what became of the study on show, or what to know about it."""
        ui, running = self.ui, self.isRunning
        missing = self._missing()
        study = self._parameterNode.inputVolume if self._parameterNode is not None else None
        if study is not None and study is not self._study:
            self._study, self._message = study, ""
        ui.applyButton.text = _("C&ancel") if running else _("&Apply")
        ui.applyButton.enabled = running or not missing
        ui.applyButton.toolTip = (
            _("Stop; nothing is kept.") if running else missing or _("Restore the study (Ctrl+Return).")
        )
        ui.progressBar.visible = running
        ui.setUpButton.enabled = not running and self.workers.isHeldBy(self)  # it may begin the workers anew
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
            install(self.workers, *neededBy(self._parameterNode.method))
            self._start()
        except MedRestoreError as error:
            self._fail(explained(error))

    def onSetUp(self) -> None:
        """Install all that any method needs."""
        from MedRestoreLib import MedRestoreError

        try:
            install(self.workers, everything=True)
            self.say(_("All that restoring needs is installed."))
        except MedRestoreError as error:
            self.say(explained(error))

    def cancel(self, message: str = "") -> None:
        """End the job, if there is one."""
        job = self._job
        if job is not None:
            job.cancel()
            self._end()
        self.say(message)

    def say(self, message: str) -> None:
        """Show a sentence below the button until there is another one, or another study."""
        self._message = message
        self.update()

    def _missing(self) -> str:
        if self.workers.isHeldBy(self):
            return self.study.missing()
        return _("Several volumes are being restored.")

    def _start(self) -> None:
        from MedRestoreLib import mrml

        p = self._parameterNode
        study = self.study.study()
        mask = mrml.mask_of(p.maskSegmentation, p.maskSegment, study) if p.maskSegmentation is not None else None
        target = self._earlier() if p.replaceResult else None
        order = Order(
            study, self.study.edits(), mask, target, p.keepRemoved, trustMap=p.trustMap, others=(p.inputVolume,)
        )
        self.onStarted()
        pace = Pace()

        def progress(fraction: float, message: str) -> None:
            self.ui.progressBar.value = round(STEPS * fraction)
            self.ui.statusLabel.text = f"{message}. {pace.left(fraction)}"

        self._job = Job(self.workers, order, onProgress=progress, onDone=self._done, onFailed=self._fail)
        self.workers.hold(self)
        progress(0.0, _("Sending the study"))
        self.update()

    def _earlier(self) -> slicer.vtkMRMLVolumeNode | None:
        """The result in Compare, if the study on show was restored to it: what another Apply may replace."""
        from MedRestoreLib import mrml

        p = self._parameterNode
        study, result = self.study.study(), None if p is None else p.lastOutput
        if study is None or result is None or mrml.source_of(result) is not p.inputVolume:
            return None
        isWhole = mrml.sequence_of(result)[1] is not None
        return result if isWhole == (study is not p.inputVolume) else None

    def _done(self, node: slicer.vtkMRMLVolumeNode) -> None:
        seconds = self._job.seconds
        self._end()
        self.say(_("'{name}' is done, in {seconds} s.").format(name=node.GetName(), seconds=f"{seconds:.1f}"))
        self.onRestored(node)

    def _fail(self, message: str) -> None:
        """Show an error; the panel is ready for the next try."""
        self._end()
        self.say(message)

    def _end(self) -> None:
        self._job = None
        self.workers.release(self)
