"""A few pieces of a study that show its extremes: bright, dark, in between, and where the edges are."""

from __future__ import annotations

from itertools import product

import numpy as np

PLANES = 12  # of a study of slices, evenly spread, in which pieces are looked for
FAINT = 0.05  # of the brightest piece's mean: a piece below shows nothing

Box = tuple[slice, slice, slice, slice]


def find_pieces(voxels: np.ndarray, side: int, depth: int = 1) -> list[Box]:
    """At most four boxes of a study ``(frames, slices, rows, columns)``, none twice.

    The brightest, the one with the strongest edges, one of middling brightness, and the darkest that shows anything.

    Args:
        side: of a box in rows and columns, voxels; the study's own where that is less.
        depth: slices of a box.
    """
    boxes = list(_boxes(voxels.shape, side, depth))
    cut = [voxels[box] for box in boxes]
    brightness = np.array([float(np.abs(piece).mean(dtype=np.float64)) for piece in cut])
    edges = np.array([_edges(piece) for piece in cut])
    order = np.argsort(brightness, kind="stable")
    shown = [number for number in order if brightness[number] >= FAINT * brightness.max()] or [int(order[-1])]
    chosen = (shown[-1], max(shown, key=lambda number: edges[number]), shown[len(shown) // 2], shown[0])
    return [boxes[number] for number in dict.fromkeys(int(n) for n in chosen)]


def _boxes(shape: tuple[int, ...], side: int, depth: int) -> list[Box]:
    """Boxes that share a study out evenly, in some planes if it has many."""
    frames, slices, rows, columns = shape
    starts = [_starts(rows, side), _starts(columns, side)]
    deep = _starts(slices, depth)
    places = [(frame, first) for frame in range(frames) for first in deep]
    few = [places[int(n)] for n in np.unique(np.linspace(0, len(places) - 1, min(PLANES, len(places))).round())]
    return [
        (slice(frame, frame + 1), slice(z, z + min(depth, slices)), slice(y, y + side), slice(x, x + side))
        for (frame, z), y, x in product(few, *starts)
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
