"""Segmentations on real MRML for tests: masks, nodes made of them, and the rows of result tables."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
from vtk.util.numpy_support import numpy_to_vtk

from Testing.support.mrml_scene import ijk_to_ras

SHAPE = (14, 26, 24)


def noise(shape=SHAPE, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 10, shape).astype(np.float32)


def box(low, high, shape=SHAPE) -> np.ndarray:
    """A mask that is true from ``low`` up to, without, ``high`` (slice, row, column)."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def add_segmentation(masks: dict[str, np.ndarray], matrix=None, name="drawn", colour=(1.0, 0.0, 0.0)):
    """A segmentation with a segment for each mask, on a grid of its own."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    for label, mask in masks.items():
        if not mask.any():
            node.GetSegmentation().AddEmptySegment("", label)
            continue
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*mask.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True))
        image.SetGeometryFromImageToWorldMatrix(
            slicer.util.vtkMatrixFromArray(ijk_to_ras() if matrix is None else matrix)
        )
        node.AddSegmentFromBinaryLabelmapRepresentation(image, label, colour)
    return node


def coarser(matrix: np.ndarray) -> np.ndarray:
    """The grid of voxels that each hold 2 x 2 x 2 of this one."""
    coarse = matrix.copy()
    coarse[:3, :3] *= 2
    coarse[:3, 3] += matrix[:3, :3] @ [0.5, 0.5, 0.5]
    return coarse


def add_transform(matrix: np.ndarray) -> slicer.vtkMRMLLinearTransformNode:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def rows(table) -> list[dict]:
    """A table's rows by the names of its columns, in the columns' own types."""
    columns = [table.GetTable().GetColumn(c) for c in range(table.GetNumberOfColumns())]
    return [{c.GetName(): c.GetValue(r) for c in columns} for r in range(table.GetNumberOfRows())]


def ball(radius: float, centre, matrix: np.ndarray, shape) -> np.ndarray:
    """Voxels whose centres lie in a ball, mm, around a point of the world."""
    index = np.stack(np.indices(shape)[::-1], axis=-1)
    return (((index @ matrix[:3, :3].T + matrix[:3, 3]) - centre) ** 2).sum(axis=-1) <= radius**2


def middle(matrix: np.ndarray, shape) -> np.ndarray:
    return (matrix @ [*(np.subtract(shape, 1) / 2)[::-1], 1])[:3]
