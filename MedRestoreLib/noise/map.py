"""Where in a study the noise is stronger: parallel imaging and corrected receive fields make it uneven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

CELLS = 12  # along each axis at most
SMALLEST = 10  # voxels of a cell
SMOOTH = 0.75  # cells, standard deviation of the window in which blocks are averaged
FEW = 0.5  # blocks a cell at which the parabola counts as much as they do
LEAST = 1.25  # strongest over weakest: a map with less is not worth having


@dataclass(frozen=True, eq=False)
class NoiseMap:
    """The standard deviation of the noise over its root mean square in the object, smooth.

    Attributes:
        values: float, ``(slices, rows, columns)`` of a coarse grid that spans the study from its first voxel's centre
            to its last's.
    """

    values: np.ndarray

    @classmethod
    def of_blocks(
        cls, energy: np.ndarray, places: np.ndarray, object_places: np.ndarray, shape: tuple[int, int, int]
    ) -> tuple[NoiseMap, float]:
        """From the noise's variance in flat blocks: a parabola in its logarithm, and what blocks show beside it.

        Args:
            energy: ``(blocks,)``.
            places: slice, row and column of each, ``(blocks, 3)``.
            object_places: of points spread evenly over the object, ``(points, 3)``.
            shape: of the study, ``(slices, rows, columns)``.

        Returns:
            The map, and the root mean square of the noise's standard deviation over the object.
        """
        from scipy.ndimage import gaussian_filter

        grid = [int(np.clip(side / SMALLEST, 1, CELLS)) for side in shape]
        step = [max(side - 1, 1) / max(cells - 1, 1) for side, cells in zip(shape, grid, strict=True)]
        cell = tuple(np.clip(np.rint(places / step).astype(int), 0, np.array(grid) - 1).T)
        logs = np.log(np.maximum(energy, 1e-20))
        terms = _quadratic(places / step, grid)
        weights, *_ = np.linalg.lstsq(terms, logs, rcond=1e-6)
        fitted = terms @ weights
        mean = _quadratic(np.indices(grid).reshape(3, -1).T, grid) @ weights
        # Beyond the blocks a parabola soon means nothing.
        mean = np.clip(mean, *np.percentile(fitted, (2, 98))).reshape(grid)
        beside, counts = np.zeros(grid), np.zeros(grid)
        np.add.at(beside, cell, logs - fitted)
        np.add.at(counts, cell, 1)
        near, weight = (gaussian_filter(values, SMOOTH, mode="constant") for values in (beside, counts))
        mean = mean + near / (weight + FEW)
        found = cls(np.exp(mean / 2))
        total = float(np.sqrt(np.square(found.at(object_places, shape)).mean()))
        return cls(found.values / total), total

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> NoiseMap:
        """From ``to_list``."""
        return cls(np.asarray(values, np.float64))

    def to_list(self) -> list[Any]:
        """Nested lists of plain numbers, of four digits."""
        return [[[float(f"{value:.4g}") for value in row] for row in plane] for plane in self.values]

    @property
    def ratio(self) -> float:
        """Strongest over weakest, but for the outermost twentieths."""
        weak, strong = np.percentile(self.values, (5, 95))
        return float(strong / weak)

    @property
    def words(self) -> str:
        """How uneven, for a person."""
        middle = tuple(slice(side // 3, max(side - side // 3, side // 3 + 1)) for side in self.values.shape)
        centre = float(np.median(self.values[middle]) / np.median(self.values))
        where = "at the centre" if centre > 1.1 else "at the border" if centre < 0.9 else "in places"
        return f"uneven: {self.ratio:.1f} times stronger {where}"

    def on(self, shape: Sequence[int]) -> np.ndarray:
        """On every voxel of a study: float32 ``(slices, rows, columns)``."""
        values = _along(_along(self.values, 0, shape[0]), 1, shape[1])
        voxels = np.empty(tuple(shape), np.float32)
        for one, whole in zip(values, voxels, strict=True):  # a slice at a time stays in the cache
            whole[:] = _along(one, 1, shape[2])
        return voxels

    def at(self, places: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """At points ``(points, 3)`` of a study of this shape."""
        from scipy.ndimage import map_coordinates

        scale = [(cells - 1) / max(side - 1, 1) for cells, side in zip(self.values.shape, shape, strict=True)]
        return map_coordinates(self.values, (places * scale).T, order=1, mode="nearest")


def _quadratic(cells: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """The terms of a quadratic polynomial at cells ``(n, 3)`` of a grid: ``(n, 10)``."""
    x = cells / np.maximum(np.array(grid) - 1, 1) - 0.5
    products = [x[:, a] * x[:, b] for a in range(3) for b in range(a, 3)]
    return np.stack([np.ones(len(x)), *x.T, *products], axis=1)


def _along(values: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Linear interpolation from the cells of an axis to ``side`` voxels."""
    lower, share = _between(np.arange(side), side, values.shape[axis])
    share = share.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    upper = np.minimum(lower + 1, values.shape[axis] - 1)
    return values.take(lower, axis) * (1 - share) + values.take(upper, axis) * share


def _between(index: np.ndarray, side: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """The cell below each voxel, and how far the voxel is on the way to the next."""
    at = index * ((cells - 1) / max(side - 1, 1))
    lower = np.floor(at).astype(int)
    return lower, at - lower
