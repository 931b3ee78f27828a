"""Rician noise: the noise of MR magnitudes, from Gaussian noise in the real and the imaginary channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from . import rice
from .base import SURE, Estimate, Noise
from .blocks import WHITE, Blocks, correlated, cut, noise_curve, silent, too_little
from .brightest import Brightest
from .chunks import in_pieces
from .floor import noise_floor, share
from .refining import refined

STRONG = 10.0  # percent of the maximum: beyond, tissue has air's noise, and only models of magnitudes tell its level

_RAYLEIGH = {"mean": np.sqrt(np.pi / 2), "std": np.sqrt(2 - np.pi / 2), "median": np.sqrt(2 * np.log(2))}

# In air, a place whose power over a Gaussian of POWER_WIDTH voxels is POWER_SNR standard deviations above that of noise
# holds a signal; LIT_AROUND voxels around it are looked at. From AIR_SNR on, it is rather a signal than air.
POWER_WIDTH, POWER_SNR, LIT_AROUND, AIR_SNR = 2.0, 6.0, 17, 2.0


@dataclass(frozen=True)
class Rician(Noise):
    """``z = |x + s (n1 + i n2)|`` with ``s = level/100 * reference``; ``reference`` is the clean maximum."""

    id: ClassVar[str] = "rician"
    title: ClassVar[str] = "Rician"
    unit: ClassVar[str] = "% of the study's maximum"
    limits: ClassVar[tuple[float, float]] = (0.0, 100.0)
    shaped: ClassVar[bool] = True
    even: ClassVar[bool] = True
    blob_thresholds: ClassVar[tuple[float, ...]] = (5.0, 5.0, 5.0, 5.0)
    caveats: ClassVar[tuple[str, ...]] = (
        "Means fall in air and dark tissue: that is the bias of Rician noise, taken out.",
    )

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise in each channel, in the study's unit."""
        return self.level / 100 * self.reference

    @classmethod
    def unfit(cls, low: float, high: float) -> str:
        return f"the study has negative voxels (down to {low:g}), so they are not magnitudes" if low < 0 else ""

    @classmethod
    def usual_level(cls, low: float, high: float) -> float:
        return 1.0

    @classmethod
    def add(cls, clean: np.ndarray, level: float, rng: np.random.Generator, n_coils: int = 1) -> np.ndarray:
        """A noisy magnitude study of a clean one; its own maximum is the reference.

        ``n_coils`` > 1 gives the root sum of squares of as many coils, all signal in the first: noncentral chi noise.
        """
        clean = np.asarray(clean, np.float32)
        sigma = np.float32(level / 100 * float(clean.max()))
        noisy = rng.standard_normal(clean.shape, dtype=np.float32)
        noisy *= sigma
        noisy += clean
        np.square(noisy, out=noisy)
        for _ in range(2 * n_coils - 1):
            channel = rng.standard_normal(clean.shape, dtype=np.float32)
            channel *= sigma
            np.square(channel, out=channel)
            noisy += channel
        return np.sqrt(noisy, out=noisy)

    @classmethod
    def reference_of(cls, voxels: np.ndarray, level: float) -> float:
        """The maximum of the study without its noise; the maximum of the noisy voxels lies far above it."""
        bright = Brightest.of(voxels)
        low, high = 0.0, bright.voxel
        for _ in range(40):  # the maximum found falls as the noise grows, so there is one answer
            middle = (low + high) / 2
            low, high = (middle, high) if bright.clean(level / 100 * middle)[0] > middle else (low, middle)
        return high

    @classmethod
    def estimate(cls, voxels: np.ndarray) -> Estimate:
        """Level from the Rayleigh distribution of the air, or else from flat tissue; see ``refining``, too."""

        def level_of(sigma: float) -> float:
            maximum, _ = Brightest.of(voxels).clean(sigma)
            return 100 * min(sigma / max(maximum, sigma), 1)

        if np.count_nonzero(voxels < 0) > 0.01 * voxels.size:
            return Estimate(None, 0.0, "Magnitudes cannot be negative: not Rician noise.")
        blocks = cut(voxels)
        floor = noise_floor(blocks)
        white, of_air = cls._of_white_noise(voxels, blocks, floor)
        if white.level and white.level > STRONG:
            return white
        return refined(white, voxels, level_of, of_air=of_air, floor=floor)

    @classmethod
    def _of_white_noise(cls, voxels: np.ndarray, blocks: Blocks, floor: float) -> tuple[Estimate, bool]:
        """From the air, or else from flat tissue, corrected for its brightness; and whether it is from the air."""
        flat = blocks.flattest(0.1, at_least=60)
        if nothing := too_little(blocks) or silent(blocks, flat):
            return nothing, False
        tissue, air, confirmed = _tissue(blocks, floor), _air(blocks), False
        # Dark tissue can pass for air: where the bright tissue is calmer, it is right.
        if air is not None and tissue is not None:
            air = None if air.sigma > (1.02 + 0.5 / np.sqrt(tissue.blocks)) * tissue.sigma else air
        if air is None and tissue is not None:
            sigma, confidence = tissue.sigma, 0.8 if tissue.blocks >= 100 else 0.4
            confidence = min(confidence, 0.5 + 3 * (WHITE - tissue.band_ratio))
            where = f"Noise of {sigma:.3g} in {tissue.blocks} flat 8x8 blocks of tissue"
        elif air is not None:
            sigma, confidence, confirmed = air.sigma, 0.9, True
            where = f"Rayleigh noise of {sigma:.3g} in {air.blocks} 8x8 blocks of air"
            if air.band_ratio > WHITE:
                confidence, where = SURE, f"{where}; {correlated(air.band_ratio)}"
            elif tissue is not None and tissue.sigma > 1.25 * sigma:
                confidence, where = 0.4, f"{where}, but {tissue.sigma:.3g} in flat tissue: the noise varies in space"
        else:
            why = f"No air with Rayleigh noise, and in tissue {correlated(flat.band_ratio)}."
            return Estimate(None, 0.2, why), False
        maximum, error = Brightest.of(voxels).clean(sigma)
        if sigma > 0.16 * maximum or error > 0.06 * maximum:
            confidence, where = min(confidence, 0.45), f"{where}; it hides the maximum that the level refers to"
        level = float(100 * min(sigma / max(maximum, sigma), 1))
        estimate = Estimate(level, confidence, f"{where}.", confirmed=confirmed and confidence > SURE)
        return estimate, air is not None

    def stabilise(self, voxels: np.ndarray) -> np.ndarray:
        scale = np.float32(1 / self.sigma)
        return in_pieces(lambda z: rice.stabilise(z * scale), voxels)

    def unbiased_inverse(self, denoised: np.ndarray) -> np.ndarray:
        sigma = self.sigma
        if self.remove_bias:
            return in_pieces(lambda f: rice.unbiased_inverse(f) * sigma, denoised)
        return in_pieces(lambda f: rice.mean_inverse(f) * sigma, denoised)

    def std(self, clean: np.ndarray) -> np.ndarray:
        sigma = self.sigma
        return in_pieces(lambda x: rice.std(self._amplitude(x / sigma)) * sigma, clean)

    def stabilised_variance(self, clean: np.ndarray) -> np.ndarray:
        sigma = self.sigma
        return in_pieces(lambda x: rice.stabilised_variance(self._amplitude(x / sigma)), clean)

    def _amplitude(self, restored: np.ndarray) -> np.ndarray:
        """The true amplitude behind restored values: the values themselves, or where the bias was kept, without it."""
        return np.maximum(restored, 0) if self.remove_bias else rice.amplitude_of_mean(restored)

    def residual_variance(self, clean: np.ndarray) -> np.ndarray:
        return in_pieces(lambda x: rice.stabilised_variance(x / self.sigma), clean)

    def clean_behind(self, noisy: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """The amplitude: zero where the power around is that of air, of which restoration leaves a little."""
        amplitude = self._amplitude(restored / np.float32(self.sigma)) * np.float32(self.sigma)
        return np.where(self._lit(noisy, AIR_SNR), amplitude, 0).astype(np.float32)

    def aim(self, clean: np.ndarray) -> np.ndarray:
        """The amplitude itself, or where the bias is kept, the mean magnitude."""
        return clean if self.remove_bias else in_pieces(lambda x: rice.mean(x / self.sigma) * self.sigma, clean)

    def drawn(self, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        real, imaginary = (np.float32(self.sigma) * self._normal(clean.shape, rng) for _ in range(2))
        return np.hypot(clean + real, imaginary)

    def _lit(self, noisy: np.ndarray, deviations: float) -> np.ndarray:
        """Where the power of the surroundings is so many standard deviations above that of air."""
        from scipy.ndimage import gaussian_filter

        planes = (0,) * (noisy.ndim - 2)
        air = 2 * self.sigma**2  # the mean, and the standard deviation, of the power of a voxel of air
        power = gaussian_filter(np.square(noisy, dtype=np.float32), (*planes, POWER_WIDTH, POWER_WIDTH))
        return power > air * (1 + deviations / (2 * np.sqrt(np.pi) * POWER_WIDTH))

    def comparable(self, noisy: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """Where the signal stands out from the noise: many scanners mask, filter or zero the air.

        A dark place counts whole if its power does: to pick its bright voxels alone would pick what noise made bright.
        """
        from scipy.ndimage import maximum_filter

        around = (1,) * (noisy.ndim - 2) + (LIT_AROUND, LIT_AROUND)
        return self.covers(noisy) & ((restored > 2 * self.sigma) | maximum_filter(self._lit(noisy, POWER_SNR), around))

    def standardisation(
        self, noisy: np.ndarray, restored: np.ndarray, where: np.ndarray, regions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """On the stabilised scale, where the expectation is the mean that the exact unbiased inverse inverts."""
        stable = self.stabilise(noisy)
        scale = np.linspace(0, max(float(stable.max()), 1.0), 4096, dtype=np.float32)
        levels = self.unbiased_inverse(scale)
        start = max(int(np.searchsorted(levels, levels[0], side="right")) - 1, 0)  # the last that inverts to zero
        return (
            stable,
            np.interp(restored, levels[start:], scale[start:]).astype(np.float32),
            self.residual_std(restored),
        )

    def residual_std(self, restored: np.ndarray) -> np.ndarray:
        return np.ones_like(restored)


class _Noise(NamedTuple):
    sigma: float  # of each channel, in the study's unit
    blocks: int  # that it was measured in
    band_ratio: float


def _bright(blocks: Blocks, flattest: float = 0.1) -> list[Blocks]:
    """Flat blocks of tissue at each brightness, without air (with several coils its noise is not Rayleigh)."""
    curve = noise_curve(blocks, share=flattest)
    grey = [float(np.median(part.mean)) for part in curve]
    return [part for part, mean in zip(curve, grey, strict=True) if mean > 0.4 * max(grey)]


def _white(parts: list[Blocks]) -> list[Blocks]:
    return [part for part in parts if part.band_ratio <= WHITE and part.variance > 0]


def _tissue(blocks: Blocks, floor: float) -> _Noise | None:
    """Noise from the variance in bright flat blocks, corrected for their brightness; None without.

    The correction is Koay and Basser's where there is no noise floor of several coils.
    """
    parts = _white(_bright(blocks)) or [
        part for part in _white(noise_curve(blocks)) if np.median(part.mean) > 5 * np.sqrt(part.variance)
    ]
    if not parts:
        return None
    grey = np.array([np.median(part.mean) for part in parts])
    deviation = np.sqrt([part.variance for part in parts])
    if floor:
        sigma = deviation / np.sqrt(share(np.square(grey) + np.square(deviation), floor))
    else:
        sigma = deviation / rice.std(rice.amplitude_of_ratio(grey / deviation))
    return _Noise(float(np.median(sigma)), sum(map(len, parts)), float(np.median([part.band_ratio for part in parts])))


def _air(blocks: Blocks) -> _Noise | None:
    """Noise of the darkest blocks whose voxels are Rayleigh distributed; None without."""
    ratio = blocks.mean / blocks.voxels.std(axis=1, ddof=1) / (_RAYLEIGH["mean"] / _RAYLEIGH["std"])
    likely = np.abs(ratio - 1) < 0.25
    if not likely.any():
        return None
    # The mean of 64 voxels of air varies by 7 %; brighter blocks hold ghosts, or tissue darker than the noise.
    chosen = likely & (blocks.mean < 1.25 * np.percentile(blocks.mean[likely], 5))
    air = blocks.take(chosen)
    if len(air) < max(20, 0.01 * len(blocks)) or not 0.88 < np.median(ratio[chosen]) < 1.05:
        return None
    values = air.voxels.ravel()
    sigma = float(np.median(values)) / _RAYLEIGH["median"]
    checks = (_mode(values, sigma), values.mean() / _RAYLEIGH["mean"], np.sqrt(np.square(values).mean() / 2))
    # Bright tissue varies at least as much as its noise: if it varies less, these blocks are no air.
    calmest = min((np.median(part.voxels.std(axis=1)) for part in _bright(blocks, flattest=0.3)), default=np.inf)
    if sigma > 1.25 * calmest or not np.allclose(checks, sigma, rtol=0.1):
        return None
    return _Noise(sigma, len(air), air.band_ratio)


def _mode(values: np.ndarray, sigma: float) -> float:
    """The mode, by a parabola through the logarithmic histogram between 0.6 and 1.4 sigma."""
    edges = np.linspace(0.6, 1.4, 17) * sigma
    counts, _ = np.histogram(values, edges)
    a, b, _ = np.polyfit(edges[:-1] + np.diff(edges) / 2, np.log(np.maximum(counts, 1)), 2)
    return float(-b / (2 * a)) if a < 0 else np.inf
