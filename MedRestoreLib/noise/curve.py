"""How the noise of a reconstruction follows its brightness: a power law of the local mean, and a floor.

A reconstruction spreads each count over many voxels, so the noise of a voxel follows the counts of its surroundings.
Iterative reconstructions have variances between the mean and its square (Barrett, Wilson and Tsui, Phys Med Biol 39(5),
1994), filtered back-projection a floor even in air.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMOOTH = 3.0  # voxels, standard deviation of the window in which the local mean is taken


@dataclass(frozen=True)
class NoiseCurve:
    """Standard deviation over its root mean square in the object: ``scale sqrt(floor + (mean / reference)^exponent)``.

    Attributes:
        exponent: 0 to 2.
        floor: share of the variance at the reference that is there without any signal, above 0.
        reference: a local mean, in the study's unit.
        scale: so that the root mean square over the object is 1.
    """

    exponent: float
    floor: float
    reference: float
    scale: float

    @classmethod
    def from_list(cls, values: Sequence[float]) -> NoiseCurve:
        """From ``to_list``."""
        return cls(*map(float, values))

    def to_list(self) -> list[float]:
        """Plain numbers, of six digits."""
        return [float(f"{value:.6g}") for value in (self.exponent, self.floor, self.reference, self.scale)]

    @property
    def words(self) -> str:
        """How it follows the brightness, for a person."""
        return f"grows with the brightness: its variance as the power {self.exponent:.1f} of the local mean"

    def on(self, voxels: np.ndarray) -> np.ndarray:
        """On every voxel of a study ``(frames, slices, rows, columns)``: float32, the same shape."""
        return self.at(local_mean(voxels)).astype(np.float32)

    def at(self, mean: np.ndarray) -> np.ndarray:
        """Where the local mean has these values."""
        return self.scale * np.sqrt(self.floor + np.maximum(mean / self.reference, 0) ** self.exponent)


def local_mean(voxels: np.ndarray) -> np.ndarray:
    """Of a study ``(frames, slices, rows, columns)``, in all three dimensions: float32."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(voxels.astype(np.float32, copy=False), (0, SMOOTH, SMOOTH, SMOOTH), mode="nearest")
