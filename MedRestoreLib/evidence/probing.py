"""How a denoiser responds to small perturbations: its derivatives by Monte Carlo, without opening it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..noise import Spectrum
from .correlation import autocorrelation

STEP = 0.05  # of the noise's standard deviation: smaller steps miss the thresholds inside a denoiser
LONG_STEP = 0.2

Denoise = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Response:
    """A denoiser f at a noisy study y, on the stabilised scale (noise of standard deviation 1).

    Attributes:
        noisy: y, ``(frames, slices, rows, columns)``.
        denoised: f(y).
        slope: derivative of each voxel of f by the same voxel of y, unbiased, but noisy. Of coloured noise:
            the covariance of each voxel of f with its noise.
        excess_correlation: autocorrelation of y - f(y) beyond that of the same denoiser's residual of white noise,
            greatest of lags 1 to 5, less three standard errors.
    """

    noisy: np.ndarray
    denoised: np.ndarray
    slope: np.ndarray
    excess_correlation: float


def probe(
    denoise: Denoise,
    noisy: np.ndarray,
    where: np.ndarray,
    *,
    seed: int,
    spectrum: Spectrum | None = None,
) -> Response:
    """Perturb every voxel by plus or minus ``STEP`` and see how the output follows (Ramani, Blu and Unser, 2008).

    Where the noise is coloured, so are the perturbations: with b of the noise's covariance C and the Jacobian J, the
    mean of b times J b, voxel by voxel, is the diagonal of J C, which then stands for the slope in Stein's estimate.

    Args:
        denoise: stabilised voxels to stabilised voxels, same shape. Runs twice.
        noisy: stabilised.
        where: boolean, the voxels in which the correlation of the residual is measured.
        spectrum: of the noise; None for white noise.
    """
    denoised = denoise(noisy)
    signs = _signs(noisy.shape, seed, spectrum)
    response = (denoise(noisy + STEP * signs) - denoised) / STEP
    white = autocorrelation(signs - response, where)
    excess = float((autocorrelation(noisy - denoised, where) - white).max()) - 3 / np.sqrt(max(where.sum(), 1))
    return Response(noisy, denoised, response * signs, excess)


def slope(
    denoise: Denoise, noisy: np.ndarray, denoised: np.ndarray, *, seed: int, spectrum: Spectrum | None = None
) -> np.ndarray:
    """``Response.slope`` where ``denoised`` is known, as pieces of the whole study: ``denoise`` runs once, on pieces.

    What lies beyond a piece's border may change the piece; a longer step makes that small beside the response.
    """
    signs = _signs(noisy.shape, seed, spectrum)
    return (denoise(noisy + LONG_STEP * signs) - denoised) / LONG_STEP * signs


def _signs(shape: tuple[int, ...], seed: int, spectrum: Spectrum | None) -> np.ndarray:
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), shape)
    return signs if spectrum is None else spectrum.coloured(signs)
