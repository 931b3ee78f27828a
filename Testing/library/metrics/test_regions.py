"""Regions, their backgrounds and thresholds, against what the definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from MedRestoreLib.metrics import regions


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 8), st.integers(2, 16), st.integers(2, 16)),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    seed=st.integers(0, 99),
)
def test_the_shell_is_what_a_distance_transform_says(shape, spacing, seed):
    inside = np.random.default_rng(seed).random(shape) < 0.03
    inside.flat[seed % inside.size] = True
    distance = ndimage.distance_transform_edt(~inside, sampling=spacing[::-1])
    far = regions.shell_radius(spacing, shape)
    clear = (abs(distance - 2) > 1e-3) & (abs(distance - far) > 1e-3)  # where rounding cannot decide
    found = regions.background(inside, spacing=spacing)
    assert np.array_equal(found[clear], ((distance > 2) & (distance < far))[clear])
    assert not regions.background(np.zeros(shape, bool), spacing=spacing).any()


@given(mask=st.integers(0, 2**27 - 1))
def test_bounds_hold_a_mask_and_no_smaller_box_does(mask):
    voxels = np.array([mask >> k & 1 for k in range(27)], bool).reshape(3, 3, 3)
    cut = voxels[regions.bounding_box(voxels)]
    assert cut.sum() == voxels.sum()
    if voxels.any():
        assert all(cut.take(end, axis).any() for axis in range(3) for end in (0, -1))


def test_a_padded_box_stays_inside_the_array_and_an_empty_one_empty():
    box = regions.padded((slice(3, 4), slice(0, 2), slice(7, 9)), (1, 2, 4), (9, 9, 10))
    assert box == (slice(2, 5), slice(0, 4), slice(3, 10))
    nothing = regions.bounding_box(np.zeros((4, 5), bool))
    assert regions.padded(nothing, (2, 2), (4, 5)) == nothing


@example([4, 4, 17, 25, 29, 42, 44, 44, 45])  # two thresholds are almost as good
@given(st.lists(st.integers(0, 50), min_size=2, max_size=60).filter(lambda values: len(set(values)) > 1))
def test_otsu_parts_values_with_the_greatest_variance_between_classes(values):
    values = np.array(values, float)

    def between(threshold: float) -> float:
        low, high = values[values < threshold], values[values >= threshold]
        return 0.0 if not low.size or not high.size else low.size * high.size * (low.mean() - high.mean()) ** 2

    best = max(between(v) for v in values)
    assert between(regions.otsu(values, bins=4096)) == pytest.approx(best)


@pytest.mark.parametrize("values", [[], [3.0, 3.0], [np.nan, 2.0]])
def test_one_value_has_no_threshold(values):
    with pytest.raises(ValueError, match="two different values"):
        regions.otsu(np.array(values))


def test_the_statistics_of_a_region_are_those_of_its_voxels():
    found = regions.RegionStatistics.of(np.array([[1, 2], [3, 6]], np.uint8))
    assert found == regions.RegionStatistics(4, 3.0, 3.5**0.5, 1.0, 6.0)


def test_the_contrast_of_flat_regions_has_a_value():
    flat, dark = regions.RegionStatistics.of(np.full(5, 3.0)), regions.RegionStatistics.of(np.full(5, 1.0))
    assert regions.contrast(flat, dark) == np.inf
    assert np.isnan(regions.contrast(flat, flat))
    assert regions.ratio(flat, dark) == 3.0
    assert np.isnan(regions.contrast(flat, regions.RegionStatistics.of(np.zeros(0))))
