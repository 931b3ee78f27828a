"""Noise statistics of 8x8 blocks. Shared by the estimates of all noise models.

The orthonormal cosine transform splits each block into three bands. Anatomy is mostly in the low band, so the blocks
with the least energy there are flat. White noise has the same variance in every coefficient and the bands are
independent, so selecting blocks by the low band does not bias the variance of the high band (Ponomarenko et al., Proc.
SPIE 6494, 2007). The middle band is the check: white noise has the same variance there as in the high band; structure,
interpolation and smoothing raise it. The ratio of the two variances (``band_ratio``) is 1 for white noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .base import Estimate

SIDE = 8
SAMPLE = 4_000_000  # voxels measured, at most
_FREQUENCY = np.add.outer(np.arange(SIDE), np.arange(SIDE)).ravel()
_BANDS = {
    name: (first <= _FREQUENCY) & (last >= _FREQUENCY)
    for name, first, last in (("low", 1, 3), ("middle", 4, 8), ("high", 9, 14))
}
BAND_SIZE = {name: int(np.count_nonzero(band)) for name, band in _BANDS.items()}
_EXTREME_SHARE = 3 / SIDE**2  # more voxels than this at an end of the study's range: clipped or masked
SILENT = 5e-4  # noise below this share of the grey scale's span is nothing anyone would remove
_ENOUGH = 16  # blocks
WHITE = 1.3  # band ratio up to which noise counts as white: photographs with white noise stay below


@dataclass(frozen=True, eq=False)
class Blocks:
    """The usable blocks of a study; arrays have one row a block.

    Attributes:
        voxels: (blocks, 64) float32.
        mean: grey value.
        low, middle, high: mean square of the band's coefficients; of pure white noise each is the variance.
        unchanging: share of blocks that hold one single value, not counting masked or filled areas.
        step: distance between the study's grey levels, 0 when they are continuous.
        span: from the 1st to the 99th percentile of the sampled voxels.
    """

    voxels: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    unchanging: float
    step: float
    span: float

    def __len__(self) -> int:
        return len(self.mean)

    def take(self, chosen: np.ndarray) -> Blocks:
        """Only the chosen blocks (indices or a boolean mask)."""
        rows = {name: getattr(self, name)[chosen] for name in ("voxels", "mean", "low", "middle", "high")}
        return replace(self, **rows)

    def flattest(self, share: float, at_least: int = 1) -> Blocks:
        """The share of the blocks with the least energy in the low band."""
        count = min(max(int(share * len(self)), at_least), len(self))
        return self.take(np.argpartition(self.low, count - 1)[:count] if count else np.arange(0))

    @property
    def variance(self) -> float:
        """Variance of the white noise: median over the blocks of the high band, without the rounding to grey levels."""
        return max(_median_variance(self.high, "high") - self.step**2 / 12, 0.0)

    @property
    def band_ratio(self) -> float:
        """Variance in the middle band over that in the high band: 1 for white noise, more if smoothed or structured."""
        high = _median_variance(self.high, "high")
        return _median_variance(self.middle, "middle") / high if high > 0 else np.inf

    @property
    def floor(self) -> float:
        """The standard deviation below which noise is lost in rounding, or nothing beside the study's grey scale."""
        return max(0.35 * self.step, SILENT * self.span)

    @property
    def uncertainty(self) -> float:
        """Relative standard error of the standard deviation that ``variance`` gives (median: 1.25 times the mean's)."""
        return 1.25 / np.sqrt(2.0 * max(len(self), 1) * BAND_SIZE["high"])


