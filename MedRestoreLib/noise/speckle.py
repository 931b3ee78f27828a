"""Speckle as noise in proportion to the signal. ``bmode`` simulates the physics of an ultrasound image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from .base import Estimate, Noise
from .blocks import WHITE, Blocks, cut, noise_curve, planes, squares, too_little
from .chunks import in_pieces

_SILENT = 0.005  # a relative standard deviation that nobody would remove
_CUT = 0.02  # of the range of greys at either end
_BESIDE, _SHOWN = 9, 0.97  # pixels: side of the surroundings of which so much must be shown
_STEP = 0.6  # of the range of greys, between neighbours: an echo is not so sharp, an outlined letter is
_DENSE, _STEPS, _MARK = 15, 4, 25  # pixels: side of a square with so many such steps, and of a mark's surroundings
_SQUARE = 16  # pixels: several correlation lengths of speckle


@dataclass(frozen=True)
class Speckle(Noise):
    """``x = u (1 + n)``, n normal of standard deviation ``level``.

    ``reference`` is the mean grey of the homogeneous tissue where speckle was measured: on a display-compressed B-mode
    image, where speckle is additive, its standard deviation is ``level * reference``.

    The transform is ln(x + d), d = reference * max(1/255, level^2/10). It suits levels up to about 0.3. Beyond, the
    multiplier 1 + n may be negative: such voxels count as 0, the noise on the logarithmic scale has a heavy lower tail
    and a standard deviation of 1 only near the reference, but the inverse stays unbiased at every level and grey value.
    """

    id: ClassVar[str] = "speckle"
    title: ClassVar[str] = "Speckle"
    unit: ClassVar[str] = "standard deviation relative to the signal"
    limits: ClassVar[tuple[float, float]] = (0.0, 2.0)
    white: ClassVar[bool] = False
    risk: ClassVar[bool] = False
    blob_thresholds: ClassVar[tuple[float, ...]] = (9.9, 8.7, 8.3, 7.9)  # on real frames, by three methods
    caveats: ClassVar[tuple[str, ...]] = ("Speckle is correlated: no unbiased estimate of the gain exists for it.",)

    @classmethod
    def unfit(cls, low: float, high: float) -> str:
        return "the study has no voxel above zero, so it holds no echoes" if high <= 0 else ""

    @classmethod
    def usual_level(cls, low: float, high: float) -> float:
        return 0.1

    @classmethod
    def reference_of(cls, voxels: np.ndarray, level: float) -> float:
        blocks = cut(voxels)
        tissue = _white_tissue(blocks) or _correlated_tissue(voxels)
        if tissue:
            return tissue.grey
        grey = np.abs(planes(voxels))
        return float(grey[grey >= grey.mean()].mean()) or 1.0  # what is brighter than the mean: not the black around

    @classmethod
    def add(
        cls,
        clean: np.ndarray,
        level: float,
        rng: np.random.Generator,
        dist: str = "gaussian",
        gamma_exp: float = 1.0,
        clip: bool = False,
    ) -> np.ndarray:
        """``x = u + u^gamma_exp * n``, float32.

        Args:
            dist: "gaussian": n ~ N(0, level^2). "rayleigh": n ~ Rayleigh(level), of mean 1.25 level. "gamma": 1 + n ~
                Gamma of mean 1 and standard deviation level (level^-2 looks).
            gamma_exp: 1 is multiplicative noise, 0.5 the display-domain model of Loupas et al.
            clip: keep the result within [0, 1], for images on that scale.
        """
        clean = np.asarray(clean, np.float32)
        if dist == "gaussian":
            noise = rng.standard_normal(clean.shape, dtype=np.float32) * np.float32(level)
        elif dist == "rayleigh":
            noise = rng.rayleigh(level, clean.shape).astype(np.float32)
        elif dist == "gamma":
            noise = rng.standard_gamma(level**-2, clean.shape, dtype=np.float32) * np.float32(level**2) - 1
        else:
            raise ValueError(f"dist must be gaussian, rayleigh or gamma, got {dist!r}")
        noise *= clean if gamma_exp == 1 else np.maximum(clean, 0) ** np.float32(gamma_exp)
        noise += clean
        return np.clip(noise, 0, 1, out=noise) if clip else noise

    @classmethod
    def estimate(cls, voxels: np.ndarray) -> Estimate:
        """Relative standard deviation in flat blocks; of correlated speckle, its mode over homogeneous squares."""
        blocks = cut(voxels)
        if nothing := too_little(blocks):
            return nothing
        if tissue := _white_tissue(blocks):
            where = f"Standard deviation {tissue.level:.3g} of the mean in {tissue.blocks} flat 8x8 blocks"
            if tissue.level < _SILENT:
                return Estimate(0.0, 0.9, f"{where}: nothing to remove.")
            if tissue.spread > 0.2:
                return Estimate(tissue.level, 0.3, f"{where}, but not in proportion to the mean: hardly speckle.")
            return Estimate(tissue.level, min(0.9, 1 - 2 * tissue.spread), f"{where}, in proportion to it.")
        if tissue := _correlated_tissue(voxels):
            where = f"Standard deviation {tissue.level:.3g} of the mean in {tissue.blocks} squares of even tissue"
            return Estimate(tissue.level, min(0.6, tissue.agreement), f"{where}; correlated, as in B-mode images.")
        return Estimate(
            None, 0.2, "No homogeneous tissue with speckle: clean, smoothed or restored; nothing sure to remove."
        )

    def stabilise(self, voxels: np.ndarray) -> np.ndarray:
        tab = _table(self.level, self._offset)
        scale, shift = np.float32(1 / self.reference), np.float32(self._offset)
        return in_pieces(lambda x: np.log(np.maximum(x * scale, 0) + shift) / tab.spread, voxels)

    def unbiased_inverse(self, denoised: np.ndarray) -> np.ndarray:
        tab = _table(self.level, self._offset)

        def exact(f: np.ndarray) -> np.ndarray:
            above = np.maximum(f - tab.expected[-1], 0) * tab.spread
            logarithm = np.interp(f, tab.expected, tab.log_signal) + above
            return np.where(f > tab.expected[0], np.exp(logarithm), 0) * self.reference

        return in_pieces(exact, denoised)

    def std(self, clean: np.ndarray) -> np.ndarray:
        return np.multiply(np.abs(clean), np.float32(self.level), dtype=np.float32)

    def standardisation(
        self, noisy: np.ndarray, restored: np.ndarray, where: np.ndarray, regions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The standard deviation is the root mean square of the change in each region.

        It depends on an unknown display curve, so only local differences can be judged.
        """
        squared = np.square(noisy - restored)
        power = [squared[where & (regions == n)] for n in range(int(regions.max()) + 1)]
        root = np.sqrt([max(float(p.mean(dtype=np.float64)), 1e-12) if p.size else 1.0 for p in power])
        return noisy, restored, root.astype(np.float32)[regions]

    def comparable(self, noisy: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """Far from black borders, saturated echoes and burned-in marks, where the display cut the speckle."""
        from scipy.ndimage import uniform_filter

        low, high = float(noisy.min()), float(noisy.max())
        margin = _CUT * (high - low)
        # Where one alone is cut, a blob may be in it.
        dark, bright = (
            (noisy <= low + margin, restored <= low + margin),
            (noisy >= high - margin, restored >= high - margin),
        )
        shown = ~((dark[0] & dark[1]) | (bright[0] & bright[1]))
        around = (1,) * (noisy.ndim - 2) + (_BESIDE, _BESIDE)
        return (uniform_filter(shown.astype(np.float32), around) > _SHOWN) & ~_beside_marks(noisy)

    @property
    def _offset(self) -> float:
        return max(1 / 255, self.level**2 / 10)


def _beside_marks(frames: np.ndarray) -> np.ndarray:
    """Where letters and lines are drawn into frames ``(..., rows, columns)``: many steep steps close together."""
    from scipy.ndimage import maximum_filter, uniform_filter

    steep = _STEP * (float(frames.max()) - float(frames.min()))
    steps = np.zeros(frames.shape, bool)
    for axis in (-2, -1):
        found = np.moveaxis(np.abs(np.diff(frames, axis=axis)) > steep, axis, 0)
        both = np.moveaxis(steps, axis, 0)
        both[:-1] |= found
        both[1:] |= found
    if not steps.any():
        return steps
    one = (1,) * (frames.ndim - 2)
    share = uniform_filter(steps.astype(np.float32), (*one, _DENSE, _DENSE), mode="constant")
    return maximum_filter(steps & (share * _DENSE**2 > _STEPS - 0.5), (*one, _MARK, _MARK))


class _Tissue(NamedTuple):
    grey: float  # mean grey value
    level: float  # standard deviation over mean
    blocks: int  # that it was measured in
    spread: float = 0.0  # relative deviation of the level between bright and dark blocks
    agreement: float = 1.0  # share of the correlated squares whose ratio is near the level


def _white_tissue(blocks: Blocks) -> _Tissue | None:
    """Speckle independent from pixel to pixel, from the high frequencies of flat blocks at each brightness."""
    curve = noise_curve(blocks.take(blocks.mean > 0))
    parts = [part for part in curve if part.band_ratio <= WHITE]
    if not parts or 3 * len(parts) < len(curve):
        return None
    grey = np.array([np.median(part.mean) for part in parts])
    ratio = np.sqrt([part.variance for part in parts]) / grey
    level = float(np.median(ratio))
    spread = float(np.median(np.abs(ratio / level - 1))) if level > 0 else np.inf
    return _Tissue(float(np.median(grey)), level, sum(map(len, parts)), spread)


def _correlated_tissue(voxels: np.ndarray) -> _Tissue | None:
    """Correlated speckle: the lowest mode of standard deviation over mean in squares wider than its correlation length.

    Squares whose variance is mostly a slope or a bend are left out: that is anatomy. The ratios of speckle lie close to
    one value. The ratios of anatomy do not; then the result is None.
    """
    sample = planes(voxels)
    windows = squares(sample, _SQUARE)
    if len(windows) == 0:
        return None
    ends = (windows == sample.min()) | (windows == sample.max())
    windows = windows[(ends.mean(axis=1) < 0.05) & (windows.mean(axis=1) > 0)]
    mean, variance = windows.mean(axis=1), windows.var(axis=1)
    bend = np.square(windows @ _bends()).sum(axis=1) / _SQUARE**2
    correlated = (bend < 0.4 * variance) & (variance > 0)
    if np.count_nonzero(correlated) < max(20, 0.1 * len(windows)):
        return None
    mean, deviation = mean[correlated], np.sqrt(variance[correlated])
    common = np.abs(np.log(deviation / mean / _lowest_mode(deviation / mean))) < 0.25
    if np.count_nonzero(common) < max(20, 0.2 * len(mean)):
        return None
    grey = float(np.median(mean[common]))
    level = float(np.median(deviation[common])) / grey
    return _Tissue(grey, level, int(np.count_nonzero(common)), agreement=float(common.mean()))


def _bends() -> np.ndarray:
    """Slopes and bends of a square, orthonormal columns: its cosine waves of up to one period in all."""
    place = np.pi * (np.arange(_SQUARE) + 0.5) / _SQUARE
    wave = [np.cos(k * place) / np.linalg.norm(np.cos(k * place)) for k in range(3)]
    pairs = [(0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]
    return np.stack([np.outer(wave[i], wave[j]).ravel() for i, j in pairs], axis=1).astype(np.float32)


def _lowest_mode(ratio: np.ndarray) -> float:
    """The lowest of the high peaks of the logarithmic histogram: structure only ever adds to the ratio."""
    counts, edges = np.histogram(np.log(ratio), np.arange(np.log(1e-3), np.log(10), 0.1))
    smooth = np.convolve(counts, [0.1, 0.2, 0.4, 0.2, 0.1], mode="same")
    peaks = (smooth >= np.roll(smooth, 1)) & (smooth >= np.roll(smooth, -1)) & (smooth >= 0.6 * smooth.max())
    return float(np.exp(edges[np.flatnonzero(peaks)[0]] + 0.05))


class _Table(NamedTuple):
    """The transform of signals u over reference: ``expected`` is its mean at exp(log_signal), both ascending."""

    log_signal: np.ndarray
    expected: np.ndarray
    spread: float  # standard deviation of ln(x/reference + offset) at u = reference


@lru_cache(maxsize=32)
def _table(level: float, offset: float) -> _Table:
    n = np.linspace(-8, 8, 2001)
    weight = np.exp(-0.5 * n**2)
    weight /= weight.sum()
    log_signal = np.log(offset) + np.arange(-9, 18, 0.05)
    signal = np.append(np.exp(log_signal), 1.0)
    logarithm = np.log(np.maximum(signal[:, None] * (1 + level * n), 0) + offset)
    expected = logarithm @ weight
    spread = float(np.sqrt(logarithm[-1] ** 2 @ weight - expected[-1] ** 2))
    return _Table(log_signal, expected[:-1] / spread, spread)
