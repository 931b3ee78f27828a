"""Where small structures were lost or added, as a list of marks that Slicer's views and its Markups module show."""

from __future__ import annotations

import slicer
import vtk

from ..evidence.blobs import Place
from .hierarchy import place_beside
from .provenance import report_of
from .results import keep_places, places_of
from .sequences import sequence_of

_CLASS = "vtkMRMLMarkupsFiducialNode"
_COLOUR = (0.9, 0.45, 0.0)  # seen on grey, and by people who cannot tell red from green


def listed_places(restored: slicer.vtkMRMLNode) -> list[Place]:
    """The places that a result's report lists, the clearest first; none where nothing was lost or added."""
    audit = (report_of(restored) or {}).get("audit") or {}
    return [Place.from_dict(place) for place in audit.get("places", ())]


def mark_places(restored: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLMarkupsFiducialNode | None:
    """Mark every place of ``listed_places`` with a locked point, in their order; None where there is none.

    The list lies beside the result and goes with it when it is replaced. One that is there already is filled anew.

    Args:
        restored: a result; of a sequence the volume that shows its frames. The marks are seen in all frames.
    """
    places = listed_places(restored)
    if not places:
        return None
    node = places_of(restored)
    if node is None:
        node = restored.GetScene().AddNewNodeByClass(_CLASS, f"{restored.GetName()}: lost and added")
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSelectedColor(*_COLOUR)
        node.GetDisplayNode().SetTextScale(2.0)
        keep_places(restored, node)
        place_beside(node, restored)
    frames = sequence_of(restored)[1] is not None
    unit = "mm" if report_of(restored)["study"]["spacing_mm"] else "voxels"
    modified = node.StartModify()
    node.RemoveAllControlPoints()
    node.SetAndObserveTransformNodeID(restored.GetTransformNodeID())
    for number, place in enumerate(places, 1):
        point = node.AddControlPoint(_position(restored, place), f"{place.change} {number}")
        frame = f", frame {place.voxel[0] + 1}" if frames else ""
        node.SetNthControlPointDescription(point, f"{place.polarity}, {place.width_mm:.3g} {unit} wide{frame}")
    node.SetLocked(True)
    node.EndModify(modified)
    return node


def _position(volume: slicer.vtkMRMLVolumeNode, place: Place) -> list[float]:
    """RAS, mm, without the volume's transform."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return list(matrix.MultiplyPoint((*place.voxel[:0:-1], 1.0))[:3])
