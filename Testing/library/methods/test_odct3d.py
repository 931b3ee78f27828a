"""Claims about ODCT3D: it is the published filter, its Wiener step pays, and it is local."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

from MedRestoreLib.methods.odct3d import odct3d, reach, with_variance
from training.simulate import brain


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """A piece of a simulated head, (24, 64, 64), at most 1."""
    volume = brain.t1_stack(seed=1).voxels[0]
    return (volume / volume.max())[:, 80:144, 60:124]


def noisy(clean: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    return (clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)).astype(np.float32)


def restored(volume: np.ndarray, sigma: float, **options) -> np.ndarray:
    return odct3d(torch.from_numpy(np.ascontiguousarray(volume))[None, None], sigma, **options)[0, 0].numpy()


def psnr(volume: np.ndarray, clean: np.ndarray) -> float:
    return -10 * np.log10(np.mean((volume - clean) ** 2))


def assert_same(volume: np.ndarray, expected: np.ndarray) -> None:
    """Equal, but where a rounding error moved a coefficient across the threshold: far below any noise."""
    difference = np.abs(volume - expected)
    assert np.sqrt(np.mean(difference**2)) < 2e-5
    assert difference.max() < 2e-3


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
    np.testing.assert_allclose(restored(volume, 0.1, wiener=False), published(volume, 0.1), atol=2e-6)


@pytest.mark.parametrize(("sigma", "gain"), [(0.03, 5.5), (0.09, 8.5), (0.15, 9.5)])
def test_head_gains(head, sigma, gain):
    volume = noisy(head, sigma)
    first, both = restored(volume, sigma, wiener=False), restored(volume, sigma)
    assert psnr(both, head) >= psnr(volume, head) + gain
    assert psnr(both, head) >= psnr(first, head) + 0.1


def test_real_head_gains_ten_decibels(data_folder):
    import SimpleITK

    volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(data_folder / "mri" / "mni152_t1.nii.gz"))
    clean = (volume / np.percentile(volume, 99.9)).astype(np.float32)[80:104, 90:154, 80:144]
    image = noisy(clean, 0.09)
    assert psnr(restored(image, 0.09), clean) >= psnr(image, clean) + 10


def test_without_noise_nothing_changes(head):
    for sigma in (0.0, 1e-6):
        np.testing.assert_allclose(restored(head, sigma), head, atol=2e-6)
    assert psnr(restored(head, 0.005), head) > 50


@settings(max_examples=10, deadline=None)
@given(value=st.floats(0, 1), sigma=st.floats(0, 1), shape=st.tuples(*[st.integers(4, 9)] * 3), wiener=st.booleans())
def test_constant_volume_of_any_size_returns_itself(value, sigma, shape, wiener):
    volume = np.full(shape, value, np.float32)
    result, variance = with_variance(torch.from_numpy(volume), sigma, wiener=wiener)
    np.testing.assert_allclose(result, volume, atol=1e-5)
    if wiener and sigma > 1e-3:  # of the 64 coefficients of a block, only its mean is left
        np.testing.assert_allclose(variance, np.full(shape, sigma**2 / 64), rtol=1e-4)


def test_four_slices_gain_as_well(head):
    slices = head[10:14]
    image = noisy(slices, 0.09)
    assert psnr(restored(image, 0.09), slices) >= psnr(image, slices) + 6


def test_mean_is_kept(head):
    volume = noisy(head, 0.09)
    assert abs(restored(volume, 0.09).mean() - volume.mean()) < 1e-3


def test_flipping_and_transposing_commute_with_restoring(head):
    volume = noisy(head[:, :40, :30], 0.09)
    plain = restored(volume, 0.09)
    for turn in (np.flipud, np.fliplr, np.transpose):
        assert_same(turn(restored(turn(volume), 0.09)), plain)


@pytest.mark.parametrize("wiener", [False, True])
def test_tiles_agree_with_the_whole(head, wiener):
    volume = noisy(head, 0.09)
    whole, halo = restored(volume, 0.09, wiener=wiener), reach(0.09, wiener=wiener)
    tile = restored(volume[3:22, 5:47, 7:58], 0.09, wiener=wiener)
    inner = (slice(halo, -halo),) * 3
    assert_same(tile[inner], whole[3:22, 5:47, 7:58][inner])


def test_slices_taken_in_several_strips_have_no_seam():
    volume = noisy(np.full((6, 150, 150), 0.5, np.float32), 0.1)  # a strip is 55 rows
    whole, tile, halo = restored(volume, 0.1), restored(volume[:, 40:130, :40], 0.1), reach(0.1)
    assert_same(tile[:, halo:-halo, : 40 - halo], whole[:, 40 + halo : 130 - halo, : 40 - halo])


@pytest.mark.parametrize("wiener", [False, True])
def test_a_voxel_reaches_as_far_as_stated(wiener):
    volume = noisy(np.zeros((24, 24, 24), np.float32), 0.1)
    changed = volume.copy()
    changed[12, 12, 12] += 1
    touched = np.argwhere(restored(changed, 0.1, wiener=wiener) != restored(volume, 0.1, wiener=wiener))
    assert np.abs(touched - 12).max() == reach(0.1, wiener=wiener)


def test_batch_gives_each_volume_what_it_gets_alone(head):
    volumes = np.stack([noisy(head[:12, :30, y : y + 25], 0.09, seed=y) for y in (0, 10, 30)])
    together = odct3d(torch.from_numpy(volumes)[:, None], 0.09)
    assert together.shape == (3, 1, 12, 30, 25)
    for volume, result in zip(volumes, together, strict=True):
        assert np.array_equal(result[0].numpy(), restored(volume, 0.09))


@pytest.mark.parametrize("threads", [1, 2])
def test_same_input_gives_the_same_bits_and_stays_as_it_was(head, threads):
    volume = torch.from_numpy(noisy(head[:12], 0.09))[None, None]
    before, usual = volume.clone(), torch.get_num_threads()
    expected = odct3d(volume, 0.09)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(odct3d(volume, 0.09), expected)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(usual)
    assert torch.equal(volume, before)


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_agrees_with_cpu(head):
    volume = torch.from_numpy(noisy(head, 0.09))[None, None]
    assert_same(odct3d(volume.cuda(), 0.09).cpu().numpy(), odct3d(volume, 0.09).numpy())
