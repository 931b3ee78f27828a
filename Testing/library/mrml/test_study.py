"""All volumes of a study in the subject hierarchy, one after the other."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

from MedRestoreLib import mrml
from MedRestoreLib.errors import Cancelled, UnknownNoise
from Testing.support.mrml_scene import add_volume, hierarchy, node_ids

VOLUME = "vtkMRMLScalarVolumeNode"
QUICK = {"method": "adf", "noise": "gaussian", "level": 6.0}


@pytest.fixture
def study(scene):
    """Three volumes of one study; the second cannot be restored, as it is not finite."""
    voxels = np.random.default_rng(0).normal(100, 6, (3, 1, 24, 24)).astype(np.float32)
    voxels[1, 0, 0, 0] = np.nan
    tree = hierarchy(scene)
    item = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    volumes = [add_volume(one, name) for one, name in zip(voxels, ("first", "second", "third"), strict=True)]
    for volume in volumes:
        tree.CreateItem(item, volume)
    return volumes


def test_a_volume_that_cannot_be_restored_does_not_keep_the_others_from_it(study):
    outcomes = mrml.restore_study(study[0], **QUICK)
    assert [outcome.volume for outcome in outcomes] == study
    assert [outcome.restored is not None for outcome in outcomes] == [True, False, True]
    assert "finite" in outcomes[1].message
    assert outcomes[0].message == outcomes[2].message == ""


def test_what_fits_no_study_is_an_error_before_anything_is_done(scene, study):
    nodes = node_ids(scene)
    with pytest.raises(UnknownNoise):
        mrml.restore_study(study[0], noise="pink")
    assert node_ids(scene) == nodes


def test_a_cancel_ends_the_study_and_keeps_what_is_restored(scene, study):
    heard = []

    def progress(fraction: float, message: str) -> None:
        heard.append(fraction)
        if fraction > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        mrml.restore_study(study[0], progress=progress, **QUICK)
    every = [scene.GetNthNodeByClass(k, VOLUME) for k in range(scene.GetNumberOfNodesByClass(VOLUME))]
    assert [mrml.source_of(node) for node in every if node not in study] == study[:1]
    assert heard == sorted(heard)
