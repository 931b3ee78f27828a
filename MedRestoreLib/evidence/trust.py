"""How far each voxel of a restored study is to be trusted: an interval that holds the truth, and what it rests on.

Two things make a restored voxel uncertain. Other noise would have given another value: noise is drawn anew for the
restored study and restored again. And another method would have given another value from the same noise. Local root
mean squares of both, added, follow the error; times a factor they hold it in 90 of 100 voxels. The factor is conformal
(Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005): a quantile of error over spread, measured
where the truth is known. It holds for studies like those, and over all voxels of a study, not at each place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COVERAGE = 0.9
# 90 % quantiles of error over spread in simulated studies. ``python -m Testing.benchmarks.trust`` prints them, and how
# often the intervals hold the truth of other studies; it says what studies.
# Reconstructions have Gaussian noise once it is evened, and were not measured.
FACTORS = {"gaussian": 1.58, "rician": 1.60, "poisson": 1.41, "speckle": 0.71, "reconstructed": 1.58}
WINDOW = 5  # voxels: side of the surroundings whose root mean square is taken
LEAST = 0.1  # of the spread's root mean square over the study: where nothing moves, something may have been lost


@dataclass(frozen=True, eq=False)
class Spread:
    """How far a restored study may be off, ``(frames, slices, rows, columns)`` in its unit.

    Attributes:
        noise: local root mean square of what other noise changes.
        method: and of what another method changes.
    """

    noise: np.ndarray
    method: np.ndarray

    @classmethod
    def of(cls, by_noise: list[np.ndarray], by_method: np.ndarray) -> Spread:
        """From the changes that other noise made, one array for each time, and the change that a method made."""
        squares = np.mean([np.square(change) for change in by_noise], axis=0)
        return cls(np.sqrt(_local(squares)), np.sqrt(_local(np.square(by_method))))

    @property
    def total(self) -> np.ndarray:
        """Both together."""
        squares = np.square(self.noise) + np.square(self.method)
        return np.sqrt(squares + LEAST**2 * squares.mean(dtype=np.float64)).astype(np.float32)

    @property
    def method_share(self) -> np.ndarray:
        """The method's part of the squared spread: above 0.5 a voxel owes more to the method than to the data."""
        total = np.maximum(np.square(self.noise) + np.square(self.method), 1e-30)
        return (np.square(self.method) / total).astype(np.float32)

    def half_width(self, noise_id: str) -> np.ndarray:
        """Of the interval that holds the truth of ``COVERAGE`` of the voxels."""
        return self.total * np.float32(FACTORS[noise_id])


@dataclass(frozen=True)
class Trusted:
    """A map of trust in numbers, for a report.

    Attributes:
        coverage: share of the voxels whose truth the intervals hold.
        half_width: median over the study, in its unit.
        method_share: share of the voxels that owe more to the method than to the data.
        other_method: the method that was compared.
    """

    coverage: float
    half_width: float
    method_share: float
    other_method: str

    @classmethod
    def of(cls, half_width: np.ndarray, method_share: np.ndarray, where: np.ndarray, other_method: str) -> Trusted:
        """Over the voxels ``where`` the noise model holds."""
        where = where if where.any() else np.ones(where.shape, bool)
        return cls(
            COVERAGE,
            float(np.median(half_width[where])),
            float((method_share[where] > 0.5).mean()),
            other_method,
        )

    @property
    def sentence(self) -> str:
        """For a person, with a full stop."""
        return (
            f"The intervals that hold the truth of {100 * self.coverage:.0f} % of the voxels are ± "
            f"{self.half_width:.3g} wide at the median. {100 * self.method_share:.0f} % of the voxels owe more to the "
            f"method than to the data: {self.other_method} gives other values."
        )


def _local(squares: np.ndarray) -> np.ndarray:
    """Means over the surroundings, in planes; never below zero."""
    from scipy.ndimage import uniform_filter

    return np.maximum(uniform_filter(squares, (1, 1, WINDOW, WINDOW), mode="nearest"), 0)
