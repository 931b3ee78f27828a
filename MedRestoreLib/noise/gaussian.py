"""Additive Gaussian noise of one standard deviation everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import Estimate, Noise
from .blocks import WHITE, correlated, cut, noise_curve, silent, too_little
from .refining import refined


@dataclass(frozen=True)
class Gaussian(Noise):
    """``y = x + level * n``, n standard normal and independent from voxel to voxel. ``reference`` is not used."""

    id: ClassVar[str] = "gaussian"
    title: ClassVar[str] = "Gaussian"
    unit: ClassVar[str] = "standard deviation, in the study's unit"
    limits: ClassVar[tuple[float, float]] = (0.0, np.inf)
    shaped: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    even: ClassVar[bool] = True

    @classmethod
    def level_unfit(cls, level: float, low: float, high: float) -> str:
        if level <= high - low:
            return ""
        return (
            f"a Gaussian level of {level:g} exceeds the study's whole range ({high - low:g}); "
            "levels are in the study's own unit."
        )

    @classmethod
    def usual_level(cls, low: float, high: float) -> float:
        return (high - low) / 100

    @classmethod
    def add(cls, clean: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
        noisy = rng.standard_normal(np.shape(clean), dtype=np.float32)
        noisy *= np.float32(level)
        noisy += clean
        return noisy

    @classmethod
    def estimate(cls, voxels: np.ndarray) -> Estimate:
        return refined(cls._of_white_noise(voxels), voxels, lambda sigma: sigma, textured=True)

    @classmethod
    def _of_white_noise(cls, voxels: np.ndarray) -> Estimate:
        blocks = cut(voxels)
        flat = blocks.flattest(0.1, at_least=60)
        if nothing := too_little(blocks) or silent(blocks, flat):
            return nothing
        sigma, ratio = float(np.sqrt(flat.variance)), flat.band_ratio
        where = f"Standard deviation {sigma:.4g} in the {len(flat)} flattest 8x8 blocks"
        if ratio > WHITE:
            return Estimate(sigma if ratio < 2 else None, 0.3, f"{where}; {correlated(ratio)}.")
        confidence = min(0.95, 1 - 3 * flat.uncertainty, 0.5 + 3 * (WHITE - ratio))
        levels = np.sqrt([part.variance for part in noise_curve(blocks, bins=8) if part.band_ratio <= WHITE])
        if len(levels) > 1 and levels.max() > 1.3 * levels.min():
            return Estimate(sigma, min(confidence, 0.45), f"{where}; it changes with the brightness: not Gaussian.")
        return Estimate(sigma, confidence, f"{where}; white and alike in dark and bright parts.")

    def stabilise(self, voxels: np.ndarray) -> np.ndarray:
        return np.multiply(voxels, np.float32(1 / self.level), dtype=np.float32)

    def unbiased_inverse(self, denoised: np.ndarray) -> np.ndarray:
        return np.multiply(denoised, np.float32(self.level), dtype=np.float32)

    def std(self, clean: np.ndarray) -> np.ndarray:
        return np.full(np.shape(clean), self.level, np.float32)

    def drawn(self, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return clean + np.float32(self.level) * self._normal(clean.shape, rng)
