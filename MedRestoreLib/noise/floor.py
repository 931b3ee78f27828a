"""The noise floor of magnitudes that several coils were combined to: the mean power of places without signal.

The root of the sum of squares of n coils, each with noise of standard deviation s in its real and its imaginary part,
has noncentral chi noise (Constantinides et al., Magn Reson Med 38, 1997). Where the signal is A, the mean power is
E = A^2 + F with the noise floor F = 2 n s^2, and the variance of the magnitude is nearly s^2 (1 - F / 2E): half in air,
all of it in bright tissue. How the variance of flat blocks follows their power tells F, with or without air; coils that
share their noise count as fewer. Rician noise is that of one coil.
"""

from __future__ import annotations

import numpy as np

from .blocks import Blocks, noise_curve

SEVERAL, MOST = 1.5, 32  # coils: fewer are as well one, more share their noise
FEWEST = 4  # brightnesses that tell it
SMOOTH = 1.2  # band ratio: what is above has anatomy in it, or its noise is not white
NEAR = 0.35  # of the power of the darkest of these: a lower floor takes too little of their variance to be told
CLEARER = 0.5  # squared error of a floor over that of a single coil's
OUTLIER = 0.25  # of the variance's natural logarithm
_CANDIDATES = np.geomspace(0.05, 1, 60)  # over the power of the darkest blocks


def noise_floor(blocks: Blocks) -> float:
    """Mean square of the magnitudes where there is no signal, in the study's unit squared; 0 of a single coil."""
    curve = noise_curve(blocks)
    smooth = np.array([part.band_ratio <= SMOOTH and part.variance > 0 for part in curve], bool)
    if smooth.sum() < FEWEST:
        return 0.0
    power = np.array([np.median(np.square(part.voxels).mean(axis=1)) for part in curve])
    darkest, power = power.min(), power[smooth]
    variance = np.array([part.variance for part in curve])[smooth]

    def fitted(floors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance of the noise in each channel by each candidate, and its squared error over the brightnesses."""
        logs = np.log(variance / share(power, floors[:, None]))
        middle = np.median(logs, axis=1)
        return np.exp(middle), np.square(np.minimum(np.abs(logs - middle[:, None]), OUTLIER)).mean(axis=1)

    floors = _CANDIDATES * darkest
    whole, errors = fitted(floors)
    errors = np.where(floors <= 2 * MOST * whole, errors, np.inf)
    best = int(errors.argmin())
    if floors[best] < NEAR * power.min() or floors[best] < 2 * SEVERAL * whole[best]:
        return 0.0
    _, single = fitted(np.array([min(2 * whole[best], power.min())]))
    return float(floors[best]) if errors[best] < CLEARER * single[0] else 0.0


def share(power: np.ndarray, floor: np.ndarray | float) -> np.ndarray:
    """Variance of the magnitude over that of each channel, where the mean square of the magnitude is ``power``.

    >>> share(np.array([1.0, 2.0, 100.0]), 1.0)
    array([0.5  , 0.75 , 0.995])
    """
    return 1 - floor / (2 * np.maximum(power, floor))
