"""Bicubic resampling of planes by whole factors, in the way that MATLAB's ``imresize`` made the field's reference.

Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981, with a = -1/2.
Pixels are areas: the edges of the first and the last pixel stay where they are. Beyond them a plane goes on as its
mirror image, so that both directions keep its mean.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

REACH = 2  # pixels away, at most, that an interpolated one depends on


def enlarged(planes: np.ndarray, factor: int) -> np.ndarray:
    """Planes on a grid that is ``factor`` times as fine.

    Args:
        planes: ``(..., rows, columns)``.
        factor: 1 or more.

    Returns:
        Float32 ``(..., factor * rows, factor * columns)``.

    >>> enlarged(np.full((1, 2), 7.0), 2)
    array([[7., 7., 7., 7.],
           [7., 7., 7., 7.]], dtype=float32)
    """
    return _along_both(planes, lambda lines: _finer(lines, factor)) if factor > 1 else np.asarray(planes, np.float32)


def reduced(planes: np.ndarray, factor: int) -> np.ndarray:
    """Planes on a grid that is ``factor`` times as coarse, without aliasing: the kernel is wider by the factor.

    Args:
        planes: ``(..., rows, columns)``; both are multiples of the factor.
        factor: 1 or more.

    Returns:
        Float32 ``(..., rows / factor, columns / factor)``.
    """
    if planes.shape[-2] % factor or planes.shape[-1] % factor:
        raise ValueError(f"planes of {planes.shape[-2]} x {planes.shape[-1]} are no multiples of {factor}")
    return _along_both(planes, lambda lines: _coarser(lines, factor)) if factor > 1 else np.asarray(planes, np.float32)


def repeated(planes: np.ndarray, factor: int) -> np.ndarray:
    """Planes ``(..., rows, columns)`` on a finer grid by repetition, in their own type: for masks and labels."""
    return planes.repeat(factor, axis=-2).repeat(factor, axis=-1) if factor > 1 else planes


def _along_both(planes: np.ndarray, resample: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    planes = np.asarray(planes, np.float32)
    return resample(resample(planes).swapaxes(-2, -1)).swapaxes(-2, -1)


def _finer(lines: np.ndarray, factor: int) -> np.ndarray:
    count = lines.shape[-1]
    around = _mirrored(lines, REACH)
    result = np.empty((*lines.shape[:-1], count * factor), np.float32)
    for phase in range(factor):
        at = (phase + 0.5) / factor - 0.5  # of the finer pixel, in pixels from the coarser one that holds it
        first = int(np.floor(at)) - 1
        result[..., phase::factor] = sum(
            np.float32(_kernel(at - tap)) * around[..., REACH + tap : REACH + tap + count]
            for tap in range(first, first + 4)
        )
    return result


def _coarser(lines: np.ndarray, factor: int) -> np.ndarray:
    count = lines.shape[-1] // factor
    centre, width = (factor - 1) / 2, REACH * factor
    around = _mirrored(lines, width)
    taps = [tap for tap in range(-width, width + factor) if abs(tap - centre) < width]
    result = np.zeros((*lines.shape[:-1], count), np.float32)
    for tap in taps:
        weight = np.float32(_kernel((tap - centre) / factor) / factor)
        result += weight * around[..., width + tap : width + tap + (count - 1) * factor + 1 : factor]
    return result


def _mirrored(lines: np.ndarray, width: int) -> np.ndarray:
    return np.pad(lines, [(0, 0)] * (lines.ndim - 1) + [(width, width)], mode="symmetric")


def _kernel(distance: float) -> float:
    """Keys' cubic kernel with a = -1/2."""
    x = abs(distance)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
