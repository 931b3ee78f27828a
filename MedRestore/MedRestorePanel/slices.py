"""What slice views show: which slice of a study, in which layers, in which window; and how to give all that back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import slicer
import vtk
from slicer.util import NodeModify, VTKObservationMixin

# Slicer's standard orientations, and the axis of RAS that each looks along.
LOOKS_ALONG = {"Sagittal": 0, "Coronal": 1, "Axial": 2}

PARALLEL = 0.999  # cosine between two directions that count as one


def sliceLogics() -> list[slicer.vtkMRMLSliceLogic]:
    """The logics of the slice views in the present layout; none where Slicer runs without a main window."""
    layoutManager = slicer.app.layoutManager()
    if layoutManager is None:
        return []
    views = layoutManager.layoutLogic().GetViewNodes()
    nodes = [views.GetItemAsObject(number) for number in range(views.GetNumberOfItems())]
    widgets = [layoutManager.sliceWidget(node.GetLayoutName()) for node in nodes if node.IsA("vtkMRMLSliceNode")]
    return [widget.sliceLogic() for widget in widgets if widget is not None]


def sliceOnShow(logic: slicer.vtkMRMLSliceLogic, volume: slicer.vtkMRMLVolumeNode) -> int | None:
    """Index of the acquired slice that a view shows; None if it lies in another plane or outside the volume."""
    if not _isAcquisition(logic.GetSliceNode(), volume):
        return None
    # Slicer counts from one; what is negative says why there is none.
    number = logic.GetSliceIndexFromOffset(logic.GetSliceOffset(), volume)
    return number - 1 if number > 0 else None


def isShown(volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether a slice view of the present layout has the volume as its background."""
    backgrounds = [logic.GetSliceCompositeNode().GetBackgroundVolumeID() for logic in sliceLogics()]
    return volume.GetID() in backgrounds


def showVolume(volume: slicer.vtkMRMLVolumeNode) -> None:
    """Put a volume into every slice view; the one that is nearest to it lies in its acquired plane then."""
    logics = sliceLogics()
    for logic in logics:
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
    if logics and not any(_isAcquisition(logic.GetSliceNode(), volume) for logic in logics):
        nearest = max(logics, key=lambda logic: _alongSlices(logic.GetSliceNode(), volume))
        turnToAcquisition(nearest.GetSliceNode(), volume)
    for logic in logics:
        logic.FitSliceToBackground()
        logic.SnapSliceOffsetToIJK()


def turnToAcquisition(sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode) -> None:
    """Let a view lie in the plane in which a volume was acquired, however that lies in the patient."""
    acquired = _column(_ijkToWorld(volume), 2)
    for orientation in sorted(LOOKS_ALONG, key=lambda name: -abs(acquired[LOOKS_ALONG[name]])):
        # From there Slicer turns to the nearest plane of the volume, which need not be the acquired one.
        sliceNode.SetOrientation(orientation)
        sliceNode.RotateToVolumePlane(volume)
        if _isAcquisition(sliceNode, volume):
            return


def showSlice(sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode, index: int) -> None:
    """Move a view through the middle of one of the volume's acquired slices."""
    sliceNode.JumpSliceByOffsetting(*voxelInWorld(volume, 0, 0, index))


def showPlace(place: Sequence[float]) -> None:
    """Move every slice view through a place (RAS, mm)."""
    for logic in sliceLogics():
        logic.GetSliceNode().JumpSliceByOffsetting(*place)


def voxelInWorld(volume: slicer.vtkMRMLVolumeNode, i: float, j: float, k: float) -> list[float]:
    """Where a voxel lies (RAS, mm), with the volume's transform."""
    return list(_ijkToWorld(volume).MultiplyPoint((float(i), float(j), float(k), 1.0))[:3])


class Layers(NamedTuple):
    """The volumes of a slice view, by id, and the foreground's opacity."""

    background: str | None
    foreground: str | None
    opacity: float


