"""Claims about BM3D: it removes noise as well as the literature says, white noise and noise of a known spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.bm3d import bm3d
from Testing.support.denoising import psnr, restored
from Testing.support.phantoms import camera


def noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    """The noise that the reference software was given."""
    return (clean + sigma * np.random.default_rng(0).standard_normal(clean.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def whole_camera() -> np.ndarray:
    return camera(512, 512, top=0, left=0)


def test_camera_at_sigma_25_reaches_the_literature(whole_camera):
    image = noisy(whole_camera, 25 / 255)
    assert psnr(restored(bm3d, image, 25 / 255), whole_camera) >= 29.88  # the reference software gives 29.91 here


@pytest.mark.parametrize(("level", "floor"), [(10, 34.40), (50, 26.90), (100, 23.70)])
def test_part_of_camera_reaches_the_reference_software_within_a_tenth(level, floor):
    part = camera(256, 256, top=100, left=130)  # the reference software: 34.46, 26.95, 23.76 dB
    assert psnr(restored(bm3d, noisy(part, level / 255), level / 255), part) >= floor


def test_brain_slice_gains_five_decibels(data_folder):
    import SimpleITK

    volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(data_folder / "mri" / "t1w_0.7mm.nii.gz"))
    middle = volume[:, :, volume.shape[2] // 2].astype(np.float32)
    part = np.clip(middle / np.percentile(middle, 99.9), 0, 1)[60:252, 100:292]
    image = noisy(part, 25 / 255)
    assert psnr(restored(bm3d, image, 25 / 255), part) - psnr(image, part) >= 5


@settings(max_examples=8)
@given(value=st.floats(0.25, 1.25), sigma=st.floats(0, 0.05))
def test_the_wiener_filter_hardly_shrinks_the_mean(value, sigma):
    image = torch.full((1, 1, 30, 34), value)
    # It keeps S²/(S² + 0.8 sigma²) of the mean, where S is 8 times the value or more.
    torch.testing.assert_close(bm3d(image, sigma), image, rtol=(sigma / (8 * value)) ** 2 + 1e-5, atol=0)


def test_the_spectrum_of_coloured_noise_is_worth_more_than_a_decibel(whole_camera):
    clean, sigma = whole_camera[100:260, 100:260], 25 / 255
    filtered = np.zeros(clean.shape)
    filtered[np.ix_([0, 1, -1], [0, 1, -1])] = [[4, 2, 2], [2, 1, 1], [2, 1, 1]]
    psd = np.abs(np.fft.fft2(filtered)) ** 2
    white = np.random.default_rng(0).standard_normal(clean.shape)
    noise = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(psd / psd.mean())).real
    image = clean + sigma * noise
    assert psnr(restored(bm3d, image, sigma, psd=psd), clean) > psnr(restored(bm3d, image, sigma), clean) + 1


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist])
def test_a_flat_spectrum_is_white_noise_and_its_scale_does_not_matter(kind):
    image = noisy(camera(90, 90), 0.1)
    flat = restored(bm3d, image, 0.1, psd=kind(np.full((16, 20), 7.0)))
    np.testing.assert_allclose(flat, restored(bm3d, image, 0.1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("psd", [np.ones(64), np.ones((8, 8)), -np.ones((16, 16)), np.zeros((16, 16))])
def test_what_is_no_spectrum_is_refused(psd):
    with pytest.raises(InvalidPlan, match="psd must be"):
        bm3d(torch.zeros(1, 1, 20, 20), 0.1, psd=psd)
