"""What a figure shows of a study: which planes, which part of them, in which window, and where its detail lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import modalities
from ..image import Image

TALL_ASPECT = 1.7  # from here a picture counts as tall and its details stand beside it, not below
GAP_COLUMNS = 4  # between two views of one body
MARGIN = 0.03  # of a side: what is left of a constant border
OBJECT = 0.06  # of the brightest: what lies below is background and has no say in the window
DETAIL, TALL_DETAIL = 0.3, 0.45  # of the picture's shorter side

Box = tuple[slice, slice]


@dataclass(frozen=True)
class View:
    """Which part of a study is shown, and how it is turned: all panels of a figure share it."""

    planes: tuple[tuple[int, int], ...]  # (frame, slice), side by side
    rows: slice
    columns: slice
    upside_down: bool
    mirrored: bool

    def of(self, voxels: np.ndarray) -> np.ndarray:
        """The shown part of ``(frames, slices, rows, columns[, components])``; NaN between two views."""
        parts: list[np.ndarray] = []
        for frame, number in self.planes:
            plane = voxels[frame, number, self.rows, self.columns]
            plane = plane[::-1] if self.upside_down else plane
            parts += [plane[:, ::-1] if self.mirrored else plane]
        if len(parts) == 1:
            return parts[0]
        gap = np.full_like(parts[0][:, :GAP_COLUMNS], np.nan)
        return np.hstack([part for pair in zip(parts, [gap] * len(parts), strict=True) for part in pair][:-1])

    def place_of(self, voxel: tuple[int, int, int, int]) -> tuple[int, int] | None:
        """Row and column in the shown part of ``(frame, slice, row, column)``; None where that is not shown."""
        frame, number, row, column = voxel
        inside = row in range(self.rows.start, self.rows.stop) and column in range(
            self.columns.start, self.columns.stop
        )
        if (frame, number) not in self.planes or not inside:
            return None
        width = self.columns.stop - self.columns.start
        down = self.rows.stop - 1 - row if self.upside_down else row - self.rows.start
        across = self.columns.stop - 1 - column if self.mirrored else column - self.columns.start
        return down, across + self.planes.index((frame, number)) * (width + GAP_COLUMNS)


def view_of(image: Image) -> View:
    """The middle slice of what is in a volume, the middle frame of a cine, both views of a whole-body scan.

    Borders of a single value are cut off, nothing else: what is dark may still be anatomy.
    """
    frames, slices = image.voxels.shape[:2]
    if modalities.find(image.modality).paired and frames == 2 and slices == 1:
        planes: tuple[tuple[int, int], ...] = ((0, 0), (1, 0))
    else:
        coarse = image.voxels[frames // 2, :, ::4, ::4]
        weight = np.abs(coarse - np.median(coarse[:, 0])).sum(axis=(1, 2), dtype=np.float64)
        planes = ((frames // 2, int(np.searchsorted(np.cumsum(weight), weight.sum() / 2))),)
    shown = np.stack([image.voxels[plane] for plane in planes])
    axes = np.reshape(image.direction, (3, 3))
    across, down = axes[:, 0], axes[:, 1]
    vertical = int(np.abs(down).argmax())
    # Down is posterior or, where slices stand upright, towards the feet; LPS counts those axes up and down.
    upside_down = down[vertical] < 0 if vertical != 2 else down[2] > 0
    mirrored = across[np.abs(across).argmax()] < 0
    return View(planes, *_without_border(shown), bool(upside_down), bool(mirrored))


def window_of(grey: np.ndarray, modality: str = "") -> tuple[float, float]:
    """The grey values shown as darkest and brightest: robust percentiles, that of the brightest of the object alone.

    A small object on a large ground would else be all white. From zero where zero is near.

    A modality with a customary window has that one.
    """
    custom = modalities.find(modality).window
    if custom is not None and np.nanmin(grey) < custom[0] and np.nanmax(grey) > custom[1]:
        return custom
    values = grey[np.isfinite(grey)]
    low, high = float(np.quantile(values, 0.005)), float(np.quantile(_object(values), 0.995))
    if np.nanmin(grey) >= 0 and low < 0.2 * high:
        low = 0.0
    return (low, high) if high > low else (low, low + 1.0)


def detail_of(before: np.ndarray, after: np.ndarray, window: tuple[float, float], pixel: float) -> Box:
    """The square (in mm) of a picture where most of the object was changed, as seen in the window.

    In air restoration takes out a mean, which is no detail worth a look.

    Args:
        before, after: ``(rows, columns)``.
        pixel: height of a pixel over its width.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    rows, columns = before.shape
    low, high = window
    seen = [np.clip(np.nan_to_num(grey, nan=low), low, high) for grey in (before, after)]
    change = np.abs(gaussian_filter(seen[0] - seen[1], 1.5))  # what is coarser than the noise of single pixels
    change *= _stands_out(gaussian_filter(seen[1], 1.5))
    shorter, tall = min(columns, rows * pixel), rows * pixel > TALL_ASPECT * columns
    width = int(np.clip((TALL_DETAIL if tall else DETAIL) * shorter, 8, columns))
    height = int(np.clip(width / pixel, 4, rows))
    row, column = np.unravel_index(uniform_filter(change, (height, width), mode="constant").argmax(), before.shape)
    top = int(np.clip(row - height // 2, 0, rows - height))
    left = int(np.clip(column - width // 2, 0, columns - width))
    return slice(top, top + height), slice(left, left + width)


def _without_border(planes: np.ndarray) -> Box:
    """Rows and columns without those along the edges that hold one value in all planes, but for a margin."""
    fill = planes[0, 0, 0]
    return _extent((planes != fill).any(axis=(0, 2))), _extent((planes != fill).any(axis=(0, 1)))


def _extent(filled: np.ndarray) -> slice:
    """From the first to the last line with content, and a margin; all of it where there is none."""
    size, lines = len(filled), np.flatnonzero(filled)
    if not lines.size:
        return slice(0, size)
    margin = round(MARGIN * size) + 1
    return slice(max(lines[0] - margin, 0), min(lines[-1] + margin + 1, size))


def _object(values: np.ndarray) -> np.ndarray:
    """The values that stand out from the background; all where none do."""
    found = values[_stands_out(values)]
    return found if found.size else values


def _stands_out(values: np.ndarray) -> np.ndarray:
    """Where values differ from the background, which is the most frequent one: boolean, like ``values``."""
    counts, edges = np.histogram(values, 256)
    background = edges[counts.argmax()]
    distance = np.abs(values - background)
    return distance > OBJECT * np.quantile(distance, 0.995)
