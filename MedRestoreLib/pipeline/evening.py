"""Studies whose noise is stronger in places: they are divided by its strength before all else, and multiplied after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .plan import Plan


def unevenness(plan: Plan, voxels: np.ndarray) -> np.ndarray | None:
    """The noise's relative standard deviation on each voxel of a study; None where it is even.

    Args:
        plan: whose map and curve count.
        voxels: of the whole study, ``(frames, slices, rows, columns)``.

    Returns:
        Float32 ``(frames, slices, rows, columns)``; of one frame where all are alike.
    """
    if plan.factor != 1:  # methods that enlarge look at no noise
        return None
    uneven = None if plan.noise_map is None else plan.noise_map.on(voxels.shape[1:])[None]
    if plan.noise_curve is None:
        return uneven
    curve = plan.noise_curve.on(voxels)
    return curve if uneven is None else curve * uneven


def evened(voxels: np.ndarray, uneven: np.ndarray | None) -> np.ndarray:
    """Voxels ``(frames, slices, rows, columns)`` with noise of the same strength everywhere; themselves without a map.

    Magnitudes stay magnitudes: amplitude and noise are divided by the same factor.
    """
    return voxels if uneven is None else voxels / uneven
