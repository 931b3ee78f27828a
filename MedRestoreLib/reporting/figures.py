"""Figures for people: before, after and what was removed, in one window, as in a journal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import modalities
from ..errors import UnsupportedImage
from ..evidence.blobs import Place
from ..files.atomic import write_bytes
from ..image import Image
from .report import CAUTION, Report
from .views import TALL_ASPECT, View, detail_of, view_of, window_of

DPI = 220
# Sizes in inches; three panels and their colour bar fill the two columns of a journal.
PANEL, TALL, GAP, MARGIN, BAR = 2.2, 5.6, 0.12, 0.15, 0.75
LETTER = 0.5  # how wide one is, relative to the size of its font
HEAD, TITLE, FOOT = 0.5, 0.24, 0.3

INK, SOFT, ACCENT, MARKED = "#1d2328", "#5b6670", "#e0a100", "#d4006a"
LEAST_CHANGE = 1e-3  # of the window: what is less is rounding and is not shown as more
MOST_MARKS = 20  # blobs that are circled
MARK_WIDTHS = 1.2  # radius of a circle in widths of its blob


class Mark(NamedTuple):
    """A circle on a picture: its middle and its radius in columns."""

    row: float
    column: float
    radius: float


def before_after(
    before: Image, after: Image, path: str | Path, *, report: Report | None = None, mask: np.ndarray | None = None
) -> Path:
    """Write one PNG: before, after and removed side by side, with a detail of each.

    Before and after share one window, which is stated; the removed part has a symmetric scale of its own. Shown is
    the middle slice of what is in a volume, the middle frame of a cine, both views of a whole-body scan. Nuclear
    medicine is dark on white; patients are seen from the feet, their right on the left. Circles mark the blobs that the
    report found lost or added in what is shown, the clearest ones. Of an enlarged study, before is its bicubic
    enlargement.

    Args:
        before, after: two studies on one grid (``Result.baseline`` and ``Result.image``).
        report: for the lines above: method and gain, and the noise.
        mask: bool ``(slices, rows, columns)``; its outline is drawn.

    Raises:
        UnsupportedImage: the studies do not lie on one grid.
        OutputError: the place is not writable.
    """
    check_grid(before, after)
    view = view_of(before)
    removed = view.of(before.voxels) - view.of(after.voxels)
    enlargement = None if report is None else report.enlargement
    header = ("", "") if report is None else (report.headline, (enlargement or report.noise).summary)
    outline = None if mask is None else view.of(np.broadcast_to(np.float32(mask), after.voxels.shape))
    name = "Before" if enlargement is None else "Before (bicubic)"
    pictures = {name: before, "After": after}
    change = "Removed (before − after)" if enlargement is None else "Bicubic − after"
    places = () if report is None or report.audit is None else report.audit.places
    marks = _marks(places, view, before.spacing)
    return _write(pictures, (change, removed), view, Path(path), header, outline, marks)


def compare(before: Image, after: Image, reference: Image, path: str | Path) -> Path:
    """Write one PNG: before, after, the reference, and the error that remains; otherwise as ``before_after``."""
    check_grid(before, after, reference)
    pictures = {"Before": before, "After": after, "Reference": reference}
    view = view_of(reference)
    error = view.of(after.voxels) - view.of(reference.voxels)
    return _write(pictures, ("Error (after − reference)", error), view, Path(path), ("", ""), None)


def check_grid(first: Image, *others: Image) -> None:
    """Raise UnsupportedImage unless all studies lie on one grid."""
    if not all(other.voxels.shape == first.voxels.shape and other.same_grid(first) for other in others):
        raise UnsupportedImage("the studies do not lie on the same grid, so they cannot be shown side by side.")


def _write(
    pictures: dict[str, Image],
    signed: tuple[str, np.ndarray],
    view: View,
    path: Path,
    header: tuple[str, str],
    outline: np.ndarray | None,
    marks: Sequence[Mark] = (),
) -> Path:
    """Draw the pictures in one window, then the signed part with its colour bar, and a detail of each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first, after = list(pictures.values())[:2]
    grey = view.of(after.voxels)
    low, high = window_of(grey, first.modality)
    change = signed[1]
    limit = max(float(np.nanquantile(np.abs(change), 0.995)), LEAST_CHANGE * (high - low)) or 1.0
    shown = [(title, colours(image, view), {"vmin": low, "vmax": high}) for title, image in pictures.items()]
    tone = "gray_r" if modalities.find(first.modality).inverted else "gray"
    styles = [{"cmap": tone, **range_} for _, _, range_ in shown] + [{"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}]
    arrays = [array for _, array, _ in shown] + [change]
    titles = [title for title, _, _ in shown] + [signed[0]]

    pixel = first.spacing[1] / first.spacing[0]
    aspect = grey.shape[0] * pixel / grey.shape[1]
    one = slice(0, view.columns.stop - view.columns.start)  # of two views the first
    box = detail_of(view.of(first.voxels)[:, one], grey[:, one], (low, high), pixel)
    layout = _Layout(len(arrays), aspect, has_header=any(header))
    figure = Figure(figsize=layout.size, dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    for number, (title, array, style) in enumerate(zip(titles, arrays, styles, strict=True)):
        whole, part = layout.whole(figure, number), layout.detail(figure, number)
        drawn = whole.imshow(array, aspect="auto", interpolation="antialiased", **style)
        whole.set_title(title, fontsize=8, color=INK, loc="left", pad=3)
        _frame(whole, box)
        for mark in marks:
            _circle(whole, mark, pixel)
        part.imshow(array[box[0], box[1]], aspect="auto", interpolation="nearest", **style)
        for side in part.spines.values():
            side.set(color=ACCENT, linewidth=1)
        if layout.tall:
            part.text(0.03, 0.96, title.split(" (")[0], transform=part.transAxes, fontsize=6.5, va="top", color=INK,
                      bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5})  # fmt: skip
        for axes, outlined in ((whole, outline), (part, None if outline is None else outline[box[0], box[1]])):
            axes.set(xticks=[], yticks=[])
            if outlined is not None and np.ptp(np.nan_to_num(outlined)) > 0:
                axes.contour(np.nan_to_num(outlined), levels=[0.5], colors=[ACCENT], linewidths=0.6)
    bar = figure.colorbar(drawn, cax=layout.bar(figure))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6.5, length=2, width=0.5, colors=SOFT)
    if first.unit:
        bar.set_label(first.unit, fontsize=6.5, color=SOFT, labelpad=1)
    layout.text(figure, header, _caption(first, view, low, high, in_colour=first.colour is not None))
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return write_bytes(path, data.getvalue())


def colours(image: Image, view: View) -> np.ndarray:
    """The plane in its unit, or in its own colours as ``(rows, columns, 3)`` in [0, 1]."""
    if image.colour is None:
        return view.of(image.voxels)
    dtype = np.dtype(image.source.dtype)
    brightest = np.iinfo(dtype).max if dtype.kind in "iu" else max(float(image.voxels.max()), 1e-9)
    plane = view.of(image.colour[..., :3]) + view.of(image.voxels)[..., None]
    return np.clip(plane / brightest, 0, 1)


def _marks(places: Iterable[Place], view: View, spacing: Sequence[float]) -> list[Mark]:
    """Circles around the places that are shown, the clearest first."""
    found = ((view.place_of(place.voxel), place.width_mm / spacing[0]) for place in places)
    return [Mark(*at, MARK_WIDTHS * width) for at, width in found if at is not None][:MOST_MARKS]


def _circle(axes: Any, mark: Mark, pixel: float) -> None:
    from matplotlib.patches import Ellipse

    size = (2 * mark.radius, 2 * mark.radius / pixel)
    axes.add_patch(Ellipse((mark.column, mark.row), *size, fill=False, edgecolor=MARKED, linewidth=0.9))


def _frame(axes: Any, box: tuple[slice, slice]) -> None:
    from matplotlib.patches import Rectangle

    rows, columns = box
    corner = (columns.start - 0.5, rows.start - 0.5)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=ACCENT, linewidth=0.9))
    for side in axes.spines.values():
        side.set_visible(False)


