"""The places in the evidence lead to where they are."""

import json
import re

import pytest

from MedRestoreLib.evidence.blobs import Place

PLACES = [
    Place("lost", "bright", (0, 1, 9, 14), (0.0, 0.0, 0.0), 4.25, 2.5),
    Place("added", "dark", (0, 3, 30, 20), (0.0, 0.0, 0.0), 6.0, 1.1),
]


@pytest.fixture
def restored(user, head):
    """A result whose report lists two places."""
    import slicer

    from MedRestoreLib import mrml

    user.open(head, method="adf")
    restored = slicer.util.getModuleLogic("MedRestore").restore(head, method="adf", level=5.0)
    report = mrml.report_of(restored)
    report["audit"]["places"] = [place.to_dict() for place in PLACES]
    restored.SetAttribute("MedRestore.report", json.dumps(report))
    user.p.lastOutput = restored
    user.rest()
    return restored


@pytest.mark.parametrize("number", [0, 1])
def test_a_click_on_a_place_brings_every_view_there_and_marks_all(user, restored, number):
    import qt
    import slicer

    from MedRestorePanel.slices import sliceLogics, voxelInWorld

    links = re.findall(r'href="(#place-\d+)"', user.ui.evidenceBrowser.html)
    assert len(links) == len(PLACES)
    user.ui.evidenceBrowser.anchorClicked(qt.QUrl(links[number]))
    user.rest()
    marks = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    assert [mark.GetNumberOfControlPoints() for mark in marks] == [len(PLACES)]
    place = voxelInWorld(restored, *PLACES[number].voxel[:0:-1])
    for logic in sliceLogics():
        toRAS = slicer.util.arrayFromVTKMatrix(logic.GetSliceNode().GetSliceToRAS())
        assert toRAS[:3, 2] @ (place - toRAS[:3, 3]) == pytest.approx(0, abs=1e-3), "the view's plane holds the place"
    assert sliceLogics()


def test_there_is_a_link_for_each_place_of_a_real_report_and_no_other(user, head):
    user.open(head, method="adf")
    user.apply()
    places = user.panel.evidence.report()["audit"]["places"]
    assert user.ui.evidenceBrowser.html.count('href="#place-') == min(len(places), 20)


def test_the_map_of_trust_is_made_when_it_is_asked_for(user, head):
    import slicer

    from MedRestoreLib import mrml

    user.open(head, method="adf")
    user.ui.trustCheckBox.checked = True
    result = user.apply()
    maps = mrml.trust_of(result)
    assert set(maps) == {"half_width", "method_share"}
    assert all(
        slicer.util.arrayFromVolume(node).shape == slicer.util.arrayFromVolume(head).shape for node in maps.values()
    )
    assert "90 % of the voxels" in user.ui.evidenceBrowser.plainText
    assert len(user.exchanged()) == 1, "only the study stays, for the next request"
    user.ui.trustCheckBox.checked = False
    user.p.replaceResult = True
    assert user.apply() is result
    assert mrml.trust_of(result) == {}
