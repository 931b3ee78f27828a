"""Work through a large array in pieces, so that no temporary has its size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_PIECE = 1 << 18  # voxels: the temporaries stay in the processor's cache


def in_pieces(function: Callable[[np.ndarray], np.ndarray], voxels: np.ndarray) -> np.ndarray:
    """``function`` of every voxel, float32, the voxels' shape; ``function`` sees one-dimensional float32 pieces."""
    flat = np.asarray(voxels, np.float32).reshape(-1)
    result = np.empty(flat.shape, np.float32)
    for start in range(0, flat.size, _PIECE):
        result[start : start + _PIECE] = function(flat[start : start + _PIECE])
    return result.reshape(np.shape(voxels))
