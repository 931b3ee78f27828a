"""The original and the restored volume segmented in the same way, so that only the images can differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..errors import InvalidPlan
from ..metrics import regions
from .grids import Grid, brightness
from .hierarchy import place_beside
from .masks import mask_or_nothing
from .segments import compare

METHODS = ("threshold", "grow")

# Seeds grow into the box that holds them all, widened as Slicer's own "Grow from seeds" does: by a tenth, at least by 3
# voxels on each side.
_GROW_SHARE, _GROW_VOXELS = 0.1, 3

_SAMPLED = 1_000_000  # voxels that the default threshold is taken from
_THRESHOLD_COLOUR = (0.9, 0.6, 0.1)
_CLASS = "vtkMRMLSegmentationNode"
_MADE = "MedRestore.alike"  # attribute of the nodes made here: "before" or "after"
_VOLUME = "volume"  # node reference to the volume that was segmented


class _Made(NamedTuple):
    """A segment in the making; ``mask`` is on its volume's grid."""

    name: str
    colour: tuple[float, float, float]
    mask: np.ndarray
    shown: bool = True


def segment_alike(
    volume_before: slicer.vtkMRMLVolumeNode,
    volume_after: slicer.vtkMRMLVolumeNode,
    method: str = "threshold",
    *,
    lower: float | None = None,
    upper: float | None = None,
    seeds: slicer.vtkMRMLSegmentationNode | None = None,
) -> slicer.vtkMRMLTableNode:
    """Segment both volumes in the same way and compare the results.

    Two segmentations, "... (before)" and "... (after)", with the same names and colours are added beside their
    volumes; those of an earlier call are filled anew, unless they were renamed.

    Args:
        method: "threshold": voxels from ``lower`` to ``upper``; "grow": seeds grown until they meet where brightness
            changes (Slicer's "Grow from seeds").
        lower, upper: in the volumes' unit; None takes Otsu's threshold of the original, and no upper end.
        seeds: at least two segments with something drawn, one of them usually the background.

    Returns:
        The table of ``compare``; its references "segmentation" are the two new nodes.

    Raises:
        InvalidPlan: the threshold selects nothing, or seeds are missing; the message says what to do.
        UnsupportedImage: a volume is empty or bent by a non-linear transform.
    """
    volumes = (volume_before, volume_after)
    grids = [Grid.of(volume) for volume in volumes]
    if method == "threshold":
        made = _above_threshold(volumes, lower, upper)
    elif method == "grow":
        made = [_grown(volume, grid, seeds) for volume, grid in zip(volumes, grids, strict=True)]
    else:
        raise InvalidPlan(f"'{method}' is no way to segment; choose one of {', '.join(METHODS)}.")
    nodes = [
        _segmentation(volume, volume_before, side, segments)
        for volume, side, segments in zip(volumes, ("before", "after"), made, strict=True)
    ]
    return compare(*nodes, *volumes)


