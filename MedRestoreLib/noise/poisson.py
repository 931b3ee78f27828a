"""Poisson noise of counted photons. Its level has several definitions; their tables cannot be compared.

- ``Poisson.add``: y = Poisson(level * x) / level, level in counts per unit of the study (1.0 for raw counts).
- ``add_peak``: x in [0, 1], with the expected counts at x = 1; ``peak_counts`` converts a "level" of 1 to 50.
- ``add_literal``: y = x + Poisson(level) on 8-bit grey values, as in some published tables; mostly an offset.
- ``thin``: fewer counts from real counts, exactly Poisson, no clean image needed. The first choice for raw counts.
- ``add_physical``: camera blur, then counts with scatter and background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import Estimate, Noise
from .blocks import BAND_SIZE, WHITE, Blocks, cut, noise_curve
from .chunks import in_pieces

_COUNT_WINDOW = 15  # voxels: wide, so that a voxel's own counts hardly decide whether it is judged
_ANSCOMBE_ZERO = np.float32(2 * np.sqrt(3 / 8))  # the transform of no counts


@dataclass(frozen=True)
class Poisson(Noise):
    """``level * y`` counts, Poisson distributed with mean ``level * x``. ``reference`` is not used."""

    id: ClassVar[str] = "poisson"
    title: ClassVar[str] = "Poisson"
    unit: ClassVar[str] = "counts per unit (1 for raw counts)"
    limits: ClassVar[tuple[float, float]] = (0.0, 1e9)
    counted: ClassVar[bool] = True
    keeps_totals: ClassVar[bool] = True

    @classmethod
    def unfit(cls, low: float, high: float) -> str:
        return f"the study has negative voxels (down to {low:g}), so they are not counts" if low < 0 else ""

    @classmethod
    def level_unfit(cls, level: float, low: float, high: float) -> str:
        if level * high >= 0.5:
            return ""
        return f"{level:g} counts per unit means less than one count at the brightest voxel; raw counts have 1."

    @classmethod
    def usual_level(cls, low: float, high: float) -> float:
        return max(1.0, 1.0 / max(high, 1e-6))

    @classmethod
    def add(cls, clean: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
        """A noisy copy of a clean study, float32; ValueError for negative or non-finite values."""
        return in_pieces(lambda part: rng.poisson(_expected(part, level)) / level, clean)

    @classmethod
    def estimate(cls, voxels: np.ndarray) -> Estimate:
        """Counts per unit: the noise's variance must grow in proportion to the mean; 1 over that slope is the level."""
        blocks = cut(voxels, drop_clipped=False)
        blocks = blocks.take((blocks.mean > 0) & (blocks.voxels.min(axis=1) >= 0))
        curve = noise_curve(blocks)
        parts = [part for part in curve if part.band_ratio <= WHITE]
        if len(parts) < 2:
            return Estimate(None, 0.2, "No flat areas with white noise: too small, smoothed, restored, or not counts.")
        mean, variance, count = _means(parts)
        gain = _lower(variance / mean, count)
        whole = blocks.step > 0 and abs(gain / blocks.step - 1) < 0.12  # the grey levels lie one count apart
        if not whole:  # without what rounding to grey levels adds, and without parts that it leaves almost empty
            filled = mean > 0.02 * mean.max()
            mean, variance = mean[filled], np.maximum(variance[filled] - blocks.step**2 / 12, 0)
            gain = _lower(variance / mean, count)
        if not whole and np.sqrt(gain * mean.max()) <= blocks.floor:
            return Estimate(None, 0.3, "Almost no noise: the study is clean or already restored; nothing to remove.")
        ratio = variance / mean / gain
        where = f"Variance {gain:.3g} times the mean in flat areas of mean {mean.min():.3g} to {mean.max():.3g}"
        wide, spread = mean.max() > 1.5 * mean.min(), float(np.median(np.abs(ratio - 1)))
        trend = np.polyfit(np.log(mean), np.log(np.maximum(ratio, 0.01)), 1)[0] if wide else 0.0  # -1: constant noise
        # Where the grey levels are one count apart already, a small study may stray as far as chance takes it.
        chance = 2 * _deviation(count) / (np.log(mean).std() * np.sqrt(len(mean))) if whole and wide else 0.0
        if abs(trend) > 0.2 + chance or spread > 0.2:
            return Estimate(None, 0.2, f"{where}, but not in proportion: an offset, a rescaled display or other noise.")
        if whole:
            kind = "raw counts" if blocks.step == 1 else f"counts rescaled by {blocks.step:.4g}"
            return Estimate(1 / blocks.step, 0.95, f"{where}, and the grey levels are that far apart: {kind}.")
        if not wide:
            level = 1 / gain if 2 * len(parts) > len(curve) else None  # structure elsewhere: perhaps here too
            return Estimate(level, 0.3, f"{where}: too narrow a range to tell Poisson noise from other noise.")
        return Estimate(1 / gain, min(0.9, 1 - 2 * spread), f"{where}, in proportion to it.")

    def stabilise(self, voxels: np.ndarray) -> np.ndarray:
        """Anscombe's transform of the counts; the standard deviation is within 3 % of 1 from 4 counts up."""
        level = np.float32(self.level)
        return in_pieces(lambda y: 2 * np.sqrt(np.maximum(level * y + np.float32(3 / 8), 0)), voxels)

    def unbiased_inverse(self, denoised: np.ndarray) -> np.ndarray:
        """The exact unbiased inverse in closed form (Makitalo and Foi, IEEE TIP 20(9), 2011)."""
        level = np.float32(self.level)
        return in_pieces(lambda d: _unbiased_inverse(d) / level, denoised)

    def std(self, clean: np.ndarray) -> np.ndarray:
        return in_pieces(lambda x: np.sqrt(np.maximum(x, 0) / np.float32(self.level)), clean)

    def clean_behind(self, noisy: np.ndarray, restored: np.ndarray) -> np.ndarray:
        return np.maximum(restored, 0)

    def covers(self, voxels: np.ndarray) -> np.ndarray:
        """Where the local mean is at least one count: below, the residual is too skewed to be judged."""
        from scipy.ndimage import uniform_filter

        window = (1,) * (voxels.ndim - 2) + (_COUNT_WINDOW,) * 2
        return uniform_filter(voxels, size=window, mode="nearest") * self.level >= 1.0

    def residual_std(self, restored: np.ndarray) -> np.ndarray:
        return self.std(np.maximum(restored, np.float32(0.5 / self.level)))

    def seen_variance(self, noisy: np.ndarray, clean: np.ndarray) -> np.ndarray:
        """The counts themselves: their mean is the variance, and few counts stray as the square of their noise does."""
        return noisy / np.float32(self.level)

    def algebraic_inverse(self, stabilised: np.ndarray) -> np.ndarray:
        """The voxels that ``stabilise`` gave these values for; ``unbiased_inverse`` is for denoised values."""
        level = np.float32(self.level)
        return in_pieces(lambda d: (d * d / 4 - np.float32(3 / 8)) / level, stabilised)

    def forward_mean(self, clean: np.ndarray) -> np.ndarray:
        """Mean of the stabilised voxels where the clean study has these values; inverts ``unbiased_inverse``."""
        level = np.float32(self.level)
        greatest = 2 * np.sqrt(level * clean.max(initial=0) + 1) + 1
        stabilised = np.geomspace(_ANSCOMBE_ZERO, greatest, 4096)
        counts = _unbiased_inverse(stabilised)
        return in_pieces(lambda x: np.interp(level * x, counts, stabilised), clean)


