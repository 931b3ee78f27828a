"""Methods that are told the spectrum of coloured noise make use of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib.methods import catalogue
from MedRestoreLib.noise import Spectrum
from Testing.support.denoising import psnr
from Testing.support.phantoms import simulated_brain
from training.simulate.magnetic import fermi

SIGMA = 0.06

coloured = pytest.mark.parametrize("row", [row for row in catalogue.METHODS if row.coloured], ids=lambda row: row.id)


@pytest.fixture(scope="module")
def noise() -> tuple[np.ndarray, np.ndarray, Spectrum]:
    """A clean volume, noise that a scanner's filter coloured, and its spectrum."""
    clean = simulated_brain(16, 56, 56)
    gains = fermi(clean.shape)
    white = np.random.default_rng(0).standard_normal(clean.shape)
    filtered = np.fft.ifftn(np.fft.fftn(white) * gains).real
    density = np.square(fermi((16, 16, 16)))[:8, :8, :8] + 1e-6
    return clean, (SIGMA * filtered / filtered.std()).astype(np.float32), Spectrum(density / density.mean())


def restored(row: catalogue.Method, noisy: np.ndarray, spectrum: Spectrum | None) -> np.ndarray:
    images = torch.from_numpy(noisy)
    batch = images[:, None] if row.dimensions[0] == 2 else images[None, None]
    with torch.inference_mode():
        return row.load()(batch, SIGMA, spectrum=spectrum).reshape(noisy.shape).numpy()


@coloured
def test_the_spectrum_of_coloured_noise_is_worth_half_a_decibel(row, noise):
    clean, added, spectrum = noise
    blind, told = (psnr(restored(row, clean + added, known), clean) for known in (None, spectrum))
    assert told > blind + 0.5


@coloured
def test_a_flat_spectrum_is_that_of_white_noise(row, noise):
    clean, added, _ = noise
    white, flat = (restored(row, clean + added, known) for known in (None, Spectrum(np.ones((8, 8, 8)))))
    # White noise counts as independent in cubes that overlap, of a spectrum their common part is known.
    assert np.sqrt(np.square(white - flat).mean()) < 0.1 * SIGMA
    assert psnr(flat, clean) > psnr(white, clean) - 0.05


@coloured
def test_bands_without_any_noise_do_no_harm(row, noise):
    density = np.ones((1, 8, 8))
    density[:, 4:] = 0
    assert np.isfinite(restored(row, noise[0], Spectrum(density / density.mean()))).all()
