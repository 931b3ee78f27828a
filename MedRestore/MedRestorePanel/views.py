"""The Compare section: before and after side by side, with what was removed, or one fading into the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .slices import SameWindow, SliceLayers, showSlice, sliceLogics, sliceOnShow, turnToAcquisition

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode

# Layouts have numbers: those of Slicer end at 100, the rest is anyone's. The first free one of these is taken.
LAYOUTS = range(5700, 5800)

# Views of one group turn, scroll and zoom together; the views of other layouts, in group 0, are left alone.
VIEW_GROUP = 57

# After so long the window is laid out anew and the views know their size.
LAID_OUT_MS = 100

SIDE_BY_SIDE, REMOVED, FADE = "sideBySide", "removed", "fade"

# Names of the views are identifiers; what is written above them is not.
PANES = {"MedRestoreBefore": _("Before"), "MedRestoreAfter": _("After"), "MedRestoreRemoved": _("Removed")}


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
        self._formerLayout = None
        self._formerCrosshair = None
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
        self.ui.formerLayoutButton.enabled = bool(self.mode) or self._inOurLayout()
        self.ui.fadeSlider.enabled = self.mode == FADE

    def cleanup(self) -> None:
        if self.mode:
            self.former()
        self._parameterNode = None

    def volumes(self) -> Volumes:
        """The original, the restored volume and the removed part that are chosen."""
        if self._parameterNode is None:
            return Volumes()
        after, removed = self._parameterNode.lastOutput, self._parameterNode.removedVolume
        if after is None:
            return Volumes()
        originals = (_sourceOf(after), self._parameterNode.inputVolume)
        before = next((volume for volume in originals if volume is not after and _sameSize(volume, after)), None)
        if removed is not None and _sourceOf(removed) is not before:
            removed = None  # left from another study
        return Volumes(before, after, removed)

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
            self._leaveLayout()
            self._layOver()
        else:
            self._showPanes()
        self._window.start(volumes.before, volumes.after)
        self.addObserver(_layoutNode(), vtk.vtkCommand.ModifiedEvent, self._onLayoutModified)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved)
        self.update()
        return True

    def former(self) -> None:
        """Give back the layout, the layers and the crosshair as they were."""
        self.mode, self._shown = "", Volumes()
        self.removeObservers()
        self._window.stop()
        self._layers.giveBack()
        self._leaveLayout()
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
        elif not self._inOurLayout():  # a person chose another one: that is where to stay
            self.former()

    def _layOver(self) -> None:
        """Fade: after over before in every slice view but ours."""
        if self.mode != FADE:
            return
        for layers in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if layers.GetLayoutName() not in PANES and layers not in self._layers:
                self._layers.show(layers, self._shown.before, self._shown.after, self._parameterNode.fade)

    def _showPanes(self) -> None:
        """One linked slice view a volume, on the slice that was on show."""
        before = self._shown.before
        volumes = self._shown if self.mode == REMOVED else self._shown[:2]
        slices = [sliceOnShow(logic, before) for logic in sliceLogics()]
        middle = before.GetImageData().GetDimensions()[2] // 2
        index = next((number for number in slices if number is not None), middle)
        self._enterLayout(_description(list(PANES)[: len(volumes)]))
        for name, volume in zip(PANES, volumes, strict=False):
            logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
            layers, sliceNode = logic.GetSliceCompositeNode(), logic.GetSliceNode()
            layers.SetBackgroundVolumeID(volume.GetID())
            layers.SetForegroundVolumeID(None)
            layers.SetLabelVolumeID(None)
            layers.SetLinkedControl(True)
            layers.SetHotLinkedControl(True)
            sliceNode.SetViewGroup(VIEW_GROUP)
            turnToAcquisition(sliceNode, before)
        self._fit(index)
        qt.QTimer.singleShot(LAID_OUT_MS, self._fit)

    def _fit(self, index: int | None = None) -> None:
        """Show the whole plane in each pane, at the slice ``index`` or the one on show."""
        if self.mode not in (SIDE_BY_SIDE, REMOVED):
            return
        before = self._shown.before
        for logic in sliceLogics():
            number = sliceOnShow(logic, before) if index is None else index
            logic.FitSliceToBackground()
            logic.SnapSliceOffsetToIJK()
            if number is not None:
                showSlice(logic.GetSliceNode(), before, number)

    def _enterLayout(self, description: str) -> None:
        if not self._inOurLayout():
            self._formerLayout = _layoutNode().GetViewArrangement()
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None and self._formerCrosshair is None:
            self._formerCrosshair = (crosshair.GetCrosshairMode(), crosshair.GetCrosshairBehavior())
            crosshair.SetCrosshairMode(crosshair.ShowBasic)
            crosshair.SetCrosshairBehavior(crosshair.OffsetJumpSlice)
        slicer.app.layoutManager().setLayout(_registered(description))

    def _leaveLayout(self) -> None:
        if self._inOurLayout():
            former = self._formerLayout
            if former is None:  # the scene was loaded with our layout
                former = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
            slicer.app.layoutManager().setLayout(former)
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None and self._formerCrosshair is not None:
            crosshair.SetCrosshairMode(self._formerCrosshair[0])
            crosshair.SetCrosshairBehavior(self._formerCrosshair[1])
        self._formerLayout = self._formerCrosshair = None

    def _inOurLayout(self) -> bool:
        node = _layoutNode()
        return node is not None and next(iter(PANES)) in (node.GetCurrentLayoutDescription() or "")


def _layoutNode() -> slicer.vtkMRMLLayoutNode | None:
    layoutManager = slicer.app.layoutManager()
    return layoutManager.layoutLogic().GetLayoutNode() if layoutManager is not None else None


def _description(names: Iterable[str]) -> str:
    """A layout of slice views side by side, as Slicer wants it written."""
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{name}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{escape(PANES[name])}</property>'
        '<property name="viewcolor" action="default">#8C8C8C</property>'
        "</view></item>"
        for name in names
    )
    return f'<layout type="horizontal">{views}</layout>'


def _registered(description: str) -> int:
    """The number of a layout, added to Slicer's when it is first asked for."""
    node = _layoutNode()
    for number in LAYOUTS:
        if node.AddLayoutDescription(number, description) or node.GetLayoutDescription(number) == description:
            return number
    raise RuntimeError("every layout number is taken")


def _sourceOf(node: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLVolumeNode | None:
    """The volume that a restored node was made from, None if that is unknown or gone."""
    from MedRestoreLib.mrml.provenance import DERIVED_FROM
    from MedRestoreLib.mrml.sequences import is_sequence, proxy_of

    source = slicer.mrmlScene.GetNodeByID(node.GetAttribute(DERIVED_FROM) or "")
    source = proxy_of(source) if is_sequence(source) else source
    return source if source is not None and source.IsA("vtkMRMLVolumeNode") else None


def _sameSize(volume: slicer.vtkMRMLVolumeNode | None, other: slicer.vtkMRMLVolumeNode | None) -> bool:
    """Whether there are two volumes with voxels, as many along each axis."""
    images = [node.GetImageData() if node is not None else None for node in (volume, other)]
    return None not in images and images[0].GetDimensions() == images[1].GetDimensions()
