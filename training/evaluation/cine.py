"""Does restoring a cine frame by frame make it flicker? Temporal changes of still tissue in real lung clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from MedRestoreLib.metrics.no_reference import flicker

from ..data import WHITE, data_folder
from ..recipe import RecipeError
from ..tables.results import Result, Values
from . import methods
from .baselines import Restorer

FOLDER = "ultrasound/cine_lung"
SUFFIXES = (".mov", ".mp4", ".mpeg")

LEAST = 3  # frames that a clip must have
REPEATED = 0.1  # of the quantile MOST of the changes between frames: repeated frames differ by less
MOST = 0.9  # in some clips half of the frames are repeated
STILL = 0.25  # share of the tissue that counts as static, by its movement
SCALE = 3.0  # pixels: standard deviation of the filter that averages speckle out before movement is measured
DARK = 0.05  # mean grey: below it there is no tissue
GRAPHICS = 0.5 / 255  # standard deviation over time: burned-in graphics change less


def clips(folder: str | Path = FOLDER) -> list[Path]:
    """The clips, by name. Raises RecipeError where there are none."""
    place = data_folder() / folder
    found = sorted(path for path in place.glob("*") if path.suffix in SUFFIXES)
    if not found:
        raise RecipeError(f"there are no clips in {place}; set MEDRESTORE_DATA to the folder of studies.")
    return found


def read(path: Path, count: int) -> np.ndarray:
    """``count`` frames from the middle of a clip without repeated ones: grey in [0, 1], ``(frames, rows, columns)``.

    Raises:
        RecipeError: the clip has fewer than three different frames.
    """
    shown = list(_decoded(path))
    changes = [cv2.absdiff(after, before).mean() for before, after in pairwise(shown)]
    least = REPEATED * np.quantile(changes, MOST) if changes else 0.0
    different = shown[:1] + [frame for frame, change in zip(shown[1:], changes, strict=True) if change > least]
    if len(different) < LEAST:
        raise RecipeError(f"{path.name} has {len(different)} different frames; flicker needs {LEAST}.")
    first = max(0, (len(different) - count) // 2)
    return np.stack(different[first : first + count]) / WHITE


def _decoded(path: Path) -> Iterator[np.ndarray]:
    """All frames of a video in grey, uint8 ``(rows, columns)``."""
    video = cv2.VideoCapture(str(path))
    while (read := video.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)


def static(frames: np.ndarray) -> np.ndarray:
    """Static tissue: bool ``(rows, columns)``, the quarter that moves least of what is neither dark nor graphics."""
    tissue = (frames.mean(axis=0) > DARK) & (frames.std(axis=0) > GRAPHICS)
    movement = gaussian_filter(frames, (0, SCALE, SCALE)).std(axis=0)
    if not tissue.any():
        return tissue
    return tissue & (movement <= np.quantile(movement[tissue], STILL))


def measure(restore: Restorer, paths: Sequence[Path], count: int) -> Values:
    """Flicker of static tissue in grey values of 255: "flicker" → "before" or "after" → clip → number.

    Args:
        restore: gets all frames of a clip and the library's estimate of their level.
        paths: of clips; those without static tissue are left out.
        count: frames of each.
    """
    moments: dict[str, dict[str, float]] = {"before": {}, "after": {}}
    for name, cine, still in _usable(paths, count):
        moments["before"][name] = 255 * flicker(cine, mask=still)
        moments["after"][name] = 255 * flicker(restore(cine, methods.level_of(cine)), mask=still)
    return {"flicker": moments}


def results(names: Sequence[str], clip_count: int, count: int) -> Iterator[Result]:
    """One for each method; ``names`` as for ``methods.for_frames``. Raises RecipeError."""
    chosen = clips()[:clip_count]
    for name in names:
        method = methods.for_frames(name)
        values = measure(method.restore, chosen, count)
        yield Result("cine", "real", method.name, values, method.seed, {"clips": len(chosen), "frames": count})


def line(result: Result) -> str:
    """A result as a sentence."""
    before, after = (np.array(list(result.values["flicker"][moment].values())) for moment in ("before", "after"))
    return (
        f"{result.method}: flicker {before.mean():.2f} before, {after.mean():.2f} after (grey values); "
        f"less in {np.sum(after <= before)} of {len(before)} clips, {np.max(after / before):.2f} times in the worst."
    )


def _usable(paths: Sequence[Path], count: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for path in paths:
        cine = read(path, count)
        still = static(cine)
        if still.any():
            yield path.stem, cine, still
