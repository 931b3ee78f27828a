"""Linked slice views beside each other, in a layout of their own; layout and crosshair are given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .slices import showSlice, sliceLogics, sliceOnShow, turnToAcquisition, voxelInWorld

# Layouts have numbers: those of Slicer end at 100, the rest is anyone's. The first free one of these is taken.
LAYOUTS = range(5700, 5800)

# Views of one group turn, scroll and zoom together; the views of other layouts, in group 0, are left alone.
VIEW_GROUP = 57

# Names of the views are identifiers; what is written above them is not.
PANES = {"MedRestoreBefore": _("Before"), "MedRestoreAfter": _("After"), "MedRestoreRemoved": _("Removed")}

PANE_WIDTH = 380  # px: where there is less for each of three panes, the third lies below the others


class _Size(NamedTuple):
    """A pane's width and height in pixels, and what it shows of the plane, in mm of height."""

    width: int
    height: int
    millimetres: float

    @classmethod
    def of(cls, sliceNode: slicer.vtkMRMLSliceNode) -> _Size:
        return cls(*sliceNode.GetDimensions()[:2], sliceNode.GetFieldOfView()[1])


class Panes(VTKObservationMixin):
    """One slice view a volume, all in the acquired plane and linked."""

    def __init__(self) -> None:
        VTKObservationMixin.__init__(self)
        self._volume = None
        self._fitted: dict[str, _Size] = {}
        self._isFitDue = False
        self._formerLayout = None
        self._formerCrosshair = None

    @property
    def isOnShow(self) -> bool:
        """Whether the present layout is one of ours."""
        node = layoutNode()
        return node is not None and next(iter(PANES)) in (node.GetCurrentLayoutDescription() or "")

    def show(self, volumes: Sequence[slicer.vtkMRMLVolumeNode]) -> None:
        """Show two or three volumes of one grid, on the slice that was on show or the one in the middle."""
        self.removeObservers()
        self._volume = before = volumes[0]
        slices = [sliceOnShow(logic, before) for logic in sliceLogics()]
        middle = before.GetImageData().GetDimensions()[2] // 2
        index = next((number for number in slices if number is not None), middle)
        if not self.isOnShow:
            self._formerLayout = layoutNode().GetViewArrangement()
        self._showCrosshair(before, index)
        slicer.app.layoutManager().setLayout(_registered(_description(list(PANES)[: len(volumes)])))
        for name, volume in zip(PANES, volumes, strict=False):
            widget = slicer.app.layoutManager().sliceWidget(name)
            logic = widget.sliceLogic()
            layers, sliceNode = logic.GetSliceCompositeNode(), logic.GetSliceNode()
            layers.SetBackgroundVolumeID(volume.GetID())
            layers.SetForegroundVolumeID(None)
            layers.SetLabelVolumeID(None)
            layers.SetLinkedControl(True)
            layers.SetHotLinkedControl(True)
            sliceNode.SetViewGroup(VIEW_GROUP)
            turnToAcquisition(sliceNode, before)
            _fit(logic, before, index)
            self._fitted[name] = _Size.of(sliceNode)
            self.addObserver(sliceNode, vtk.vtkCommand.ModifiedEvent, self._onSliceModified)
            _keepNameReadable(widget)

    def leave(self) -> None:
        """Give back the layout, unless a person chose another one, and the crosshair."""
        self.removeObservers()
        self._fitted.clear()
        self._volume = None
        if self.isOnShow:
            former = self._formerLayout
            if former is None:  # the scene was loaded with our layout
                former = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
            slicer.app.layoutManager().setLayout(former)
        crosshair = _crosshair()
        if crosshair is not None and self._formerCrosshair is not None:
            mode, behaviour, position = self._formerCrosshair
            crosshair.SetCrosshairMode(mode)
            crosshair.SetCrosshairBehavior(behaviour)
            crosshair.SetCrosshairRAS(position)
        self._formerLayout = self._formerCrosshair = None

    def _showCrosshair(self, volume: slicer.vtkMRMLVolumeNode, index: int) -> None:
        """Show where the mouse is in all panes, at first in the middle of the slice."""
        crosshair = _crosshair()
        if crosshair is None or self._formerCrosshair is not None:
            return
        position = list(crosshair.GetCrosshairRAS())
        self._formerCrosshair = (crosshair.GetCrosshairMode(), crosshair.GetCrosshairBehavior(), position)
        columns, rows, _slices = volume.GetImageData().GetDimensions()
        crosshair.SetCrosshairRAS(voxelInWorld(volume, (columns - 1) / 2, (rows - 1) / 2, index))
        crosshair.SetCrosshairMode(crosshair.ShowBasic)
        crosshair.SetCrosshairBehavior(crosshair.OffsetJumpSlice)

    def _onSliceModified(self, caller: slicer.vtkMRMLSliceNode, event: str) -> None:
        """A pane that gets its place in the window, or another one, shows the whole plane there."""
        if not self._isFitDue and _Size.of(caller)[:2] != self._fitted[caller.GetLayoutName()][:2]:
            self._isFitDue = True
            qt.QTimer.singleShot(0, self._fitAgain)

    def _fitAgain(self) -> None:
        self._isFitDue = False
        for name, former in list(self._fitted.items()):
            widget = slicer.app.layoutManager().sliceWidget(name)
            if widget is None:
                continue
            logic = widget.sliceLogic()
            size = _Size.of(logic.GetSliceNode())
            if size[:2] == former[:2]:
                continue
            # Slicer keeps the height in mm when a view is resized: where it is another one, a person has zoomed.
            if abs(size.millimetres - former.millimetres) < 1e-6 * former.millimetres:
                _fit(logic, self._volume, sliceOnShow(logic, self._volume))
            self._fitted[name] = _Size.of(logic.GetSliceNode())


