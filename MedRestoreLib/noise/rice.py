"""The Rice distribution on the scale of its noise: moments, and the transform that makes its noise Gaussian.

``t`` is a magnitude and ``nu`` the true amplitude, both over the standard deviation of the noise in each channel (real,
imaginary). The transform f(t) is designed numerically (Foi's idea, IEEE ISBI 2011; our own computation): it
starts as the integral of 1/std(t | nu) over mean(t | nu), then its slope is divided by std(f(t) | nu)^(1/2) again and
again. Its exact unbiased inverse maps E[f(t) | nu] back to nu. Far above the noise both go over into the asymptotic
forms f = sqrt(t^2 - 1/2) + constant and E[f] = nu + 1/(4 nu) + constant.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

_LAST = 14.0  # beyond, the asymptotic forms are exact to 1e-3 of the noise
_NODE = 0.05  # spacing of the transform's straight pieces
_ROUNDS = 30


class Table(NamedTuple):
    """Columns, of which ``mean``, ``std``, ``expected`` and ``variance`` belong to ``nu``, ``transform`` to ``t``.

    All but ``variance`` ascend.
    """

    nu: np.ndarray
    mean: np.ndarray  # of t
    std: np.ndarray  # of t
    expected: np.ndarray  # of f(t)
    t: np.ndarray
    transform: np.ndarray
    variance: np.ndarray  # of f(t), close to 1


@lru_cache(maxsize=1)
def table() -> Table:
    """The functions of the Rice distribution, computed once (about 0.1 s)."""
    from scipy.special import i0e

    nu = np.concatenate([np.arange(0.0, 2.0, 0.02), np.arange(2.0, _LAST + 0.01, _NODE)])
    fine = np.arange(0.01, _LAST + 6.0, 0.02)
    density = fine * np.exp(-0.5 * (fine - nu[:, None]) ** 2) * i0e(fine * nu[:, None])
    density /= density.sum(axis=1, keepdims=True)
    mean = density @ fine
    std = np.sqrt(density @ fine**2 - mean**2)

    t = np.arange(0.0, _LAST + _NODE / 2, _NODE)
    slope = 1 / np.interp(t, mean, std)
    for _ in range(_ROUNDS):
        values = _extended(fine, t, _integral(slope))
        expected = density @ values
        spread = np.sqrt(density @ values**2 - expected**2)
        slope /= np.sqrt(np.interp(t, mean, spread))
    transform = _integral(slope)
    values = _extended(fine, t, transform)
    expected = density @ values
    return Table(nu, mean, std, expected, t, transform, density @ values**2 - expected**2)


def stabilise(t: np.ndarray) -> np.ndarray:
    """f(t): its noise has a standard deviation within 3 % of 1 for every nu. Strictly increasing, f(0) = 0."""
    tab = table()
    return _extended(np.maximum(t, 0), tab.t, tab.transform)


def expected(nu: np.ndarray) -> np.ndarray:
    """E[f(t) | nu], which ``unbiased_inverse`` inverts."""
    tab = table()
    end = tab.nu[-1]
    beyond = nu + 0.25 / np.maximum(nu, end) + (tab.expected[-1] - end - 0.25 / end)
    return np.where(nu > end, beyond, np.interp(nu, tab.nu, tab.expected))


def unbiased_inverse(stabilised: np.ndarray) -> np.ndarray:
    """The nu whose expected f(t) this is; 0 for less than pure noise gives on average."""
    tab = table()
    end = tab.nu[-1]
    inside = np.interp(stabilised, tab.expected, tab.nu)
    shifted = np.maximum(stabilised - (tab.expected[-1] - end - 0.25 / end), 1.0)
    return np.where(stabilised > tab.expected[-1], 0.5 * (shifted + np.sqrt(shifted**2 - 1)), inside)


def mean_inverse(stabilised: np.ndarray) -> np.ndarray:
    """The mean of t whose expected f(t) this is; between 0 and pure noise a straight line, for masked air stays 0."""
    tab = table()
    beyond = mean(unbiased_inverse(stabilised))
    below = tab.mean[0] / tab.expected[0] * np.maximum(stabilised, 0)
    return np.where(stabilised > tab.expected[0], beyond, below)


def std(nu: np.ndarray) -> np.ndarray:
    """Standard deviation of t: 0.655 in air, towards 1 in bright tissue."""
    tab = table()
    beyond = np.sqrt(1 - 0.5 / np.maximum(nu, tab.nu[-1]) ** 2)
    return np.where(nu > tab.nu[-1], beyond, np.interp(nu, tab.nu, tab.std))


def mean(nu: np.ndarray) -> np.ndarray:
    """Mean of t: 1.2533 in air, towards nu + 1/(2 nu) in bright tissue."""
    tab = table()
    return np.where(nu > tab.nu[-1], nu + 0.5 / np.maximum(nu, tab.nu[-1]), np.interp(nu, tab.nu, tab.mean))


def stabilised_variance(nu: np.ndarray) -> np.ndarray:
    """Variance of f(t): 0.98 in air, up to 1.06 where nu is 1, towards 1 in bright tissue."""
    tab = table()
    return np.interp(nu, tab.nu, tab.variance)


def amplitude_of_ratio(ratio: np.ndarray) -> np.ndarray:
    """nu from mean over standard deviation of the magnitudes (Koay and Basser, J Magn Reson 179, 2006).

    Air has the ratio 1.913; less cannot be and gives 0.
    """
    tab = table()
    return np.where(ratio > tab.mean[-1] / tab.std[-1], ratio, np.interp(ratio, tab.mean / tab.std, tab.nu))


def amplitude_of_mean(t: np.ndarray) -> np.ndarray:
    """nu from the mean magnitude; 0 for less than air's 1.2533."""
    tab = table()
    beyond = 0.5 * (t + np.sqrt(np.maximum(np.square(t) - 2, 0)))
    return np.where(t > tab.mean[-1], beyond, np.interp(t, tab.mean, tab.nu))


def _integral(slope: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1])) * _NODE])


def _extended(t: np.ndarray, nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Straight pieces between the nodes, the asymptotic form beyond the last one."""
    end = nodes[-1]
    beyond = values[-1] + np.sqrt(np.maximum(t, end) ** 2 - 0.5) - np.sqrt(end**2 - 0.5)
    return np.where(t > end, beyond, np.interp(t, nodes, values))
