"""What the subject hierarchy knows: a node's modality, its study, and where a new node belongs."""

from __future__ import annotations

import slicer
import vtk

from .sequences import is_sequence, proxy_of, sequence_of
from .volumes import SCALAR, is_volume

MODALITY = "MedRestore.Modality"
METHOD = "MedRestore.method"
INSTANCES = "DICOM.instanceUIDs"

_MODALITY_TAG = "0008,0060"


def modality_of(node: slicer.vtkMRMLNode) -> str:
    """The DICOM code of a volume's or sequence's modality: "NM", "MR", "US"..., "" where nobody says.

    A person's answer (``set_modality``) comes first, then the subject hierarchy (the node's item, then the items above
    it), then Slicer's DICOM database.
    """
    nodes = kin(node)
    answers = (n.GetAttribute(MODALITY) for n in nodes)
    return (
        next(filter(None, answers), None)
        or next(filter(None, map(_modality_in_hierarchy, nodes)), None)
        or next(filter(None, map(_modality_in_database, nodes)), "")
    )


def set_modality(node: slicer.vtkMRMLNode, modality: str) -> None:
    """Keep a person's answer with the node, and with the sequence it shows; "" takes it back."""
    for each in kin(node):
        each.SetAttribute(MODALITY, modality or None)


def place_beside(node: slicer.vtkMRMLNode, neighbour: slicer.vtkMRMLNode) -> None:
    """Put a node into the same study or folder of the subject hierarchy as its neighbour, if that has a place there."""
    hierarchy = _hierarchy(neighbour)
    item = 0 if hierarchy is None else hierarchy.GetItemByDataNode(neighbour)
    if not item:
        return
    parent, own = hierarchy.GetItemParent(item), hierarchy.GetItemByDataNode(node)
    if own:
        hierarchy.SetItemParent(own, parent)
    else:
        hierarchy.CreateItem(parent, node)


def move_into_folder(node: slicer.vtkMRMLNode, name: str) -> None:
    """Move a node of the subject hierarchy into a folder beside it, which is made where there is none."""
    hierarchy = _hierarchy(node)
    item = 0 if hierarchy is None else hierarchy.GetItemByDataNode(node)
    if not item:
        return
    parent = hierarchy.GetItemParent(item)
    if hierarchy.GetItemName(parent) == name:
        return
    folder = hierarchy.GetItemChildWithName(parent, name) or hierarchy.CreateFolderItem(parent, name)
    hierarchy.SetItemParent(item, folder)


def study_volumes(node: slicer.vtkMRMLNode) -> list[slicer.vtkMRMLVolumeNode]:
    """All volumes of the node's study in the subject hierarchy, in its order, without what MedRestore made.

    A cine counts once, by the volume that shows its frames. A node outside any study stands alone.
    """
    hierarchy = _hierarchy(node)
    item = 0 if hierarchy is None else hierarchy.GetItemByDataNode(node)
    study = hierarchy.GetItemAncestorAtLevel(item, "Study") if item else 0
    if not study:
        return [node]
    found = vtk.vtkCollection()
    hierarchy.GetDataNodesInBranch(study, found, "vtkMRMLScalarVolumeNode")
    volumes = [found.GetItemAsObject(k) for k in range(found.GetNumberOfItems())]
    return [volume for volume in volumes if is_volume(volume) and not _is_ours(volume)]


def restorable_volumes(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLVolumeNode]:
    """All volumes of a scene that a person sees and may want restored: without label maps and what MedRestore made.

    A cine counts once, by the volume that shows its frames.
    """
    every = (scene.GetNthNodeByClass(k, SCALAR) for k in range(scene.GetNumberOfNodesByClass(SCALAR)))
    return [node for node in every if is_volume(node) and not node.GetHideFromEditors() and not _is_ours(node)]


def _is_ours(volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether MedRestore made it. Of a sequence its attributes say so, as the volume's change with the frame."""
    return any(node.GetAttribute(METHOD) is not None for node in kin(volume))


def kin(node: slicer.vtkMRMLNode) -> list[slicer.vtkMRMLNode]:
    """The node, and the sequence it shows or the volume that shows it."""
    other = proxy_of(node) if is_sequence(node) else sequence_of(node)[1]
    return [node] if other is None else [node, other]


def _hierarchy(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLSubjectHierarchyNode | None:
    scene = node.GetScene()
    return None if scene is None else slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def _modality_in_hierarchy(node: slicer.vtkMRMLNode) -> str:
    hierarchy = _hierarchy(node)
    item = 0 if hierarchy is None else hierarchy.GetItemByDataNode(node)
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    while item and item != hierarchy.GetSceneItemID():
        if modality := hierarchy.GetItemAttribute(item, name):
            return modality
        item = hierarchy.GetItemParent(item)
    return ""


def _modality_in_database(node: slicer.vtkMRMLNode) -> str:
    database = getattr(slicer, "dicomDatabase", None)
    instances = (node.GetAttribute(INSTANCES) or "").split()
    if database is None or not instances or not database.isOpen:
        return ""
    return (database.instanceValue(instances[0], _MODALITY_TAG) or "").strip()