def layoutNode() -> slicer.vtkMRMLLayoutNode | None:
    """None where Slicer runs without a main window."""
    layoutManager = slicer.app.layoutManager()
    return layoutManager.layoutLogic().GetLayoutNode() if layoutManager is not None else None


def _crosshair() -> slicer.vtkMRMLCrosshairNode | None:
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")


def _fit(logic: slicer.vtkMRMLSliceLogic, volume: slicer.vtkMRMLVolumeNode, index: int | None) -> None:
    """Show the whole plane of a slice."""
    logic.FitSliceToBackground()
    logic.SnapSliceOffsetToIJK()
    if index is not None:
        showSlice(logic.GetSliceNode(), volume, index)


def _keepNameReadable(widget: slicer.qMRMLSliceWidget) -> None:
    """Slicer lets the name above a view shrink to two letters."""
    for label in slicer.util.findChildren(widget, "ViewLabel"):
        label.minimumWidth = label.sizeHint.width()


def _description(names: Sequence[str]) -> str:
    """A layout of slice views, as Slicer wants it written: side by side, the third below where the window is narrow."""
    views = [
        f'<item><view class="vtkMRMLSliceNode" singletontag="{name}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{escape(PANES[name])}</property>'
        '<property name="viewcolor" action="default">#8C8C8C</property>'
        "</view></item>"
        for name in names
    ]
    if len(views) == 3 and slicer.app.layoutManager().viewport().width < 3 * PANE_WIDTH:
        above = f'<item><layout type="horizontal">{"".join(views[:2])}</layout></item>'
        return f'<layout type="vertical">{above}{views[2]}</layout>'
    return f'<layout type="horizontal">{"".join(views)}</layout>'


def _registered(description: str) -> int:
    """The number of a layout, added to Slicer's when it is first asked for."""
    node = layoutNode()
    for number in LAYOUTS:
        if node.AddLayoutDescription(number, description) or node.GetLayoutDescription(number) == description:
            return number
    raise RuntimeError("every layout number is taken")
