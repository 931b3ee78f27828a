"""The noise-free maximum of a magnitude study: the reference of a level in percent of the maximum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from . import rice


@dataclass(frozen=True, eq=False)
class Brightest:
    """The brightest squares of a noisy study, at several sides.

    Attributes:
        voxel: the greatest voxel.
        histogram: of all voxels between 0 and it, 256 equal bins.
        squares: side in voxels → mean of the brightest square of that side. Sample splitting: the square is located on
            one checkerboard half of its voxels and measured on the other, so there is no selection bias.
    """

    voxel: float
    histogram: np.ndarray
    squares: dict[int, float]

    @classmethod
    def of(cls, voxels: np.ndarray) -> Brightest:
        stack = voxels.reshape(-1, *voxels.shape[-2:])
        greatest = float(stack.max())
        scale = np.float32(255.999 / greatest if greatest > 0 else 0)
        histogram = np.zeros(256, np.int64)
        best: dict[int, list[tuple[float, float]]] = {}
        for plane in stack:
            histogram += np.bincount((np.maximum(plane, 0) * scale).astype(np.uint8).ravel(), minlength=256)
            for side, halves in _checkerboards(plane):
                found = [(float(a.max()), float(b.flat[a.argmax()])) for a, b in (halves, halves[::-1])]
                best[side] = [max(pair) for pair in zip(found, best.get(side, found), strict=True)]
        return cls(greatest, histogram, {side: (a[1] + b[1]) / 2 for side, (a, b) in best.items()})

    def clean(self, sigma: float) -> tuple[float, float]:
        """The noise-free maximum when each channel's noise is ``sigma``, and its standard error.

        The greatest of several cautious estimates: the brightest voxel minus the expected maximum of the noise over all
        voxels of similar brightness, and each square minus half its standard error. The Rician bias is then removed.
        """
        if sigma == 0 or self.voxel <= 0:
            return self.voxel, 0.0
        first = int(np.clip(256 * (1 - 4 * sigma / self.voxel), 0, 255))
        rivals = max(int(self.histogram[first:].sum()), 2)
        estimates = {1: self.voxel - np.sqrt(2 * np.log(rivals)) * sigma}
        estimates |= {side: value - 0.5 * sigma / side for side, value in self.squares.items()}
        side = max(estimates, key=estimates.__getitem__)
        return sigma * float(rice.amplitude_of_mean(estimates[side] / sigma)), sigma / side


def _checkerboards(plane: np.ndarray) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """Sides 2, 4, 8, 16 and the means of every square's two halves: black and white fields of a checkerboard."""
    rows, columns = (size // 2 * 2 for size in plane.shape)
    even = (plane[:rows:2, :columns:2] + plane[1:rows:2, 1:columns:2]) / 2
    odd = (plane[:rows:2, 1:columns:2] + plane[1:rows:2, :columns:2]) / 2
    for side in (2, 4, 8, 16):
        if even.size == 0:
            return
        yield side, (even, odd)
        even, odd = _halved(even), _halved(odd)


def _halved(plane: np.ndarray) -> np.ndarray:
    rows, columns = (size // 2 * 2 for size in plane.shape)
    pairs = plane[:rows:2, :columns] + plane[1:rows:2, :columns]
    return (pairs[:, ::2] + pairs[:, 1::2]) / 4
