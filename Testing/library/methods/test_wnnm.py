"""Weighted nuclear norm minimisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from skimage import data, img_as_float32
from skimage.metrics import structural_similarity

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.wnnm import low_rank, reach, shrunk, wnnm

HALO = 64  # less than the reach; what lies beyond hardly counts


def camera(rows: int = 128, columns: int = 128) -> torch.Tensor:
    image = img_as_float32(data.camera())[180 : 180 + rows, 100 : 100 + columns]
    return torch.from_numpy(image.copy())[None, None]


def noisy(clean: torch.Tensor, sigma: float, seed: int = 0) -> torch.Tensor:
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    return float(-10 * torch.log10((image - clean).double().square().mean()))


@pytest.mark.parametrize(("sigma", "gain"), [(5, 3.5), (10, 6.0), (25, 9.0), (50, 11.5)])
def test_white_noise_goes_at_every_level(sigma, gain):
    clean = camera()
    image = noisy(clean, sigma / 255)
    assert psnr(wnnm(image, sigma / 255), clean) > psnr(image, clean) + gain


def test_structure_comes_back():
    clean = camera()
    image = noisy(clean, 25 / 255)
    before, after = (
        structural_similarity(i[0, 0].numpy(), clean[0, 0].numpy(), data_range=1.0)
        for i in (image, wnnm(image, 25 / 255))
    )
    assert after > before + 0.35


def test_flat_tissue_keeps_its_mean_and_loses_its_noise():
    image = noisy(torch.full((1, 1, 96, 96), 0.4), 0.1)
    result = wnnm(image, 0.1)
    assert float(result.mean()) == pytest.approx(float(image.mean()), abs=1e-3)
    assert float(result.std()) < 0.15 * float(image.std())


def test_a_border_keeps_its_place_and_its_contrast():
    clean = torch.full((1, 1, 80, 80), 0.2)
    clean[..., 37:] = 0.8
    profile = wnnm(noisy(clean, 0.1), 0.1)[0, 0].mean(0)
    assert profile[36] < 0.25
    assert profile[37] > 0.75


@settings(max_examples=50, deadline=None)
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
def test_an_aligned_tile_with_its_halo_equals_the_whole(sigma):
    image = noisy(camera(rows=60, columns=300), sigma)
    whole = wnnm(image, sigma)
    start = 140
    tile = wnnm(image[..., start - HALO : start + 24 + HALO], sigma)
    difference = tile[..., HALO : HALO + 24] - whole[..., start : start + 24]
    assert float(difference.abs().max()) < 1e-3


def test_nothing_beyond_the_reach_counts():
    sigma, iterations = 0.1, 2
    image = noisy(camera(rows=40, columns=240), sigma)
    other = image.clone()
    other[..., 40 + reach(sigma, iterations) :] = 0.5
    before, after = wnnm(image, sigma, iterations=iterations), wnnm(other, sigma, iterations=iterations)
    torch.testing.assert_close(before[..., :40], after[..., :40], rtol=0, atol=1e-6)


def test_images_of_a_batch_are_independent():
    image = noisy(camera(48, 64), 0.1)
    batch = torch.cat([image, image.flip(3), torch.zeros_like(image)])
    together = wnnm(batch, 0.1)
    for index in range(3):
        alone = wnnm(batch[index : index + 1], 0.1)
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-5)


def test_the_number_of_threads_does_not_matter():
    image = noisy(camera(80, 64), 0.1)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = wnnm(image, 0.1)
        torch.set_num_threads(2)
        two = wnnm(image, 0.1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one, two)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_constant_images_stay_as_they_are(grey, sigma):
    image = torch.full((1, 1, 30, 27), grey)
    torch.testing.assert_close(wnnm(image, sigma), image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(24, 24), (25, 62), (40, 27)])
def test_any_size_comes_back_whole_and_finite(shape):
    image = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0))
    image[..., : shape[0] // 2, :] = 0
    before = image.clone()
    with torch.inference_mode():
        result = wnnm(image, 0.2)
    assert result.shape == image.shape
    assert torch.isfinite(result).all()
    assert torch.equal(image, before)


def test_without_noise_hardly_anything_changes():
    image = camera(48, 48)
    assert torch.equal(wnnm(image, 0.0), image)
    assert torch.equal(wnnm(image, 0.1, iterations=0), image)
    assert float((wnnm(image, 1 / 255) - image).square().mean().sqrt()) < 1 / 255
    assert float((wnnm(image, 1e-4) - image).abs().max()) < 1e-3


@pytest.mark.parametrize(("sigma", "options"), [(-0.1, {}), (0.1, {"iterations": -1})])
def test_wrong_options_are_refused(sigma, options):
    with pytest.raises(InvalidPlan, match="wnnm"):
        wnnm(torch.zeros(1, 1, 24, 24), sigma, **options)
