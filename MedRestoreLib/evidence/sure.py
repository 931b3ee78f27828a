"""SURE: the risk estimate for Gaussian noise, and for noise that a transform makes Gaussian."""

from __future__ import annotations

import numpy as np

from ..noise import Noise
from .probing import Response
from .risk import Terms


class Sure:
    """Stein's unbiased risk estimate (Stein, Annals of Statistics 9(6), 1981) on the stabilised scale.

    For y = x + n with independent n of variance 1 and a denoiser f,

        E (f(y) - x)² = E [ (f(y) - y)² - 1 + 2 f'(y) ]

    voxel by voxel, f' the derivative of a voxel of f by the same voxel of y. The noise's own risk is 1, the part of it
    that can be removed 1 - f'. The derivative is measured by Monte Carlo (Ramani, Blu and Unser, IEEE TIP 17(9), 2008).
    """

    def __init__(self, noise: Noise) -> None:
        self.noise = noise

    def terms(self, noisy: np.ndarray, response: Response, where: np.ndarray) -> Terms:
        """The terms of the estimate; ``noisy`` is in the study's unit, ``where`` says which voxels count."""
        power = self.noise.stabilised_variance(self.noise.unbiased_inverse(response.denoised))
        return Terms(
            power=power,
            removable=power * (1 - response.slope),
            removed=(response.denoised - response.noisy) ** 2,
            where=where,
        )
