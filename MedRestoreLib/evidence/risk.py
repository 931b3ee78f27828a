"""The terms of risk estimates, and their means with the error that chance gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 8  # voxels: side of the blocks whose errors count as independent


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of an unbiased risk estimate, voxel by voxel.

    The risk of the blend ``y + a (f - y)`` is the mean over ``where`` of ``power - 2 a removable + a² removed``.

    Attributes:
        power: expected squared error of the noisy voxel.
        removable: expected product of the noise with what was removed.
        removed: square of what was removed.
        where: boolean, the voxels that are judged.
    """

    power: np.ndarray
    removable: np.ndarray
    removed: np.ndarray
    where: np.ndarray


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
