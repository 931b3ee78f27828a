"""The sample studies in Slicer's scene."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer

from MedRestoreLib import mrml, samples
from Testing.support.mrml_scene import node_ids


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_a_sample_in_the_scene_is_its_image(scene, name):
    node = mrml.sample(name)
    image = mrml.image_of(mrml.whole_study(node))
    made = samples.make(name)
    assert np.array_equal(image.voxels, made.voxels)
    assert image.same_grid(made, 1e-9)
    assert (image.modality, image.unit) == (made.modality, made.unit)
    assert image.frame_times == pytest.approx(made.frame_times)
    assert image.source.dtype == made.source.dtype
    assert node.GetName() == samples.SAMPLES[name].title
    assert node.GetDisplayNode().GetWindow() < 2 * made.voxels.max()
    assert slicer.util.arrayFromVolume(node).ndim == 3


def test_an_unknown_sample_adds_nothing(scene):
    nodes = node_ids(scene)
    with pytest.raises(KeyError):
        mrml.sample("MRHead")
    assert node_ids(scene) == nodes
