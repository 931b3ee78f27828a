"""A volume or sequence node as a study: described without reading a voxel, as frames, or as an ``Image``."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from ..errors import UnsupportedImage
from ..image import Image
from ..modalities import UNKNOWN
from .hierarchy import modality_of
from .sequences import frame_times, is_sequence, proxy_of, sequence_of, volumes_of
from .volumes import array_of, check_transform, check_volume, geometry, unit_of


def volumes_in(node: slicer.vtkMRMLNode | None) -> list[slicer.vtkMRMLVolumeNode]:
    """The nodes that hold the frames: the volume itself, or the data nodes of a sequence. No voxel is read.

    Raises:
        UnsupportedImage: there is nothing that can be restored; the message says why.
    """
    if node is None:
        raise UnsupportedImage("no volume is chosen.")
    if is_sequence(node):
        shown = proxy_of(node)
        if shown is not None and shown.IsA("vtkMRMLTransformableNode"):
            check_transform(shown)
        return volumes_of(node)
    check_volume(node)
    check_transform(node)
    return [node]


def describe(node: slicer.vtkMRMLNode, modality: str = "") -> dict[str, Any]:
    """What ``Image`` takes besides voxels: spacing, origin, direction, frame_times, modality and unit.

    Args:
        node: a scalar or colour volume, or a sequence of them.
        modality: DICOM code, if it is known better than the node says.

    Raises:
        UnsupportedImage: the node cannot be restored; the message says why and what to do. No voxel is read.
    """
    first = volumes_in(node)[0]
    shown = proxy_of(node) if is_sequence(node) else None
    return {
        **geometry(first),
        "frame_times": frame_times(node) if is_sequence(node) else (),
        "modality": modality or modality_of(node) or UNKNOWN,
        "unit": unit_of(first) or (unit_of(shown) if shown is not None else ""),
    }


def frames_of(node: slicer.vtkMRMLNode) -> list[np.ndarray]:
    """Views of the voxels, never copies: ``(slices, rows, columns[, components])``, one a frame.

    One for a volume, all for a sequence. They are the scene's own memory: read them, do not write.
    """
    return [array_of(volume.GetImageData()) for volume in volumes_in(node)]


def image_of(node: slicer.vtkMRMLNode, modality: str = "") -> Image:
    """The whole study, its voxels copied, so that the image stays what it is when the scene changes."""
    described = describe(node, modality)
    frames = np.stack(frames_of(node))
    return Image.from_array(frames, axes="fzyxc" if frames.ndim == 5 else "fzyx", **described)


def modified(node: slicer.vtkMRMLNode) -> int:
    """A number that grows whenever a voxel of the study may have changed."""
    return max(volume.GetImageData().GetMTime() for volume in volumes_in(node))


def whole_study(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLNode:
    """The sequence that a volume shows, or the node itself where it shows none."""
    return sequence_of(node)[1] or node