class SliceLayers:
    """Puts volumes into slice views for a while. ``giveBack`` restores what nobody changed since."""

    def __init__(self) -> None:
        self._former = {}
        self._shown = {}

    def __contains__(self, compositeNode: slicer.vtkMRMLSliceCompositeNode) -> bool:
        return compositeNode.GetID() in self._former

    def show(
        self,
        compositeNode: slicer.vtkMRMLSliceCompositeNode,
        background: slicer.vtkMRMLVolumeNode,
        foreground: slicer.vtkMRMLVolumeNode,
        opacity: float,
    ) -> None:
        """Show two volume nodes in a slice view; ``opacity`` is the foreground's."""
        self._former.setdefault(compositeNode.GetID(), _layersOf(compositeNode))
        layers = Layers(background.GetID(), foreground.GetID(), opacity)
        self._shown[compositeNode.GetID()] = layers
        _setLayers(compositeNode, layers)

    def fade(self, opacity: float) -> None:
        """Change the foreground's opacity in the views that still show what they were told to."""
        for viewID, shown in self._shown.items():
            compositeNode = slicer.mrmlScene.GetNodeByID(viewID)
            if compositeNode is not None and compositeNode.GetForegroundVolumeID() == shown.foreground:
                compositeNode.SetForegroundOpacity(opacity)

    def giveBack(self) -> None:
        """Former volumes and opacities come back, except where a person chose another volume meanwhile."""
        for viewID, former in self._former.items():
            compositeNode = slicer.mrmlScene.GetNodeByID(viewID)
            if compositeNode is None:
                continue
            now, shown = _layersOf(compositeNode), self._shown[viewID]
            # A volume that was deleted meanwhile left its layer empty: nobody chose that.
            background = former.background if now.background in (shown.background, None) else now.background
            if now.foreground in (shown.foreground, None):
                _setLayers(compositeNode, Layers(background, former.foreground, former.opacity))
            else:
                _setLayers(compositeNode, now._replace(background=background))
        self._former, self._shown = {}, {}


class SameWindow(VTKObservationMixin):
    """Keeps window, level and colours of two volumes alike: whichever is changed, the other follows."""

    def __init__(self) -> None:
        VTKObservationMixin.__init__(self)
        self._volumes = ()

    def start(self, source: slicer.vtkMRMLVolumeNode, follower: slicer.vtkMRMLVolumeNode) -> None:
        """From now on; the follower takes the source's at once."""
        self.stop()
        self._volumes = (source, follower)
        for volume in self._volumes:
            self.addObserver(volume, slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent, self._onDisplayModified)
        _copyWindow(source, follower)

    def stop(self) -> None:
        self.removeObservers()
        self._volumes = ()

    def _onDisplayModified(self, caller: slicer.vtkMRMLVolumeNode, event: str) -> None:
        for volume in self._volumes:
            if volume is not caller:
                _copyWindow(caller, volume)


def _copyWindow(source: slicer.vtkMRMLVolumeNode, target: slicer.vtkMRMLVolumeNode) -> None:
    """Changes nothing where both are alike already: that is what ends the mutual following."""
    shown, follower = source.GetDisplayNode(), target.GetDisplayNode()
    if shown is None or follower is None or _windowOf(shown) == _windowOf(follower):
        return
    with NodeModify(follower):
        follower.AutoWindowLevelOff()
        follower.SetWindowLevel(shown.GetWindow(), shown.GetLevel())
        follower.SetAndObserveColorNodeID(shown.GetColorNodeID())


def _windowOf(displayNode: slicer.vtkMRMLVolumeDisplayNode) -> tuple[float, float, str]:
    return displayNode.GetWindow(), displayNode.GetLevel(), displayNode.GetColorNodeID()


def _layersOf(compositeNode: slicer.vtkMRMLSliceCompositeNode) -> Layers:
    return Layers(
        compositeNode.GetBackgroundVolumeID(),
        compositeNode.GetForegroundVolumeID(),
        compositeNode.GetForegroundOpacity(),
    )


def _setLayers(compositeNode: slicer.vtkMRMLSliceCompositeNode, layers: Layers) -> None:
    """The id of a volume that is no longer in the scene leaves its layer empty."""
    with NodeModify(compositeNode):
        compositeNode.SetBackgroundVolumeID(layers.background)
        compositeNode.SetForegroundVolumeID(layers.foreground)
        compositeNode.SetForegroundOpacity(layers.opacity)


def _isAcquisition(sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether a view looks along the axis on which the volume's slices are stacked."""
    return _alongSlices(sliceNode, volume) > PARALLEL


def _alongSlices(sliceNode: slicer.vtkMRMLSliceNode, volume: slicer.vtkMRMLVolumeNode) -> float:
    """How nearly a view looks along that axis: 1 exactly, 0 across it."""
    return abs(_cosine(_column(sliceNode.GetSliceToRAS(), 2), _column(_ijkToWorld(volume), 2)))


def _ijkToWorld(volume: slicer.vtkMRMLVolumeNode) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    transform = volume.GetParentTransformNode()
    if transform is not None and transform.IsTransformToWorldLinear():
        toWorld = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToWorld(toWorld)
        vtk.vtkMatrix4x4.Multiply4x4(toWorld, matrix, matrix)
    return matrix


def _column(matrix: vtk.vtkMatrix4x4, number: int) -> list[float]:
    return [matrix.GetElement(row, number) for row in range(3)]


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
