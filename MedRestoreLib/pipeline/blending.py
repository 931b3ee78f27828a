"""What follows a method: counts keep their total, and strength and mask blend the result with the study."""

from __future__ import annotations

import math

import numpy as np

# A mask's edge fades in over this many voxels, inwards: nothing outside the mask is touched.
FEATHER_VOXELS = 3.0
FEATHER_SLICES = 16  # worked on at once: distances need many times the memory of the mask


def blend(
    voxels: np.ndarray, restored: np.ndarray, strength: float, weights: np.ndarray | None, keep_totals: bool
) -> tuple[float, ...]:
    """Blend ``restored`` with the study, in place: ``voxels + strength * weights * (restored - voxels)``.

    Args:
        voxels, restored: float32 ``(frames, slices, rows, columns)``, before and after at full strength.
        strength: 0 to 1.
        weights: float32 ``(slices, rows, columns)`` from ``feathered``; None for 1 everywhere.
        keep_totals: first scale each restored frame so that its sum, weighted with ``weights``, is that of the study.

    Returns:
        What each frame was multiplied by to keep its total; empty where totals are not kept.
    """
    factors = []
    share = np.float32(strength)
    for before, after in zip(voxels, restored, strict=True):
        weight = np.ones(len(after), np.float32) if weights is None else weights
        if keep_totals:
            total, wanted = (_weighted_sum(weight, frame) for frame in (after, before))
            factors.append(wanted / total if total > 0 else 1.0)
            after *= np.float32(factors[-1])
        if weights is not None or strength != 1:
            for k in range(len(after)):
                after[k] = before[k] + share * weight[k] * (after[k] - before[k])
    return tuple(factors)


def feathered(
    mask: np.ndarray, spacing: tuple[float, float, float], first: int = 0, last: int | None = None
) -> np.ndarray:
    """Weights for ``blend``: 0 outside the mask, 1 from three voxels inside it, smooth between.

    Args:
        mask: bool ``(slices, rows, columns)``.
        spacing: of columns, rows and slices, mm.
        first, last: the slices that are wanted, from ``first`` to before ``last``; None is the mask's end.

    Returns:
        Float32 ``(last - first, rows, columns)``.
    """
    from scipy.ndimage import distance_transform_edt

    width = FEATHER_VOXELS * min(spacing[:2])
    reach = math.ceil(width / spacing[2])  # slices farther away lie beyond the feather
    last = len(mask) if last is None else last
    weights = np.ones((last - first, *mask.shape[1:]), np.float32)
    for start in range(first, last, FEATHER_SLICES):
        stop = min(start + FEATHER_SLICES, last)
        low = max(0, start - reach)
        window = mask[low : stop + reach]
        if window.all():
            continue
        sampling = spacing[::-1]
        inside = window if len(mask) > 1 else window[0]
        distance = distance_transform_edt(inside, sampling=sampling[-inside.ndim :]).reshape(window.shape)
        ramp = np.minimum(distance[start - low : stop - low] / width, 1.0)
        weights[start - first : stop - first] = ramp * ramp * (3.0 - 2.0 * ramp)
    return weights


def _weighted_sum(weights: np.ndarray, frame: np.ndarray) -> float:
    """Slice by slice, so that no second frame is in memory."""
    return sum(float((weights[k] * frame[k]).sum(dtype=np.float64)) for k in range(len(frame)))
