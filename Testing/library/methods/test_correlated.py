"""The variances of groups are those that coloured noise has."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib.methods.correlated import GroupNoise
from MedRestoreLib.methods.transforms import dct, haar
from MedRestoreLib.noise import Spectrum

SIDE, LAGS = 4, 11


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    """Noise that is low-passed along rows and columns."""
    density = np.ones((8, 8, 8))
    density[:, 4:], density[:, :, 5:] = 0.05, 0.05
    return Spectrum(density / density.mean())


def test_variances_are_those_of_drawn_noise(spectrum):
    noise = GroupNoise.of(spectrum, dct(SIDE), torch.arange(SIDE**3), LAGS, 3)
    starts = torch.tensor([[3, 5, 4], [3, 6, 4], [4, 5, 6], [8, 2, 9]])
    shape = (12, 12, 12)
    members = (starts[:, 0] * shape[1] + starts[:, 1]) * shape[2] + starts[:, 2]
    variances = noise.variances(members[:, None], shape)[:, 0]
    drawn = spectrum.coloured(np.random.default_rng(0).standard_normal((3000, 16, 16, 16), dtype=np.float32))
    blocks = np.stack([drawn[:, z : z + SIDE, y : y + SIDE, x : x + SIDE] for z, y, x in starts.tolist()])
    spectra = np.einsum("mk,kni,ci->mcn", haar(4).numpy(), blocks.reshape(4, 3000, -1), dct(SIDE, 3).numpy())
    # 3000 draws: standard error 2.6 %, and the bands of a table are not infinitely fine.
    np.testing.assert_allclose(spectra.var(axis=2), variances, rtol=0.2, atol=0.03)
    assert float(variances[0].sum()) > 1.2 * float(variances[1:].mean(0).sum())


def test_white_noise_has_the_same_variance_everywhere():
    flat = Spectrum(np.ones((8, 8, 8)))
    noise = GroupNoise.of(flat, haar(SIDE), torch.arange(SIDE**3), LAGS, 3)
    members = torch.tensor([[0, 5], [4, 400], [1600, 85], [3200, 3205]])  # blocks that do not overlap
    np.testing.assert_allclose(noise.variances(members, (20, 20, 20)), 1, atol=1e-5)


def test_blocks_that_overlap_differ_less(spectrum):
    noise = GroupNoise.of(spectrum, dct(SIDE), torch.arange(SIDE**3), LAGS, 3)
    assert float(noise.shared[0, 0, 0]) == pytest.approx(2 * SIDE**3, rel=1e-5)  # a block does not differ from itself
    assert float(noise.shared[0, 1, 0]) > 0.5 * SIDE**3 > abs(float(noise.shared[0, 8, 0]))
