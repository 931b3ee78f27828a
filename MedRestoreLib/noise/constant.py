"""Areas of a single value: masked air, burned-in text, saturation. They hold no noise."""

from __future__ import annotations

import numpy as np

_REACH = 2  # pixels beside the middle of a square of 5x5


def constant_areas(voxels: np.ndarray) -> np.ndarray:
    """Where a study ``(..., rows, columns)`` lies in 5x5 pixels of one value: boolean, the same shape."""
    middle = np.ones(voxels.shape, bool)
    for shifted in _shifted(_alike(voxels, -1), -2, True):
        middle &= shifted
    middle &= _alike(voxels, -2)
    if not middle.any():
        return middle
    for axis in (-2, -1):
        reached = np.zeros(voxels.shape, bool)
        for shifted in _shifted(middle, axis, False):
            reached |= shifted
        middle = reached
    return middle


def _alike(voxels: np.ndarray, axis: int) -> np.ndarray:
    """Whether each pixel and its two neighbours on either side, as far as there are any, are alike."""
    length = max(voxels.shape[axis] - 1, 0)
    pairs = np.pad(
        _cut(voxels, axis, 0, length) == _cut(voxels, axis, 1, length),
        _padding(voxels.ndim, axis),
        constant_values=True,
    )
    found = np.ones(voxels.shape, bool)
    for start in range(2 * _REACH):
        found &= _cut(pairs, axis, start, voxels.shape[axis])
    return found


def _shifted(values: np.ndarray, axis: int, outside: bool) -> list[np.ndarray]:
    """Views of ``values`` shifted by up to two pixels either way; what comes from outside is ``outside``."""
    padded = np.pad(values, _padding(values.ndim, axis), constant_values=outside)
    return [_cut(padded, axis, start, values.shape[axis]) for start in range(2 * _REACH + 1)]


def _cut(values: np.ndarray, axis: int, start: int, length: int) -> np.ndarray:
    before = (slice(None),) * (values.ndim + axis)
    return values[(*before, slice(start, start + length))]


def _padding(dimensions: int, axis: int) -> list[tuple[int, int]]:
    return [(_REACH, _REACH) if number == dimensions + axis else (0, 0) for number in range(dimensions)]
