"""How sharp a line profile is: a 1-D array of grey values, one every ``spacing`` mm (1 for pixels).

Over-sharpening makes peaks narrower and edges steeper: report ``overshoot`` next to width and steepness.
"""

from __future__ import annotations

import numpy as np


def fwhm(profile: np.ndarray, *, spacing: float = 1.0) -> float:
    """Full width at half maximum of the highest peak, in the unit of ``spacing``; 2.355 sigma for a Gaussian.

    The baseline is the median of the profile. On each side the place where the profile falls to the middle between
    baseline and peak is interpolated linearly.

    Raises:
        ValueError: there is no peak, or the profile ends before it falls to half.
    """
    values = np.asarray(profile, np.float64)
    baseline, top = np.median(values), int(values.argmax())
    half = (values[top] + baseline) / 2
    below = values < half
    if values[top] <= baseline or not below[:top].any() or not below[top:].any():
        raise ValueError("the profile has no peak that falls to half on both sides")
    left = int(np.flatnonzero(below[:top])[-1])
    right = top + int(np.flatnonzero(below[top:])[0])
    rise = left + (half - values[left]) / (values[left + 1] - values[left])
    fall = right - (half - values[right]) / (values[right - 1] - values[right])
    return float((fall - rise) * spacing)


def peak_gradient(profile: np.ndarray, *, spacing: float = 1.0) -> float:
    """Steepest slope of an edge whose step is scaled to 1, per unit of ``spacing``: ``max |dI/ds|``.

    Raises:
        ValueError: the first and the last quarter of the profile have the same median.
    """
    values = _unit_step(profile)
    return float(np.abs(np.diff(values)).max() / spacing)


def overshoot(profile: np.ndarray) -> float:
    """Ringing at an edge: how far the profile rises above or falls below its two plateaus, in % of the step.

    Raises:
        ValueError: the first and the last quarter of the profile have the same median.
    """
    values = _unit_step(profile)
    return float(100.0 * max(values.max() - 1.0, -values.min(), 0.0))


def _unit_step(profile: np.ndarray) -> np.ndarray:
    """The profile scaled so that its plateaus, the medians of the first and last quarter, are 0 and 1."""
    values = np.asarray(profile, np.float64)
    quarter = max(len(values) // 4, 1)
    start, end = np.median(values[:quarter]), np.median(values[-quarter:])
    if start == end:
        raise ValueError("the profile has no step: both ends have the same grey value")
    return (values - start) / (end - start)
