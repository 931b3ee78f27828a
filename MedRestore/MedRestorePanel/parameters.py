"""The panel's choices as a typed parameter node, which is saved with the scene."""

# No ``from __future__ import annotations`` here: Slicer's wrapper reads the annotations of the class when it is made.
import enum
from typing import Annotated, Any

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

MOST_MEMORY = 1024.0  # GB


class AlikeMethod(enum.Enum):
    """How both volumes are segmented alike."""

    THRESHOLD = "threshold"
    GROW = "grow"

    def label(self) -> str:
        return {"THRESHOLD": _("Threshold"), "GROW": _("Grow from seeds")}[self.name]


@parameterNodeWrapper
class MedRestoreParameterNode:
    """The panel's choices, saved with the scene.

    An empty ``modality``, ``method`` or ``noise`` is not decided yet. ``level`` is in the noise model's unit.
    ``options`` are the method's own parameters, as ``presets.options_from_text`` reads them.
    ``factor`` is how many times larger a method that enlarges makes the study; "" for other methods.
    ``together`` is "together", "apart", or "auto": whether frames help each other.
    ``adapt``: a network learns on the study first.
    ``memory`` is in GB, 0 for the device's default. ``lastOutput`` is the result that Compare, Evidence and Segments
    look at, and that the next one replaces where ``replaceResult`` is set and it was made from the input.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    wholeSequence: bool = True
    maskSegmentation: vtkMRMLSegmentationNode
    maskSegment: str
    modality: str
    method: str
    noise: str
    level: float
    strength: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    dimensions: str = "auto"
    together: str = "auto"
    adapt: bool
    factor: str
    options: str
    device: str = "auto"
    precision: str = "auto"
    memory: Annotated[float, WithinRange(0.0, MOST_MEMORY)] = 0.0
    keepRemoved: bool = True
    trustMap: bool
    replaceResult: bool
    preview: bool
    lastOutput: vtkMRMLScalarVolumeNode
    fade: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    segmentationBefore: vtkMRMLSegmentationNode
    segmentationAfter: vtkMRMLSegmentationNode
    seeds: vtkMRMLSegmentationNode
    alikeMethod: AlikeMethod
    alikeLower: float
    alikeUpper: float


def computing(parameterNode: MedRestoreParameterNode) -> dict[str, Any]:
    """The plan's fields that are no matter of the study: how strong, and with which means."""
    p = parameterNode
    means = {"strength": p.strength, "device": p.device, "precision": p.precision}
    return means | ({"memory_gb": p.memory} if p.memory > 0 else {})


def frameCount(parameterNode: MedRestoreParameterNode) -> int:
    """How many frames the sequence of the input has; 1 for a volume alone."""
    from MedRestoreLib import mrml

    sequence = mrml.sequence_of(parameterNode.inputVolume)[1]
    return sequence.GetNumberOfDataNodes() if sequence is not None else 1
