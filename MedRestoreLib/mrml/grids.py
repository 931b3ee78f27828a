"""Segments laid onto a volume's grid, each cut out with the background around it.

Lengths are those of the world: a parent transform that scales a volume counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import slicer
import vtk

from ..errors import InvalidPlan
from ..image import LUMA
from ..metrics import regions
from ..metrics.regions import RegionStatistics
from .masks import mask_or_nothing
from .volumes import array_of, check_transform, check_volume


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie in the world.

    Attributes:
        shape: (slices, rows, columns).
        spacing: mm along columns, rows and slices.
        voxel_volume: mm³.
        matrix: extent and index-to-world matrix, 3x4, row-major.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    voxel_volume: float
    matrix: tuple[float, ...]

    @classmethod
    def of(cls, volume: slicer.vtkMRMLVolumeNode) -> Grid:
        """The grid of a volume.

        Raises:
            UnsupportedImage: it is empty, no scalar or colour volume, or bent by a non-linear transform.
        """
        check_volume(volume)
        check_transform(volume)
        matrix, to_world = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        if volume.GetParentTransformNode() is not None:
            volume.GetParentTransformNode().GetMatrixTransformToWorld(to_world)
        vtk.vtkMatrix4x4.Multiply4x4(to_world, matrix, matrix)
        rows = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(3)])
        rows = np.round(rows, 9)  # so that what differs by rounding alone does not differ
        data = volume.GetImageData()
        return cls(
            shape=data.GetDimensions()[::-1],
            spacing=tuple(np.linalg.norm(rows[:, :3], axis=0).tolist()),
            voxel_volume=float(abs(np.linalg.det(rows[:, :3]))),
            matrix=(*data.GetExtent(), *rows.ravel().tolist()),
        )


@dataclass(frozen=True)
class Cutout:
    """A segment on a grid, cut out: ``box`` is where ``inside`` (its voxels) and ``around`` (its background) lie."""

    name: str
    grid: Grid
    box: regions.Box
    inside: np.ndarray
    around: np.ndarray

    @property
    def volume(self) -> float:
        """Of its voxels, mm³."""
        return int(self.inside.sum()) * self.grid.voxel_volume

    def within(self, box: regions.Box) -> np.ndarray:
        """Its voxels as a mask of another box that holds it."""
        mask = np.zeros([side.stop - side.start for side in box], bool)
        if self.inside.size:
            shifted = (slice(s.start - o.start, s.stop - o.start) for s, o in zip(self.box, box, strict=True))
            mask[tuple(shifted)] = self.inside
        return mask

    def measured(self, volume: slicer.vtkMRMLVolumeNode) -> tuple[RegionStatistics, RegionStatistics]:
        """Statistics of the segment's voxels and of its background's in a volume on its grid."""
        voxels = brightness(volume)[self.box]
        return RegionStatistics.of(voxels[self.inside]), RegionStatistics.of(voxels[self.around])


def cut_out(
    segmentation: slicer.vtkMRMLSegmentationNode, volumes: Sequence[slicer.vtkMRMLVolumeNode]
) -> list[list[Cutout]]:
    """All segments of a segmentation on each volume's grid, in its order; volumes on one grid share the work.

    Raises:
        InvalidPlan: the segmentation has no segments.
        UnsupportedImage: a volume has no grid.
    """
    if segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        raise InvalidPlan(f"'{segmentation.GetName()}' has no segments; draw one in the Segment Editor first.")
    grids = [Grid.of(volume) for volume in volumes]
    found: dict[Grid, list[Cutout]] = {}
    for grid, volume in zip(grids, volumes, strict=True):
        if grid not in found:
            found[grid] = _on_grid(segmentation, volume, grid)
    return [found[grid] for grid in grids]


def brightness(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """The numbers of a volume, ``(slices, rows, columns)``, not copied; of a colour volume the luma."""
    voxels = array_of(volume.GetImageData())
    return voxels if voxels.ndim == 3 else voxels[..., :3] @ np.array(LUMA, np.float32)


def _on_grid(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLVolumeNode, grid: Grid
) -> list[Cutout]:
    anywhere = np.zeros(grid.shape, bool)
    cutouts = []
    for segment_id in segmentation.GetSegmentation().GetSegmentIDs():
        mask = mask_or_nothing(segmentation, segment_id, volume)
        anywhere |= mask
        box = regions.bounding_box(mask)
        name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
        cutouts.append(Cutout(name, grid, box, mask[box].copy(), np.zeros_like(mask[box])))
    return [_with_background(cutout, anywhere) for cutout in cutouts]


def _with_background(cutout: Cutout, anywhere: np.ndarray) -> Cutout:
    grid = cutout.grid
    margins = tuple(math.ceil(regions.shell_radius(grid.spacing, grid.shape) / length) for length in grid.spacing[::-1])
    box = regions.padded(cutout.box, margins, grid.shape)
    inside = cutout.within(box)
    around = regions.background(inside, spacing=grid.spacing) & ~anywhere[box]
    return replace(cutout, box=box, inside=inside, around=around)
