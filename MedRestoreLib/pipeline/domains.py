"""Domains: the scales of values that methods are made for. Each is a strategy that takes a study there and back.

===========  ====================================  =============================  ==============================
domain       what the method is given              scale                          sigma that it is told
===========  ====================================  =============================  ==============================
stabilised   the variance-stabilised study         range of its clean values      1 / scale
linear       the study itself, for speckle         its maximum                    the speckle's relative std
rate         the study itself, for counts          its clean maximum              1 / sqrt(counts at that maximum)
grey         the study itself, to be enlarged      its range, from zero           0: no noise is looked at
===========  ====================================  =============================  ==============================

A row of the catalogue names its domain (``Method.domain``), and ``find`` gives the strategy.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from ..evidence.sampling import sample_planes
from ..image import least
from ..noise import Noise

# Hotter than twice this percentile of a study's places is a hot spot, not anatomy.
USUAL, HOT = 99.0, 2.0
NOISE_ABOVE = 5.0  # standard deviations of the noise, above the scale: what a method was trained to see


class Domain(ABC):
    """One scale of values. Arrays are float32 of any shape; ``noise`` is a model bound to the study.

    A method is given ``(forward(voxels) - offset) / scale``; what it returns is scaled back and goes through
    ``inverse``.
    """

    rotates: ClassVar[bool] = (
        False  # noise is the same in every frame and in any rotation of the frames: see ``series``
    )
    divides: ClassVar[bool] = False  # a study can be divided into parts of independent noise: see ``adaptation``
    counts: ClassVar[bool] = False  # values are counts, but for the scale
    fills_borders: ClassVar[bool] = False  # black borders are shown to the method as the tissue's mirror image

    @abstractmethod
    def range(self, noise: Noise, voxels: np.ndarray) -> tuple[float, float]:
        """Offset and scale, which bring the clean study to about [0, 1].

        Args:
            voxels: the noisy study, ``(frames, slices, rows, columns)``.
        """

    @abstractmethod
    def sigma(self, noise: Noise, scale: float) -> float:
        """The noise level as the method takes it."""

    def ceiling(self, noise: Noise, scale: float) -> float:
        """The largest value that the method is given, on its own scale; what exceeds it is added to its result."""
        return math.inf

    def options(self, noise: Noise, scale: float) -> dict[str, Any]:
        """What every method of this domain is told beside the level: keyword arguments of its function."""
        return {}

    def forward(self, noise: Noise, voxels: np.ndarray) -> np.ndarray:
        """From the study's unit to the domain."""
        return voxels

    def inverse(self, noise: Noise, restored: np.ndarray) -> np.ndarray:
        """From restored values of the domain to the study's unit."""
        return restored

    def from_stabilised(self, noise: Noise, stabilised: np.ndarray) -> np.ndarray:
        """Values of the domain for variance-stabilised voxels, which are what the expected gain is estimated on."""
        return stabilised

    def to_stabilised(self, noise: Noise, restored: np.ndarray) -> np.ndarray:
        """Restored values of the domain as variance-stabilised means: ``from_stabilised``'s way back."""
        return restored


class Stabilised(Domain):
    """Additive noise of one standard deviation, by the noise model's transform and its exact unbiased inverse."""

    rotates = True
    divides = True

    def range(self, noise: Noise, voxels: np.ndarray) -> tuple[float, float]:
        return unit_range(noise.stabilise(sample_planes(voxels)))

    def sigma(self, noise: Noise, scale: float) -> float:
        return 1.0 / scale

    def forward(self, noise: Noise, voxels: np.ndarray) -> np.ndarray:
        return noise.stabilise(voxels)

    def inverse(self, noise: Noise, restored: np.ndarray) -> np.ndarray:
        return noise.unbiased_inverse(restored)

    def to_stabilised(self, noise: Noise, restored: np.ndarray) -> np.ndarray:
        return np.maximum(restored, noise.stabilised_floor, dtype=np.float32)


class Linear(Domain):
    """The study's own values in [0, 1], zero where there is no echo: for methods that know speckle.

    They are told ``reference``, the grey value on their scale that the relative level was measured at. No unbiased
    estimate of the gain holds for speckle, so the way by stabilised values is not used.
    """

    fills_borders = True

    def range(self, noise: Noise, voxels: np.ndarray) -> tuple[float, float]:
        return 0.0, float(voxels.max())

    def sigma(self, noise: Noise, scale: float) -> float:
        return noise.level

    def options(self, noise: Noise, scale: float) -> dict[str, Any]:
        return {"reference": noise.reference / scale}


class Rate(Domain):
    """Counts over K, the counts expected where the clean study is brightest: for networks of counts.

    A hot spot such as an injection site does not count as the brightest: all else would be dark beside it, as no scan
    was that the networks were trained on. Its counts above K, whose noise is the least of all, pass as they are. The
    method returns expected counts over K, so nothing is inverted.
    """

    divides = True
    counts = True

    def range(self, noise: Noise, voxels: np.ndarray) -> tuple[float, float]:
        means = local_means(noise.stabilise(sample_planes(voxels)))
        greatest, usual = noise.unbiased_inverse(np.array([means.max(), np.percentile(means, USUAL)], np.float32))
        return 0.0, max(min(float(greatest), HOT * float(usual)), 1 / noise.level)  # one count at least

    def ceiling(self, noise: Noise, scale: float) -> float:
        return 1.0 + NOISE_ABOVE * self.sigma(noise, scale)

    def sigma(self, noise: Noise, scale: float) -> float:
        return 1.0 / math.sqrt(noise.level * scale)

    def from_stabilised(self, noise: Any, stabilised: np.ndarray) -> np.ndarray:
        return noise.algebraic_inverse(stabilised)

    def to_stabilised(self, noise: Any, restored: np.ndarray) -> np.ndarray:
        return noise.forward_mean(restored)


class Grey(Domain):
    """The study's own values from zero, or its least voxel where that is negative, to its greatest in [0, 1]."""

    def range(self, noise: Noise, voxels: np.ndarray) -> tuple[float, float]:
        low = least(voxels)
        return low, max(float(voxels.max()), 0.0) - low

    def sigma(self, noise: Noise, scale: float) -> float:
        return 0.0


STABILISED, LINEAR, RATE, GREY = Stabilised(), Linear(), Rate(), Grey()
DOMAINS: dict[str, Domain] = {"stabilised": STABILISED, "linear": LINEAR, "rate": RATE, "grey": GREY}


def find(name: str) -> Domain:
    """The domain that ``Method.domain`` names; KeyError for another name."""
    return DOMAINS[name]


def unit_range(stabilised: np.ndarray) -> tuple[float, float]:
    """Offset and scale that bring the clean values behind noisy stabilised planes ``(n, rows, columns)`` to [0, 1].

    They are the extremes of 3x3 means. The extremes of single voxels are those of the noise: they would make the range
    too wide, and methods with parameters for images in [0, 1] would take the noise for less than it is.
    """
    means = local_means(stabilised)
    low, high = float(means.min()), float(means.max())
    return low, high - low if high > low else 1.0


def local_means(planes: np.ndarray) -> np.ndarray:
    """Means of 3x3 voxels around each of ``(n, rows, columns)``."""
    from scipy.ndimage import uniform_filter

    return uniform_filter(planes, size=(1, 3, 3), mode="nearest")
