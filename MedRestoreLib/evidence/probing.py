"""How a denoiser responds to small perturbations: its derivatives by Monte Carlo, without opening it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .correlation import autocorrelation

STEP = 0.05  # of the noise's standard deviation: smaller steps miss the thresholds inside a denoiser

Denoise = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Response:
    """A denoiser f at a noisy study y, on the stabilised scale (noise of standard deviation 1).

    Attributes:
        noisy: y, ``(frames, slices, rows, columns)``.
        denoised: f(y).
        slope: derivative of each voxel of f by the same voxel of y, unbiased, but noisy.
        excess_correlation: autocorrelation of y - f(y) beyond that of the same denoiser's residual of white noise,
            greatest of lags 1 to 5, less three standard errors.
    """

    noisy: np.ndarray
    denoised: np.ndarray
    slope: np.ndarray
    excess_correlation: float


def probe(denoise: Denoise, noisy: np.ndarray, where: np.ndarray, *, seed: int) -> Response:
    """Perturb every voxel by plus or minus ``STEP`` and see how the output follows (Ramani, Blu and Unser, 2008).

    Args:
        denoise: stabilised voxels to stabilised voxels, same shape. Runs twice.
        noisy: stabilised.
        where: boolean, the voxels in which the correlation of the residual is measured.
    """
    denoised = denoise(noisy)
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), noisy.shape)
    response = (denoise(noisy + STEP * signs) - denoised) / STEP
    white = autocorrelation(signs - response, where)
    excess = float((autocorrelation(noisy - denoised, where) - white).max()) - 3 / np.sqrt(max(where.sum(), 1))
    return Response(noisy, denoised, response * signs, excess)
