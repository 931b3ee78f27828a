"""Claims about WNNM: its closed form is the minimum, noise goes, and structure comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from skimage.metrics import structural_similarity

from MedRestoreLib.methods.wnnm import low_rank, reach, shrunk, wnnm
from Testing.support.denoising import assert_same, psnr, restored
from Testing.support.phantoms import camera, noisy

HALO = 64  # less than the reach; what lies beyond hardly counts


@pytest.mark.parametrize(("level", "gain"), [(5, 3.5), (10, 6.0), (25, 9.0), (50, 11.5)])
def test_white_noise_goes_at_every_level(level, gain):
    clean, sigma = camera(128, 128, top=180, left=100), level / 255
    image = noisy(clean, sigma)
    assert psnr(restored(wnnm, image, sigma), clean) > psnr(image, clean) + gain


def test_structure_comes_back():
    clean = camera(128, 128, top=180, left=100)
    image = noisy(clean, 0.1)
    before, after = (structural_similarity(i, clean, data_range=1.0) for i in (image, restored(wnnm, image, 0.1)))
    assert after > before + 0.35


def test_flat_tissue_keeps_its_mean_and_loses_its_noise():
    image = noisy(np.full((96, 96), 0.4), 0.1)
    result = restored(wnnm, image, 0.1)
    assert result.mean() == pytest.approx(image.mean(), abs=1e-3)
    assert result.std() < 0.15 * image.std()


@settings(max_examples=50)
@given(value=st.floats(0.01, 100), penalty=st.floats(1e-4, 1e3))
def test_the_closed_form_is_where_reweighting_ends(value, penalty):
    if abs(value**2 - 4 * penalty) < 0.05 * value**2:
        return  # reweighting takes for ever where the two roots meet
    left = value
    for _ in range(2000):
        left = max(value - penalty / left, 0.0) if left > 0 else 0.0
    result = shrunk(torch.tensor(value, dtype=torch.float64), torch.tensor(penalty, dtype=torch.float64))
    assert float(result) == pytest.approx(left, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_no_other_matrix_has_a_smaller_weighted_norm_and_misfit(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(6, 4)) @ np.diag([3.0, 1.5, 0.7, 0.3])
    matrix -= matrix.mean(0)
    penalty = 1.0
    found, _ = low_rank(torch.from_numpy(matrix)[None], torch.tensor([penalty], dtype=torch.float64))
    values = np.linalg.svd(found[0].numpy(), compute_uv=False)
    assert 0 < np.count_nonzero(values > 1e-6) < 4
    weights = penalty / np.maximum(values, 1e-2)  # the weights that belong to the solution

    def objective(flat: np.ndarray) -> float:
        candidate = flat.reshape(matrix.shape)
        left = np.linalg.svd(candidate, compute_uv=False)
        return 0.5 * np.sum((matrix - candidate) ** 2) + float(weights @ left)

    best = objective(found[0].numpy().ravel())
    for start in (matrix, found[0].numpy(), np.zeros_like(matrix)):
        other = minimize(objective, start.ravel() + 0.01 * rng.normal(size=matrix.size), method="L-BFGS-B")
        assert best <= other.fun + 1e-6


def test_groups_that_differ_by_rounding_alone_are_no_obstacle():
    rng = np.random.default_rng(0)
    left, right = rng.random((4000, 70, 1)) > 0.9, rng.random((4000, 1, 36)) > 0.9
    groups = torch.from_numpy(1e-4 * (left & right)) + 1e-8 * torch.from_numpy(rng.standard_normal((4000, 70, 36)))
    low, _ = low_rank(groups.float(), torch.zeros(4000))
    torch.testing.assert_close(low, groups.float(), rtol=0, atol=1e-6)


def test_large_singular_values_are_shrunk_least():
    values = torch.linspace(0, 20, 200)
    left = shrunk(values, torch.tensor(4.0))
    assert torch.equal(left == 0, values < 4)
    assert (left <= values).all()
    assert (values - left)[left > 0].diff().max() < 0


@pytest.mark.parametrize("sigma", [10 / 255, 25 / 255])
def test_an_aligned_tile_with_less_than_its_reach_hardly_differs_from_the_whole(sigma):
    image, start = noisy(camera(60, 300, top=180, left=100), sigma), 140
    whole, tile = restored(wnnm, image, sigma), restored(wnnm, image[:, start - HALO : start + 24 + HALO], sigma)
    assert np.abs(tile[:, HALO : HALO + 24] - whole[:, start : start + 24]).max() < 1e-3


def test_nothing_beyond_the_reach_of_its_iterations_counts():
    sigma, iterations = 0.1, 2
    image = noisy(camera(40, 240, top=180, left=100), sigma)
    other = image.copy()
    other[:, 40 + reach(sigma, iterations) :] = 0.5
    before, after = (restored(wnnm, i, sigma, iterations=iterations) for i in (image, other))
    assert_same(before[:, :40], after[:, :40], rms=1e-6, most=1e-6)


def test_without_noise_hardly_anything_changes():
    image = camera(48, 48)
    assert np.array_equal(restored(wnnm, image, 0.0), image)
    assert np.array_equal(restored(wnnm, image, 0.1, iterations=0), image)
    assert np.sqrt(np.mean((restored(wnnm, image, 1 / 255) - image) ** 2)) < 1 / 255
    assert np.abs(restored(wnnm, image, 1e-4) - image).max() < 1e-3
