"""Noise of several coils, combined by the root of the sum of squares, is not Rician; its strength is found."""

from __future__ import annotations

import numpy as np
import pytest

from MedRestoreLib.noise import model
from MedRestoreLib.noise.blocks import cut
from MedRestoreLib.noise.floor import noise_floor
from Testing.support.phantoms import simulated_brain

RICIAN = model("rician")
LEVEL = 9.0


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    return simulated_brain(20, 160, 144)


def acquired(clean: np.ndarray, coils: int, seed: int = 1) -> np.ndarray:
    return RICIAN.add(clean, LEVEL, np.random.default_rng(seed), n_coils=coils)[None]


def coils_told(voxels: np.ndarray, sigma: float) -> float:
    return noise_floor(cut(voxels)) / (2 * sigma**2)


@pytest.mark.parametrize("coils", [2, 4, 8, 16])
@pytest.mark.parametrize("slices", [slice(None), slice(8, 13)])
def test_the_level_is_that_of_each_channel_however_many_coils(head, coils, slices):
    clean = head[slices]
    noisy, sigma = acquired(clean, coils), LEVEL / 100 * clean.max()
    estimate = RICIAN.estimate(noisy)
    assert estimate.sure
    assert RICIAN.bind(noisy, estimate.level).sigma == pytest.approx(sigma, rel=0.07)
    assert not estimate.confirmed, "the bias of several coils is not that of Rician noise"


@pytest.mark.parametrize("coils", [8, 16])
def test_the_noise_floor_is_told_by_tissue_alone_too(head, coils):
    sigma = LEVEL / 100 * head.max()
    noisy = acquired(head, coils)
    masked = np.where(head > 0.05 * head.max(), noisy, 0)
    for voxels in (noisy, masked):
        assert coils_told(voxels, sigma) == pytest.approx(coils, rel=0.25)


@pytest.mark.parametrize("masked", [False, True])
def test_a_single_coil_has_no_noise_floor_of_several(head, masked):
    for seed in range(3):
        noisy = acquired(head, 1, seed)
        assert noise_floor(cut(np.where(head > 0.05 * head.max(), noisy, 0) if masked else noisy)) == 0
