"""Two answers to one question, weighed: how much of the noise's power is left as error in the restored study.

What was removed tells it by the covariance penalty, with a standard error of one to three percent of the power: as much
as a good method leaves, so that alone it is of little use. Renoising tells it to some percent of itself, but for
structure that was lost. So the ratio of the true share to that of renoising is given a prior that was measured
(Testing/benchmarks/gain.py, counts.py), and the covariance penalty is its likelihood.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# In USUALLY of studies the ratio's logarithm is normal about its centre with a spread of NARROW; in the others
# structure was lost, and it is wide. Of counts, what renoising leaves is more than what is left, as the noise that a
# restored study still holds is taken for structure; of magnitudes it is less.
USUALLY, NARROW = 0.85, 0.2
CENTRES = {"poisson": -0.05, "gaussian": -0.02, "rician": 0.05}  # by noise; 0 where it was not measured
LOST, WIDE = 0.5, 0.9
LEAST = 0.05  # of both, where nothing is removed
RATIOS = np.exp(np.linspace(np.log(0.3), np.log(300), 3000))
EXTENSION = 0.12  # standard error of the logarithm of what is renoised, on pieces instead of the whole study
PASSED_ON = 0.5  # of a relative error of the noise's power: the noisy and the restored study err alike
TAIL = 0.025  # of the probability lies beyond either limit
CONTRADICTED = 2.0  # standard errors that the penalty may lie below what renoising leaves
MISFIT = 4.0  # standard errors: farther from any likely ratio, the estimates contradict each other


class Ratio(NamedTuple):
    """True share over that of renoising: the expectation of its logarithm, its limits, and whether there is any."""

    middle: float
    low: float
    high: float
    fits: bool


def weigh(
    left: float, error: float, renoised: float, *, noise_id: str, power_error: float = 0.0, pieces: float = 1.0
) -> Ratio:
    """What is left in truth, over what renoising leaves.

    Args:
        left: the share of the power that remains, by the covariance penalty.
        error: its standard error, at a known power of the noise.
        renoised: the share that remains of renoising.
        noise_id: of the noise model.
        power_error: relative standard error of the noise's power: what was removed does not change with it.
        pieces: how much of the study was renoised, 0 to 1.
    """
    error, renoised = max(float(np.hypot(error, power_error)), 1e-4), max(renoised, 1e-6)
    # The truth is no smoother than what was restored, so no less is left of it: where the penalty says so, it errs.
    error = max(error, renoised - left) if renoised - left > CONTRADICTED * error else error
    logs = np.log(RATIOS)
    unlike = max(np.sqrt(max(1 - renoised, 0)), LEAST)  # where nothing is removed, all is left in truth, too
    prior = USUALLY * _normal(logs, CENTRES.get(noise_id, 0.0) * unlike, NARROW * unlike) + (1 - USUALLY) * _normal(
        logs, LOST, WIDE
    )
    distance = (left - RATIOS * renoised) / error
    weights = prior * np.exp(-0.5 * (np.square(distance) - np.square(distance).min()))
    weights /= weights.sum()
    total = np.cumsum(weights)
    middle = float(weights @ logs)
    low, high = (float(np.interp(p, total, logs)) - middle for p in (TAIL, 1 - TAIL))
    reach = 2 * np.hypot(EXTENSION * np.sqrt(1 - pieces), PASSED_ON * power_error)
    return Ratio(
        float(np.exp(middle)),
        float(np.exp(middle - np.hypot(low, reach))),
        float(np.exp(middle + np.hypot(high, reach))),
        bool(np.abs(distance).min() < MISFIT),
    )


def _normal(x: np.ndarray, middle: float, spread: float) -> np.ndarray:
    return np.exp(-0.5 * np.square((x - middle) / spread)) / spread
