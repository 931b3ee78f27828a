"""What every noise model offers. This package imports nothing else of MedRestore."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .constant import constant_areas
from .curve import NoiseCurve
from .map import NoiseMap
from .spectrum import Spectrum

SURE = 0.5  # an estimate of more confidence is trusted; at this or less its level is a careful one


@dataclass(frozen=True)
class Estimate:
    """A noise level estimated from a study.

    Attributes:
        level: in the model's unit; None if it could not be estimated.
        confidence: 0 (a guess) to 1 (certain); up to ``SURE`` the level is rather too low than too high.
        reason: one sentence for a person: what was measured, where, and why it is or is not trusted.
        spectrum: of the noise; None where it is white.
        noise_map: where the noise is stronger than elsewhere; None where it is even.
        noise_curve: how it follows brightness; None where it does not.
        confirmed: the noise of the air has the distribution that the model predicts, as strong as in tissue.
    """

    level: float | None
    confidence: float
    reason: str
    spectrum: Spectrum | None = field(default=None, compare=False, repr=False)
    noise_map: NoiseMap | None = field(default=None, compare=False, repr=False)
    noise_curve: NoiseCurve | None = field(default=None, compare=False, repr=False)
    confirmed: bool = field(default=False, compare=False, repr=False)

    @property
    def sure(self) -> bool:
        """Whether the level is trusted."""
        return self.level is not None and self.level > 0 and self.confidence > SURE

    def to_dict(self) -> dict[str, Any]:
        """Level, confidence and reason, plain values for JSON."""
        return {"level": self.level, "confidence": self.confidence, "reason": self.reason}


@dataclass(frozen=True)
class Noise(ABC):
    """One noise model at one level, bound to one study.

    ``level`` is in ``unit``; ``reference`` is the grey value that a relative level refers to, in the study's unit (1
    where levels are absolute). Arrays are float32 of any shape; nothing is changed in place. All methods but
    ``reference_of`` and ``estimate`` work voxel by voxel, so parts of a study may be passed.

    ``spectrum`` is that of the noise on the stabilised scale, None where it is white. ``remove_bias``: the mean that
    noise adds to magnitudes is taken out; without, restored values are means of the noisy ones.
    """

    level: float
    reference: float = 1.0
    spectrum: Spectrum | None = field(default=None, compare=False, repr=False)
    remove_bias: bool = True

    id: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str]  # of the level, for people: "% of the maximum"
    limits: ClassVar[tuple[float, float]]  # levels outside are refused
    shaped: ClassVar[bool] = False  # its spectrum and its map can be measured
    white: ClassVar[bool] = True  # independent from voxel to voxel
    linear: ClassVar[bool] = False  # stabilising is a multiplication, so errors are those of the study's unit
    counted: ClassVar[bool] = False  # voxels are counts, or in proportion to them
    even: ClassVar[bool] = False  # ``residual_std`` is the same everywhere
    keeps_totals: ClassVar[bool] = False  # the sum of a frame is a quantity that restoring must not change
    risk: ClassVar[bool] = True  # whether it is independent enough that the error of a result can be estimated
    # For each width of the matched filters, in standard deviations, at 65,536 voxels: the largest response to an
    # untouched result exceeds it in at most 5 % of studies. Empty where no such threshold is known.
    blob_thresholds: ClassVar[tuple[float, ...]] = (4.8, 4.65, 4.4, 4.25)
    caveats: ClassVar[tuple[str, ...]] = ()  # sentences for every report on this noise

    @classmethod
    def bind(cls, voxels: np.ndarray, level: float) -> Noise:
        """The model at ``level`` for this (noisy) study."""
        return cls(float(level), cls.reference_of(voxels, float(level)))

    @classmethod
    def reference_of(cls, voxels: np.ndarray, level: float) -> float:
        """The grey value that ``level`` refers to, found in a noisy study."""
        return 1.0

    @classmethod
    def unfit(cls, low: float, high: float) -> str:
        """Why voxels between ``low`` and ``high`` cannot have this noise; "" where they can."""
        return ""

    @classmethod
    def level_unfit(cls, level: float, low: float, high: float) -> str:
        """Why ``level`` cannot be that of voxels between ``low`` and ``high``; "" where it can."""
        return ""

    @classmethod
    @abstractmethod
    def usual_level(cls, low: float, high: float) -> float:
        """A low default level for voxels between ``low`` and ``high``, used when the true one is unknown."""

    @classmethod
    @abstractmethod
    def add(cls, clean: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
        """A noisy copy of a clean study, float32."""

    @classmethod
    @abstractmethod
    def estimate(cls, voxels: np.ndarray) -> Estimate:
        """The level of a noisy study ``(frames, slices, rows, columns)``."""

    @abstractmethod
    def stabilise(self, voxels: np.ndarray) -> np.ndarray:
        """Noisy voxels → a scale on which the noise is close to Gaussian with standard deviation 1."""

    @abstractmethod
    def unbiased_inverse(self, denoised: np.ndarray) -> np.ndarray:
        """Denoised stabilised voxels → the study's unit, by the exact unbiased inverse."""

    @abstractmethod
    def std(self, clean: np.ndarray) -> np.ndarray:
        """Standard deviation of the noise, in the study's unit, where the clean study has these values."""

    @property
    def stabilised_floor(self) -> float:
        """Stabilised mean of the least value that a clean study may have; ``unbiased_inverse`` clips there."""
        return -np.inf

    def stabilised_variance(self, clean: np.ndarray) -> np.ndarray:
        """Variance of the stabilised noise where the clean study has these values: close to 1."""
        return np.ones(np.shape(clean), np.float32)

    def residual_std(self, restored: np.ndarray) -> np.ndarray:
        """The standard deviation that ``standardisation`` gives where the restored study has these values."""
        return self.std(restored)

    def residual_variance(self, clean: np.ndarray) -> np.ndarray:
        """Variance of the observed values of ``standardisation`` where the clean study has these values."""
        return np.square(self.std(clean))

    def seen_variance(self, noisy: np.ndarray, clean: np.ndarray) -> np.ndarray:
        """The same where the noisy study has these values; right on average, and as exact as it can be."""
        return self.residual_variance(clean)

    def clean_behind(self, noisy: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """The best guess of the study without noise, of parts ``(..., rows, columns)`` before and after."""
        return restored

    def aim(self, clean: np.ndarray) -> np.ndarray:
        """What restored values would be at best where the study without noise is ``clean``."""
        return clean

    def drawn(self, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Another noisy copy of a clean study ``(..., slices, rows, columns)``, with this noise and its spectrum."""
        return self.add(clean, self.level, rng)

    def _normal(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Normal noise of variance 1 and this spectrum."""
        white = rng.standard_normal(shape, dtype=np.float32)
        if self.spectrum is None:
            return white
        return (self.spectrum if shape[-3] > 1 else self.spectrum.in_plane).coloured(white)

    def covers(self, voxels: np.ndarray) -> np.ndarray:
        """Where the model holds in a noisy study ``(..., rows, columns)``: boolean, the same shape.

        Constant areas of 5x5 pixels or more are left out: masked air, burned-in text, saturation.
        """
        return ~constant_areas(voxels)

    def comparable(self, noisy: np.ndarray, restored: np.ndarray) -> np.ndarray:
        """Where a noisy and a restored study ``(..., rows, columns)`` can be compared voxel by voxel: boolean."""
        return self.covers(noisy)

    def standardisation(
        self, noisy: np.ndarray, restored: np.ndarray, where: np.ndarray, regions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three arrays of which the standardised residual is made: (observed - expected) / standard deviation.

        Args:
            noisy, restored: of one shape, in the study's unit.
            where: boolean, where the model holds.
            regions: int8, number of each voxel's brightness region.

        Returns:
            Observed values, their expectation if ``restored`` were the truth, and the noise's standard deviation.
        """
        return noisy, restored, self.residual_std(restored)