def peak_counts(level: float) -> float:
    """Counts at the brightest pixel for a level of 1 to 50: noise of ``level`` grey values of 255 there.

    >>> round(peak_counts(10))
    650
    """
    return (255 / level) ** 2


def add_peak(clean: np.ndarray, counts_at_peak: float, rng: np.random.Generator) -> np.ndarray:
    """Noisy copy of an image in [0, 1], with ``counts_at_peak`` counts expected where it is 1."""
    return Poisson.add(clean, counts_at_peak, rng)


def add_literal(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """``clip(x + Poisson(level), 0, 255)`` of grey values in [0, 255]: mean and variance of the noise are ``level``."""
    return in_pieces(lambda x: np.clip(x + rng.poisson(level, x.shape), 0, 255), image)


def thin(counts: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """The same scan with only ``fraction`` (0 to 1) of its counts: Binomial(counts, fraction), exactly Poisson.

    Raises:
        ValueError: the counts are not whole numbers of zero or more, or the fraction is not within 0 and 1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"the fraction of counts to keep must be within 0 and 1, got {fraction}")

    def thinned(part: np.ndarray) -> np.ndarray:
        whole = np.rint(part)
        if not (np.array_equal(whole, part) and part.min(initial=0) >= 0):
            raise ValueError("only whole counts of zero or more can be thinned; this study is not raw counts")
        return rng.binomial(whole.astype(np.int64), fraction)

    return in_pieces(thinned, counts)


def add_physical(
    clean: np.ndarray, counts_at_peak: float, background: float, psf_fwhm: float, rng: np.random.Generator
) -> np.ndarray:
    """Counts of a gamma camera: Poisson(counts_at_peak * blurred + background).

    Args:
        clean: activity, ``(..., rows, columns)``, >= 0; ``counts_at_peak`` belongs to activity 1.
        background: counts a pixel from scatter and background.
        psf_fwhm: width of the camera's Gaussian blur at half maximum, pixels (7 to 12 mm in practice); 0 for none.
    """
    from scipy.ndimage import gaussian_filter

    sigma = psf_fwhm / np.sqrt(8 * np.log(2))
    blurred = gaussian_filter(np.asarray(clean, np.float32), [0] * (np.ndim(clean) - 2) + [sigma, sigma])
    return in_pieces(lambda x: rng.poisson(_expected(x, counts_at_peak) + background), blurred)


def _expected(part: np.ndarray, level: float) -> np.ndarray:
    expected = part.astype(np.float64) * level
    if not (np.isfinite(expected).all() and expected.min(initial=0) >= 0):
        raise ValueError("Poisson noise needs finite values of zero or more: these are expected counts")
    return expected


def _unbiased_inverse(stabilised: np.ndarray) -> np.ndarray:
    d = np.maximum(stabilised, _ANSCOMBE_ZERO)
    root = np.float32(np.sqrt(3 / 2))
    r = 1 / d
    counts = d * d / 4 - np.float32(1 / 8) + r * (root / 4 + r * (np.float32(-11 / 8) + r * (np.float32(5 / 8) * root)))
    return np.where(stabilised > _ANSCOMBE_ZERO, np.maximum(counts, 0), 0)


def _means(parts: list[Blocks]) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and variance of the parts and their number of blocks; means, not medians: few counts are skewed."""
    mean = np.array([part.mean.mean(dtype=np.float64) for part in parts])
    variance = np.array([part.high.mean(dtype=np.float64) for part in parts])
    return mean, variance, float(np.mean([len(part) for part in parts]))


def _lower(ratio: np.ndarray, count: float) -> float:
    """A typical ratio of variance and mean: the 30th percentile, as structure only adds, corrected for pure chance."""
    return float(np.quantile(ratio, 0.3) * (1 + 0.524 * _deviation(count)))


def _deviation(count: float) -> float:
    """Relative standard deviation of the variance measured in ``count`` blocks."""
    return float(np.sqrt(2 / (count * BAND_SIZE["high"])))