def planes(voxels: np.ndarray, limit: int = SAMPLE) -> np.ndarray:
    """Slices ``(n, rows, columns)``, evenly spread over all slices and frames, of ``limit`` voxels at most."""
    rows, columns = voxels.shape[-2:]
    stack = voxels.reshape(-1, rows, columns)
    if rows * columns > limit:  # one slice is too large: its middle
        height, width = min(rows, max(limit // min(columns, 2048), 1)), min(columns, 2048)
        height = min(height, limit // width)
        top, left = (rows - height) // 2, (columns - width) // 2
        return stack[len(stack) // 2, None, top : top + height, left : left + width]
    count = min(len(stack), max(limit // (rows * columns), 1))
    if count == len(stack):
        return stack
    return stack[np.linspace(0, len(stack) - 1, count).round().astype(int)]


def cut(voxels: np.ndarray, drop_clipped: bool = True) -> Blocks:
    """The blocks of a study ``(frames, slices, rows, columns)`` in which noise can be measured.

    Blocks of a single value are left out; with ``drop_clipped`` also blocks that touch an end of the grey scale, exact
    zeros or the fill value, because clipped or masked noise cannot be measured. Blocks overlap in small studies.
    """
    from scipy.fft import dctn

    sample = planes(voxels)
    windows = squares(sample, SIDE)
    finite = sample[np.isfinite(sample)]
    if len(windows) == 0 or finite.size == 0:
        nothing = np.zeros(0, np.float32)
        return Blocks(windows, nothing, nothing, nothing, nothing, 0.0, 0.0, 0.0)
    single = windows.max(axis=1) == windows.min(axis=1)
    fills, counts = np.unique(windows[single, 0], return_counts=True)
    fill = fills[counts.argsort()[-1:]]  # the mode of the constant blocks: perhaps the outside of the field of view
    masked = ~np.isfinite(windows).all(axis=1)
    for value in {float(finite.min()), float(finite.max()), 0.0, *fill.tolist()}:
        touching = np.count_nonzero(windows == np.float32(value), axis=1)
        masked |= touching > (_EXTREME_SHARE if drop_clipped else 1 - 1e-6) * SIDE**2
    unchanging = np.count_nonzero(single & ~masked) / max(int(np.count_nonzero(~masked)), 1)
    usable = windows[~single & ~masked]
    energy = dctn(usable.reshape(-1, SIDE, SIDE), axes=(1, 2), norm="ortho").reshape(-1, SIDE**2) ** 2
    low, middle, high = (energy[:, band].mean(axis=1) for band in _BANDS.values())
    span = float(np.subtract(*np.percentile(finite[:: max(finite.size // 200_000, 1)], (99, 1))))
    return Blocks(usable, usable.mean(axis=1), low, middle, high, unchanging, grey_step(finite), span)


def noise_curve(blocks: Blocks, bins: int = 16, share: float = 0.1, at_least: int = 20) -> list[Blocks]:
    """The flattest blocks at each brightness, from dark to bright: how the noise depends on the signal."""
    bins = min(bins, len(blocks) // (2 * at_least))
    if bins < 1:
        return []
    order = np.argsort(blocks.mean, kind="stable")
    return [blocks.take(part).flattest(share, at_least) for part in np.array_split(order, bins)]


def too_little(blocks: Blocks) -> Estimate | None:
    """What to say when there are not enough blocks to measure noise in; None when there are."""
    if blocks.span == 0 or len(blocks) + blocks.unchanging == 0:
        return Estimate(None, 0.0, "Too small, constant, or all masked or clipped: no noise can be measured.")
    if blocks.unchanging > 0.2:
        return Estimate(0.0, 0.9, f"{blocks.unchanging:.0%} of the 8x8 blocks hold a single value: nothing to remove.")
    if len(blocks) < _ENOUGH:
        return Estimate(None, 0.0, f"Only {len(blocks)} 8x8 blocks could be measured: too small, masked or clipped.")
    return None


def silent(blocks: Blocks, flat: Blocks) -> Estimate | None:
    """What to say of a study whose flattest blocks hold no noise worth removing; None when they do."""
    if np.sqrt(flat.variance) > blocks.floor:
        return None
    if np.median(flat.voxels.std(axis=1)) <= 3 * blocks.floor:
        return Estimate(
            0.0, 0.9, f"Standard deviation under {blocks.floor:.3g} in the flattest blocks: nothing to remove."
        )
    return Estimate(None, 0.2, "No fine-grained noise: clean, smoothed or restored already; nothing sure to remove.")


def correlated(band_ratio: float) -> str:
    """The sentence for a band ratio above ``WHITE``."""
    return f"{band_ratio:.1f} times stronger at middle than at high frequencies: correlated noise or fine structure"


def squares(sample: np.ndarray, side: int) -> np.ndarray:
    """Squares ``(n, side*side)`` that cover planes ``(n, rows, columns)``; they overlap where the planes are few."""
    if min(sample.shape[1:]) < side:
        return np.zeros((0, side**2), np.float32)
    stride = side if sample.size > 500_000 else side // 2
    views = np.lib.stride_tricks.sliding_window_view(sample, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    return views.reshape(-1, side**2).astype(np.float32, copy=False)


def grey_step(values: np.ndarray, looked_at: int = 50_000) -> float:
    """Distance between the grey levels that the values lie on, 0.0 when they are continuous.

    >>> grey_step(np.repeat(np.float32([0.0, 0.5, 1.5, 4.0]), 100))
    0.5
    """
    values = values.ravel()[:: max(values.size // looked_at, 1)].astype(np.float64)
    levels = np.unique(values)
    if len(levels) < 2 or len(levels) > len(values) / 4:
        return 0.0
    step = np.diff(levels).min()
    counts = (levels - levels[0]) / step
    # float32 keeps 24 bits: beyond that many steps from zero a grid looks like rounding.
    resolution = np.abs(levels).max() * 2.0**-22 / step
    return float(step) if resolution < 0.1 and np.abs(counts - counts.round()).max() < 0.01 + resolution else 0.0


def _median_variance(energies: np.ndarray, band: str) -> float:
    """Variance from the median of chi-square distributed block energies (Wilson and Hilferty's approximation)."""
    if len(energies) == 0:
        return 0.0
    return float(np.median(energies)) / (1 - 2 / (9 * BAND_SIZE[band])) ** 3
