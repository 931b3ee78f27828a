"""From pieces to the whole study: means are taken in strata of alike surroundings (post-stratification).

A denoiser leaves less of the noise where a study is flat than where it has edges, and pieces may hold more edges than
the study. So what was measured in them is averaged where surroundings are alike, and each such mean counts as much as
there is of its kind in the study (Holt and Smith, Journal of the Royal Statistical Society A 142(1), 1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AROUND = 7  # voxels: side of the surroundings that are looked at
QUANTILES = (1 / 3, 2 / 3)  # of brightness, and of contrast: nine strata
SHRUNK = 0.02  # of the pieces' noise: with no more, a stratum's mean is half that of all


@dataclass(frozen=True, eq=False)
class Strata:
    """The strata of a study.

    Attributes:
        edges: between strata, of brightness and of contrast: ``(2, 2)``.
        numbers: of the stratum of each voxel that is judged, ``(voxels,)``.
    """

    edges: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, stabilised: np.ndarray, where: np.ndarray) -> Strata:
        """Of a study ``(..., rows, columns)``, or planes of it, and the voxels that are judged."""
        features = _surroundings(stabilised)[:, where]
        edges = np.quantile(features, QUANTILES, axis=1).T
        return cls(edges, _numbers(features, edges))

    def alike(self, stabilised: np.ndarray, where: np.ndarray) -> Strata:
        """The same strata in pieces of the study."""
        return Strata(self.edges, _numbers(_surroundings(stabilised)[:, where], self.edges))

    def extended(self, values: np.ndarray, power: np.ndarray, pieces: Strata, whole_power: np.ndarray) -> float:
        """The mean over the whole study of ``values`` that are known in pieces.

        Args:
            values: in the pieces, ``(voxels,)`` as ``pieces.numbers``.
            power: of the noise there; the mean of a stratum is in proportion to it.
            pieces: ``alike``.
            whole_power: of the noise in the study, ``(voxels,)`` as ``numbers``.
        """
        sums, powers = pieces._sums(values), pieces._sums(power)
        usual = sums.sum() / max(powers.sum(), 1e-30)
        shrunk = SHRUNK * powers.sum()
        shares = (sums + usual * shrunk) / (powers + max(shrunk, 1e-30))
        return float(shares @ self._sums(whole_power)) / len(self.numbers)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.numbers, values.astype(np.float64), (len(QUANTILES) + 1) ** 2)


def _numbers(features: np.ndarray, edges: np.ndarray) -> np.ndarray:
    bright, busy = (np.digitize(feature, edge, right=True) for feature, edge in zip(features, edges, strict=True))
    return bright * (len(QUANTILES) + 1) + busy


def _surroundings(planes: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of the 7x7 voxels around: ``(2, ...)`` of planes ``(..., rows, columns)``."""
    from scipy.ndimage import uniform_filter

    window = (1,) * (planes.ndim - 2) + (AROUND, AROUND)
    mean = uniform_filter(planes, window, mode="nearest")
    square = uniform_filter(np.square(planes), window, mode="nearest")
    return np.stack([mean, np.sqrt(np.maximum(square - mean * mean, 0))])
