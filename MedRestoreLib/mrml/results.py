"""What belongs together: a result, the study it was made from, the parts that belong to it, and the marks in it.

They are node references, which Slicer keeps true when a scene is saved, loaded or added to another. Of a sequence the
sequence node holds them: the volume that shows its frames changes with the frame.
"""

from __future__ import annotations

from collections.abc import Mapping

import slicer

from ..pipeline.trust import MAPS
from .hierarchy import kin, move_into_folder
from .sequences import is_sequence, proxy_of, sequence_of

PART = "MedRestore.part"  # attribute: RESTORED, REMOVED or one of MAPS
RESTORED, REMOVED = "restored", "removed"

_SOURCE, _REMOVED, _PLACES = "MedRestore.source", "MedRestore.removed", "MedRestore.places"


def relate(
    restored: slicer.vtkMRMLNode,
    source: slicer.vtkMRMLNode,
    removed: slicer.vtkMRMLNode | None = None,
    trust: Mapping[str, slicer.vtkMRMLNode] | None = None,
) -> None:
    """Keep with a result what it was made from, what was removed, and its map of trust by the names in ``MAPS``.

    Marks of an earlier one in its place go.
    """
    node = _holder(restored)
    if (former := node.GetNodeReference(_PLACES)) is not None:
        node.GetScene().RemoveNode(former)
    node.SetNodeReferenceID(_SOURCE, source.GetID())
    for role, part in {_REMOVED: removed, **{_role(name): (trust or {}).get(name) for name in MAPS}}.items():
        node.SetNodeReferenceID(role, None if part is None else _holder(part).GetID())


def source_of(restored: slicer.vtkMRMLNode) -> slicer.vtkMRMLVolumeNode | None:
    """The volume that a result was made from (of a sequence the one that shows it); None if it is gone or unknown."""
    return _volume(_holder(restored).GetNodeReference(_SOURCE))


def removed_of(restored: slicer.vtkMRMLNode) -> slicer.vtkMRMLVolumeNode | None:
    """The volume that shows what was removed from the source of a result; None if it was not kept or is gone."""
    return _volume(_holder(restored).GetNodeReference(_REMOVED))


def keep_places(restored: slicer.vtkMRMLNode, places: slicer.vtkMRMLNode) -> None:
    """Keep with a result the marks of what was lost and added."""
    _holder(restored).SetNodeReferenceID(_PLACES, places.GetID())


def places_of(restored: slicer.vtkMRMLNode) -> slicer.vtkMRMLMarkupsFiducialNode | None:
    """The marks of what was lost and added in a result; None if there are none or they are gone."""
    return _holder(restored).GetNodeReference(_PLACES)


def trust_of(restored: slicer.vtkMRMLNode) -> dict[str, slicer.vtkMRMLVolumeNode]:
    """The volumes of a result's map of trust, by the names in ``MAPS``; those that were made and are still there."""
    volumes = {name: _volume(_holder(restored).GetNodeReference(_role(name))) for name in MAPS}
    return {name: volume for name, volume in volumes.items() if volume is not None}


def put_into_folder(restored: slicer.vtkMRMLNode, name: str) -> None:
    """Move a result and its parts into a folder of the subject hierarchy, in the study they lie in."""
    for node in (restored, removed_of(restored), *trust_of(restored).values()):
        for each in [] if node is None else kin(node):
            move_into_folder(each, name)


def _role(part: str) -> str:
    return f"MedRestore.{part}"


def _holder(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLNode:
    return sequence_of(node)[1] or node


def _volume(node: slicer.vtkMRMLNode | None) -> slicer.vtkMRMLVolumeNode | None:
    volume = proxy_of(node) if is_sequence(node) else node
    return volume if volume is not None and volume.IsA("vtkMRMLVolumeNode") else None
