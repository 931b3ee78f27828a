"""The map of trust: its intervals hold the truth as often as they say, and it shows what the method made."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.evidence.trust import COVERAGE
from MedRestoreLib.reporting.report import Report
from Testing.support.evidence import phantom


def restored(noise: str, scale: float, level: float, **edits) -> tuple[mr.Image, mr.Image, mr.Plan, mr.Result]:
    """Clean and noisy study, the plan, and the result."""
    modality = "NM" if noise == "poisson" else "MR"
    clean = mr.Image(scale * phantom(128), modality=modality)
    noisy = mr.add_noise(clean, noise, level, seed=1)
    plan = mr.recommend(noisy, **{"method": "bm3d", "noise": noise, "level": level, **edits})
    return clean, noisy, plan, mr.restore(noisy, plan)


@pytest.mark.parametrize(
    ("noise", "scale", "level"), [("gaussian", 1.0, 0.08), ("poisson", 60.0, 1.0), ("rician", 100.0, 6.0)]
)
def test_the_intervals_hold_the_truth_about_as_often_as_they_say(noise, scale, level):
    clean, noisy, plan, result = restored(noise, scale, level)
    found = mr.trust(result, plan)
    inside = clean.voxels > 0.1 * scale
    held = np.abs(result.image.voxels - clean.voxels) <= found.half_width.voxels
    assert abs(held[inside].mean() - COVERAGE) < 0.08  # of one study; Testing/benchmarks/trust.py has many
    width = np.median(found.half_width.voxels[inside])
    assert width < np.abs(noisy.voxels - clean.voxels)[inside].std() * 1.64, "no better than the noisy study's own"


def test_what_a_method_wipes_out_or_makes_up_owes_more_to_the_method():
    clean, _, plan, result = restored("gaussian", 1.0, 0.05)
    spoilt = result.image.voxels.copy()
    spoilt[0, 0, 50:60, 50:60] += 0.5  # what no other method shows
    found = mr.trust(replace(result, image=result.image.with_voxels(spoilt)), plan)
    assert found.method_share.voxels[0, 0, 52:58, 52:58].min() > 0.9
    assert np.median(found.method_share.voxels) < 0.5
    held = np.abs(spoilt - clean.voxels) <= found.half_width.voxels
    assert held[0, 0, 52:58, 52:58].mean() > 0.5, "the interval widens where methods disagree"


def test_the_map_lies_on_the_studys_grid_and_the_report_tells_it_in_numbers():
    _, noisy, plan, result = restored("gaussian", 1.0, 0.05, method="adf")
    found = mr.trust(result, plan)
    assert found.half_width.same_grid(noisy)
    assert found.half_width.voxels.min() > 0
    again = Report.from_dict(json.loads(json.dumps(found.report.to_dict())))
    assert again.trust == found.report.trust
    assert "90 %" in again.trust.sentence
    assert result.report.trust is None, "an ordinary restoration makes no map"
    np.testing.assert_array_equal(mr.trust(result, plan).half_width.voxels, found.half_width.voxels)


def test_a_mask_leaves_nothing_uncertain_outside_that_was_not_uncertain_before():
    mask = np.zeros((1, 128, 128), bool)
    mask[0, 40:90, 40:90] = True
    _, _, plan, result = restored("gaussian", 1.0, 0.05, mask=mask)
    width = mr.trust(result, plan).half_width.voxels[0, 0]
    assert np.median(width[:30]) > np.median(width[50:80, 50:80]), "the noise is still there"
