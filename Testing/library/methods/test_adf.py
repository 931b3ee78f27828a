"""Anisotropic diffusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data, img_as_float32

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.adf import anisotropic_diffusion, default_iterations, reach


def camera(rows: int = 128, columns: int = 128) -> torch.Tensor:
    return torch.from_numpy(img_as_float32(data.camera())[100 : 100 + rows, 180 : 180 + columns])[None, None]


def noisy(clean: torch.Tensor, sigma: float, seed: int = 0) -> torch.Tensor:
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def ball(side: int = 40) -> torch.Tensor:
    axis = torch.linspace(-1, 1, side)
    radius = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).sqrt()
    return (0.3 + 0.4 * (radius < 0.6)).float()[None, None]


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    return float(-10 * torch.log10((image - clean).double().square().mean()))


@pytest.mark.parametrize(("level", "floor"), [(5, 1.0), (10, 3.5), (25, 7.0), (50, 9.5)])
def test_it_gains_at_every_level_without_being_tuned(level, floor):
    clean, sigma = camera(), level / 255
    image = noisy(clean, sigma)
    assert psnr(anisotropic_diffusion(image, sigma), clean) > psnr(image, clean) + floor


@pytest.mark.parametrize("function", ["rational", "exponential"])
def test_volumes_gain_more_than_their_slices(function):
    clean = ball()
    image = noisy(clean, 0.1)
    volume = anisotropic_diffusion(image, 0.1, function=function)
    slices = anisotropic_diffusion(image[0, 0, :, None], 0.1, function=function)[:, 0][None, None]
    assert psnr(volume, clean) > psnr(slices, clean) + 1.0 > psnr(image, clean) + 9.0


@settings(max_examples=15, deadline=None)
@given(
    shape=st.sampled_from([(1, 1, 3, 3), (2, 1, 17, 40), (1, 1, 3, 9, 5), (2, 1, 12, 1, 30)]),
    sigma=st.floats(0.005, 0.4),
    literal=st.booleans(),
    function=st.sampled_from(["rational", "exponential"]),
)
def test_sums_are_kept_and_the_range_never_grows(shape, sigma, literal, function):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    before = images.clone()
    result = anisotropic_diffusion(images, sigma, function=function, conductance=sigma if literal else None)
    assert torch.equal(images, before)
    axes = tuple(range(1, images.ndim))
    torch.testing.assert_close(result.sum(axes), images.sum(axes), rtol=1e-5, atol=1e-4)
    assert images.min() - 1e-6 <= result.min() <= result.max() <= images.max() + 1e-6


def test_one_step_is_the_one_of_perona_and_malik():
    image, k = noisy(camera(20, 24), 0.05), 0.1
    padded = np.pad(image[0, 0].double().numpy(), 1, mode="edge")
    centre = padded[1:-1, 1:-1]
    for function, g in (("rational", lambda d: 1 / (1 + d**2)), ("exponential", lambda d: np.exp(-(d**2)))):
        neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        expected = centre + 0.2 * sum(g((n - centre) / k) * (n - centre) for n in neighbours)
        step = anisotropic_diffusion(image, 0.05, iterations=1, conductance=k, function=function)
        np.testing.assert_allclose(step[0, 0].numpy(), expected, atol=1e-6)


def test_a_step_edge_keeps_its_place_and_its_contrast():
    clean = torch.full((1, 1, 64, 64), 0.2)
    clean[..., 30:] = 0.8
    profile = anisotropic_diffusion(noisy(clean, 0.1), 0.1)[0, 0].mean(0)
    assert profile[29] < 0.35 < 0.65 < profile[30]
    assert profile[:26].mean() == pytest.approx(0.2, abs=0.02)
    assert profile[34:].mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("options", [{}, {"conductance": 0.1, "iterations": 13}, {"iterations": 7}])
def test_a_tile_with_its_reach_equals_the_whole(options):
    image, sigma = noisy(camera(200, 90), 0.1), 0.1
    halo = reach(sigma, **options)
    whole = anisotropic_diffusion(image, sigma, **options)
    tile = anisotropic_diffusion(image[:, :, 90 - halo : 110 + halo], sigma, **options)
    torch.testing.assert_close(tile[:, :, halo : halo + 20], whole[:, :, 90:110], rtol=0, atol=1e-6)


def test_large_images_are_worked_on_in_parts_without_a_seam():
    image = noisy(camera(400, 330), 0.1).repeat(1, 1, 1, 3)
    whole = anisotropic_diffusion(image, 0.1)
    halo = reach(0.1)
    part = anisotropic_diffusion(image[..., :300], 0.1)[..., : 300 - halo]
    torch.testing.assert_close(part, whole[..., : 300 - halo], rtol=0, atol=1e-6)


def test_images_of_a_batch_are_independent():
    images = noisy(camera(60, 70), 0.1).repeat(3, 1, 1, 1)
    images[1] = 0.5
    together = anisotropic_diffusion(images, 0.1)
    for index in range(3):
        alone = anisotropic_diffusion(images[index : index + 1], 0.1)
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-6)


def test_nothing_to_do_changes_nothing():
    image = camera(40, 40)
    assert torch.equal(anisotropic_diffusion(image, 0.0), image)
    assert torch.equal(anisotropic_diffusion(image, 0.1, iterations=0), image)
    constant = torch.zeros(1, 1, 16, 16)
    assert torch.equal(anisotropic_diffusion(constant, 0.1), constant)


def test_more_noise_takes_more_iterations():
    assert [default_iterations(level / 255) for level in (5, 10, 25, 50)] == [4, 8, 24, 48]


@pytest.mark.parametrize("options", [{"function": "tanh"}, {"conductance": -1.0}, {"iterations": -1}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InvalidPlan, match="adf"):
        anisotropic_diffusion(torch.zeros(1, 1, 8, 8), 0.1, **options)
