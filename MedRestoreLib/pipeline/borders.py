"""Black borders of display frames: what scanners and recorders leave along the edges.

A method takes the step from tissue to black for an edge of the tissue, and darkens a strip beside it. It is shown the
tissue's mirror image there instead, as at the edge of the frame itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLACK = 1 / 64  # of a plane's brightest voxel: compressed video is not quite black

Place = tuple[int, int]
Box = tuple[slice, slice]


def filled(voxels: np.ndarray) -> np.ndarray:
    """Each plane with its black borders replaced by the mirror image of what lies inside them.

    Args:
        voxels: ``(frames, slices, rows, columns)``, zero where there is no echo.

    Returns:
        ``voxels`` itself where no plane has such a border, else a copy.

    >>> filled(np.array([[[[0.0, 0, 0, 0], [0, 5, 6, 7]]]]))[0, 0]
    array([[5., 5., 6., 7.],
           [5., 5., 6., 7.]])
    """
    result = voxels
    for place, box in _bordered(voxels):
        if result is voxels:
            result = voxels.copy()
        margins = [(inner.start, side - inner.stop) for inner, side in zip(box, voxels.shape[2:], strict=True)]
        result[place] = np.pad(voxels[place][box], margins, mode="symmetric")
    return result


def put_back(voxels: np.ndarray, restored: np.ndarray) -> None:
    """Give ``restored`` the black borders of ``voxels``, in place."""
    for place, box in _bordered(voxels):
        inside = restored[place][box].copy()
        restored[place] = voxels[place]
        restored[place][box] = inside


def _bordered(voxels: np.ndarray) -> Iterator[tuple[Place, Box]]:
    """Planes that have lines of black along an edge, each with the smallest box that holds the rest."""
    for place in np.ndindex(voxels.shape[:2]):
        plane = voxels[place]
        seen = plane > BLACK * plane.max()
        if seen.any():
            lines = [np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0)]
            box = slice(lines[0][0], lines[0][-1] + 1), slice(lines[1][0], lines[1][-1] + 1)
            if plane[box].shape != plane.shape:
                yield place, box