def _caption(image: Image, view: View, low: float, high: float, *, in_colour: bool) -> str:
    frames, slices = image.voxels.shape[:2]
    frame, number = view.planes[0]
    parts = []
    if len(view.planes) > 1:
        parts.append("both views")
    elif frames > 1:
        parts.append(f"frame {frame + 1} of {frames}")
    if slices > 1:
        parts.append(f"slice {number + 1} of {slices}")
    parts.append("own colours" if in_colour else f"window {low:.4g} to {high:.4g} {image.unit}".rstrip())
    if image.spacing_known and image.spacing[:2] != (1.0, 1.0):
        parts.append(f"pixels {image.spacing[0]:.3g} × {image.spacing[1]:.3g} mm")
    text = " · ".join(parts)
    return f"{text[0].upper()}{text[1:]} · {CAUTION}"


class _Layout:
    """Where panels lie, in inches: details below the pictures, or in a column beside tall ones."""

    def __init__(self, panels: int, aspect: float, *, has_header: bool) -> None:
        self.tall = aspect > TALL_ASPECT
        self.panels = panels
        self.head = HEAD * has_header
        self.height = TALL if self.tall else PANEL * aspect
        self.width = self.height / aspect
        self.side = (TALL - (panels - 1) * GAP) / panels if self.tall else PANEL
        across = panels * self.width + (panels - 1) * GAP
        down = self.height + (0 if self.tall else GAP + self.side)
        beside = BAR + self.side if self.tall else BAR
        self.size = (MARGIN + across + beside + MARGIN, self.head + TITLE + down + FOOT)
        self.across = across

    def whole(self, figure: Any, number: int) -> Any:
        return self._axes(figure, MARGIN + number * (self.width + GAP), self.head + TITLE, self.width, self.height)

    def detail(self, figure: Any, number: int) -> Any:
        top = self.head + TITLE
        if self.tall:
            left = MARGIN + self.across + BAR
            return self._axes(figure, left, top + number * (self.side + GAP), self.side, self.side)
        return self._axes(figure, MARGIN + number * (self.width + GAP), top + self.height + GAP, self.width, self.side)

    def bar(self, figure: Any) -> Any:
        return self._axes(figure, MARGIN + self.across + 0.08, self.head + TITLE, 0.09, self.height)

    def text(self, figure: Any, header: Sequence[str], caption: str) -> None:
        left = MARGIN / self.size[0]
        for line, size, colour, weight, below in (
            (header[0], 10, INK, "bold", 0.22),
            (header[1], 7.5, SOFT, "normal", 0.41),
        ):
            fits = 72 * (self.size[0] - 2 * MARGIN) / (LETTER * max(1, len(line)))  # points
            figure.text(left, 1 - below / self.size[1], line, fontsize=min(size, fits), color=colour, weight=weight)
        figure.text(left, 0.1 / self.size[1], caption, fontsize=6.5, color=SOFT)

    def _axes(self, figure: Any, left: float, top: float, width: float, height: float) -> Any:
        """Axes by their upper left corner."""
        across, down = self.size
        return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
