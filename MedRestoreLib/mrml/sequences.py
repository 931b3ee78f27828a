"""Sequence nodes: their browser, their frames' nodes, and their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import slicer
import vtk

from ..errors import UnsupportedImage
from .volumes import array_of, check_volume

SEQUENCE = "vtkMRMLSequenceNode"
_BROWSER = "vtkMRMLSequenceBrowserNode"
_MILLISECONDS = {"s": 1e3, "sec": 1e3, "second": 1e3, "seconds": 1e3, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "min": 6e4}


def is_sequence(node: Any) -> bool:
    return node is not None and node.IsA(SEQUENCE)


def sequence_of(
    node: slicer.vtkMRMLNode,
) -> tuple[slicer.vtkMRMLSequenceBrowserNode | None, slicer.vtkMRMLSequenceNode | None]:
    """The browser and the sequence of a proxy volume or of a sequence node; ``(None, None)`` for any other node.

    A sequence that no browser shows has None for its browser.
    """
    for browser in _browsers(node.GetScene()):
        if is_sequence(node) and browser.IsSynchronizedSequenceNodeID(node.GetID(), True):
            return browser, node
        if not is_sequence(node) and browser.IsProxyNodeID(node.GetID()):
            return browser, browser.GetSequenceNode(node)
    return None, (node if is_sequence(node) else None)


def proxy_of(sequence: slicer.vtkMRMLSequenceNode) -> slicer.vtkMRMLNode | None:
    """The node of the scene that shows the sequence's selected frame."""
    browser, _ = sequence_of(sequence)
    return None if browser is None else browser.GetProxyNode(sequence)


def volumes_of(sequence: slicer.vtkMRMLSequenceNode) -> list[slicer.vtkMRMLVolumeNode]:
    """The nodes of all frames, in the order of the sequence. No voxel is read.

    Raises:
        UnsupportedImage: there are none, or they differ in size, type or spacing.
    """
    volumes = [sequence.GetNthDataNode(k) for k in range(sequence.GetNumberOfDataNodes())]
    if not volumes:
        raise UnsupportedImage(f"the sequence '{sequence.GetName()}' has no frames.")
    if not all(volume is not None and volume.IsA("vtkMRMLVolumeNode") for volume in volumes):
        raise UnsupportedImage(f"'{sequence.GetName()}' is not a sequence of volumes; choose one that is.")
    for number, volume in enumerate(volumes, 1):
        check_volume(volume)
        if _form(volume) != _form(volumes[0]):
            raise UnsupportedImage(
                f"frame {number} of '{sequence.GetName()}' differs from the first in size, type or spacing; "
                "restore its frames one by one."
            )
    return volumes


def frame_times(sequence: slicer.vtkMRMLSequenceNode) -> tuple[float, ...]:
    """The start of each frame in ms; () where the index is not a time."""
    scale = _MILLISECONDS.get((sequence.GetIndexUnit() or "").strip().lower())
    if scale is None or sequence.GetIndexType() != sequence.NumericIndex:
        return ()
    return tuple(scale * float(sequence.GetNthIndexValue(k)) for k in range(sequence.GetNumberOfDataNodes()))


def add_sequence(
    source: slicer.vtkMRMLSequenceNode,
    name: str,
    frames: Iterable[tuple[slicer.vtkMRMLVolumeNode, vtk.vtkImageData]],
) -> tuple[slicer.vtkMRMLSequenceNode, slicer.vtkMRMLVolumeNode]:
    """Add a sequence with the index of another, synchronised with it in its browser (a new one if it has none).

    Args:
        frames: for each frame a node without voxels, and the voxels: they are shared with the new sequence, not copied.

    Returns:
        The new sequence, and the volume that shows its frames.
    """
    scene = source.GetScene()
    sequence = scene.AddNewNodeByClass(SEQUENCE, name)
    sequence.SetIndexName(source.GetIndexName())
    sequence.SetIndexUnit(source.GetIndexUnit())
    sequence.SetIndexType(source.GetIndexType())
    sequence.SetNumericIndexValueTolerance(source.GetNumericIndexValueTolerance())
    _fill(sequence, source, frames)
    browser = sequence_of(source)[0] or add_browser(source)
    browser.AddSynchronizedSequenceNodeID(sequence.GetID())
    # Slicer's logic makes the volume that shows the frames as soon as it hears of the sequence, unless it is recording.
    return sequence, browser.GetProxyNode(sequence) or browser.AddProxyNode(sequence.GetNthDataNode(0), sequence)


def replace_frames(
    sequence: slicer.vtkMRMLSequenceNode,
    source: slicer.vtkMRMLSequenceNode,
    frames: Iterable[tuple[slicer.vtkMRMLVolumeNode, vtk.vtkImageData]],
) -> None:
    """Give a sequence other frames, with the index of another; ``frames`` as of ``add_sequence``."""
    was_modifying = sequence.StartModify()
    sequence.RemoveAllDataNodes()
    _fill(sequence, source, frames)
    sequence.EndModify(was_modifying)
    sequence.Modified()  # what shows the frames takes the new ones


def remove(volume: slicer.vtkMRMLVolumeNode) -> None:
    """Remove a volume with its display from the scene; with one that shows a sequence, the sequence goes, too."""
    browser, sequence = sequence_of(volume)
    scene = volume.GetScene()
    displays = [volume.GetNthDisplayNode(number) for number in range(volume.GetNumberOfDisplayNodes())]
    if sequence is not None:
        browser.RemoveSynchronizedSequenceNode(sequence.GetID())
        scene.RemoveNode(sequence)
    if volume.GetScene() is not None:  # Slicer may have removed it with its sequence
        scene.RemoveNode(volume)
    for display in displays:
        scene.RemoveNode(display)


def _fill(
    sequence: slicer.vtkMRMLSequenceNode,
    source: slicer.vtkMRMLSequenceNode,
    frames: Iterable[tuple[slicer.vtkMRMLVolumeNode, vtk.vtkImageData]],
) -> None:
    for number, (volume, data) in enumerate(frames):
        # A data node is a deep copy of what it is set from: the voxels come after.
        sequence.SetDataNodeAtValue(volume, source.GetNthIndexValue(number)).SetAndObserveImageData(data)


def add_browser(sequence: slicer.vtkMRMLSequenceNode) -> slicer.vtkMRMLSequenceBrowserNode:
    """A browser of the sequence's own."""
    browser = sequence.GetScene().AddNewNodeByClass(_BROWSER, f"{sequence.GetName()} browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    return browser


def _form(volume: slicer.vtkMRMLVolumeNode) -> tuple:
    array = array_of(volume.GetImageData())
    return volume.GetClassName(), array.shape, array.dtype, tuple(round(s, 4) for s in volume.GetSpacing())


def _browsers(scene: slicer.vtkMRMLScene | None) -> Iterator[slicer.vtkMRMLSequenceBrowserNode]:
    if scene is not None:
        for k in range(scene.GetNumberOfNodesByClass(_BROWSER)):
            yield scene.GetNthNodeByClass(k, _BROWSER)
