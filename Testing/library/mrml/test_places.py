"""What was lost or added is marked in the scene: one locked point for each place of the report."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer
import slicer.util

from MedRestoreLib import mrml
from MedRestoreLib.evidence.blobs import Place
from Testing.support.mrml_scene import add_sequence, add_volume

OBLIQUE = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
PLACES = [
    Place("lost", "bright", (2, 1, 9, 4), (0.0, 0.0, 0.0), 4.25, 2.5),
    Place("added", "dark", (0, 2, 3, 11), (0.0, 0.0, 0.0), 6.0, 1.1),
]


def frames(count: int = 1) -> list[np.ndarray]:
    return [np.random.default_rng(k).normal(100, 6, (3, 16, 18)).astype(np.float32) for k in range(count)]


@pytest.fixture
def found(report):
    """A report that lists two places."""
    told = copy.deepcopy(report)
    told["audit"]["places"] = [place.to_dict() for place in PLACES]
    return told


def restored(node, report, target=None):
    output = mrml.Output(node, target=target)
    for array in output.arrays:
        array[...] = 90
    return output.add(report)


def points(marks) -> dict[str, list[float]]:
    found = {}
    for number in range(marks.GetNumberOfControlPoints()):
        position = [0.0, 0.0, 0.0]
        marks.GetNthControlPointPositionWorld(number, position)
        found[marks.GetNthControlPointLabel(number)] = position
    return found


@pytest.mark.parametrize("moved", [False, True])
def test_a_mark_stands_in_the_middle_of_its_voxel(scene, found, moved):
    volume = add_volume(frames()[0])
    volume.SetSpacing(0.5, 2.0, 3.0)
    volume.SetOrigin(-40, 5, 12)
    volume.SetIJKToRASDirections(*OBLIQUE.ravel())
    if moved:
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, 3] = (10, 20, 30)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        volume.SetAndObserveTransformNodeID(transform.GetID())
    result = restored(volume, found)
    marks = mrml.mark_places(result)
    shift = np.array((10, 20, 30)) if moved else 0
    for (label, position), place in zip(points(marks).items(), PLACES, strict=True):
        expected = OBLIQUE @ (np.array(place.voxel[:0:-1]) * (0.5, 2, 3)) + (-40, 5, 12) + shift
        assert label.split()[0] == place.change
        assert position == pytest.approx(expected, abs=1e-4)
    assert marks.GetLocked()
    assert "bright, 4.25" in marks.GetNthControlPointDescription(0)


def test_marks_are_made_once_and_go_with_the_result_that_is_replaced(scene, found, report):
    volume = add_volume(frames()[0])
    result = restored(volume, found)
    marks = mrml.mark_places(result)
    assert mrml.mark_places(result) is marks is mrml.places_of(result)
    assert marks.GetNumberOfControlPoints() == len(PLACES)
    restored(volume, report, target=result)
    assert mrml.places_of(result) is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


def test_in_a_sequence_the_mark_says_which_frame(scene, found):
    sequence, _browser = add_sequence(frames(3))
    marks = mrml.mark_places(restored(sequence, found))
    assert marks.GetNthControlPointDescription(0).endswith("frame 3")


def test_without_places_there_are_no_marks(scene, report):
    assert mrml.mark_places(restored(add_volume(frames()[0]), report)) is None
