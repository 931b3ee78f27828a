"""Claims that BM3D and BM4D share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from MedRestoreLib.methods.bm3d import BLOCKS, bm3d
from MedRestoreLib.methods.bm4d import CUBES, bm4d
from MedRestoreLib.methods.collaborative import in_chunks
from Testing.support.denoising import psnr, restored
from Testing.support.phantoms import camera, noisy, simulated_brain


class Case(NamedTuple):
    """A method, a clean image for it, and the level above which noise is called high."""

    method: Callable
    clean: Callable[[], np.ndarray]
    high: float


CASES = {
    "bm3d": Case(bm3d, lambda: camera(96, 96), 40 / 255),
    "bm4d": Case(bm4d, lambda: simulated_brain(12, 40, 40), 0.1),
}

both = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@both
@pytest.mark.parametrize(("factor", "profile"), [(0.98, "normal"), (1.02, "high_noise")])
def test_the_profile_follows_from_the_level(case, factor, profile):
    sigma = factor * case.high
    image = noisy(case.clean(), sigma)
    chosen = restored(case.method, image, sigma)
    each = {name: restored(case.method, image, sigma, profile=name) for name in ("normal", "high_noise")}
    assert np.array_equal(chosen, each.pop(profile))
    assert not np.array_equal(chosen, *each.values())


@both
@pytest.mark.parametrize("factor", [0.2, 0.6, 1.5])
def test_both_steps_gain_at_every_level(case, factor):
    sigma, clean = factor * case.high, case.clean()
    image = noisy(clean, sigma)
    assert psnr(restored(case.method, image, sigma), clean) > psnr(image, clean) + 1.5


@both
def test_brightness_commutes_with_restoring(case):
    sigma = 0.4 * case.high
    image = noisy(case.clean(), sigma)
    difference = restored(case.method, image + np.float32(0.1), sigma) - restored(case.method, image, sigma) - 0.1
    assert np.sqrt(np.mean(difference**2)) < 3e-4


@both
def test_edges_are_restored_as_well(case):
    clean = case.clean()
    error = restored(case.method, noisy(clean, 0.09), 0.09) - clean
    for axis in range(clean.ndim):
        for end in (0, -1):
            assert np.mean(np.take(error, end, axis) ** 2) < 8 * np.mean(error**2)


@both
def test_huge_numbers_are_restored_to_their_range(case):
    rng = np.random.default_rng(0)
    image = 1e4 * rng.random(case.clean().shape, np.float32)
    result = restored(case.method, image, 0.1)
    assert -5e3 < result.min() < result.max() < 1.5e4


@pytest.mark.parametrize("lattice", [BLOCKS, CUBES], ids=["bm3d", "bm4d"])
def test_every_reference_is_in_one_chunk(lattice):
    for side in range(lattice.side, 160):
        runs = lattice.runs(side, axis=1)
        for length in (16, 48):
            chunks = in_chunks(runs, length)
            assert [id(run) for chunk in chunks for run in chunk] == [id(run) for run in runs]
            assert all(run.start - chunk[0].start < length for chunk in chunks for run in chunk)
