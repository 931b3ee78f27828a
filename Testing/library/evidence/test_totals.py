"""How totals and region means changed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from MedRestoreLib.evidence.totals import totals
from Testing.support.evidence import phantom, realisations, smooth


def test_totals_are_sums_of_everything_negative_values_included():
    before = np.full((2, 3, 8, 8), 2.0, np.float32)
    after = before.copy()
    after[1] -= 3  # a negative tail is not clipped
    moved = totals(before, after, spacing=(2, 2, 5), unit="counts")
    assert (moved.total.before, moved.total.after) == (768, 192)
    assert moved.total.percent == pytest.approx(-75)
    assert [frame.after for frame in moved.frames] == [384, -192]


def test_region_means_follow_brightness_and_sizes_are_physical():
    clean = phantom()
    moved = totals(clean, 1.1 * clean, spacing=(2.0, 3.0, 1.0), unit="")
    means = [mean.before for mean in moved.regions.values()]
    assert means == sorted(means)
    assert all(mean.percent == pytest.approx(10, abs=1e-3) for mean in moved.regions.values())
    assert sum(moved.sizes.values()) == pytest.approx(192 * 2 * 192 * 3 / 100)
    assert moved.size_unit == "cm²"


def test_nothing_before_has_no_percentage():
    moved = totals(np.zeros((1, 1, 8, 8)), np.ones((1, 1, 8, 8)), spacing=(1, 1, 1), unit="")
    assert moved.total.percent is None
    assert json.loads(json.dumps(moved.to_dict()))["total"]["percent"] is None


def test_noise_alone_does_not_bias_the_regions_it_is_sorted_into():
    clean = phantom()
    noisy, _ = next(realisations("gaussian", clean, 0.1))
    moved = totals(noisy, smooth(1)(noisy), spacing=(1, 1, 1), unit="")
    assert all(abs(mean.after - mean.before) < 0.01 for mean in moved.regions.values())
