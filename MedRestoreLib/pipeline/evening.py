"""Studies whose noise is stronger in places: they are divided by its map before all else, and multiplied after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..noise import NoiseMap


def unevenness(noise_map: NoiseMap | None, shape: Sequence[int]) -> np.ndarray | None:
    """The map on each voxel of a study ``(frames, slices, rows, columns)``: ``(slices, rows, columns)``, or None."""
    return None if noise_map is None else noise_map.on(shape[1:])


def evened(voxels: np.ndarray, uneven: np.ndarray | None) -> np.ndarray:
    """Voxels ``(frames, slices, rows, columns)`` with noise of the same strength everywhere; themselves without a map.

    Magnitudes stay magnitudes: amplitude and noise are divided by the same factor.
    """
    return voxels if uneven is None else voxels / uneven
