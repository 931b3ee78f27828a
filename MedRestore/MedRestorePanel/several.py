"""The section Several volumes: one after the other is restored, and each has a line that says what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .choices import ChoiceConnector
from .job import Job, Order, Pace
from .setup import install
from .words import explained, inAWord

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode
    from .presets import PresetSection
    from .workers import Workers

STEPS = 1000  # of the bar


class SeveralSection(VTKObservationMixin):
    """Restores the volumes that are ticked, with one progress and one Cancel.

    A volume that cannot be restored has a line that says why, and the next one follows. Every result lies beside its
    original; what was restored before a cancel stays.

    Args:
        ui: the panel's widgets.
        workers: where the work is done.
        presets: the ``PresetSection``: one of them may be chosen for all volumes.
        onChosen: called with a volume and the result made from it, when a person chooses their line.
    """

    def __init__(
        self,
        ui: Any,
        workers: Workers,
        *,
        presets: PresetSection,
        onChosen: Callable[[slicer.vtkMRMLVolumeNode, slicer.vtkMRMLVolumeNode], None],
    ) -> None:
        VTKObservationMixin.__init__(self)
        self.ui, self.workers, self.presets, self.onChosen = ui, workers, presets, onChosen
        self._parameterNode = None
        self._ticked: set[str] = set()  # ids of volumes
        self._outcomes: dict[str, str] = {}  # of the volumes that were restored, or could not be
        self._results: dict[str, str] = {}  # ids: volume → result
        self._shown: list[tuple[str, str]] = []
        self._waiting: list[str] = []
        self._count = 0
        self._job: Job | None = None
        self._isUpdateDue = False
        self._box = ChoiceConnector(ui.severalPresetComboBox)
        ui.severalProgressBar.setRange(0, STEPS)
        ui.severalButton.clicked.connect(self.onButton)
        ui.severalStudyButton.clicked.connect(self.onStudy)
        ui.severalAllButton.clicked.connect(self.onAll)
        ui.severalList.itemChanged.connect(self.onTicked)
        ui.severalList.itemActivated.connect(self.onActivated)
        ui.severalCollapsibleButton.contentsCollapsed.connect(self.update)

    @property
    def isRunning(self) -> bool:
        return self._job is not None or bool(self._waiting)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self.cancel()
        self.removeObservers()
        self._parameterNode = parameterNode
        self._ticked, self._outcomes, self._results = set(), {}, {}
        self._say("")
        scene = slicer.mrmlScene
        if parameterNode is not None:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
                self.addObserver(scene, event, self._onScene)

    def cleanup(self) -> None:
        self.setParameterNode(None)

    def update(self, *_ofSignal: Any) -> None:
        """Show the volumes of the scene, which are ticked, and what became of them."""
        self._isUpdateDue = False
        ui = self.ui
        if self._parameterNode is None or ui.severalCollapsibleButton.collapsed:
            return
        self._fill()
        self._box.setChoices(self.presets.choices(_("As recommended for each")))
        running, missing = self.isRunning, self._missing()
        ui.severalButton.text = _("Cancel") if running else _("Restore the ti&cked volumes")
        ui.severalButton.enabled = running or not missing
        ui.severalButton.toolTip = _("Stop. What is restored already stays.") if running else missing
        ui.severalProgressBar.visible = running
        for widget in (ui.severalAllButton, ui.severalList, ui.severalPresetComboBox):
            widget.enabled = not running
        ui.severalStudyButton.enabled = not running and self._parameterNode.inputVolume is not None

    def onButton(self) -> None:
        if self.isRunning:
            self.cancel(_("Cancelled. What was restored before stays."))
            return
        from MedRestoreLib import MedRestoreError

        try:
            install(self.workers, "safetensors")
        except MedRestoreError as error:
            self._say(explained(error))
            return
        self._waiting = [volume.GetID() for volume in _volumes() if volume.GetID() in self._ticked]
        self._count = len(self._waiting)
        self._outcomes, self._results = {}, {}
        self._parameterNode.preview = False
        self.workers.hold(self)
        self._next()

    def onStudy(self) -> None:
        """Tick all volumes of the study that the input is of."""
        from MedRestoreLib import mrml

        self._ticked = {volume.GetID() for volume in mrml.study_volumes(self._parameterNode.inputVolume)}
        self.update()

    def onAll(self) -> None:
        """Tick all volumes, or none where all are."""
        every = {volume.GetID() for volume in _volumes()}
        self._ticked = set() if every <= self._ticked else every
        self.update()

    def onTicked(self, item: qt.QListWidgetItem) -> None:
        identifier = item.data(qt.Qt.UserRole)
        isTicked = item.checkState() == qt.Qt.Checked
        (self._ticked.add if isTicked else self._ticked.discard)(identifier)
        qt.QTimer.singleShot(0, self.update)

    def onActivated(self, item: qt.QListWidgetItem) -> None:
        """Show a volume with the result made from it."""
        scene, identifier = slicer.mrmlScene, item.data(qt.Qt.UserRole)
        volume, result = scene.GetNodeByID(identifier), scene.GetNodeByID(self._results.get(identifier, ""))
        if volume is not None and result is not None:
            self.onChosen(volume, result)

    def cancel(self, message: str = "") -> None:
        """End what is under way, and what waits."""
        job, self._job, self._waiting = self._job, None, []
        if job is not None:
            job.cancel()
        self.workers.release(self)
        self._say(message)

    def _missing(self) -> str:
        if not self.workers.isHeldBy(self):
            return _("Another volume is being restored.")
        present = {volume.GetID() for volume in _volumes()}
        return "" if self._ticked & present else _("Tick the volumes to restore.")

    def _next(self) -> None:
        """Begin with the next volume that can be restored, or end."""
        from MedRestoreLib import MedRestoreError, mrml

        self._job = None
        while self._waiting:
            identifier = self._waiting.pop(0)
            volume = slicer.mrmlScene.GetNodeByID(identifier)
            if volume is None:
                continue
            try:
                edits, keep = self.presets.edits(self._box.read()), self._parameterNode.keepRemoved
                order = Order(mrml.whole_study(volume), edits, keepRemoved=keep, others=(volume,))
                self._job = self._start(identifier, volume.GetName(), order)
            except MedRestoreError as error:
                self._outcomes[identifier] = _failed(explained(error))
                continue
            self.update()
            return
        self._finish()

    def _start(self, identifier: str, name: str, order: Order) -> Job:
        number, pace = self._count - len(self._waiting), Pace()

        def progress(fraction: float, message: str) -> None:
            done = (number - 1 + fraction) / self._count
            self.ui.severalProgressBar.value = round(STEPS * done)
            text = _("{number} of {count}, '{name}': {doing}. {left}")
            left = pace.left(fraction)
            self._say(text.format(number=number, count=self._count, name=name, doing=message, left=left))

        def done(node: slicer.vtkMRMLVolumeNode) -> None:
            from MedRestoreLib import mrml

            self._results[identifier] = node.GetID()
            self._outcomes[identifier] = inAWord(mrml.report_of(node)) + "."
            self._next()

        def failed(message: str) -> None:
            self._outcomes[identifier] = _failed(message)
            self._next()

        job = Job(self.workers, order, onProgress=progress, onDone=done, onFailed=failed)
        progress(0.0, _("Sending the study"))
        return job

    def _finish(self) -> None:
        self.workers.release(self)
        text = _("{restored} of {count} volumes are restored. A double click on a line shows the result.")
        self._say(text.format(restored=len(self._results), count=self._count))
        self.update()

    def _fill(self) -> None:
        """Bring the list up to date, where it is not."""
        lines = []
        for volume in _volumes():
            outcome = self._outcomes.get(volume.GetID())
            lines.append((volume.GetID(), f"{volume.GetName()}: {outcome}" if outcome else volume.GetName()))
        self._ticked &= {identifier for identifier, _text in lines}
        view = self.ui.severalList
        wasBlocked = view.blockSignals(True)
        if lines != self._shown:
            self._shown = lines
            view.clear()
            for identifier, text in lines:
                item = qt.QListWidgetItem(text)
                item.setData(qt.Qt.UserRole, identifier)
                item.setToolTip(text)
                view.addItem(item)
        for row, (identifier, _text) in enumerate(lines):
            ticked = qt.Qt.Checked if identifier in self._ticked else qt.Qt.Unchecked
            view.item(row).setCheckState(ticked)
        view.blockSignals(wasBlocked)

    def _say(self, text: str) -> None:
        self.ui.severalLabel.text = text
        self.ui.severalLabel.visible = bool(text)

    def _onScene(self, caller: vtk.vtkObject, event: str) -> None:
        if not self._isUpdateDue and not slicer.mrmlScene.IsBatchProcessing():
            self._isUpdateDue = True
            qt.QTimer.singleShot(0, self.update)


def _volumes() -> list[slicer.vtkMRMLVolumeNode]:
    from MedRestoreLib import mrml

    return mrml.restorable_volumes(slicer.mrmlScene)


def _failed(reason: str) -> str:
    return _("Not restored. {reason}").format(reason=reason)
