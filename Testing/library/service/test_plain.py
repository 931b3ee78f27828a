"""A plan comes through JSON as it was."""

from __future__ import annotations

import json

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.noise import Estimate, NoiseMap, Spectrum
from MedRestoreLib.pipeline.choice import Candidate
from MedRestoreLib.service.plain import from_plain, to_plain


def test_a_plan_comes_back_as_it_was_but_for_its_mask():
    image = mr.Image.from_array(np.random.default_rng(0).normal(100, 5, (4, 64, 64)), modality="MR")
    for edits in ({}, {"level": np.float32(4)}, {"strength": np.float64(0.5), "memory_gb": 1, "device": "cpu"}):
        plan = mr.recommend(image, method="bm3d", noise="gaussian", mask=image.voxels[0] > 90, **edits)
        again = mr.Plan(**from_plain(json.loads(json.dumps(to_plain(plan)))))
        assert {**vars(again), "mask": None} == {**vars(plan), "mask": None}
        assert again.mask is None


def test_a_plan_that_is_plain_already_stays_as_it_is():
    """As a worker's reply that is handed back; of noise with a spectrum, a map, a curve and a ranking of methods."""
    plan = mr.Plan(
        method="bm4d",
        noise="rician",
        level=3.0,
        estimate=Estimate(3.0, 0.8, "read off flat blocks"),
        spectrum=Spectrum(np.linspace(0.5, 2, 64).reshape(4, 4, 4)),
        noise_map=NoiseMap(np.linspace(0.8, 1.2, 27).reshape(3, 3, 3)),
        ranking=(Candidate("bm4d", 0.1, 0.01, 0.9, 1.0, "error"),),
    )
    plain = json.loads(json.dumps(to_plain(plan)))
    assert to_plain(plain) == plain
    assert from_plain(plain).keys() == from_plain(to_plain(plain)).keys()


def test_options_that_are_arrays_come_back_as_lists():
    psd = np.ones((2, 2), np.float32)
    assert from_plain(json.loads(json.dumps(to_plain({"options": {"psd": psd}})))) == {"options": {"psd": psd.tolist()}}
