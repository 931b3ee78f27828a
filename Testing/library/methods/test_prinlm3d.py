"""Claims about PRI-NLM3D: it outdoes ODCT3D and non-local means at its automatic setting, and it is local."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.odct3d import odct3d, with_variance
from MedRestoreLib.methods.prinlm3d import CUTOFF, prinlm3d, reach
from MedRestoreLib.noise import model
from training.simulate import brain


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """A piece of a simulated head, (24, 56, 56), at most 1."""
    volume = brain.t1_stack(seed=1).voxels[0]
    return (volume / volume.max())[:, 84:140, 64:120]


def noisy(clean: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    return (clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)).astype(np.float32)


def restored(volume: np.ndarray, sigma: float, **options) -> np.ndarray:
    return prinlm3d(torch.from_numpy(np.ascontiguousarray(volume))[None, None], sigma, **options)[0, 0].numpy()


def psnr(volume: np.ndarray, clean: np.ndarray) -> float:
    return -10 * np.log10(np.mean((volume - clean) ** 2))


def assert_same(volume: np.ndarray, expected: np.ndarray) -> None:
    """Equal, but where a rounding error moved a coefficient across the threshold: far below any noise."""
    difference = np.abs(volume - expected)
    assert np.sqrt(np.mean(difference**2)) < 2e-5
    assert difference.max() < 2e-3


def pair_by_pair(volume: np.ndarray, sigma: float, radius: int) -> np.ndarray:
    """The second stage, one voxel after the other."""
    guide, variance = (part.double().numpy() for part in with_variance(torch.from_numpy(volume), sigma))
    around = [np.arange(-1, 2)] * 3
    mean, result = np.empty(volume.shape), np.empty(volume.shape)
    places = list(np.ndindex(volume.shape))
    inside = set(places)
    for place in places:
        near = [tuple(np.add(place, step)) for step in itertools.product(*around)]
        mean[place] = np.mean([guide[q] for q in near if q in inside])
    for place in places:
        window = tuple(slice(max(0, k - radius), k + radius + 1) for k in place)
        squares = ((guide[window] - guide[place]) ** 2 + (mean[window] - mean[place]) ** 2) / 2
        weight = np.clip(1 - squares / (CUTOFF * (variance[window] + variance[place])), 0, None) ** 2
        result[place] = (weight * volume[window]).sum() / weight.sum()
    return result


@pytest.mark.parametrize(("shape", "radius"), [((4, 5, 6), 1), ((7, 6, 5), 2), ((5, 9, 7), 4)])
def test_it_is_what_its_description_says(shape, radius):
    rng = np.random.default_rng(0)
    volume = noisy(0.5 + 0.3 * np.sign(rng.standard_normal(shape)[:1] * np.ones(shape)), 0.1)
    np.testing.assert_allclose(restored(volume, 0.1, radius=radius), pair_by_pair(volume, 0.1, radius), atol=1e-5)


@pytest.mark.parametrize(("sigma", "gain"), [(0.03, 7.0), (0.09, 9.8), (0.15, 10.8)])
def test_head_gains_more_than_with_odct3d(head, sigma, gain):
    volume = noisy(head, sigma)
    result, first = restored(volume, sigma), odct3d(torch.from_numpy(volume)[None, None], sigma)[0, 0].numpy()
    assert psnr(result, head) >= psnr(volume, head) + gain
    assert psnr(result, head) >= psnr(first, head) + 0.7


def test_it_outdoes_non_local_means_tuned_to_the_truth(head):
    from skimage.restoration import denoise_nl_means

    volume = noisy(head, 0.09)
    peer = max(
        psnr(denoise_nl_means(volume, 5, 3, h=h * 0.09, sigma=0.09, fast_mode=True), head) for h in (0.4, 0.5, 0.6)
    )
    assert psnr(restored(volume, 0.09), head) >= peer + 1


def test_rician_noise_gains_through_the_stabiliser(head):
    rician = model("rician")
    volume = rician.add(head, 9.0, np.random.default_rng(0))
    noise = rician(9.0, reference=float(head.max()))
    stable = noise.stabilise(volume).astype(np.float32)
    result = noise.unbiased_inverse(restored(stable / stable.max(), 1 / stable.max()) * stable.max())
    tissue = head > 0.02
    assert psnr(result[tissue], head[tissue]) >= psnr(volume[tissue], head[tissue]) + 9


def test_real_head_is_no_worse_than_with_odct3d(data_folder):
    import SimpleITK

    volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(data_folder / "mri" / "mni152_t1.nii.gz"))
    clean = (volume / np.percentile(volume, 99.9)).astype(np.float32)[80:104, 90:146, 80:136]
    for sigma in (0.03, 0.09):
        image = noisy(clean, sigma)
        first = odct3d(torch.from_numpy(image)[None, None], sigma)[0, 0].numpy()
        assert psnr(restored(image, sigma), clean) >= psnr(first, clean) + 0.3


def test_without_noise_nothing_changes(head):
    for sigma in (0.0, 1e-6):
        np.testing.assert_allclose(restored(head[:, :24, :24], sigma), head[:, :24, :24], atol=2e-6)
    assert psnr(restored(head, 0.005), head) > 48


@settings(max_examples=10, deadline=None)
@given(value=st.floats(0, 1), sigma=st.floats(0, 1), shape=st.tuples(*[st.integers(4, 9)] * 3))
def test_constant_volume_of_any_size_returns_itself(value, sigma, shape):
    volume = np.full(shape, value, np.float32)
    np.testing.assert_allclose(restored(volume, sigma), volume, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 1.0, 100.0]), sigma=st.sampled_from([1e-9, 0.1, 10.0]))
def test_result_stays_in_the_range_of_the_input(seed, scale, sigma):
    volume = (scale * np.random.default_rng(seed).standard_normal((5, 8, 7))).astype(np.float32)
    result = restored(volume, sigma)
    assert np.isfinite(result).all()
    assert result.min() >= volume.min() - 1e-5 * scale
    assert result.max() <= volume.max() + 1e-5 * scale


def test_four_slices_gain_as_well(head):
    slices = head[10:14]
    image = noisy(slices, 0.09)
    assert psnr(restored(image, 0.09), slices) >= psnr(image, slices) + 7


def test_radius_below_one_is_refused():
    with pytest.raises(InvalidPlan, match="1 or more"):
        prinlm3d(torch.zeros(1, 1, 4, 4, 4), 0.1, radius=0)


def test_flipping_and_transposing_commute_with_restoring(head):
    volume = noisy(head[:, :30, :20], 0.09)
    plain = restored(volume, 0.09)
    for turn in (np.flipud, np.fliplr, np.transpose):
        assert_same(turn(restored(turn(volume), 0.09)), plain)


@pytest.mark.parametrize("radius", [1, 3])
def test_tiles_agree_with_the_whole(head, radius):
    volume = noisy(head, 0.09)
    whole, halo = restored(volume, 0.09, radius=radius), reach(0.09, radius=radius)
    tile = restored(volume[1:23, 5:47, 7:52], 0.09, radius=radius)
    inner = (slice(halo, -halo),) * 3
    assert tile[inner].size > 0
    assert_same(tile[inner], whole[1:23, 5:47, 7:52][inner])


def test_volume_taken_in_several_pieces_has_no_seam():
    volume = noisy(np.full((26, 150, 150), 0.5, np.float32), 0.1)  # pieces meet in slice 22
    whole, tile = restored(volume, 0.1, radius=1), restored(volume[10:, :40, :40], 0.1, radius=1)
    halo = reach(0.1, radius=1)
    assert_same(tile[halo:, : 40 - halo, : 40 - halo], whole[10 + halo :, : 40 - halo, : 40 - halo])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_nothing_beyond_the_reach_matters(axis):
    volume = np.moveaxis(noisy(np.full((40, 12, 12), 0.5, np.float32), 0.1), 0, axis)
    changed = volume.copy()
    half = (slice(None),) * axis + (slice(20, None),)
    changed[half] = 0.3
    before, after = (np.moveaxis(restored(part, 0.1), axis, 0) for part in (volume, changed))
    distance = 20 - np.flatnonzero((before != after).any(axis=(1, 2))).min()
    assert reach(0.1) - 4 <= distance <= reach(0.1)


def test_batch_gives_each_volume_what_it_gets_alone(head):
    volumes = np.stack([noisy(head[:12, :30, y : y + 25], 0.09, seed=y) for y in (0, 10, 30)])
    together = prinlm3d(torch.from_numpy(volumes)[:, None], 0.09)
    assert together.shape == (3, 1, 12, 30, 25)
    for volume, result in zip(volumes, together, strict=True):
        assert np.array_equal(result[0].numpy(), restored(volume, 0.09))


@pytest.mark.parametrize("threads", [1, 2])
def test_same_input_gives_the_same_bits_and_stays_as_it_was(head, threads):
    volume = torch.from_numpy(noisy(head[:12], 0.09))[None, None]
    before, usual = volume.clone(), torch.get_num_threads()
    expected = prinlm3d(volume, 0.09)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(prinlm3d(volume, 0.09), expected)
    finally:
        torch.set_num_threads(usual)
    assert torch.equal(volume, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_agrees_with_cpu(head):
    volume = torch.from_numpy(noisy(head, 0.09))[None, None]
    assert_same(prinlm3d(volume.cuda(), 0.09).cpu().numpy(), prinlm3d(volume, 0.09).numpy())
