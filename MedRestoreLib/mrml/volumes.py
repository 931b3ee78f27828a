"""One volume node: what it is, where it lies, and its voxels without copying them."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..errors import UnsupportedImage

SCALAR, COLOUR = "vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode"

# Image is in LPS, nodes are in RAS: x and y change sign.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])

# How far image axes may be from perpendicular: what Image allows.
PERPENDICULAR = 1e-4

# Units whose code says more to a person than its meaning, or whose name in MedRestore differs from both.
_UNITS = {"[hnsf'U]": "HU", "{SUVbw}g/ml": "SUVbw", "{counts}": "counts", "{propcounts}": "counts", "Bq/ml": "Bq/ml"}


def is_volume(node: Any) -> bool:
    """Whether the node is a volume of numbers or colours, of exactly the two classes that can be restored."""
    return node is not None and node.GetClassName() in (SCALAR, COLOUR)


def check_volume(node: slicer.vtkMRMLVolumeNode) -> None:
    """Raise UnsupportedImage, with what to do, for a node that cannot be restored. No voxel is read."""
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise UnsupportedImage(
            f"'{node.GetName()}' is a label map: it holds labels, not measurements; choose the image it was drawn on."
        )
    if not is_volume(node):
        raise UnsupportedImage(
            f"'{node.GetName()}' is of a kind that cannot be restored ({node.GetClassName()}); choose a scalar volume, "
            "a colour volume or a sequence of them."
        )
    data = node.GetImageData()
    if data is None or data.GetNumberOfPoints() == 0 or data.GetPointData().GetScalars() is None:
        raise UnsupportedImage(f"'{node.GetName()}' is empty: load its voxels first.")
    _check_components(node, data.GetNumberOfScalarComponents())
    spacing, axes = node.GetSpacing(), _axes(node)
    if not (np.isfinite(spacing).all() and np.isfinite(axes).all() and min(spacing) > 0):
        raise UnsupportedImage(f"'{node.GetName()}' has no proper voxel spacing {spacing}; correct it in Volumes.")
    if not np.allclose(axes.T @ axes, np.eye(3), atol=PERPENDICULAR):
        raise UnsupportedImage(
            f"the axes of '{node.GetName()}' are sheared (a tilted gantry, perhaps); resample it to perpendicular "
            "axes first, for example with Resample Scalar/Vector/DWI Volume."
        )


def check_transform(node: slicer.vtkMRMLTransformableNode) -> None:
    """Raise UnsupportedImage where the node lies under a transform that bends it."""
    transform = node.GetParentTransformNode()
    if transform is not None and not transform.IsTransformToWorldLinear():
        raise UnsupportedImage(
            f"'{node.GetName()}' lies under the non-linear transform '{transform.GetName()}'; restore it without, and "
            "transform the result, or harden the transform first."
        )


def geometry(node: slicer.vtkMRMLVolumeNode) -> dict[str, tuple[float, ...]]:
    """``spacing``, ``origin`` and ``direction`` as ``Image`` takes them (LPS, mm), in the node's own frame.

    A parent transform is left out: it stays on the restored node.
    """
    first = (*node.GetImageData().GetExtent()[::2], 1.0)  # the index of the array's first voxel need not be zero
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    origin = RAS_TO_LPS @ np.array(matrix.MultiplyPoint(first)[:3])
    return {
        "spacing": tuple(node.GetSpacing()),
        "origin": tuple(origin.tolist()),
        "direction": tuple((RAS_TO_LPS @ _axes(node)).ravel().tolist()),
    }


def array_of(data: vtk.vtkImageData) -> np.ndarray:
    """The voxels of image data, not copied: ``(slices, rows, columns)``, and ``components`` where there are several."""
    components = data.GetNumberOfScalarComponents()
    shape = (*reversed(data.GetDimensions()), *((components,) if components > 1 else ()))
    return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(shape)


def copy_setting(node: slicer.vtkMRMLVolumeNode, source: slicer.vtkMRMLVolumeNode, factor: int = 1) -> None:
    """Everything about the voxels but the voxels: geometry, what they measure, in which unit, and which colours.

    Args:
        factor: how many times as fine the node's rows and columns are.
    """
    node.CopyOrientation(source)
    if factor != 1:
        refine(node, factor)
    node.SetVoxelVectorType(source.GetVoxelVectorType())
    copy_quantity(node, source)


def refine(node: slicer.vtkMRMLVolumeNode, factor: int) -> None:
    """Make a node's columns and rows ``factor`` times as fine; the edges of its voxels stay where they are."""
    finer, matrix = np.diag([1 / factor, 1 / factor, 1, 1]), vtk.vtkMatrix4x4()
    finer[:2, 3] = (1 / factor - 1) / 2  # the middle of the first finer voxel, in coarser ones
    node.GetIJKToRASMatrix(matrix)
    coarser = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    matrix.DeepCopy((coarser @ finer).ravel().tolist())
    node.SetIJKToRASMatrix(matrix)


def copy_quantity(node: slicer.vtkMRMLVolumeNode, source: slicer.vtkMRMLVolumeNode) -> None:
    """What the voxels measure and their unit, which Slicer's own copies leave out."""
    for name in ("VoxelValueQuantity", "VoxelValueUnits"):
        code = getattr(source, f"Get{name}")()
        copy = None
        if code is not None:
            copy = slicer.vtkCodedEntry()
            copy.Copy(code)
        getattr(node, f"Set{name}")(copy)


def unit_of(node: slicer.vtkMRMLVolumeNode) -> str:
    """The unit of a voxel, "" when the node does not say."""
    units = node.GetVoxelValueUnits()
    if units is None:
        return ""
    return _UNITS.get(units.GetCodeValue()) or units.GetCodeMeaning() or units.GetCodeValue() or ""


def _axes(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Directions of the image axes in RAS, one a column."""
    axes = np.eye(3)
    node.GetIJKToRASDirections(axes)
    return axes


def _check_components(node: slicer.vtkMRMLVolumeNode, components: int) -> None:
    vectors = (node.VoxelVectorTypeSpatial, node.VoxelVectorTypeSpatialCovariant)
    if components not in (1, 3, 4) or (components > 1 and node.GetVoxelVectorType() in vectors):
        raise UnsupportedImage(
            f"'{node.GetName()}' holds vectors of {components} components, not colours (3 or 4); split it into scalar "
            "volumes first, for example with Vector to Scalar Volume."
        )
