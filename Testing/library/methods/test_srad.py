"""Speckle-reducing anisotropic diffusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data, img_as_float32

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.srad import decompressed_variation, speckle_reducing_diffusion
from MedRestoreLib.noise.bmode import simulate_bmode

RAYLEIGH_DB = 5.57  # standard deviation of fully developed speckle on a logarithmic scale
MEAN_LOSS_DB = 2.507  # its mean below the logarithm of the mean intensity


def speckled(clean: np.ndarray, level: float, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).standard_normal(clean.shape, dtype=np.float32)
    return torch.from_numpy(np.maximum(clean * (1 + level * noise), 0))[None, None]


def camera(side: int = 128) -> np.ndarray:
    return img_as_float32(data.camera())[100 : 100 + side, 180 : 180 + side]


def cysts(side: int = 128) -> np.ndarray:
    """Echogenicity in dB below the brightest: tissue with a dark and a bright disc."""
    y, x = np.mgrid[0:side, 0:side] / side
    tissue = np.full((side, side), -20.0, np.float32)
    tissue[(y - 0.3) ** 2 + (x - 0.3) ** 2 < 0.03] = -35
    tissue[(y - 0.7) ** 2 + (x - 0.65) ** 2 < 0.03] = -8
    return tissue


def bmode(decibel: np.ndarray, dynamic_range: float = 60.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A simulated B-mode image, and the grey that the same echogenicity shows on average."""
    echo = 10 ** (decibel / 20)
    image = simulate_bmode(echo, np.random.default_rng(0), dynamic_range_db=dynamic_range)
    logarithm = dynamic_range * (image - 1)
    peak = float(np.mean(decibel - MEAN_LOSS_DB - logarithm))
    truth = np.clip(1 + (decibel - MEAN_LOSS_DB - peak) / dynamic_range, 0, 1)
    return torch.from_numpy(image)[None, None], torch.from_numpy(truth.astype(np.float32))[None, None]


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    return float(-10 * torch.log10((image - clean).double().square().mean()))


@pytest.mark.parametrize(("level", "floor"), [(0.1, 3.0), (0.25, 7.0), (0.5, 9.5), (0.75, 10.0)])
def test_multiplicative_speckle_goes_at_every_level(level, floor):
    clean = torch.from_numpy(camera())[None, None]
    image = speckled(camera(), level)
    assert psnr(speckle_reducing_diffusion(image, level), clean) > psnr(image, clean) + floor


def test_physical_speckle_on_a_compressed_display_goes():
    image, truth = bmode(cysts())
    reference = float(image.mean())
    level = RAYLEIGH_DB / 60 / reference
    result = speckle_reducing_diffusion(image, level, compressed=60.0, reference=reference)
    assert psnr(result, truth) > psnr(image, truth) + 6
    assert float(result.mean()) == pytest.approx(float(image.mean()), rel=1e-5)


def test_looks_of_speckle_are_read_off_their_logarithm():
    rng = np.random.default_rng(0)
    for looks in (1, 2, 4, 16):
        intensity = rng.gamma(looks, 1 / looks, 200_000)
        decibel_std = float(np.std(10 * np.log10(intensity)))
        assert decompressed_variation(decibel_std / 60, 60) == pytest.approx(looks**-0.5, rel=0.05)


@settings(max_examples=12, deadline=None)
@given(level=st.floats(0.05, 1.5), compressed=st.sampled_from([0.0, 40.0, 60.0]), seed=st.integers(0, 99))
def test_the_mean_is_kept_and_the_range_never_grows(level, compressed, seed):
    image = torch.rand(2, 1, 20, 33, generator=torch.Generator().manual_seed(seed))
    before = image.clone()
    result = speckle_reducing_diffusion(image, level, compressed=compressed, reference=0.5)
    assert torch.equal(image, before)
    torch.testing.assert_close(result.mean((1, 2, 3)), image.mean((1, 2, 3)), rtol=1e-5, atol=1e-6)
    assert image.min() - 1e-6 <= result.min() <= result.max() <= image.max() + 1e-6


def test_a_border_keeps_its_place_and_its_contrast():
    clean = np.full((64, 64), 0.15, np.float32)
    clean[:, 30:] = 0.75
    profile = speckle_reducing_diffusion(speckled(clean, 0.2), 0.2)[0, 0].mean(0)
    assert profile[29] < 0.3 < 0.6 < profile[30]
    assert profile[:27].mean() == pytest.approx(0.15, abs=0.01)
    assert profile[33:].mean() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("compressed", [0.0, 60.0])
def test_a_tile_with_its_reach_equals_the_whole(compressed):
    image = speckled(camera(160), 0.5)
    halo = 2 * 12
    options = {"iterations": 12, "compressed": compressed, "reference": 0.4}
    whole = speckle_reducing_diffusion(image, 0.5, **options)
    tile = speckle_reducing_diffusion(image[:, :, 70 - halo : 90 + halo, 50 - halo :], 0.5, **options)
    torch.testing.assert_close(tile[:, :, halo : halo + 20, halo:], whole[:, :, 70:90, 50:], rtol=0, atol=2e-6)


def test_images_of_a_batch_are_independent():
    image = speckled(camera(64), 0.5)
    batch = torch.cat([image, image.flip(3), torch.zeros_like(image)])
    together = speckle_reducing_diffusion(batch, 0.5)
    for index in range(3):
        alone = speckle_reducing_diffusion(batch[index : index + 1], 0.5)
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("compressed", [0.0, 60.0])
def test_black_and_constant_images_stay_as_they_are(compressed):
    for grey in (0.0, 0.5, 1.0):
        image = torch.full((1, 1, 16, 16), grey)
        assert torch.equal(speckle_reducing_diffusion(image, 0.5, compressed=compressed, reference=0.4), image)
    lone = torch.zeros(1, 1, 16, 16)
    lone[..., 8, 8] = 1
    assert torch.isfinite(speckle_reducing_diffusion(lone, 0.5, compressed=compressed, reference=0.4)).all()


def test_nothing_to_do_changes_nothing():
    image = speckled(camera(32), 0.5)
    assert torch.equal(speckle_reducing_diffusion(image, 0.0), image)
    assert torch.equal(speckle_reducing_diffusion(image, 0.5, iterations=0), image)


@pytest.mark.parametrize("options", [{"iterations": -1}, {"compressed": -1.0}, {"compressed": 60.0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InvalidPlan, match="srad"):
        speckle_reducing_diffusion(torch.zeros(1, 1, 8, 8), 0.5, **options)
