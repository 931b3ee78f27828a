"""What a region of an image measures, alone and against the background around it.

Masks are boolean arrays of one shape, ``(slices, rows, columns)``; ``spacing`` is in mm along columns, rows and slices
(x, y, z), as in ``Image.spacing``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR, FAR = 2.0, 5.0  # mm: the background is the shell this far from a region...
SHELL_VOXELS = 2  # ... and at least so many voxels thick, or coarse grids would have none
_SLACK = 1e-4  # mm: distances that reach the shell but for rounding belong to it

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Values:
    """Statistics of a region's voxels, in the image's unit; all nan for a region without voxels.

    ``deviation`` is that of the population (divided by n), as everywhere in the library.
    """

    voxels: int
    mean: float
    deviation: float
    least: float
    greatest: float

    @classmethod
    def of(cls, voxels: np.ndarray) -> Values:
        """Statistics of voxels of any shape and type."""
        if voxels.size == 0:
            return cls(0, *(float("nan"),) * 4)
        mean, deviation = np.mean(voxels, dtype=np.float64), np.std(voxels, dtype=np.float64)
        return cls(voxels.size, float(mean), float(deviation), float(voxels.min()), float(voxels.max()))


def contrast(inside: Values, around: Values) -> float:
    """``(mean inside - mean around) / deviation around``: the height above the background in units of its noise.

    Infinite where the background has no noise, nan where region or background have no voxels.

    >>> contrast(Values(4, 9.0, 0.5, 8.0, 10.0), Values(8, 3.0, 2.0, 0.0, 6.0))
    3.0
    """
    return _divided(inside.mean - around.mean, around.deviation)


def ratio(inside: Values, around: Values) -> float:
    """Mean inside over mean around, of data with a true zero; nan where region or background have no voxels."""
    return _divided(inside.mean, around.mean)


def reach(spacing: tuple[float, float, float], shape: tuple[int, int, int]) -> float:
    """How far from a region its background extends, mm: 5, or more where two voxels would not fit in.

    Args:
        shape: of the image; an axis of one voxel does not count.

    >>> reach((1.0, 1.0, 4.0), (9, 9, 9)), reach((4.0, 4.0, 4.0), (9, 9, 9)), reach((4.0, 4.0, 1.0), (1, 9, 9))
    (5.0, 10.0, 10.0)
    """
    finest = min((length for length, size in zip(spacing, shape[::-1], strict=True) if size > 1), default=0.0)
    return max(FAR, NEAR + SHELL_VOXELS * finest)


def surroundings(inside: np.ndarray, *, spacing: tuple[float, float, float]) -> np.ndarray:
    """The background of a region: voxels between 2 mm and ``reach`` from its nearest voxel, centre to centre.

    What lies beyond the array is not there; cut the array no closer than ``reach`` around the region.
    """
    far = reach(spacing, inside.shape) + _SLACK
    squared = _squared_distance(inside, spacing, far)
    return (squared >= (NEAR - _SLACK) ** 2) & (squared <= far**2)


def bounds(mask: np.ndarray) -> Box:
    """The smallest box that holds a mask; empty slices for an empty mask.

    >>> bounds(np.array([[0, 0, 0], [0, 1, 1]], bool))
    (slice(1, 2, None), slice(1, 3, None))
    """
    axes = range(mask.ndim)
    where = [np.flatnonzero(mask.any(axis=tuple(a for a in axes if a != axis))) for axis in axes]
    return tuple(slice(int(w[0]), int(w[-1]) + 1) if w.size else slice(0, 0) for w in where)


def grown(box: Box, margins: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """A box widened by so many voxels on each side of each axis, within an array of this shape; empty stays empty."""
    if any(side.start == side.stop for side in box):
        return box
    return tuple(
        slice(max(0, side.start - margin), min(size, side.stop + margin))
        for side, margin, size in zip(box, margins, shape, strict=True)
    )


def otsu(values: np.ndarray, *, bins: int = 256) -> float:
    """The threshold that best parts two classes (Otsu, IEEE Trans. SMC 1979); the brighter class is ``>=`` it.

    Args:
        values: of any shape; what is not finite is left out.
        bins: of the histogram; the threshold is as fine as one bin.

    Raises:
        ValueError: there are no two different values to part.
    """
    values = np.ravel(values)
    values = values[np.isfinite(values)]
    if values.size == 0 or values.min() == values.max():
        raise ValueError("a threshold needs two different values")
    counts, edges = np.histogram(values, bins)
    # The bins' own sums, not their middles: close rivals would be ranked by rounding.
    sums = np.cumsum(np.histogram(values, bins, weights=values.astype(np.float64))[0])
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = values.size - below
    between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + np.argmax(between)])


def _squared_distance(inside: np.ndarray, spacing: tuple[float, float, float], far: float) -> np.ndarray:
    """Squared distance, mm², of each voxel to the nearest one inside; exact up to ``far`` mm, no less beyond.

    Axis by axis, the least of what the neighbours up to ``far`` have plus the way there. A distance transform of the
    whole array gives the same in ten times the time.
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
