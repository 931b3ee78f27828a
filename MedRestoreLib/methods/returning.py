"""What a method took from the means of small regions, given back: for quantities are read off such means.

A hot or cold spot that is faint beside the noise is flattened by every method that averages voxels. Where the study
shows structure of that size, the removed part is filtered and added again, several times (twicing: Tukey, Exploratory
Data Analysis, 1977): low frequencies return, and noise is weak in them. How much of it returns is an empirical Wiener
filter: the share of the energy between two scales that is not noise.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..noise import Spectrum

# Standard deviations of Gaussian filters, voxels. Chosen by cold and hot spheres of 3 to 8 voxels in simulated SPECT.
WIDTH, TIMES = 1.3, 5  # what returns, and how often: with more, less is lost, and more noise stays
FINE, COARSE = 1.4, 2.8  # between these scales the energy is structure or noise
ENERGY = 1.0  # of the window in which it is averaged
CHANCE = 2.5  # times the energy that noise has on average: as much may still be noise
CUT = 3  # standard deviations, where filters end
PERIOD = 32  # voxels, of the grid on which the noise of filtered voxels is calculated


def reach() -> int:
    """How many voxels farther a voxel can influence the result."""
    return TIMES * _half(WIDTH)  # what decides on the structure lies nearer than the reach of any method


def returned(noisy: Tensor, restored: Tensor, sigma: float, spectrum: Spectrum | None) -> Tensor:
    """A restored volume ``(D, H, W)`` with the means of its small regions.

    Args:
        noisy: what was restored, alike.
        restored: by any method.
        sigma: standard deviation of the noise.
        spectrum: of coloured noise. None: white.
    """
    share = _structure(noisy, sigma, spectrum)
    for _ in range(TIMES):
        restored = restored + share * _filtered(noisy - restored, WIDTH)
    return restored


def _structure(noisy: Tensor, sigma: float, spectrum: Spectrum | None) -> Tensor:
    """The share, 0 to 1, of the energy around each voxel between two scales that is not noise."""
    band = _filtered(noisy, FINE) - _filtered(noisy, COARSE)
    energy = _filtered(band.square_(), ENERGY)
    noise = max(sigma**2 * _band_variance(spectrum), 1e-20)
    return (1 - CHANCE * noise / energy.clamp_(min=1e-20)).clamp_(min=0)


def _band_variance(spectrum: Spectrum | None) -> float:
    """Variance between the two scales, of noise of variance 1."""
    shape = (PERIOD,) * 3
    density = np.ones((PERIOD, PERIOD, PERIOD // 2 + 1)) if spectrum is None else np.square(spectrum.gains(shape))
    responses = []
    for width in (FINE, COARSE):
        along = np.abs(np.fft.fft(_kernel(width).numpy(), PERIOD))
        responses.append(along[:, None, None] * along[:, None] * along[: PERIOD // 2 + 1])
    power = density * np.square(responses[0] - responses[1])
    power[..., 1:-1] *= 2  # frequencies of a real transform that stand for two
    return float(power.sum() / PERIOD**3)


def _half(width: float) -> int:
    return round(CUT * width)


def _kernel(width: float) -> Tensor:
    """A Gaussian of sum 1."""
    places = torch.arange(-_half(width), _half(width) + 1, dtype=torch.float32)
    kernel = torch.exp(-places.square() / (2 * width**2))
    return kernel / kernel.sum()


def _filtered(volume: Tensor, width: float) -> Tensor:
    """A volume ``(D, H, W)`` filtered by a Gaussian; borders are replicated."""
    for axis, length in enumerate(volume.shape):
        padding = [0] * 6
        padding[4 - 2 * axis : 6 - 2 * axis] = [_half(width)] * 2
        around = F.pad(volume[None, None], padding, mode="replicate")[0, 0]
        volume = torch.zeros_like(volume)
        for place, weight in enumerate(_kernel(width).tolist()):
            volume.add_(around.narrow(axis, place, length), alpha=weight)
    return volume
