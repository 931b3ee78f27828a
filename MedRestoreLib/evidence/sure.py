"""SURE: the risk estimate for Gaussian noise, and for noise that a transform makes Gaussian."""

from __future__ import annotations

import numpy as np

from ..noise import Noise
from .probing import Response
from .risk import Terms, Whole, block_mean, surroundings

TRANSFORM_ERROR = 0.01  # Rician noise is not quite Gaussian on the stabilised scale, and its variance not quite 1


class Sure:
    """Stein's unbiased risk estimate (Stein, Annals of Statistics 9(6), 1981) on the stabilised scale.

    For y = x + n with independent n of variance 1 and a denoiser f,

        E (f(y) - x)² = E [ (f(y) - y)² - 1 + 2 f'(y) ]

    voxel by voxel, f' the derivative of a voxel of f by the same voxel of y. The noise's own risk is 1, the part of it
    that can be removed 1 - f'. The derivative is measured by Monte Carlo (Ramani, Blu and Unser, IEEE TIP 17(9), 2008).
    """

    name = "SURE"

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        # Relative error of the noise's power: what a transform leaves of its dependence on the signal.
        self.power_error = 0.0 if noise.linear else TRANSFORM_ERROR

    def judged(self, noisy: np.ndarray, covered: np.ndarray) -> np.ndarray:
        """The voxels that are judged: those where the noise model holds."""
        return covered

    def terms(self, noisy: np.ndarray, response: Response, where: np.ndarray) -> Terms:
        """The terms of the estimate; ``noisy`` is in the study's unit, ``where`` as ``judged`` gives it."""
        unit, domain = 1.0, "stabilised units squared (noise variance 1)"
        if self.noise.linear:
            unit, domain = float(self.noise.std(np.zeros(1, np.float32))[0]) ** 2, "the study's unit squared"
        power = self.noise.stabilised_variance(self.noise.unbiased_inverse(response.denoised))
        return Terms(
            power=power,
            removable=power * (1 - response.slope),
            removed=(response.denoised - response.noisy) ** 2,
            where=where,
            unit=unit,
            domain=domain,
        )

    def whole(self, noisy: np.ndarray, restored: np.ndarray, sample: np.ndarray) -> Whole | None:
        """Of a whole study before and after, and a sample of it after, in the study's unit; None without voxels."""
        where = self.judged(noisy, self.noise.covers(noisy))
        if not where.any():
            return None
        nowhere = np.zeros(noisy.shape, np.int8)
        observed, expected, std = self.noise.standardisation(noisy, restored, where, nowhere)
        features, sampled = (surroundings(self.noise.stabilise(study)) for study in (restored, sample))
        return Whole(
            1.0, *block_mean(np.square((observed - expected) / std), where), features[:, where].mean(1), sampled
        )
