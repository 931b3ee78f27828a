"""Small regions get back the means that a method took from them, and flat ones hardly any noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from MedRestoreLib.methods.bm4d import bm4d, reach
from MedRestoreLib.methods.prinlm3d import prinlm3d
from MedRestoreLib.methods.returning import _band_variance, _filtered, returned
from MedRestoreLib.noise import Spectrum

SIGMA = 0.1
DENSITY = np.ones((8, 8, 8)) * np.array([0.2, 1.0, 2.0, 2.0, 1.5, 0.8, 0.3, 0.2])


def volume(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


@pytest.mark.parametrize("method", [bm4d, prinlm3d])
@pytest.mark.parametrize("spectrum", [None, Spectrum(DENSITY / DENSITY.mean())])
def test_a_faint_cold_spot_gets_its_mean_back_and_flat_parts_stay_calm(method, spectrum):
    z, y, x = np.indices((24, 32, 32)) - np.array([12, 16, 16])[:, None, None, None]
    spot = z**2 + y**2 + x**2 < 2.5**2
    clean = 0.6 - 0.12 * spot
    lost, kept, calm = [], [], []
    for seed in range(3):
        noise = np.random.default_rng(seed).standard_normal(clean.shape).astype(np.float32)
        noisy = volume(clean + SIGMA * (noise if spectrum is None else spectrum.coloured(noise)))[None, None]
        once, again = (method(noisy, SIGMA, spectrum=spectrum, keep_means=keep)[0, 0].numpy() for keep in (False, True))
        before = noisy[0, 0].numpy()[spot].mean()
        lost.append(once[spot].mean() - before)
        kept.append(again[spot].mean() - before)
        calm.append(again[:6].std() / noisy[0, 0, :6].std())
    assert abs(np.mean(kept)) < 0.75 * np.mean(lost)
    assert np.mean(calm) < 0.3


@pytest.mark.parametrize("spectrum", [None, Spectrum(DENSITY / DENSITY.mean())])
def test_noise_between_the_scales_is_as_strong_as_calculated(spectrum):
    noise = np.random.default_rng(0).standard_normal((48, 48, 48)).astype(np.float32)
    coloured = volume(noise if spectrum is None else spectrum.coloured(noise))
    band = (_filtered(coloured, 1.4) - _filtered(coloured, 2.8))[8:-8, 8:-8, 8:-8]
    assert float(band.var()) == pytest.approx(_band_variance(spectrum), rel=0.1)


def test_filters_are_gaussian():
    noisy = np.random.default_rng(0).random((9, 20, 30)).astype(np.float32)
    expected = gaussian_filter(noisy, 2.0, mode="nearest", truncate=3)
    np.testing.assert_allclose(_filtered(volume(noisy), 2.0).numpy(), expected, atol=1e-5)


def test_nothing_comes_back_where_nothing_was_taken():
    noisy = volume(np.random.default_rng(0).random((8, 16, 16)))
    assert torch.equal(returned(noisy, noisy, SIGMA, None), noisy)


def test_the_reach_says_how_far_a_change_is_seen():
    noisy = volume(np.random.default_rng(0).standard_normal((4, 4, 140)) * SIGMA)[None, None]
    changed = noisy.clone()
    changed[..., 0] += 1
    far = reach(SIGMA, keep_means=True) + 1
    before, after = (bm4d(one, SIGMA, keep_means=True) for one in (noisy, changed))
    np.testing.assert_allclose(after[..., far:].numpy(), before[..., far:].numpy(), atol=1e-5)
    assert reach(SIGMA, keep_means=True) > reach(SIGMA) == 26
