"""How new volumes are shown: the restored one exactly as its input, the removed part symmetric around zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer

_GREY = "vtkMRMLColorTableNodeGrey"
_SHOWN_DEVIATIONS = 4.0  # standard deviations of the removed part, each way
_SAMPLED = 100_000  # voxels that the deviation is taken from


def show_alike(node: slicer.vtkMRMLVolumeNode, source: slicer.vtkMRMLVolumeNode) -> None:
    """Same window and level, colours, interpolation and threshold; nothing automatic, or the two could not be compared.

    A source that is not shown says nothing: the node then keeps Slicer's own choice.
    """
    node.CreateDefaultDisplayNodes()
    display, original = node.GetVolumeDisplayNode(), source.GetVolumeDisplayNode()
    if original is None or original.GetClassName() != display.GetClassName():
        return
    modified = display.StartModify()
    display.CopyContent(original)
    display.AutoWindowLevelOff()
    display.SetWindowLevel(original.GetWindow(), original.GetLevel())
    display.EndModify(modified)


def show_range(node: slicer.vtkMRMLVolumeNode, arrays: Sequence[np.ndarray], high: float | None = None) -> None:
    """Black is zero and white ``high``; without one the 99th percentile."""
    node.CreateDefaultDisplayNodes()
    if high is None:
        step = max(1, sum(array.size for array in arrays) // _SAMPLED)
        high = float(np.quantile(np.concatenate([array.ravel()[::step] for array in arrays]), 0.99)) or 1.0
    display = node.GetVolumeDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(high, high / 2)


def show_difference(node: slicer.vtkMRMLVolumeNode, arrays: Sequence[np.ndarray]) -> None:
    """Zero is mid-grey, darker is less and brighter more; the window is a few standard deviations wide."""
    node.CreateDefaultDisplayNodes()
    display, scene = node.GetVolumeDisplayNode(), node.GetScene()
    step = max(1, sum(array.size for array in arrays) // _SAMPLED)
    deviation = float(np.concatenate([array.ravel()[::step] for array in arrays]).std(dtype=np.float64))
    modified = display.StartModify()
    if scene.GetNodeByID(_GREY) is not None:
        display.SetAndObserveColorNodeID(_GREY)
    display.AutoWindowLevelOff()
    display.SetWindowLevel(2 * _SHOWN_DEVIATIONS * (deviation or 1.0), 0.0)
    display.EndModify(modified)
