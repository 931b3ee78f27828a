"""Correlation of neighbouring voxels of a residual."""

from __future__ import annotations

import numpy as np

LAGS = 5  # voxels


def autocorrelation(residual: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Autocorrelation at lags 1 to 5, mean of rows and columns, over pairs that both lie in ``where``: ``(5,)``."""
    if not where.any():
        return np.zeros(LAGS)
    centred = np.where(where, residual - residual[where].mean(dtype=np.float64), 0).astype(np.float32)
    variance = np.square(centred).sum(dtype=np.float64) / where.sum()
    if variance == 0:
        return np.zeros(LAGS)
    result = np.zeros(LAGS)
    for lag in range(1, LAGS + 1):
        total = pairs = 0.0
        for axis in (-1, -2):
            head, tail = (_shifted(a, lag, axis) for a in (centred, where))
            total += float((head[0] * head[1]).sum(dtype=np.float64))
            pairs += float((tail[0] & tail[1]).sum())
        result[lag - 1] = total / pairs / variance if pairs else 0.0
    return result


def _shifted(array: np.ndarray, lag: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The array without its last and without its first ``lag`` rows or columns."""
    moved = np.moveaxis(array, axis, 0)
    return moved[:-lag], moved[lag:]
