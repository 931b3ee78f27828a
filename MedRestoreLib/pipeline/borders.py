"""Black borders of display frames, which scanners and recorders leave along the edges.

A method takes the step from tissue to black for an edge of the tissue, and darkens the tissue beside it. So it is given
the tissue's mirror image in place of the border, and the border is put back afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLACK = 1 / 64  # of a plane's brightest voxel: compressed video is not quite black
# Where frames were resized or compressed, up to NEARLY_BLACK lines along an edge are no tissue either: the last one is
# as a rule darker than DIM of the tissue beside it, those outside it than DARK of the brightest. That is judged where
# the tissue is echo (ECHO of the brightest), which it must be on WIDE of the side: the round edge of a sector is none.
NEARLY_BLACK, DARK, DIM, ALIKE, ECHO, WIDE = 8, 1 / 32, 0.4, 0.6, 1 / 16, 0.25

Plane = tuple[int, int]  # frame and slice
Box = tuple[slice, slice]  # rows and columns


def filled(voxels: np.ndarray) -> np.ndarray:
    """Each plane with its black borders replaced by the mirror image of what lies inside them.

    Args:
        voxels: ``(frames, slices, rows, columns)``, zero where there is no echo.

    Returns:
        ``voxels`` itself if no plane has a border, else a copy.

    >>> filled(np.array([[[[0.0, 0, 0, 0], [0, 5, 6, 7]]]]))[0, 0]
    array([[5., 5., 6., 7.],
           [5., 5., 6., 7.]])
    """
    result = voxels
    for plane, box in _bordered(voxels):
        if result is voxels:
            result = voxels.copy()
        widths = [(inner.start, side - inner.stop) for inner, side in zip(box, voxels.shape[2:], strict=True)]
        result[plane] = np.pad(voxels[plane][box], widths, mode="symmetric")
    return result


def put_back(voxels: np.ndarray, restored: np.ndarray) -> None:
    """Give ``restored`` the black borders of ``voxels``, in place."""
    for plane, box in _bordered(voxels):
        inside = restored[plane][box].copy()
        restored[plane] = voxels[plane]
        restored[plane][box] = inside


def _bordered(voxels: np.ndarray) -> Iterator[tuple[Plane, Box]]:
    """Planes with black lines along an edge, each with the smallest box that holds the rest."""
    for plane in np.ndindex(voxels.shape[:2]):
        values = voxels[plane]
        seen = values > BLACK * values.max()
        if seen.any():
            lines = [np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0)]
            box = slice(lines[0][0], lines[0][-1] + 1), slice(lines[1][0], lines[1][-1] + 1)
            box = _without_dim_lines(values, _without_dim_lines(values.T, box[::-1])[::-1])
            if values[box].shape != values.shape:
                yield plane, box


def _without_dim_lines(values: np.ndarray, box: Box) -> Box:
    """The box without the dim lines at its first and its last rows."""
    rows, columns = box
    seen = values[box]
    if len(seen) <= 4 * NEARLY_BLACK:
        return box
    start = rows.start + _dim_lines(seen, values.max())
    stop = rows.stop - _dim_lines(seen[::-1], values.max())
    return slice(start, stop), columns


def _dim_lines(values: np.ndarray, brightest: float) -> int:
    """How many of the first rows are dim."""
    dim = 0
    for number in range(1, NEARLY_BLACK + 1):
        tissue = values[number + 1]
        echo = tissue > ECHO * brightest
        if echo.mean() < WIDE:
            continue
        medians = np.median(values[: number + 1, echo] / tissue[echo], axis=1)
        outer = np.median(values[: number - 1, echo], axis=1)
        if (outer < DARK * brightest).all() and (medians[:number] < DIM).all() and medians[number] > ALIKE:
            dim = number
    return dim
