"""Non-local low-rank despeckling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data, img_as_float32
from skimage.metrics import structural_similarity

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.nllr import nonlocal_low_rank
from MedRestoreLib.methods.srad import speckle_reducing_diffusion
from MedRestoreLib.noise.bmode import simulate_bmode

RAYLEIGH_DB = 5.57  # standard deviation of fully developed speckle on a logarithmic scale
MEAN_LOSS_DB = 2.507  # its mean below the logarithm of the mean intensity
HALO = 111  # the reach of the default two passes


def speckled(clean: np.ndarray, level: float, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).standard_normal(clean.shape, dtype=np.float32)
    return torch.from_numpy(np.maximum(clean * (1 + level * noise), 0))[None, None]


def camera(side: int = 128) -> np.ndarray:
    return img_as_float32(data.camera())[100 : 100 + side, 180 : 180 + side]


def phantom(side: int = 128) -> np.ndarray:
    """Echogenicity in dB below the brightest: layers, a dark and a bright disc."""
    y, x = np.mgrid[0:side, 0:side] / side
    tissue = np.where(y > 0.5 + 0.05 * np.sin(9 * x), -18.0, -25.0).astype(np.float32)
    tissue[(y - 0.3) ** 2 + (x - 0.3) ** 2 < 0.02] = -38
    tissue[(y - 0.7) ** 2 + (x - 0.65) ** 2 < 0.01] = -6
    return tissue


def bmode(lateral: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A simulated 60 dB B-mode image, and the grey that the same echogenicity shows on average."""
    decibel = phantom()
    image = simulate_bmode(
        10 ** (decibel / 20), np.random.default_rng(seed), axial=lateral / 2, lateral=lateral, dynamic_range_db=60.0
    )
    peak = float(np.mean(decibel - MEAN_LOSS_DB - 60 * (image - 1)))
    truth = np.clip(1 + (decibel - MEAN_LOSS_DB - peak) / 60, 0, 1)
    return torch.from_numpy(image)[None, None], torch.from_numpy(truth.astype(np.float32))[None, None]


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    return float(-10 * torch.log10((image - clean).double().square().mean()))


def ssim(image: torch.Tensor, clean: torch.Tensor) -> float:
    return structural_similarity(image[0, 0].numpy(), clean[0, 0].numpy(), data_range=1.0)


@pytest.mark.parametrize(("level", "floor"), [(0.05, 3.0), (0.25, 7.5), (0.5, 10.0), (0.75, 10.5)])
def test_multiplicative_speckle_goes_at_every_level(level, floor):
    clean = torch.from_numpy(camera())[None, None]
    image = speckled(camera(), level)
    assert psnr(nonlocal_low_rank(image, level), clean) > psnr(image, clean) + floor


@pytest.mark.parametrize("lateral", [1.2, 2.0, 3.0])
def test_physical_speckle_goes_better_than_by_diffusion(lateral):
    image, truth = bmode(lateral)
    reference = float(image.mean())
    options = {"sigma": RAYLEIGH_DB / 60 / reference, "compressed": 60.0, "reference": reference}
    result, diffused = nonlocal_low_rank(image, **options), speckle_reducing_diffusion(image, **options)
    assert psnr(result, truth) > psnr(diffused, truth) + 0.3
    assert psnr(result, truth) > psnr(image, truth) + 4
    assert ssim(result, truth) > max(ssim(diffused, truth), ssim(image, truth))
    assert float(result.mean()) == pytest.approx(float(image.mean()), rel=0.01)


def test_homogeneous_tissue_keeps_its_mean():
    image = speckled(np.full((96, 96), 0.4, np.float32), 0.3)
    result = nonlocal_low_rank(image, 0.3)
    assert float(result.mean()) == pytest.approx(float(image.mean()), rel=0.01)
    assert float(result.std()) < 0.1 * float(image.std())


def test_a_border_keeps_its_place_and_its_contrast():
    clean = np.full((96, 96), 0.15, np.float32)
    clean[:, 45:] = 0.75
    profile = nonlocal_low_rank(speckled(clean, 0.3), 0.3)[0, 0].mean(0)
    assert profile[44] < 0.25 < 0.65 < profile[45]
    assert profile[:40].mean() == pytest.approx(0.15, rel=0.03)
    assert profile[50:].mean() == pytest.approx(0.75, rel=0.03)


@pytest.mark.parametrize("compressed", [0.0, 60.0])
def test_an_aligned_tile_with_its_reach_equals_the_whole(compressed):
    image = speckled(img_as_float32(data.camera())[:300, 150:230], 0.4)
    options = {"compressed": compressed, "reference": 0.4}
    start = 124
    whole = nonlocal_low_rank(image, 0.4, **options)
    tile = nonlocal_low_rank(image[:, :, start - 112 : start + 16 + 112], 0.4, **options)
    assert HALO <= 112
    torch.testing.assert_close(tile[:, :, 112:128], whole[:, :, start : start + 16], rtol=0, atol=1e-4)


def test_images_of_a_batch_are_independent():
    image = speckled(camera(48), 0.5)
    batch = torch.cat([image, image.flip(3), torch.zeros_like(image)])
    together = nonlocal_low_rank(batch, 0.5)
    for index in range(3):
        alone = nonlocal_low_rank(batch[index : index + 1], 0.5)
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize("compressed", [0.0, 60.0])
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_black_and_constant_images_stay_as_they_are(grey, compressed):
    image = torch.full((1, 1, 30, 27), grey)
    result = nonlocal_low_rank(image, 0.5, compressed=compressed, reference=0.4)
    torch.testing.assert_close(result, image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(20, 20), (21, 62), (40, 23)])
def test_any_size_comes_back_whole_and_finite(shape):
    image = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0))
    image[..., : shape[0] // 2, :] = 0
    before = image.clone()
    result = nonlocal_low_rank(image, 0.5)
    assert result.shape == image.shape
    assert torch.isfinite(result).all()
    assert torch.equal(image, before)


def test_no_speckle_changes_nothing():
    image = torch.from_numpy(camera(40))[None, None]
    assert torch.equal(nonlocal_low_rank(image, 0.0), image)
    assert torch.equal(nonlocal_low_rank(image, 0.5, iterations=0), image)
    assert float((nonlocal_low_rank(image, 1e-4) - image).square().mean().sqrt()) < 1e-3


@pytest.mark.parametrize("options", [{"iterations": -1}, {"compressed": -1.0}, {"compressed": 60.0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InvalidPlan, match="nllr"):
        nonlocal_low_rank(torch.zeros(1, 1, 20, 20), 0.5, **options)
