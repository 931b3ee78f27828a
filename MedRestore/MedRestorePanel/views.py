"""The Compare section: before and after side by side, with what was removed, or one fading into the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .panes import PANES, Panes, layoutNode
from .slices import SameWindow, SliceLayers, sliceLogics

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode

SIDE_BY_SIDE, REMOVED, FADE = "sideBySide", "removed", "fade"


class Volumes(NamedTuple):
    """What is compared; None for what there is not."""

    before: slicer.vtkMRMLVolumeNode | None = None
    after: slicer.vtkMRMLVolumeNode | None = None
    removed: slicer.vtkMRMLVolumeNode | None = None


class Views(VTKObservationMixin):
    """Shows a restored volume with its original, and gives the former layout and layers back.

    While it compares, both volumes have one window and level, and the views show the acquired plane, linked.

    Args:
        ui: the panel's widgets.
        showError: called with a sentence for the user.

    Attributes:
        mode: what is on show: SIDE_BY_SIDE, REMOVED, FADE, or "" for nothing of ours.
    """

    def __init__(self, ui: Any, *, showError: Callable[[str], None]) -> None:
        VTKObservationMixin.__init__(self)
        self.ui = ui
        self.showError = showError
        self.mode = ""
        self._parameterNode = None
        self._shown = Volumes()
        self._panes = Panes()
        self._layers = SliceLayers()
        self._window = SameWindow()
        self._buttons = {SIDE_BY_SIDE: ui.sideBySideButton, REMOVED: ui.removedButton, FADE: ui.fadeButton}
        self._toolTips = {mode: button.toolTip for mode, button in self._buttons.items()}
        for mode, button in self._buttons.items():
            button.clicked.connect(lambda checked=False, mode=mode: self.onButton(mode))
        ui.formerLayoutButton.clicked.connect(self.former)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        """Another scene, or none: what was shown belongs to the one before."""
        if self.mode and parameterNode is not self._parameterNode:
            self.former()
        self._parameterNode = parameterNode

    def update(self) -> None:
        """Follow the chosen result and the slider; say what is missing."""
        volumes = self.volumes()
        if self.mode and volumes != self._shown:
            self._changeLater()
        elif self.mode == FADE:
            self._layers.fade(self._parameterNode.fade)
        for mode, button in self._buttons.items():
            missing = self._missing(mode, volumes)
            button.enabled = not missing
            button.toolTip = missing or self._toolTips[mode]
            button.checked = mode == self.mode
        self.ui.formerLayoutButton.enabled = bool(self.mode) or self._panes.isOnShow
        for widget in (self.ui.fadeLabel, self.ui.fadeSlider):
            widget.visible = self.mode == FADE

    def cleanup(self) -> None:
        if self.mode:
            self.former()
        self._parameterNode = None

    def volumes(self) -> Volumes:
        """The original, the restored volume and the removed part that are chosen."""
        if self._parameterNode is None:
            return Volumes()
        after = self._parameterNode.lastOutput
        if after is None:
            return Volumes()
        from MedRestoreLib import mrml

        originals = (mrml.source_of(after), self._parameterNode.inputVolume)
        before = next((volume for volume in originals if volume is not after and _fitsUnder(volume, after)), None)
        return Volumes(before, after, mrml.removed_of(after))

    def show(self, mode: str) -> bool:
        """Compare in one of the ways; returns whether it could be done."""
        volumes = self.volumes()
        missing = self._missing(mode, volumes)
        if missing:
            self.showError(missing)
            return False
        self.removeObservers()
        self._parameterNode.preview = False  # it lies over the original
        self._layers.giveBack()
        self.mode, self._shown = mode, volumes
        if mode == FADE:
            self._panes.leave()
            self._layOver()
        else:
            self._panes.show(volumes if mode == REMOVED else volumes[:2])
        self._window.start(volumes.before, volumes.after)
        self.addObserver(layoutNode(), vtk.vtkCommand.ModifiedEvent, self._onLayoutModified)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved)
        self.update()
        return True

    def former(self) -> None:
        """Give back the layout, the layers and the crosshair as they were."""
        self.mode, self._shown = "", Volumes()
        self.removeObservers()
        self._window.stop()
        self._layers.giveBack()
        self._panes.leave()
        self.update()

    def showResult(self) -> None:
        """Show a new result: in the comparison that is on, else where its original is on show."""
        before, after, _removed = self.volumes()
        if self.mode:
            self.show(self.mode)
        elif before is not None:
            for logic in sliceLogics():
                layers = logic.GetSliceCompositeNode()
                if layers.GetBackgroundVolumeID() == before.GetID():
                    layers.SetBackgroundVolumeID(after.GetID())

    def onButton(self, mode: str) -> None:
        if self.mode == mode:
            self.former()
        elif not self.show(mode):
            self.update()

    def _missing(self, mode: str, volumes: Volumes) -> str:
        """What the user must do before a mode can be chosen; "" when nothing is missing."""
        before, after, removed = volumes
        if slicer.app.layoutManager() is None:
            return _("Slicer runs without a main window: there are no views to compare in.")
        if after is None:
            return _("Restore a volume first, or choose a restored volume.")
        if before is None:
            return _("The original of this volume is not in the scene: choose it as the input.")
        if mode == REMOVED and removed is None:
            return _("The removed part was not kept: tick 'Keep the removed part' and restore again.")
        return ""

    def _onNodeRemoved(self, caller: vtk.vtkObject, event: str) -> None:
        self._changeLater()

    def _changeLater(self) -> None:
        """A node that is being removed is still referred to, and that is no time to change the layout."""
        qt.QTimer.singleShot(0, self._onVolumesChanged)

    def _onVolumesChanged(self) -> None:
        volumes = self.volumes()
        if not self.mode or volumes == self._shown:
            return
        for mode in (self.mode, SIDE_BY_SIDE):
            if not self._missing(mode, volumes):
                self.show(mode)
                return
        self.former()

    def _onLayoutModified(self, caller: vtk.vtkObject, event: str) -> None:
        if slicer.mrmlScene.IsBatchProcessing():
            return
        if self.mode == FADE:
            qt.QTimer.singleShot(0, self._layOver)  # when the new layout's views are there
        elif not self._panes.isOnShow:  # a person chose another one: that is where to stay
            self.former()

    def _layOver(self) -> None:
        """Fade: after over before in every slice view but ours."""
        if self.mode != FADE:
            return
        for layers in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if layers.GetLayoutName() not in PANES and layers not in self._layers:
                self._layers.show(layers, self._shown.before, self._shown.after, self._parameterNode.fade)


def _fitsUnder(volume: slicer.vtkMRMLVolumeNode | None, result: slicer.vtkMRMLVolumeNode | None) -> bool:
    """Whether there are two volumes with voxels, as many along each axis; of an enlarged result a whole factor more."""
    images = [node.GetImageData() if node is not None else None for node in (volume, result)]
    if None in images:
        return False
    (columns, rows, slices), size = (image.GetDimensions() for image in images)
    factor = max(1, size[0] // max(1, columns))
    return size == (factor * columns, factor * rows, slices)
