"""Claims that SRAD and NLLR share: speckle goes, multiplicative and physical, and tissue and borders stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.nllr import nonlocal_low_rank
from MedRestoreLib.methods.srad import decompressed_variation, speckle_reducing_diffusion
from Testing.support.denoising import assert_same, psnr, restored
from Testing.support.phantoms import RAYLEIGH_DB, bmode, camera, cysts, noisy, speckled

METHODS = {"srad": speckle_reducing_diffusion, "nllr": nonlocal_low_rank}

both = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@pytest.mark.parametrize(
    ("method", "level", "gain"),
    [
        ("srad", 0.1, 3.0),
        ("srad", 0.25, 7.0),
        ("srad", 0.5, 9.5),
        ("srad", 0.75, 10.0),
        ("nllr", 0.05, 3.0),
        ("nllr", 0.25, 7.5),
        ("nllr", 0.5, 10.0),
        ("nllr", 0.75, 10.5),
    ],
)
def test_multiplicative_speckle_goes_at_every_level(method, level, gain):
    clean = camera()
    image = speckled(clean, level)
    assert psnr(restored(METHODS[method], image, level), clean) > psnr(image, clean) + gain


@pytest.mark.parametrize("lateral", [1.2, 2.0, 3.0])
def test_physical_speckle_on_a_compressed_display_goes_best_by_low_rank(lateral):
    image, truth = bmode(cysts(), axial=lateral / 2, lateral=lateral)
    reference = float(image.mean())
    options = {"sigma": RAYLEIGH_DB / 60 / reference, "compressed": 60.0, "reference": reference}
    diffused, low_rank = (restored(method, image, **options) for method in METHODS.values())
    assert psnr(low_rank, truth) > psnr(diffused, truth) > psnr(image, truth) + 2
    assert psnr(low_rank, truth) > psnr(image, truth) + 4
    assert ssim(low_rank, truth) > max(ssim(diffused, truth), ssim(image, truth))
    assert diffused.mean() == pytest.approx(image.mean(), rel=1e-5)
    assert low_rank.mean() == pytest.approx(image.mean(), rel=0.01)


def ssim(image: np.ndarray, clean: np.ndarray) -> float:
    return float(structural_similarity(image, clean, data_range=1.0))


@both
def test_a_tile_of_a_compressed_image_equals_the_whole(method):
    image = np.resize(speckled(camera(300, 80, top=0, left=150), 0.4), (300, 80))
    options = {"compressed": 60.0, "reference": 0.4}
    start, halo = 124, 112
    whole = restored(method, image, 0.4, **options)
    tile = restored(method, image[start - halo : start + 16 + halo], 0.4, **options)
    assert_same(tile[halo : halo + 16], whole[start : start + 16], rms=1e-5, most=1e-4)


@both
@pytest.mark.parametrize("compressed", [0.0, 60.0])
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_black_and_constant_images_stay_as_they_are(method, grey, compressed):
    image = np.full((30, 27), grey, np.float32)
    result = restored(method, image, 0.5, compressed=compressed, reference=0.4)
    np.testing.assert_allclose(result, image, rtol=0, atol=1e-6)


@both
@pytest.mark.parametrize(("sigma", "options"), [(0.0, {}), (0.5, {"iterations": 0})])
def test_no_speckle_and_no_iterations_change_nothing(method, sigma, options):
    image = camera(40, 40)
    assert np.array_equal(restored(method, image, sigma, **options), image)


@both
def test_a_compressed_image_needs_the_grey_that_its_level_refers_to(method):
    with pytest.raises(InvalidPlan, match="reference"):
        method(torch.zeros(1, 1, 20, 20), 0.5, compressed=60.0)


def test_looks_of_speckle_are_read_off_their_logarithm():
    rng = np.random.default_rng(0)
    for looks in (1, 2, 4, 16):
        intensity = rng.gamma(looks, 1 / looks, 200_000)
        decibel_std = float(np.std(10 * np.log10(intensity)))
        assert decompressed_variation(decibel_std / 60, 60) == pytest.approx(looks**-0.5, rel=0.05)


@pytest.mark.parametrize("compressed", [0.0, 40.0, 60.0])
@pytest.mark.parametrize("level", [0.05, 0.5, 1.5])
def test_diffusion_keeps_the_mean_and_the_range(level, compressed):
    image = np.random.default_rng(0).random((20, 33), np.float32)
    result = restored(speckle_reducing_diffusion, image, level, compressed=compressed, reference=0.5)
    assert result.mean() == pytest.approx(image.mean(), rel=1e-5)
    assert image.min() - 1e-6 <= result.min() <= result.max() <= image.max() + 1e-6


def test_low_rank_leaves_homogeneous_tissue_its_mean_and_hardly_any_speckle():
    image = speckled(np.full((96, 96), 0.4, np.float32), 0.3)
    result = restored(nonlocal_low_rank, image, 0.3)
    assert result.mean() == pytest.approx(image.mean(), rel=0.01)
    assert result.std() < 0.1 * image.std()


def test_a_picture_without_speckle_hardly_changes_by_low_rank():
    image = noisy(camera(40, 40), 1e-4).clip(0)
    assert np.sqrt(np.mean((restored(nonlocal_low_rank, image, 1e-4) - image) ** 2)) < 1e-3
