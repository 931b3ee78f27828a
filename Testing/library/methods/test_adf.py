"""Claims about anisotropic diffusion: its step is that of Perona and Malik, and it gains without being tuned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.methods.adf import anisotropic_diffusion, default_iterations, reach
from Testing.support.denoising import assert_same, psnr, restored, tensor
from Testing.support.phantoms import ball, camera, noisy


@pytest.mark.parametrize(("level", "gain"), [(5, 1.0), (10, 3.5), (25, 7.0), (50, 9.5)])
def test_it_gains_at_every_level_without_being_tuned(level, gain):
    clean, sigma = camera(), level / 255
    image = noisy(clean, sigma)
    assert psnr(restored(anisotropic_diffusion, image, sigma), clean) > psnr(image, clean) + gain


@pytest.mark.parametrize("function", ["rational", "exponential"])
def test_volumes_gain_more_than_their_slices(function):
    clean = ball()
    image = noisy(clean, 0.1)
    volume = restored(anisotropic_diffusion, image, 0.1, function=function)
    slices = anisotropic_diffusion(torch.from_numpy(image)[:, None], 0.1, function=function)[:, 0].numpy()
    assert psnr(volume, clean) > psnr(slices, clean) + 1.0 > psnr(image, clean) + 9.0


@settings(max_examples=15)
@given(
    shape=st.sampled_from([(1, 1, 3, 3), (2, 1, 17, 40), (1, 1, 3, 9, 5), (2, 1, 12, 1, 30)]),
    sigma=st.floats(0.005, 0.4),
    constant=st.booleans(),
    function=st.sampled_from(["rational", "exponential"]),
)
def test_sums_are_kept_and_the_range_never_grows(shape, sigma, constant, function):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    result = anisotropic_diffusion(images, sigma, function=function, conductance=sigma if constant else None)
    axes = tuple(range(1, images.ndim))
    torch.testing.assert_close(result.sum(axes), images.sum(axes), rtol=1e-5, atol=1e-4)
    assert images.min() - 1e-6 <= result.min() <= result.max() <= images.max() + 1e-6


@pytest.mark.parametrize(
    ("function", "g"), [("rational", lambda d: 1 / (1 + d**2)), ("exponential", lambda d: np.exp(-(d**2)))]
)
def test_one_step_is_the_one_of_perona_and_malik(function, g):
    image, k = noisy(camera(20, 24), 0.05), 0.1
    padded = np.pad(image.astype(np.float64), 1, mode="edge")
    centre = padded[1:-1, 1:-1]
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    expected = centre + 0.2 * sum(g((n - centre) / k) * (n - centre) for n in neighbours)
    step = restored(anisotropic_diffusion, image, 0.05, iterations=1, conductance=k, function=function)
    np.testing.assert_allclose(step, expected, atol=1e-6)


@pytest.mark.parametrize("options", [{"conductance": 0.1, "iterations": 13}, {"iterations": 7}])
def test_a_tile_with_the_reach_of_its_options_equals_the_whole(options):
    image, halo = noisy(camera(200, 90), 0.1), reach(0.1, **options)
    whole = restored(anisotropic_diffusion, image, 0.1, **options)
    tile = restored(anisotropic_diffusion, image[90 - halo : 110 + halo], 0.1, **options)
    assert_same(tile[halo : halo + 20], whole[90:110], rms=1e-6, most=1e-6)


def test_chunks_have_no_seam():
    image = np.tile(noisy(camera(400, 330), 0.1), 3)
    kept = np.s_[:, : 300 - reach(0.1)]
    whole, part = restored(anisotropic_diffusion, image, 0.1), restored(anisotropic_diffusion, image[:, :300], 0.1)
    assert_same(part[kept], whole[kept], rms=1e-6, most=1e-6)


@pytest.mark.parametrize(("sigma", "iterations"), [(0.0, None), (0.1, 0)])
def test_nothing_to_do_changes_nothing(sigma, iterations):
    image = tensor(camera(40, 40))
    assert torch.equal(anisotropic_diffusion(image, sigma, iterations=iterations), image)


def test_more_noise_takes_more_iterations():
    assert [default_iterations(level / 255) for level in (5, 10, 25, 50)] == [4, 8, 24, 48]