def default_thresholds(
    volume_before: slicer.vtkMRMLVolumeNode, volume_after: slicer.vtkMRMLVolumeNode
) -> tuple[float, float]:
    """What is bright, in the volumes' unit: from Otsu's threshold of the original to the greatest value of both.

    Raises:
        InvalidPlan: all voxels of the original have one value.
    """
    voxels = brightness(volume_before).ravel()
    try:
        lower = regions.otsu(voxels[:: max(1, voxels.size // _SAMPLED)])
    except ValueError:
        raise InvalidPlan(
            f"'{volume_before.GetName()}' has the same value everywhere; there is nothing to segment."
        ) from None
    arrays = (brightness(volume_before), brightness(volume_after))
    return lower, float(max(np.max(array, where=np.isfinite(array), initial=lower) for array in arrays))


def _above_threshold(
    volumes: tuple[slicer.vtkMRMLVolumeNode, slicer.vtkMRMLVolumeNode], lower: float | None, upper: float | None
) -> list[list[_Made]]:
    lower = default_thresholds(*volumes)[0] if lower is None else lower
    upper = np.inf if upper is None else upper
    arrays = [brightness(volume) for volume in volumes]
    masks = [(array >= lower) & (array <= upper) for array in arrays]
    for volume, mask in zip(volumes, masks, strict=True):
        if not mask.any():
            values = (f"{a.min():g} to {a.max():g} in '{v.GetName()}'" for v, a in zip(volumes, arrays, strict=True))
            raise InvalidPlan(
                f"no voxel of '{volume.GetName()}' lies between {lower:g} and {upper:g}; "
                f"values go from {' and '.join(values)}."
            )
    return [[_Made("Threshold", _THRESHOLD_COLOUR, mask)] for mask in masks]


def _grown(volume: slicer.vtkMRMLVolumeNode, grid: Grid, seeds: slicer.vtkMRMLSegmentationNode | None) -> list[_Made]:
    """Every seed grown over one volume."""
    if seeds is None:
        raise InvalidPlan("growing needs seeds: choose a segmentation with at least two painted segments.")
    segmentation = seeds.GetSegmentation()
    ids = segmentation.GetSegmentIDs()
    labels = np.zeros(grid.shape, np.int16)
    for number in range(len(ids), 0, -1):  # where seeds overlap, the one higher in the list wins, as in Slicer
        labels[mask_or_nothing(seeds, ids[number - 1], volume)] = number
    drawn = [number for number in range(1, len(ids) + 1) if (labels == number).any()]
    if len(drawn) < 2:
        raise InvalidPlan(
            f"'{seeds.GetName()}' has {len(drawn)} segment{'' if len(drawn) == 1 else 's'} drawn inside "
            f"'{volume.GetName()}'; growing needs at least two: one for what you look for, one for the rest."
        )
    box = regions.bounding_box(labels > 0)
    margins = tuple(max(_GROW_VOXELS, int(_GROW_SHARE * (side.stop - side.start))) for side in box)
    box = regions.padded(box, margins, grid.shape)
    labels[box] = _grow_cut(brightness(volume)[box], labels[box], grid.spacing)
    corners = labels[box][np.ix_([0, -1], [0, -1], [0, -1])]
    made = []
    for number in drawn:
        segment = segmentation.GetSegment(ids[number - 1])
        shown = np.mean(corners == number) <= 0.5  # else it is the background, which would hide the image
        made.append(_Made(segment.GetName(), tuple(segment.GetColor()), labels == number, bool(shown)))
    return made


def _grow_cut(voxels: np.ndarray, seeds: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Labels of all voxels, from those of the seeds (0 elsewhere).

    Slicer's filters do not grow out of the outermost voxels and want three of them along each axis: a rim of one voxel
    is added for them, so that whole volumes and single slices grow to their edge.
    """
    if not np.isfinite(voxels).all():
        raise InvalidPlan("growing needs finite values; this volume holds voxels that are no numbers.")
    grow = _grow_cut_filter()
    grow.SetIntensityVolume(_image(np.pad(voxels.astype(np.float32), 1, mode="edge"), spacing))
    grow.SetSeedLabelVolume(_image(np.pad(seeds, 1), spacing))
    grow.Update()
    grown = grow.GetOutput()
    shape = grown.GetDimensions()[::-1]
    if shape != tuple(size + 2 for size in seeds.shape):
        raise InvalidPlan("Slicer's grow-cut filter failed; use a threshold instead.")
    return vtk_to_numpy(grown.GetPointData().GetScalars()).reshape(shape)[1:-1, 1:-1, 1:-1]


def _grow_cut_filter() -> vtk.vtkImageAlgorithm:
    """The filter of Slicer's "Grow from seeds"; its predecessor where an application is built without it."""
    try:
        import vtkITK

        return vtkITK.vtkITKGrowCut()
    except (ImportError, AttributeError):
        predecessor = getattr(slicer, "vtkImageGrowCutSegment", None)
    if predecessor is None:
        raise InvalidPlan("this Slicer has no grow-cut filter; use a threshold instead.")
    return predecessor()


def _image(array: np.ndarray, spacing: tuple[float, float, float]) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.SetSpacing(*spacing)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image


def _segmentation(
    volume: slicer.vtkMRMLVolumeNode, source: slicer.vtkMRMLVolumeNode, side: str, segments: list[_Made]
) -> slicer.vtkMRMLSegmentationNode:
    """A segmentation of one volume in the scene: a new one, or the one of an earlier call filled anew."""
    name = f"{source.GetName()} ({side})"
    node = _found(volume, name, side) or _new_segmentation(volume, name, side)
    node.CreateDefaultDisplayNodes()
    modified = node.StartModify()
    node.GetSegmentation().RemoveAllSegments()
    node.SetReferenceImageGeometryParameterFromVolumeNode(source)
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    for number, segment in enumerate(segments, 1):
        # Slicer logs an error when a scene is closed where the segments of two segmentations have ids that it made.
        segment_id = node.GetSegmentation().AddEmptySegment(f"alike_{number}", segment.name, segment.colour)
        labelmap = _labelmap(volume, segment.mask)
        slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(labelmap, node, segment_id)
        node.GetDisplayNode().SetSegmentVisibility(segment_id, segment.shown)
    node.EndModify(modified)
    return node


def _found(volume: slicer.vtkMRMLVolumeNode, name: str, side: str) -> slicer.vtkMRMLSegmentationNode | None:
    scene = volume.GetScene()
    nodes = (scene.GetNthNodeByClass(k, _CLASS) for k in range(scene.GetNumberOfNodesByClass(_CLASS)))
    for node in nodes:
        own = node.GetAttribute(_MADE) == side and node.GetNodeReferenceID(_VOLUME) == volume.GetID()
        if own and node.GetName() == name:
            return node
    return None


def _new_segmentation(volume: slicer.vtkMRMLVolumeNode, name: str, side: str) -> slicer.vtkMRMLSegmentationNode:
    node = volume.GetScene().AddNewNodeByClass(_CLASS, name)
    node.SetAttribute(_MADE, side)
    node.SetNodeReferenceID(_VOLUME, volume.GetID())
    place_beside(node, volume)
    return node


def _labelmap(volume: slicer.vtkMRMLVolumeNode, mask: np.ndarray) -> slicer.vtkOrientedImageData:
    """A mask on a volume's grid as a segment's representation, cut to where it is not empty."""
    box = regions.bounding_box(mask)
    first = volume.GetImageData().GetExtent()[::2]
    sides = ((side.start + start, side.stop - 1 + start) for side, start in zip(box[::-1], first, strict=True))
    image, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    image.SetExtent([edge for side in sides for edge in side])
    image.GetPointData().SetScalars(numpy_to_vtk(mask[box].astype(np.uint8).ravel(), deep=True))
    volume.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image
