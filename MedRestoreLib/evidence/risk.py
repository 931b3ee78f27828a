"""What every risk estimator gives: the expected error of each blend of the noisy and the restored study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PREDICTION_ERROR = 0.02  # of the power: standard error of what is predicted for a study from pieces (measured)
AROUND = 7  # voxels: side of the surroundings that are looked at
BLOCK = 8  # voxels: side of the blocks whose errors count as independent
DECIBELS = 10 / np.log(10)  # d(10 log10 R) = 4.34 dR / R


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of an unbiased risk estimate, voxel by voxel.

    The risk of the blend ``y + a (f - y)`` is the mean over ``where`` of ``power - 2 a removable + a² removed``.

    Attributes:
        power: expected squared error of the noisy voxel.
        removable: expected product of the noise with what was removed.
        removed: square of what was removed.
        where: boolean, the voxels that are judged.
        unit: multiplies risks into ``domain``.
        domain: what the risks are mean squared errors of.
    """

    power: np.ndarray
    removable: np.ndarray
    removed: np.ndarray
    where: np.ndarray
    unit: float
    domain: str


@dataclass(frozen=True, eq=False)
class Whole:
    """What is known of a whole study of which the terms are known in a sample.

    Attributes:
        power, removed: as ``Terms``, means.
        error: standard error of ``removed``.
        features: means of what ``removable`` is predicted from.
        sampled: the same in the sample, ``(features, ...)``.
    """

    power: float
    removed: float
    error: float
    features: np.ndarray
    sampled: np.ndarray


@dataclass(frozen=True)
class Risk:
    """Expected mean squared errors.

    Attributes:
        before, after: of the noisy study and of the one restored at full strength. The latter may be negative: an
            unbiased estimate of a small number is.
        standard_error: of ``after`` relative to ``before``, times ``before``: by the bootstrap, and from the power.
        best_strength: the a of least risk, 0 to 1.
        unit, domain: as ``Terms``.
    """

    before: float
    after: float
    standard_error: float
    best_strength: float
    unit: float
    domain: str

    @classmethod
    def of(cls, terms: Terms, power_error: float = 0.0, whole: Whole | None = None) -> Risk:
        """The risks; not a number where the denoiser's output is none.

        Args:
            terms: of the study, or a sample of it.
            power_error: relative standard error of the noise's power. Both risks grow with the power, but what was
                removed does not: of ``after / before``, only ``removed / before`` is uncertain.
            whole: of the whole study, if the terms are of a sample. What can be removed is then predicted for it by
                linear regression: there is more of it where the study is flat than where it has edges.
        """
        power = block_mean(terms.power, terms.where)[0]
        removed = block_mean(terms.removed, terms.where)[0]
        removable = block_mean(terms.removable, terms.where)[0]
        error = block_mean(2 * terms.removable - terms.removed, terms.where)[1]
        if whole is not None:
            inside = whole.sampled[:, terms.where].astype(np.float64)
            slopes = np.linalg.lstsq(inside.T, terms.removable[terms.where].astype(np.float64), rcond=None)[0]
            rest = terms.removable - np.tensordot(slopes, whole.sampled, 1)
            error = np.hypot(block_mean(2 * rest, terms.where)[1], whole.error)
            error = float(np.hypot(error, PREDICTION_ERROR * whole.power))
            power, removed = whole.power, whole.removed
            removable = float(np.clip(slopes @ whole.features, 0, power))
        best = float(np.clip(removable / max(removed, np.finfo(np.float32).tiny), 0, 1))
        error = float(np.hypot(error, power_error * removed))
        return cls(power, power - 2 * removable + removed, error, best, terms.unit, terms.domain)

    @property
    def improvement(self) -> float:
        """By how much the error is expected to fall."""
        return self.before - self.after


def block_mean(values: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """Mean over ``where``, and its standard error by a stratified block bootstrap.

    Blocks of 8x8 voxels are resampled within groups of 2x2 blocks, so that differences between parts of the anatomy do
    not inflate the standard error. The variance over all resamples has a closed form, so none are drawn.
    """
    sums, sizes = (_blocks(np.where(where, values, 0)), _blocks(where))
    mean = sums.sum() / sizes.sum()
    strata = sums - mean * sizes
    rows, columns = (side // 2 for side in strata.shape[-2:])
    strata = strata[..., : 2 * rows, : 2 * columns].reshape(-1, rows, 2, columns, 2)
    seen = 4 * strata[..., 0, :, 0].size / sums.size  # an odd last row or column of blocks has no neighbour
    variance = 4 / 3 * np.square(strata - strata.mean(axis=(2, 4), keepdims=True)).sum() / seen
    return float(mean), float(np.sqrt(variance) / sizes.sum())


def _blocks(values: np.ndarray) -> np.ndarray:
    """Sums over 8x8 blocks of each plane."""
    rows, columns = values.shape[-2:]
    down = np.add.reduceat(values, np.arange(0, rows, BLOCK), axis=-2, dtype=np.float64)
    return np.add.reduceat(down, np.arange(0, columns, BLOCK), axis=-1)


def surroundings(planes: np.ndarray) -> np.ndarray:
    """What tells flat places from edges, and dark from bright: ``(3, ...)`` of planes ``(..., rows, columns)``.

    One, the mean and the standard deviation of the 7x7 voxels around.
    """
    from scipy.ndimage import uniform_filter

    window = (1,) * (planes.ndim - 2) + (AROUND, AROUND)
    mean = uniform_filter(planes, window, mode="nearest")
    square = uniform_filter(np.square(planes), window, mode="nearest")
    return np.stack([np.ones_like(mean), mean, np.sqrt(np.maximum(square - mean * mean, 0))])
