"""Segments and label maps as masks on a study's grid."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..errors import InvalidPlan
from .sequences import is_sequence, proxy_of
from .volumes import array_of


def mask_of(
    node: slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode,
    segment_id: str,
    reference_volume: slicer.vtkMRMLVolumeNode | slicer.vtkMRMLSequenceNode,
) -> np.ndarray:
    """Where a segment lies: bool ``(slices, rows, columns)`` on the grid of the reference volume.

    Grids and parent transforms may differ: the nearest voxel counts. No node is added to the scene.

    Args:
        node: a segmentation, or a label map.
        segment_id: id or name of the segment; of a label map the label's number, or "" for all that is not 0.

    Raises:
        InvalidPlan: there is no such segment, or no part of it lies inside the volume.
    """
    inside = mask_or_nothing(node, segment_id, reference_volume)
    if not inside.any():
        raise InvalidPlan(
            f"the mask '{segment_id or node.GetName()}' has no voxel inside '{reference_volume.GetName()}': draw it "
            "first, or choose another."
        )
    return inside


def mask_or_nothing(
    node: slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode,
    segment_id: str,
    reference_volume: slicer.vtkMRMLVolumeNode | slicer.vtkMRMLSequenceNode,
) -> np.ndarray:
    """As ``mask_of``, but a segment without a voxel inside the volume is an empty mask."""
    reference = reference_volume
    if is_sequence(reference):
        reference = proxy_of(reference) or reference.GetNthDataNode(0)
    if node.IsA("vtkMRMLSegmentationNode"):
        labels, value = _segment(node, segment_id)
    elif node.IsA("vtkMRMLLabelMapVolumeNode"):
        labels, value = _label_map(node, segment_id)
    else:
        raise InvalidPlan(f"'{node.GetName()}' is no mask; choose a segmentation or a label map.")
    if labels is None:
        return np.zeros(reference.GetImageData().GetDimensions()[::-1], bool)
    on_grid = array_of(_resampled(labels, node, reference))
    return on_grid != 0 if value is None else on_grid == value


def _segment(
    node: slicer.vtkMRMLSegmentationNode, segment_id: str
) -> tuple[slicer.vtkOrientedImageData | None, float | None]:
    """Voxels in the segmentation's frame and the value they have in the segment; None when nothing was drawn yet.

    Segments that do not overlap share their voxels, each with a value of its own. A segment that is a surface alone
    gets voxels first, as Slicer's own tools give it.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetSegment(segment_id) is None:
        named = segmentation.GetSegmentIdBySegmentName(segment_id)
        if not named:
            raise InvalidPlan(f"'{node.GetName()}' has no segment '{segment_id}'; choose one that it has.")
        segment_id = named
    labels, logic = slicer.vtkOrientedImageData(), slicer.vtkSlicerSegmentationsModuleLogic
    found = logic.GetSegmentBinaryLabelmapRepresentation(node, segment_id, labels, False)
    value = segmentation.GetSegment(segment_id).GetLabelValue()
    return (labels if found and labels.GetNumberOfPoints() > 0 else None), value


def _label_map(
    node: slicer.vtkMRMLLabelMapVolumeNode, label: str
) -> tuple[slicer.vtkOrientedImageData | None, float | None]:
    if node.GetImageData() is None:
        return None, None
    try:
        value = float(label) if label else None
    except ValueError:
        raise InvalidPlan(f"'{label}' is not the number of a label in '{node.GetName()}'.") from None
    return _oriented(node, node.GetImageData()), value


def _resampled(
    labels: slicer.vtkOrientedImageData,
    node: slicer.vtkMRMLTransformableNode,
    reference: slicer.vtkMRMLVolumeNode,
) -> vtk.vtkImageData:
    to_reference = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        node.GetParentTransformNode(), reference.GetParentTransformNode(), to_reference
    )
    grid = vtk.vtkImageData()
    grid.SetExtent(reference.GetImageData().GetExtent())
    on_grid = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        labels, _oriented(reference, grid), on_grid, False, False, to_reference
    )
    return on_grid


def _oriented(volume: slicer.vtkMRMLVolumeNode, data: vtk.vtkImageData) -> slicer.vtkOrientedImageData:
    """Image data where the volume lies, in the volume's own frame; the voxels are shared."""
    oriented = slicer.vtkOrientedImageData()
    oriented.ShallowCopy(data)
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    oriented.SetGeometryFromImageToWorldMatrix(matrix)
    return oriented
