"""Claims about BM4D: it removes noise as well as the literature says, changes nothing else, and is local."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.methods.bm3d import bm3d
from MedRestoreLib.methods.bm4d import bm4d
from MedRestoreLib.noise.rician import Rician

HALO, ALIGN = 26, 2


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """A piece of a clean head from 0 to 1: cortex and ventricles, 32 x 64 x 64."""
    simulate = pytest.importorskip("training.simulate.brain")
    voxels = simulate.t1_stack(seed=3, shape=(32, 128, 128)).voxels[0, :, 30:94, 30:94]
    return np.ascontiguousarray(voxels / voxels.max())


@pytest.fixture(scope="module")
def brain(data_folder) -> np.ndarray:
    """A piece of a real T1-weighted brain from 0 to 1, 36 x 48 x 48."""
    import SimpleITK

    volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(data_folder / "mri" / "mni152_t1.nii.gz"))
    return np.clip(volume[80:116, 100:148, 60:108].astype(np.float32) / np.percentile(volume, 99.9), 0, 1)


def noisy(clean: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (clean + sigma * rng.standard_normal(clean.shape)).astype(np.float32)


def restored(volume: np.ndarray, sigma: float, **options) -> np.ndarray:
    return bm4d(torch.from_numpy(np.ascontiguousarray(volume))[None, None], sigma, **options)[0, 0].numpy()


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    return -10 * math.log10(np.mean((image - clean) ** 2))


def assert_same(volume: np.ndarray, expected: np.ndarray) -> None:
    """Equal, but where a rounding error made two equally similar cubes change places: far below any noise."""
    difference = np.abs(volume - expected)
    assert np.sqrt(np.mean(difference**2)) < 3e-4
    assert difference.max() < 2e-2


@pytest.mark.parametrize(("sigma", "floor"), [(0.03, 37.40), (0.15, 28.20), (0.25, 25.64)])
def test_head_reaches_the_reference_software(head, sigma, floor):
    assert psnr(restored(noisy(head, sigma), sigma), head) >= floor


@pytest.mark.parametrize(("sigma", "floor"), [(0.03, 39.50), (0.09, 33.60)])
def test_real_brain_reaches_the_reference_software(brain, sigma, floor):
    assert psnr(restored(noisy(brain, sigma), sigma), brain) >= floor


def test_volumes_gain_more_than_slices(brain):
    volume = noisy(brain, 0.09)
    middle = slice(14, 20)
    slices = bm3d(torch.from_numpy(volume[middle])[:, None], 0.09)[:, 0].numpy()
    assert psnr(restored(volume, 0.09)[middle], brain[middle]) > psnr(slices, brain[middle]) + 2


def test_rician_noise_goes_through_the_stabiliser(brain):
    magnitude = np.hypot(noisy(brain, 0.09), noisy(0 * brain, 0.09, seed=1))
    model = Rician(9.0, reference=1.0)
    stabilised = model.stabilise(magnitude)
    low, scale = stabilised.min(), np.ptp(stabilised)
    result = model.unbiased_inverse(restored((stabilised - low) / scale, 1 / scale) * scale + low)
    assert psnr(result, brain) > psnr(magnitude, brain) + 11


def test_high_noise_profile_is_chosen_by_the_level(head):
    part = head[:12, :40, :40]
    for sigma, profile in ((0.098, "normal"), (0.102, "high_noise")):
        volume = noisy(part, sigma)
        chosen = restored(volume, sigma)
        both = {name: restored(volume, sigma, profile=name) for name in ("normal", "high_noise")}
        assert np.array_equal(chosen, both.pop(profile))
        assert not np.array_equal(chosen, *both.values())


def test_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="high_noise"):
        bm4d(torch.zeros(1, 1, 8, 8, 8), 0.1, profile="best")


@pytest.mark.parametrize("depth", [4, 5, 6, 8])
def test_thin_volumes_are_restored(brain, depth):
    part = brain[10 : 10 + depth]
    volume = noisy(part, 0.09)
    assert psnr(restored(volume, 0.09), part) > psnr(volume, part) + 9


def test_edges_are_restored_as_well(head):
    error = restored(noisy(head, 0.09), 0.09) - head
    inner = np.mean(error[6:-6, 6:-6, 6:-6] ** 2)
    for axis in range(3):
        for end in (0, -1):
            assert np.mean(np.take(error, end, axis) ** 2) < 8 * inner


def test_without_noise_nothing_changes(head):
    for sigma in (0.0, 1e-6, 0.005):
        part = head[:16, :40, :40]
        assert np.sqrt(np.mean((restored(part, sigma) - part) ** 2)) < 3e-3 * np.sqrt(np.mean(part**2))


@settings(max_examples=8, deadline=None)
@given(
    value=st.floats(-0.5, 1.5),
    sigma=st.floats(0, 0.3),
    sides=st.tuples(st.integers(4, 20), st.integers(4, 20), st.integers(4, 20)),
)
def test_constant_volume_of_any_size_returns_itself(value, sigma, sides):
    volume = torch.full((1, 1, *sides), value)
    torch.testing.assert_close(bm4d(volume, sigma), volume, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sigma", [1e-9, 0.1, 10.0])
@pytest.mark.parametrize("volume", ["zeros", "saturated", "step", "huge", "noise"])
def test_extremes_give_finite_numbers(volume, sigma):
    random = torch.Generator().manual_seed(0)
    volumes = {
        "zeros": torch.zeros(9, 12, 14),
        "saturated": torch.ones(9, 14, 14).triu(),
        "step": torch.cat([torch.zeros(5, 12, 14), 3 * torch.ones(5, 12, 14)]),
        "huge": 1e4 * torch.rand(9, 12, 14, generator=random),
        "noise": torch.randn(9, 12, 14, generator=random),
    }
    result = bm4d(volumes[volume][None, None], sigma)
    assert torch.isfinite(result).all()
    low, high = volumes[volume].aminmax()
    margin = 0.5 * (high - low) + 1e-5
    assert result.min() >= low - margin
    assert result.max() <= high + margin


def test_mean_is_kept(head):
    volume = noisy(head, 0.09)
    assert abs(restored(volume, 0.09).mean() - volume.mean()) < 1e-3


def test_flipping_and_transposing_commute_with_restoring(head):
    part = head[4:29, 8:41, 8:41]  # where both ends of an axis see the same references
    volume = noisy(part, 0.09)
    plain = restored(volume, 0.09)
    error = np.sqrt(np.mean((plain - part) ** 2))
    for axes in ((2, 1, 0), (0, 2, 1)):
        difference = restored(volume.transpose(axes), 0.09).transpose(axes) - plain
        assert np.sqrt(np.mean(difference**2)) < 0.3 * error
    for axis in range(3):
        difference = np.flip(restored(np.flip(volume, axis), 0.09), axis) - plain
        assert np.sqrt(np.mean(difference**2)) < 0.3 * error


def test_brightness_commutes_with_restoring(head):
    volume = noisy(head[:12, :40, :40], 0.06)
    difference = restored(volume + 0.1, 0.06) - restored(volume, 0.06) - 0.1
    assert np.sqrt(np.mean(difference**2)) < 3e-4


def test_tiles_agree_with_the_whole(head):
    volume = np.concatenate([noisy(head, 0.09, seed) for seed in range(3)])[:, :24]  # 96 x 24 x 64
    whole = restored(volume, 0.09)
    start, core = 7 * ALIGN, 2 * HALO + 12
    tile = restored(volume[start : start + core], 0.09)
    assert_same(tile[HALO:-HALO], whole[start : start + core][HALO:-HALO])
    turned = volume.transpose(1, 2, 0)
    whole = restored(turned, 0.09)
    tile = restored(turned[:, :, start : start + core], 0.09)
    assert_same(tile[:, :, HALO:-HALO], whole[:, :, start : start + core][:, :, HALO:-HALO])


def test_nothing_beyond_the_reach_matters(head):
    volume = noisy(head[:10, :40], 0.1).transpose(2, 0, 1)
    changed = volume.copy()
    changed[HALO + 20 :] = 0.3
    before, after = restored(volume, 0.1), restored(changed, 0.1)
    assert_same(after[:20], before[:20])
    assert np.abs(after[20:] - before[20:]).max() > 1e-2


def test_batch_gives_each_volume_what_it_gets_alone(head):
    volumes = [noisy(head[:9, y : y + 22, y : y + 31], 0.1, seed=y) for y in (0, 20)]
    together = bm4d(torch.from_numpy(np.stack(volumes))[:, None], 0.1)
    for volume, result in zip(volumes, together, strict=True):
        assert np.array_equal(result[0].numpy(), restored(volume, 0.1))


def test_same_input_gives_the_same_bits_with_any_number_of_threads(head):
    volume = torch.from_numpy(noisy(head[:10, :60, :60], 0.1))[None, None]
    before, threads = volume.clone(), torch.get_num_threads()
    results = []
    try:
        for count in (1, 1, 3):
            torch.set_num_threads(count)
            results.append(bm4d(volume, 0.1))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert torch.equal(volume, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_agrees_with_cpu(head):
    volume = torch.from_numpy(noisy(head[:20, :40, :40], 0.1))[None, None]
    assert_same(bm4d(volume.cuda(), 0.1).cpu().numpy(), bm4d(volume, 0.1).numpy())
