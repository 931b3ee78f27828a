"""Bicubic resampling by whole factors keeps means and straight ramps, and is what MATLAB's ``imresize`` gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from MedRestoreLib.resampling import REACH, enlarged, reduced, repeated

FACTORS = st.integers(2, 4)
PLANES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 12)),
    elements=st.floats(-1000, 1000, width=32),
)


@settings(max_examples=60)
@given(PLANES, FACTORS)
def test_both_directions_keep_the_mean_of_a_plane(planes, factor):
    fine = enlarged(planes, factor)
    assert fine.shape == (planes.shape[0], *(factor * side for side in planes.shape[1:]))
    np.testing.assert_allclose(fine.mean(), planes.mean(), atol=2e-3)
    np.testing.assert_allclose(reduced(fine, factor).mean(), planes.mean(), atol=2e-3)


@settings(max_examples=40)
@given(PLANES, FACTORS)
def test_turning_and_mirroring_a_plane_turns_and_mirrors_the_result(planes, factor):
    for resample, some in ((enlarged, planes), (reduced, repeated(planes, factor))):
        result = resample(some, factor)
        np.testing.assert_allclose(resample(some[..., ::-1], factor), result[..., ::-1], atol=1e-3)
        np.testing.assert_allclose(resample(some.swapaxes(1, 2), factor), result.swapaxes(1, 2), atol=1e-3)


@given(FACTORS, st.floats(-3, 3), st.floats(-3, 3))
def test_a_ramp_stays_the_same_ramp_in_the_same_place(factor, down, across):
    def ramp(rows: int, columns: int, step: float) -> np.ndarray:
        y, x = ((np.arange(side) + 0.5) * step for side in (rows, columns))
        return (down * y[:, None] + across * x).astype(np.float32)

    coarse, fine = ramp(12, 14, factor), ramp(12 * factor, 14 * factor, 1.0)
    inner = np.s_[REACH * factor : -REACH * factor, REACH * factor : -REACH * factor]
    np.testing.assert_allclose(enlarged(coarse, factor)[inner], fine[inner], atol=1e-3)
    inner = np.s_[REACH:-REACH, REACH:-REACH]
    np.testing.assert_allclose(reduced(fine, factor)[inner], coarse[inner], atol=1e-3)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_pillow_and_torch_which_have_the_same_kernel_give_the_same_inside(factor):
    import torch
    from PIL import Image as Picture

    rng = np.random.default_rng(factor)
    plane = rng.uniform(0, 255, (24, 36)).astype(np.float32)
    for resample, size in ((enlarged, (24 * factor, 36 * factor)), (reduced, (24 // factor, 36 // factor))):
        ours = resample(plane, factor)
        pillow = np.asarray(Picture.fromarray(plane).resize(size[::-1], Picture.Resampling.BICUBIC))
        tensor = torch.from_numpy(plane)[None, None]
        theirs = torch.nn.functional.interpolate(tensor, size, mode="bicubic", antialias=True)[0, 0].numpy()
        edge = REACH * factor if resample is enlarged else REACH
        for peer in (pillow, theirs):
            np.testing.assert_allclose(ours[edge:-edge, edge:-edge], peer[edge:-edge, edge:-edge], atol=0.01)


def test_numbers_that_imresize_gives():
    """An impulse: MATLAB's weights at a quarter and three quarters of a pixel."""
    impulse = np.zeros((1, 7), np.float32)
    impulse[0, 3] = 1
    wanted = [-0.0234375, -0.0703125, 0.2265625, 0.8671875, 0.8671875, 0.2265625, -0.0703125, -0.0234375]
    np.testing.assert_allclose(enlarged(impulse, 2)[0, 3:11], wanted, atol=1e-7)


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(ValueError, match="multiples"):
        reduced(np.zeros((5, 4), np.float32), 2)
