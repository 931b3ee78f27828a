"""Claims about ODCT3D: without its Wiener step it is the published filter, and the step pays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

from MedRestoreLib.methods.odct3d import odct3d, reach, with_variance
from Testing.support.denoising import assert_same, psnr, restored
from Testing.support.phantoms import noisy, simulated_brain


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    return simulated_brain(24, 56, 56)


def published(volume: np.ndarray, sigma: float) -> np.ndarray:
    """ODCT3D block by block: hard threshold of 2.7 sigma, the mean kept, weights 1 / (1 + number kept)."""
    total, weights = np.zeros(volume.shape), np.zeros(volume.shape)
    for corner in itertools.product(*(range(length - 3) for length in volume.shape)):
        block = tuple(slice(c, c + 4) for c in corner)
        spectrum = dctn(volume[block].astype(np.float64), norm="ortho")
        kept = np.abs(spectrum) > 2.7 * sigma
        kept[0, 0, 0] = True
        weight = 1 / (1 + kept.sum())
        total[block] += weight * idctn(spectrum * kept, norm="ortho")
        weights[block] += weight
    return total / weights


@pytest.mark.parametrize("shape", [(4, 4, 4), (4, 9, 6), (7, 5, 12)])
def test_without_wiener_it_is_the_published_filter(shape):
    volume = noisy(np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None] * np.ones(shape, np.float32), 0.1)
    np.testing.assert_allclose(restored(odct3d, volume, 0.1, wiener=False), published(volume, 0.1), atol=2e-6)


@pytest.mark.parametrize("sigma", [0.03, 0.09, 0.15])
def test_the_wiener_filter_pays(head, sigma):
    volume = noisy(head, sigma)
    first, both = (restored(odct3d, volume, sigma, wiener=wiener) for wiener in (False, True))
    assert psnr(both, head) >= psnr(first, head) + 0.1


@settings(max_examples=10)
@given(value=st.floats(0, 1), sigma=st.floats(0, 1), shape=st.tuples(*[st.integers(4, 9)] * 3), wiener=st.booleans())
def test_a_constant_volume_returns_itself_with_the_variance_of_a_mean(value, sigma, shape, wiener):
    volume = np.full(shape, value, np.float32)
    result, variance = with_variance(torch.from_numpy(volume), sigma, wiener=wiener)
    np.testing.assert_allclose(result, volume, atol=1e-5)
    if wiener and sigma > 1e-3:  # of the 64 coefficients of a block, only its mean is left
        np.testing.assert_allclose(variance, np.full(shape, sigma**2 / 64), rtol=1e-4)


def test_variance_is_what_the_filter_leaves_in_flat_tissue_and_more_at_edges():
    volume = torch.full((24, 24, 24), 0.3)
    volume[:, :, 12:] = 0.9
    sigma = 0.05
    noise = torch.randn(volume.shape, generator=torch.Generator().manual_seed(0))
    _, variance = with_variance(volume + sigma * noise, sigma)
    flat, edge = variance[:, :, 2:6].mean(), variance[:, :, 11:13].mean()
    assert sigma**2 / 64 <= flat < 2 * sigma**2 / 64  # what remains of a block is little more than its mean
    assert edge > 1.5 * flat
    assert (variance > 0).all()


def test_a_tile_without_wiener_needs_half_the_halo(head):
    halo = reach(0.09, wiener=False)
    assert halo == reach(0.09) // 2
    volume = noisy(head, 0.09)
    whole, tile = (restored(odct3d, part, 0.09, wiener=False) for part in (volume, volume[3:22, 5:47, 7:56]))
    inner = (slice(halo, -halo),) * 3
    assert_same(tile[inner], whole[3:22, 5:47, 7:56][inner])


@pytest.mark.parametrize("wiener", [False, True])
def test_a_voxel_reaches_as_far_as_stated(wiener):
    volume = noisy(np.zeros((24, 24, 24), np.float32), 0.1)
    changed = volume.copy()
    changed[12, 12, 12] += 1
    before, after = (restored(odct3d, v, 0.1, wiener=wiener) for v in (volume, changed))
    assert np.abs(np.argwhere(before != after) - 12).max() == reach(0.1, wiener=wiener)
