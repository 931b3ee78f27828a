"""The Segments section: what was segmented, measured on the original and on the restored volume."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .words import explained

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode
    from .views import Volumes

MEASURE, ALIKE = "measureSegmentsButton", "segmentAlikeButton"
DIGITS = 3  # how finely thresholds can be set: a thousandth of their range


class SegmentsSection(VTKObservationMixin):
    """Measures one segmentation on both volumes, compares two, or segments both volumes alike.

    Results are table nodes; the view shows the one that belongs to what is chosen, also after the scene was loaded.

    Args:
        ui: the panel's widgets.
        volumes: called without arguments, gives the original and the restored volume first; None for what is missing.
        showError: called with a sentence for the user.
    """

    def __init__(self, ui: Any, volumes: Callable[[], Volumes], *, showError: Callable[[str], None]) -> None:
        VTKObservationMixin.__init__(self)
        self.ui = ui
        self.volumes = volumes
        self.showError = showError
        self._parameterNode = None
        self._thresholdsFor = (None, None)  # ids of the volumes
        self._proposed = (0.0, 0.0)  # thresholds that nobody chose
        self._toolTips = {name: getattr(ui, name).toolTip for name in (MEASURE, ALIKE)}
        ui.measureSegmentsButton.clicked.connect(self.onMeasure)
        ui.segmentAlikeButton.clicked.connect(self.onSegmentAlike)
        ui.segmentsCollapsibleButton.contentsCollapsed.connect(self.update)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self.removeObservers()
        self._parameterNode = parameterNode
        self._thresholdsFor, self._proposed = (None, None), (0.0, 0.0)
        if parameterNode is None:
            self._show(None)
        else:
            self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeRemovedEvent, self.update)

    def cleanup(self) -> None:
        self.setParameterNode(None)

    def update(self, *_ofSignal: Any) -> None:
        """Say what is missing, follow the chosen way of segmenting, and show what was measured before."""
        p = self._parameterNode
        if p is None:
            return
        self._proposeThresholds()
        both = len(self._segmentations()) == 2
        self.ui.measureSegmentsButton.text = _("Compare") if both else _("Measure")
        self._enable(MEASURE, self._missingToMeasure())
        self._enable(ALIKE, self._missingToSegment())
        growing = self._method() == "grow"
        for spinBox in (self.ui.alikeLowerSpinBox, self.ui.alikeUpperSpinBox):
            spinBox.enabled = not growing
        self.ui.seedsSelector.enabled = growing
        self._show(self._results())

    def onMeasure(self) -> None:
        """Measure the chosen segmentation on both volumes, or compare the two that are chosen."""
        from MedRestoreLib import mrml

        before, after = self._pair()
        segmentations = self._segmentations()
        if len(segmentations) == 2:
            self._run(lambda: mrml.compare(*segmentations, before, after))
        else:
            self._run(lambda: mrml.measure(*segmentations, [before, after]))

    def onSegmentAlike(self) -> None:
        """Segment both volumes in the same way, choose what was made, and compare it."""
        from MedRestoreLib import mrml

        p = self._parameterNode
        chosen = {"seeds": p.seeds} if self._method() == "grow" else {"lower": p.alikeLower, "upper": p.alikeUpper}
        table = self._run(lambda: mrml.segment_alike(*self._pair(), self._method(), **chosen))
        if table is not None:
            p.segmentationBefore, p.segmentationAfter = (table.GetNthNodeReference("segmentation", k) for k in range(2))

    def _run(self, work: Callable[[], slicer.vtkMRMLTableNode]) -> slicer.vtkMRMLTableNode | None:
        """Do it under a wait cursor and show its table; what the user can mend is said, not raised."""
        from MedRestoreLib import MedRestoreError

        try:
            with slicer.util.WaitCursor():
                table = work()
        except MedRestoreError as error:
            self.showError(explained(error))
            return None
        self._show(table)
        self.ui.segmentsTableView.resizeColumnsToContents()
        return table

    def _pair(self) -> tuple[slicer.vtkMRMLVolumeNode | None, ...]:
        return self.volumes()[:2]

    def _method(self) -> str:
        return self._parameterNode.alikeMethod.value

    def _segmentations(self) -> list[slicer.vtkMRMLSegmentationNode]:
        """What to measure: one segmentation, or two to compare."""
        p = self._parameterNode
        chosen = [node for node in (p.segmentationBefore, p.segmentationAfter) if node is not None]
        return chosen[:1] if len(chosen) == 2 and chosen[0] is chosen[1] else chosen

    def _missingVolume(self) -> str:
        before, after = self._pair()
        if after is None:
            return _("Restore a volume first, or choose a restored volume.")
        return _("The original of this volume is not in the scene: choose it as the input.") if before is None else ""

    def _missingToMeasure(self) -> str:
        return self._missingVolume() or ("" if self._segmentations() else _("Choose a segmentation."))

    def _missingToSegment(self) -> str:
        p = self._parameterNode
        missing = self._missingVolume()
        if not missing and self._method() == "grow" and p.seeds is None:
            missing = _("Choose seeds: a segmentation with at least two painted segments.")
        if not missing and self._method() == "threshold" and p.alikeLower > p.alikeUpper:
            missing = _("The lower end of the threshold lies above the upper end.")
        return missing

    def _enable(self, name: str, missing: str) -> None:
        button = getattr(self.ui, name)
        button.enabled = not missing
        button.toolTip = missing or self._toolTips[name]

    def _proposeThresholds(self) -> None:
        """Thresholds for volumes that have none yet, once the section is open; what a person chose for them stays."""
        before, after = self._pair()
        if before is None or after is None or self.ui.segmentsCollapsibleButton.collapsed:
            return
        p, pair = self._parameterNode, (before.GetID(), after.GetID())
        former, self._thresholdsFor = self._thresholdsFor, pair
        chosen = (p.alikeLower, p.alikeUpper) != self._proposed and former[0] in (None, pair[0])
        if pair == former or chosen:
            return
        from MedRestoreLib import MedRestoreError, mrml

        try:
            lower, upper = mrml.default_thresholds(before, after)
        except MedRestoreError:
            return  # nothing to part: the button says so when it is pressed
        decimals = max(0, DIGITS - math.floor(math.log10(upper - lower)))
        for spinBox in (self.ui.alikeLowerSpinBox, self.ui.alikeUpperSpinBox):
            spinBox.decimals = decimals
            spinBox.singleStep = 10.0 ** (1 - decimals)
        self._proposed = (round(lower, decimals), math.ceil(upper * 10**decimals) / 10**decimals)
        p.alikeLower, p.alikeUpper = self._proposed

    def _results(self) -> slicer.vtkMRMLTableNode | None:
        from MedRestoreLib import mrml

        segmentations, pair = self._segmentations(), self._pair()
        return mrml.table_of(segmentations, pair) if segmentations and None not in pair else None

    def _show(self, table: slicer.vtkMRMLTableNode | None) -> None:
        if self.ui.segmentsTableView.mrmlTableNode() is not table:
            self.ui.segmentsTableView.setMRMLTableNode(table)
