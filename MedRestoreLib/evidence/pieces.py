"""A few pieces that stand for a study: its extremes, or what is typical of it."""

from __future__ import annotations

from itertools import product

import numpy as np

PLANES = 12  # of a study of slices, evenly spread, in which pieces are looked for
FAINT = 0.05  # of the brightest piece's mean: a piece below shows nothing

Box = tuple[slice, slice, slice, slice]


def extreme_pieces(voxels: np.ndarray, side: int, depth: int = 1) -> list[Box]:
    """At most four boxes of a study ``(frames, slices, rows, columns)``, none twice.

    The brightest, the one with the strongest edges, one of middling brightness, and the darkest that shows anything.

    Args:
        side: of a box in rows and columns, voxels; the study's own where that is less.
        depth: slices of a box.
    """
    boxes, shown = _sorted(voxels, side, depth)
    edges = {number: _edges(voxels[boxes[number]]) for number in shown}
    chosen = (shown[-1], max(shown, key=edges.__getitem__), shown[len(shown) // 2], shown[0])
    return [boxes[number] for number in dict.fromkeys(chosen)]


def typical_pieces(voxels: np.ndarray, side: int, depth: int = 1, most: int = 4, ceiling: float = np.inf) -> list[Box]:
    """At most so many boxes, as ``extreme_pieces``: evenly spread over the order of their brightness.

    Args:
        ceiling: a brighter voxel counts as so bright, or beside an injection site the rest would show nothing.
    """
    boxes, shown = _sorted(voxels, side, depth, ceiling)
    number = min(most, len(shown))
    return [boxes[shown[int((k + 0.5) * len(shown) / number)]] for k in range(number)]


def _sorted(voxels: np.ndarray, side: int, depth: int, ceiling: float = np.inf) -> tuple[list[Box], list[int]]:
    """Boxes that cover the study, and the numbers of those that show anything, dark to bright."""
    boxes = list(_boxes(voxels.shape, side, depth))
    brightness = np.array([float(np.minimum(np.abs(voxels[box]), ceiling).mean(dtype=np.float64)) for box in boxes])
    order = [int(number) for number in np.argsort(brightness, kind="stable")]
    return boxes, [n for n in order if brightness[n] >= FAINT * brightness.max()] or order[-1:]


def _boxes(shape: tuple[int, ...], side: int, depth: int) -> list[Box]:
    """Boxes that share a study out evenly, in some planes if it has many."""
    frames, slices, rows, columns = shape
    starts = [_starts(rows, side), _starts(columns, side)]
    deep = _starts(slices, depth)
    places = [(frame, first) for frame in range(frames) for first in deep]
    few = [places[int(n)] for n in np.unique(np.linspace(0, len(places) - 1, min(PLANES, len(places))).round())]
    return [
        (slice(frame, frame + 1), slice(z, z + min(depth, slices)), slice(y, y + side), slice(x, x + side))
        for frame, z in few
        for y, x in product(*starts)
    ]


def _starts(size: int, side: int) -> list[int]:
    """Where intervals of ``side`` begin that share ``size`` out, the first and the last at its ends."""
    if size <= side:
        return [0]
    return [int(s) for s in np.linspace(0, size - side, -(-size // side)).round()]


def _edges(piece: np.ndarray) -> float:
    """Mean slope of 4x4 means: between means of so many voxels it is the anatomy's, not the noise's."""
    rows, columns = (side // 4 * 4 for side in piece.shape[-2:])
    small = piece[..., :rows, :columns].reshape(-1, rows // 4, 4, columns // 4, 4).mean(axis=(2, 4))
    if min(small.shape[1:]) < 2:
        return 0.0
    return float(np.abs(np.diff(small, axis=1)).mean() + np.abs(np.diff(small, axis=2)).mean())
