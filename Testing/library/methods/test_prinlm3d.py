"""Claims about PRI-NLM3D: it is what its description says, and outdoes ODCT3D and non-local means."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.methods.odct3d import odct3d, with_variance
from MedRestoreLib.methods.prinlm3d import CUTOFF, prinlm3d, reach
from MedRestoreLib.noise import model
from Testing.support.denoising import assert_same, psnr, restored
from Testing.support.phantoms import noisy, real_brain, simulated_brain


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    return simulated_brain(24, 56, 56)


def pair_by_pair(volume: np.ndarray, sigma: float, radius: int) -> np.ndarray:
    """The second stage, one voxel after the other."""
    guide, variance = (part.double().numpy() for part in with_variance(torch.from_numpy(volume), sigma))
    around = [np.arange(-1, 2)] * 3
    mean, result = np.empty(volume.shape), np.empty(volume.shape)
    voxels = list(np.ndindex(volume.shape))
    inside = set(voxels)
    for voxel in voxels:
        near = [tuple(np.add(voxel, step)) for step in itertools.product(*around)]
        mean[voxel] = np.mean([guide[q] for q in near if q in inside])
    for voxel in voxels:
        window = tuple(slice(max(0, k - radius), k + radius + 1) for k in voxel)
        squares = ((guide[window] - guide[voxel]) ** 2 + (mean[window] - mean[voxel]) ** 2) / 2
        weight = np.clip(1 - squares / (CUTOFF * (variance[window] + variance[voxel])), 0, None) ** 2
        result[voxel] = (weight * volume[window]).sum() / weight.sum()
    return result


@pytest.mark.parametrize(("shape", "radius"), [((4, 5, 6), 1), ((7, 6, 5), 2), ((5, 9, 7), 4)])
def test_it_is_what_its_description_says(shape, radius):
    rng = np.random.default_rng(0)
    volume = noisy(0.5 + 0.3 * np.sign(rng.standard_normal(shape)[:1] * np.ones(shape)), 0.1)
    expected = pair_by_pair(volume, 0.1, radius)
    np.testing.assert_allclose(restored(prinlm3d, volume, 0.1, radius=radius), expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.03, 0.09, 0.15])
def test_a_head_gains_more_than_with_odct3d(head, sigma):
    volume = noisy(head, sigma)
    assert psnr(restored(prinlm3d, volume, sigma), head) >= psnr(restored(odct3d, volume, sigma), head) + 0.7


def test_it_outdoes_non_local_means_tuned_to_the_truth(head):
    from skimage.restoration import denoise_nl_means

    volume = noisy(head, 0.09)
    peer = max(
        psnr(denoise_nl_means(volume, 5, 3, h=h * 0.09, sigma=0.09, fast_mode=True), head) for h in (0.4, 0.5, 0.6)
    )
    assert psnr(restored(prinlm3d, volume, 0.09), head) >= peer + 1


def test_rician_noise_gains_through_the_stabiliser(head):
    rician = model("rician")
    volume = rician.add(head, 9.0, np.random.default_rng(0))
    noise = rician(9.0, reference=float(head.max()))
    stable = noise.stabilise(volume).astype(np.float32)
    scale = stable.max()
    result = noise.unbiased_inverse(restored(prinlm3d, stable / scale, 1 / scale) * scale)
    tissue = head > 0.02
    assert psnr(result[tissue], head[tissue]) >= psnr(volume[tissue], head[tissue]) + 9


@pytest.mark.parametrize("sigma", [0.03, 0.09])
def test_a_real_head_gains_more_than_with_odct3d(data_folder, sigma):
    clean = real_brain(data_folder, (24, 56, 56))
    volume = noisy(clean, sigma)
    assert psnr(restored(prinlm3d, volume, sigma), clean) >= psnr(restored(odct3d, volume, sigma), clean) + 0.3


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 1.0, 100.0]), sigma=st.sampled_from([1e-9, 0.1, 10.0]))
def test_the_result_stays_in_the_range_of_the_input(seed, scale, sigma):
    volume = (scale * np.random.default_rng(seed).standard_normal((5, 8, 7))).astype(np.float32)
    result = restored(prinlm3d, volume, sigma)
    assert np.isfinite(result).all()
    assert result.min() >= volume.min() - 1e-5 * scale
    assert result.max() <= volume.max() + 1e-5 * scale


@pytest.mark.parametrize("radius", [1, 3])
def test_a_tile_with_the_reach_of_its_radius_equals_the_whole(head, radius):
    volume, halo = noisy(head, 0.09), reach(0.09, radius=radius)
    whole, tile = (restored(prinlm3d, part, 0.09, radius=radius) for part in (volume, volume[1:23, 5:47, 7:52]))
    inner = (slice(halo, -halo),) * 3
    assert tile[inner].size > 0
    assert_same(tile[inner], whole[1:23, 5:47, 7:52][inner])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_reach_is_hardly_more_than_needed(axis):
    volume = np.moveaxis(noisy(np.full((40, 12, 12), 0.5, np.float32), 0.1), 0, axis)
    changed = volume.copy()
    changed[(slice(None),) * axis + (slice(20, None),)] = 0.3
    before, after = (np.moveaxis(restored(prinlm3d, part, 0.1), axis, 0) for part in (volume, changed))
    distance = 20 - np.flatnonzero((before != after).any(axis=(1, 2))).min()
    assert reach(0.1) - 4 <= distance <= reach(0.1)
