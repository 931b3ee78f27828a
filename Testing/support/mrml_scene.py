"""Nodes of real MRML to put into a scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
import vtk


def ijk_to_ras(
    angles: Sequence[float] = (0.3, -0.2, 0.5),
    spacing: Sequence[float] = (0.6, 0.8, 2.5),
    origin: Sequence[float] = (-31.0, 12.5, 70.0),
    flips: Sequence[int] = (1, 1, 1),
) -> np.ndarray:
    """A 4x4 matrix of rotations about the three axes, flips, voxel spacing and origin."""
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        rotation = rotation @ turn
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.multiply(spacing, flips)
    matrix[:3, 3] = origin
    return matrix


def matrix_of(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """A volume's IJKToRAS as an array."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def add_volume(array: np.ndarray, name: str = "scan", matrix: np.ndarray | None = None) -> slicer.vtkMRMLVolumeNode:
    """A scalar volume of ``(slices, rows, columns)``, or a colour volume where there is a fourth axis; shown."""
    kind = "vtkMRMLVectorVolumeNode" if array.ndim == 4 else "vtkMRMLScalarVolumeNode"
    node = slicer.util.addVolumeFromArray(array, ijk_to_ras() if matrix is None else matrix, name, kind)
    node.CreateDefaultDisplayNodes()
    return node


def add_sequence(
    frames: Sequence[np.ndarray], name: str = "cine", values: Sequence[str] | None = None, unit: str = "s"
) -> tuple[slicer.vtkMRMLSequenceNode, slicer.vtkMRMLSequenceBrowserNode]:
    """A sequence of volumes in a browser of its own, its first frame shown."""
    scene = slicer.mrmlScene
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    sequence.SetIndexName("time")
    sequence.SetIndexUnit(unit)
    for k, frame in enumerate(frames):
        volume = add_volume(frame, f"{name} {k}")
        sequence.SetDataNodeAtValue(volume, str(0.04 * k) if values is None else values[k])
        scene.RemoveNode(volume.GetDisplayNode())
        scene.RemoveNode(volume)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    return sequence, browser


def hierarchy(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSubjectHierarchyNode:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def node_ids(scene: slicer.vtkMRMLScene) -> list[str]:
    """The ids of all nodes: what a job that ended early must leave as they were."""
    return [scene.GetNthNode(k).GetID() for k in range(scene.GetNumberOfNodes())]
