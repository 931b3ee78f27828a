"""Claims about BM3D: it removes noise as well as the literature says, changes nothing else, and is local."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods import catalogue
from MedRestoreLib.methods.bm3d import bm3d

HALO, ALIGN = 90, 3


@pytest.fixture(scope="module")
def camera() -> np.ndarray:
    from skimage import data

    return data.camera().astype(np.float32) / 255


@pytest.fixture(scope="module")
def brain(data_folder) -> np.ndarray:
    import SimpleITK

    volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(data_folder / "mri" / "t1w_0.7mm.nii.gz"))
    middle = volume[:, :, volume.shape[2] // 2].astype(np.float32)
    return np.clip(middle / np.percentile(middle, 99.9), 0, 1)


def noisy(clean: np.ndarray, sigma_255: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (clean + sigma_255 / 255 * rng.standard_normal(clean.shape)).astype(np.float32)


def restored(image: np.ndarray, sigma_255: float, **options) -> np.ndarray:
    return bm3d(torch.from_numpy(np.ascontiguousarray(image))[None, None], sigma_255 / 255, **options)[0, 0].numpy()


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    return -10 * math.log10(np.mean((image - clean) ** 2))


def assert_same(image: np.ndarray, expected: np.ndarray) -> None:
    """Equal, but where a rounding error made two equally similar blocks change places: far below any noise."""
    difference = np.abs(image - expected)
    assert np.sqrt(np.mean(difference**2)) < 5e-5
    assert difference.max() < 2e-3


def test_camera_at_sigma_25_reaches_the_literature(camera):
    assert psnr(restored(noisy(camera, 25), 25), camera) >= 29.88  # the reference software gives 29.91 here


@pytest.mark.parametrize(("sigma", "floor"), [(10, 34.40), (50, 26.90), (100, 23.70)])
def test_part_of_camera_reaches_the_reference_software_within_a_tenth(camera, sigma, floor):
    part = camera[100:356, 130:386]  # the reference software: 34.46, 26.95, 23.76 dB
    assert psnr(restored(noisy(part, sigma), sigma), part) >= floor


def test_brain_slice_gains_five_decibels(brain):
    part = brain[60:252, 100:292]
    image = noisy(part, 25)
    assert psnr(restored(image, 25), part) - psnr(image, part) >= 5


def test_both_steps_pay_at_every_level(camera):
    part = camera[200:328, 160:288]
    for sigma in (5, 15, 40, 70):
        image = noisy(part, sigma)
        assert psnr(restored(image, sigma), part) > psnr(image, part) + 1.5


def test_strong_noise_takes_the_high_noise_profile(camera):
    part = camera[200:296, 160:256]
    for sigma, profile in ((39, "normal"), (41, "high_noise")):
        image = noisy(part, sigma)
        chosen = restored(image, sigma)
        both = {name: restored(image, sigma, profile=name) for name in ("normal", "high_noise")}
        assert np.array_equal(chosen, both.pop(profile))
        assert not np.array_equal(chosen, *both.values())


def test_unknown_profile_is_refused():
    with pytest.raises(InvalidPlan, match="high_noise"):
        bm3d(torch.zeros(1, 1, 16, 16), 0.1, profile="best")


def test_without_noise_nothing_changes(camera):
    part = camera[200:328, 160:288]
    for sigma in (0.0, 1e-6, 0.02):
        assert np.sqrt(np.mean((restored(part, sigma) - part) ** 2)) < 1e-3 * np.sqrt(np.mean(part**2))


@settings(max_examples=8, deadline=None)
@given(
    value=st.floats(0.25, 1.25),
    sigma=st.floats(0, 0.05),
    height=st.integers(8, 50),
    width=st.integers(8, 50),
)
def test_constant_image_of_any_size_returns_itself(value, sigma, height, width):
    image = torch.full((1, 1, height, width), value)
    # The Wiener filter keeps S²/(S² + 0.8 sigma²) of the mean, where S is 8 times the value or more.
    torch.testing.assert_close(bm3d(image, sigma), image, rtol=(sigma / (8 * value)) ** 2 + 1e-5, atol=0)


@pytest.mark.parametrize("sigma", [1e-9, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("image", ["zeros", "saturated", "step", "huge", "noise"])
def test_extremes_give_finite_numbers(image, sigma):
    images = {
        "zeros": torch.zeros(32, 32),
        "saturated": torch.ones(32, 32).triu(),
        "step": torch.cat([torch.zeros(16, 32), 3 * torch.ones(16, 32)]),
        "huge": 1e4 * torch.rand(32, 32, generator=torch.Generator().manual_seed(0)),
        "noise": torch.randn(32, 32, generator=torch.Generator().manual_seed(0)),
    }
    result = bm3d(images[image][None, None], sigma)
    assert torch.isfinite(result).all()
    low, high = images[image].aminmax()
    margin = 0.5 * (high - low) + 1e-5
    assert result.min() >= low - margin
    assert result.max() <= high + margin


def test_mean_is_kept(camera):
    image = noisy(camera[200:328, 160:288], 25)
    assert abs(restored(image, 25).mean() - image.mean()) < 1e-3


def test_flipping_and_transposing_commute_with_restoring(camera):
    part = camera[200:328, 160:288]
    image = noisy(part, 25)
    plain = restored(image, 25)
    error = np.sqrt(np.mean((plain - part) ** 2))
    for turn in (np.flipud, np.fliplr, np.transpose):
        difference = turn(restored(turn(image), 25)) - plain
        assert np.sqrt(np.mean(difference**2)) < 0.2 * error


def test_brightness_and_contrast_commute_with_restoring(camera):
    image = noisy(camera[200:296, 160:256], 15)
    np.testing.assert_allclose(restored(image + 0.1, 15), restored(image, 15) + 0.1, atol=2e-3)


def test_the_spectrum_of_coloured_noise_is_worth_more_than_a_decibel(camera):
    clean, sigma = camera[100:260, 100:260], 25 / 255
    filtered = np.zeros(clean.shape)
    filtered[np.ix_([0, 1, -1], [0, 1, -1])] = [[4, 2, 2], [2, 1, 1], [2, 1, 1]]
    psd = np.abs(np.fft.fft2(filtered)) ** 2
    white = np.random.default_rng(0).standard_normal(clean.shape)
    noise = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(psd / psd.mean())).real
    image = torch.from_numpy((clean + sigma * noise).astype(np.float32))[None, None]
    blind, told = (bm3d(image, sigma, **options)[0, 0].numpy() for options in ({}, {"psd": psd}))
    assert psnr(told, clean) > psnr(blind, clean) + 1


def test_a_flat_spectrum_is_white_noise_and_its_scale_does_not_matter(camera):
    image = torch.from_numpy(noisy(camera[:90, :90], 25))[None, None]
    flat = bm3d(image, 25 / 255, psd=np.full((16, 20), 7.0))
    torch.testing.assert_close(flat, bm3d(image, 25 / 255), atol=1e-4, rtol=0)


@pytest.mark.parametrize("psd", [np.ones(64), np.ones((8, 8)), -np.ones((16, 16)), np.zeros((16, 16))])
def test_what_is_no_spectrum_is_refused(psd):
    with pytest.raises(InvalidPlan, match="psd must be"):
        bm3d(torch.zeros(1, 1, 20, 20), 0.1, psd=psd)


@pytest.mark.parametrize("sigma", [20, 50])
def test_tiles_agree_with_the_whole(camera, sigma):
    image = noisy(camera[100:, 100:], sigma)
    whole = restored(image, sigma)
    row, column, side = 27 * ALIGN, 31 * ALIGN, 2 * HALO + 40
    tile = restored(image[row : row + side, column : column + side], sigma)
    inner = slice(HALO, -HALO)
    expected = whole[row : row + side, column : column + side][inner, inner]
    assert_same(tile[inner, inner], expected)


def test_catalogue_knows_the_reach():
    row = catalogue.find("bm3d")
    assert row.reach >= HALO
    assert row.align % ALIGN == 0


def test_nothing_beyond_the_reach_matters(camera):
    image = noisy(camera[100:, 100:300], 30)
    changed = image.copy()
    changed[HALO + 100 :] = 0.3
    before, after = restored(image, 30), restored(changed, 30)
    assert_same(after[:100], before[:100])
    assert np.abs(after[100:] - before[100:]).max() > 1e-2


def test_batch_gives_each_image_what_it_gets_alone(camera):
    images = [noisy(camera[y : y + 75, x : x + 91], 25, seed=y) for y, x in ((0, 0), (150, 200), (300, 100))]
    together = bm3d(torch.from_numpy(np.stack(images))[:, None], 25 / 255)
    for image, result in zip(images, together, strict=True):
        assert_same(result[0].numpy(), restored(image, 25))


def test_same_input_gives_the_same_bits_and_stays_as_it_was(camera):
    image = torch.from_numpy(noisy(camera[:100, :100], 25))[None, None]
    before = image.clone()
    assert torch.equal(bm3d(image, 0.1), bm3d(image, 0.1))
    assert torch.equal(image, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_agrees_with_cpu(camera):
    image = torch.from_numpy(noisy(camera[:200, :200], 25))[None, None]
    assert_same(bm3d(image.cuda(), 25 / 255).cpu().numpy(), bm3d(image, 25 / 255).numpy())
