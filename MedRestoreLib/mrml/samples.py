"""The sample studies as nodes."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import get_vtk_array_type

from .. import modalities
from ..image import Image
from ..samples import SAMPLES, make
from .hierarchy import set_modality
from .sequences import SEQUENCE, add_browser
from .volumes import COLOUR, RAS_TO_LPS, SCALAR, array_of

# Brightest share of the voxels that is shown as white.
_SATURATED = 0.003


def sample(name: str, seed: int = 0) -> slicer.vtkMRMLVolumeNode:
    """Add a sample study to Slicer's scene: a volume, or a sequence in a browser of its own.

    Args:
        name: a key of ``MedRestoreLib.samples.SAMPLES``.
        seed: another patient for another seed.

    Returns:
        The volume; of a sequence the volume that shows its frames.

    Raises:
        KeyError: there is no sample of this name.
    """
    image, title, scene = make(name, seed), SAMPLES[name].title, slicer.mrmlScene
    volumes = [_volume(image, frame, title) for frame in image.stored()]
    if len(volumes) == 1:
        node = scene.AddNode(volumes[0])
        node.CreateDefaultDisplayNodes()
    else:
        node = _shown_sequence(scene, title, volumes, image.frame_times)
    set_modality(node, image.modality)
    _show(node, image)
    return node


def _volume(image: Image, frame: np.ndarray, name: str) -> slicer.vtkMRMLVolumeNode:
    """A node, not yet in a scene, of one frame ``(slices, rows, columns[, components])``."""
    colour = frame.ndim == 4
    data = vtk.vtkImageData()
    data.SetDimensions(frame.shape[2::-1])
    kind = get_vtk_array_type(frame.dtype)
    data.AllocateScalars(kind, frame.shape[3] if colour else 1)
    array_of(data)[...] = frame
    node = getattr(slicer, COLOUR if colour else SCALAR)()
    node.SetName(name)
    node.SetAndObserveImageData(data)
    matrix = np.eye(4)
    matrix[:3, :3] = RAS_TO_LPS @ np.reshape(image.direction, (3, 3)) * image.spacing
    matrix[:3, 3] = RAS_TO_LPS @ image.origin
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    if image.unit:
        unit = slicer.vtkCodedEntry()
        unit.SetValueSchemeMeaning(f"{{{image.unit}}}", "UCUM", image.unit)
        node.SetVoxelValueUnits(unit)
    return node


def _shown_sequence(
    scene: slicer.vtkMRMLScene, name: str, volumes: list[slicer.vtkMRMLVolumeNode], times: tuple[float, ...]
) -> slicer.vtkMRMLVolumeNode:
    sequence = scene.AddNewNodeByClass(SEQUENCE, name)
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    for volume, time in zip(volumes, times, strict=True):
        sequence.SetDataNodeAtValue(volume, f"{time / 1000:.3f}")
    return add_browser(sequence).GetProxyNode(sequence)


def _show(node: slicer.vtkMRMLVolumeNode, image: Image) -> None:
    display = node.GetVolumeDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, float(np.quantile(image.voxels, 1 - _SATURATED)))
    colours = "InvertedGrey" if modalities.find(image.modality).inverted else "Grey"
    display.SetAndObserveColorNodeID(f"vtkMRMLColorTableNode{colours}")
