"""Statistics of a region of an image, and its contrast to the background around it.

Masks are boolean arrays of one shape, ``(slices, rows, columns)``; ``spacing`` is in mm along columns, rows and slices
(x, y, z), as in ``Image.spacing``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR, FAR = 2.0, 5.0  # mm: the background is the shell between these distances from a region...
SHELL_VOXELS = 2  # ... or wider, so that it is at least this many voxels thick on a coarse grid
_SLACK = 1e-4  # mm: a distance this close to NEAR or FAR counts as equal (rounding)

Box = tuple[slice, ...]


@dataclass(frozen=True)
class RegionStatistics:
    """Statistics of a region's voxels, in the image's unit; all nan for a region without voxels.

    ``voxels`` is their number; ``std`` is that of the population (divided by n), as everywhere in the library.
    """

    voxels: int
    mean: float
    std: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, voxels: np.ndarray) -> RegionStatistics:
        """Statistics of voxels of any shape and type."""
        if voxels.size == 0:
            return cls(0, *(float("nan"),) * 4)
        mean, std = np.mean(voxels, dtype=np.float64), np.std(voxels, dtype=np.float64)
        return cls(voxels.size, float(mean), float(std), float(voxels.min()), float(voxels.max()))


def contrast(inside: RegionStatistics, background: RegionStatistics) -> float:
    """``(mean inside - mean of the background) / std of the background``: the contrast in units of the noise.

    Infinite if the background's std is 0; nan if either has no voxels, or if both are flat and equal.

    >>> contrast(RegionStatistics(4, 9.0, 0.5, 8.0, 10.0), RegionStatistics(8, 3.0, 2.0, 0.0, 6.0))
    3.0
    """
    return _divided(inside.mean - background.mean, background.std)


def ratio(inside: RegionStatistics, background: RegionStatistics) -> float:
    """Mean inside over mean of the background, for units with a true zero; nan if either has no voxels."""
    return _divided(inside.mean, background.mean)


def shell_radius(spacing: tuple[float, float, float], shape: tuple[int, int, int]) -> float:
    """How far the background extends from a region, mm: 5, or more on a grid too coarse for two voxels in between.

    Args:
        spacing: mm, (x, y, z).
        shape: of the image, ``(slices, rows, columns)``; an axis of one voxel does not count.

    >>> shell_radius((1.0, 1.0, 4.0), (9, 9, 9)), shell_radius((4.0, 4.0, 4.0), (9, 9, 9))
    (5.0, 10.0)
    >>> shell_radius((4.0, 4.0, 1.0), (1, 9, 9))
    10.0
    """
    finest = min((length for length, size in zip(spacing, shape[::-1], strict=True) if size > 1), default=0.0)
    return max(FAR, NEAR + SHELL_VOXELS * finest)


def background(inside: np.ndarray, *, spacing: tuple[float, float, float]) -> np.ndarray:
    """The background of a region, as a mask: voxels from 2 mm to ``shell_radius`` from its nearest voxel (centres).

    An array that was cropped around the region must leave ``shell_radius`` on every side.
    """
    far = shell_radius(spacing, inside.shape) + _SLACK
    squared = _squared_distance(inside, spacing, far)
    return (squared >= (NEAR - _SLACK) ** 2) & (squared <= far**2)


def bounding_box(mask: np.ndarray) -> Box:
    """The smallest box that contains a mask; empty slices for an empty mask.

    >>> bounding_box(np.array([[0, 0, 0], [0, 1, 1]], bool))
    (slice(1, 2, None), slice(1, 3, None))
    """
    axes = range(mask.ndim)
    where = [np.flatnonzero(mask.any(axis=tuple(a for a in axes if a != axis))) for axis in axes]
    return tuple(slice(int(w[0]), int(w[-1]) + 1) if w.size else slice(0, 0) for w in where)


def padded(box: Box, margins: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """A box with a margin of that many voxels on both sides of each axis, clipped to an array of ``shape``.

    An empty box stays empty.
    """
    if any(side.start == side.stop for side in box):
        return box
    return tuple(
        slice(max(0, side.start - margin), min(size, side.stop + margin))
        for side, margin, size in zip(box, margins, shape, strict=True)
    )


def otsu(values: np.ndarray, *, bins: int = 256) -> float:
    """Otsu's threshold (IEEE Trans. SMC 9(1), 1979): it maximises the variance between two classes.

    The brighter class is ``values >= threshold``.

    Args:
        values: of any shape; values that are not finite are ignored.
        bins: of the histogram; the threshold lies on the edge of a bin.

    Raises:
        ValueError: there are no two different values.
    """
    values = np.ravel(values)
    values = values[np.isfinite(values)]
    if values.size == 0 or values.min() == values.max():
        raise ValueError("a threshold needs two different values")
    counts, edges = np.histogram(values, bins)
    # Sums of the values, not of bin centres: those would rank thresholds that are almost equally good wrongly.
    sums = np.cumsum(np.histogram(values, bins, weights=values.astype(np.float64))[0])
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = values.size - below
    between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + np.argmax(between)])


def _squared_distance(inside: np.ndarray, spacing: tuple[float, float, float], far: float) -> np.ndarray:
    """Squared distance, mm², of each voxel to the nearest voxel inside; exact up to ``far`` mm, never less beyond.

    Separable: along each axis in turn, the minimum over neighbours up to ``far`` away of their squared distance plus
    the squared step. Ten times as fast as a distance transform of the whole array.
    """
    squared = np.where(inside, np.float32(0), np.float32(np.inf))
    for axis, length in enumerate(spacing[::-1]):
        nearest = squared.copy()
        for step in range(1, min(int(far / length) + 1, squared.shape[axis])):
            ahead = (slice(None),) * axis + (slice(step, None),)
            behind = (slice(None),) * axis + (slice(None, -step),)
            way = np.float32((step * length) ** 2)
            np.minimum(nearest[ahead], squared[behind] + way, out=nearest[ahead])
            np.minimum(nearest[behind], squared[ahead] + way, out=nearest[behind])
        squared = nearest
    return squared


def _divided(numerator: float, denominator: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / denominator)
