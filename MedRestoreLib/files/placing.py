"""Vectors of voxel axes to the geometry of an Image, for formats that store vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UnsupportedImage

# Axes may be this far from perpendicular (the cosine between them): what 32-bit headers and rounded digits leave.
_SKEW, _ROUNDING = 1e-3, 1e-5
UNKNOWN: dict[str, Any] = {"spacing": (1.0, 1.0, 1.0), "spacing_known": False}


def geometry_of(vectors: np.ndarray, origin: np.ndarray) -> dict[str, Any]:
    """``spacing``, ``origin``, ``direction`` and ``spacing_known`` as Image takes them.

    Args:
        vectors: ``(3, 3)``; column k leads from a voxel to the next along image axis k (x, y, z), LPS, mm.
        origin: position of the first voxel, LPS, mm.

    Returns:
        An unknown spacing where a vector is zero or not finite.

    Raises:
        UnsupportedImage: the vectors are not perpendicular.
    """
    spacing = np.linalg.norm(vectors, axis=0)
    if not (np.isfinite(spacing).all() and spacing.min() > 0 and np.isfinite(origin).all()):
        return dict(UNKNOWN)
    axes = vectors / spacing
    skew = np.abs(axes.T @ axes - np.eye(3)).max()
    if skew > _SKEW:
        raise UnsupportedImage("the image axes are not perpendicular; resample the study first.")
    if skew > _ROUNDING:
        left, _, right = np.linalg.svd(axes)
        axes = left @ right  # the nearest perpendicular axes
    return {
        "spacing": tuple(map(float, spacing)),
        "origin": tuple(map(float, origin)),
        "direction": tuple(map(float, axes.ravel() + 0.0)),  # + 0.0: no negative zeros
        "spacing_known": True,
    }
