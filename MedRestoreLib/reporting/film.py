"""A cine before and after, side by side and moving: whether a restored cine flickers, no still picture shows."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import modalities
from ..errors import UnsupportedImage
from ..files.atomic import write_bytes
from ..image import Image
from .figures import check_grid, colours
from .views import View, view_of, window_of

FRAMES = 32  # at most, from the middle of the cine
LEAST = 3  # fewer frames are no cine
SIDE = 360  # pixels: the longer side of a panel, at most
GAP = 4  # pixels
QUALITY = 70  # of WebP, 0 to 100
DEFAULT_MS, FASTEST_MS = 50.0, 20.0  # a frame's time where the study has none; the shortest that browsers keep


def is_cine(image: Image) -> bool:
    """Whether there is a film of this study: it has at least three frames."""
    return len(image.voxels) >= LEAST


def before_after(before: Image, after: Image, path: str | Path) -> Path:
    """Write an animated WebP: before on the left, after on the right, in one window and at the study's own speed.

    It shows at most 32 frames from the middle of the cine, the middle slice of volumes, 20 frames a second where the
    study has no frame times. It repeats for ever; browsers and most picture viewers play it.

    Args:
        before, after: two cines on one grid.

    Raises:
        UnsupportedImage: the studies do not lie on one grid, or have fewer than three frames.
        OutputError: the place is not writable.
    """
    check_grid(before, after)
    if not is_cine(before):
        raise UnsupportedImage(f"a film needs at least {LEAST} frames, the study has {len(before.voxels)}.")
    view = replace(view_of(after), rows=slice(None), columns=slice(None))  # whole: what moves may leave a crop
    low, high = window_of(view.of(after.voxels), before.modality)
    frames = [
        np.hstack([_panel(image, seen, low, high) for image in (before, after)]) for seen in _moments(after, view)
    ]
    return write_bytes(Path(path), _webp([frame[:, :-GAP] for frame in frames], _frame_ms(before)))


def _moments(image: Image, view: View) -> list[View]:
    """The view at each frame shown."""
    count = len(image.voxels)
    first = max(0, (count - FRAMES) // 2)
    number = view.planes[0][1]
    return [replace(view, planes=((frame, number),)) for frame in range(first, min(first + FRAMES, count))]


def _panel(image: Image, view: View, low: float, high: float) -> np.ndarray:
    """One study at one moment, uint8 ``(rows, columns, 3)`` with a white gap to its right."""
    from PIL import Image as Picture

    seen = colours(image, view) if image.colour is not None else (view.of(image.voxels) - low) / (high - low)
    if modalities.find(image.modality).inverted:
        seen = 1 - seen
    grey = np.rint(255 * np.clip(seen, 0, 1)).astype(np.uint8)
    rows, columns = grey.shape[0] * image.spacing[1] / image.spacing[0], grey.shape[1]
    scale = min(1.0, SIDE / max(rows, columns))
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    picture = Picture.fromarray(grey).convert("RGB").resize(size, Picture.Resampling.BICUBIC)
    return np.pad(np.asarray(picture), ((0, 0), (0, GAP), (0, 0)), constant_values=255)


def _frame_ms(image: Image) -> float:
    """The time from one frame to the next."""
    interval = float(np.median(np.diff(image.frame_times))) if len(image.frame_times) > 1 else 0.0
    return max(interval, FASTEST_MS) if interval > 0 else DEFAULT_MS


def _webp(frames: list[np.ndarray], frame_ms: float) -> bytes:
    from PIL import Image as Picture

    first, *others = [Picture.fromarray(frame) for frame in frames]
    data = io.BytesIO()
    first.save(
        data, "WEBP", save_all=True, append_images=others, duration=round(frame_ms), loop=0, quality=QUALITY, method=4
    )
    return data.getvalue()
