"""Does a method resolve more? Width of points, slope of edges and ringing, simulated and on real wires in water.

Every number has its own before. Width and slope alone can be had by over-sharpening: read them with the overshoot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from MedRestoreLib.metrics.resolution import fwhm, overshoot, peak_gradient

from .. import build
from ..data import WHITE, data_folder
from ..recipe import RecipeError
from ..tables.results import Result, Values
from . import methods
from .baselines import Restorer
from .protocols import HeldOut

ALL = ", all"  # after the name of a method, all of whose sharpening is measured
SPREADS, NOISES = (0.5, 1.0, 1.5, 2.0, 3.0), (0.0, 0.05)  # pixels; standard deviation, white is 1
SIDE, SPACING = 192, 32  # pixels: of a phantom; between its points
DARK, BRIGHT, PEAK = 0.25, 0.75, 0.8  # grey of an edge's sides; of a blurred point
HALF = 12  # pixels on either side of a point or an edge
DISTANCES = (2.5, 3.5)  # of the points of a pair, in standard deviations of the point spread function
DIP = 0.9  # two peaks with less than this of the lower one between them are resolved

WIRES = "ultrasound/phantom_sequences"
WIRE_FRAMES, WIRE_PEAK, WIRE_APART, MOST_WIRES = 3, 0.5, 25, 12


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """Two for each method, a method of MedRestore or a training's folder: phantoms and wires. Raises RecipeError.

    Of a network with two images half of the sharpening is measured and, under a name of its own, all of it.
    """
    for method in (method for name in names for method in _methods(name)):
        for protocol, measure in (("phantoms", phantoms), ("wires", wires)):
            yield Result("resolution", protocol, method.name, measure(method.restore), method.seed, method.about)


def _methods(name: str) -> Iterator[methods.Method]:
    if not (build.is_trained(name) and hasattr(build.trained(name).network, "pair")):
        yield methods.for_frames(name)
        return
    yield methods.learned(name)
    every = methods.learned(name, sharpen=1.0)
    yield replace(every, name=every.name + ALL)


def phantoms(restore: Restorer) -> Values:
    """Measures of simulated points, edges and pairs → "before" or "after" → condition → value.

    - ``fwhm``: of points, pixels, mean over points and both directions; before without noise.
    - ``gradient``: steepest slope of an edge of height 1, per pixel; ``overshoot``: in % of its height.
    - ``split``: single points that became two, in %; ``resolved``: pairs that are seen as two, in %.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for spread in SPREADS:
        for noise in NOISES:
            condition = f"{spread:g} px, {100 * noise:g} %"
            for name, (before, after) in _measured(restore, spread, noise).items():
                for moment, value in (("before", before), ("after", after)):
                    found.setdefault(name, {}).setdefault(moment, {})[condition] = value
    return found


def wires(restore: Restorer) -> Values:
    """Measures of wires of real scanners → "before" or "after" → file → median over its wires.

    - ``fwhm``: across the beam, pixels.
    - ``lobes``: mean grey between one and a half and three widths from the peak, in % of it.
    - ``relative``: width after as a share of the same wire's before; 1 before.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for path in _files():
        measured: dict[tuple[str, str], list[float]] = {}
        for frame in _frames(path):
            after = restore(frame, methods.level_of(frame))
            for row, column in peaks(frame):
                pair = [wire(image[row], column) for image in (frame, after)]
                if None not in pair:
                    for moment, values in zip(("before", "after"), pair, strict=True):
                        values = (*values, values[0] / pair[0][0])
                        for name, value in zip(("fwhm", "lobes", "relative"), values, strict=True):
                            measured.setdefault((name, moment), []).append(value)
        for (name, moment), values in measured.items():
            found.setdefault(name, {}).setdefault(moment, {})[path.stem] = float(np.median(values))
    return found


def _measured(restore: Restorer, spread: float, noise: float) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng((round(10 * spread), round(100 * noise)))

    def seen(scene: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Blurred; blurred with noise; restored."""
        image = gaussian_filter(scene, spread, mode="nearest")
        noisy = np.clip(image + noise * rng.standard_normal(scene.shape), 0, 1).astype(np.float32)
        return image, noisy, restore(noisy, max(noise, 0.01) / PEAK)

    places = [(r, c) for r in range(SPACING, SIDE, SPACING) for c in range(SPACING, SIDE, SPACING)]
    ideal, _, points = seen(_points(places, spread))
    widths = [np.mean([_width(image, row, column) for row, column in places]) for image in (ideal, points)]
    lines = [[image[r, c - HALF : c + HALF + 1] for r, c in places] for image in (ideal, points)]
    split = [np.mean([_peaks_in(line) > 1 for line in of]) for of in lines]
    step = np.full((SIDE, SIDE), DARK, np.float32)
    step[:, SIDE // 2 :] = BRIGHT
    ideal, _, edge = seen(step)
    profiles = [image[HALF:-HALF, SIDE // 2 - 2 * HALF : SIDE // 2 + 2 * HALF].mean(axis=0) for image in (ideal, edge)]
    resolved = [[], []]
    for distance in DISTANCES:
        apart = max(2, round(distance * spread))
        twins = [(r, c + apart) for r, c in places]
        ideal, _, pairs = seen(np.maximum(_points(places, spread), _points(twins, spread)))
        for into, image in zip(resolved, (ideal, pairs), strict=True):
            into += [_peaks_in(image[r, c - HALF : c + apart + HALF + 1]) == 2 for r, c in places]
    return {
        "fwhm": tuple(map(float, widths)),
        "gradient": tuple(peak_gradient(profile) for profile in profiles),
        "overshoot": tuple(overshoot(profile) for profile in profiles),
        "split": tuple(100 * float(share) for share in split),
        "resolved": tuple(100 * float(np.mean(one)) for one in resolved),
    }


def _points(places: Sequence[tuple[int, int]], spread: float) -> np.ndarray:
    """Points that have the grey PEAK once they are blurred."""
    one = np.zeros((2 * SPACING + 1,) * 2)
    one[SPACING, SPACING] = 1
    scene = np.zeros((SIDE, SIDE), np.float32)
    for row, column in places:
        if row < SIDE and column < SIDE:
            scene[row, column] = PEAK / gaussian_filter(one, spread).max()
    return scene


def _width(image: np.ndarray, row: int, column: int) -> float:
    """FWHM of a point, the mean along rows and columns; as wide as can be measured where it is gone."""
    profiles = image[row, column - HALF : column + HALF + 1], image[row - HALF : row + HALF + 1, column]
    try:
        return float(np.mean([fwhm(profile) for profile in profiles]))
    except ValueError:
        return 2.0 * HALF


def _peaks_in(profile: np.ndarray) -> int:
    """Peaks of at least half the highest one's grey that have a dip between them."""
    top, count, last, dip = profile.max() / 2, 0, 0.0, 0.0
    for before, value, after in zip(profile[:-2], profile[1:-1], profile[2:], strict=True):
        dip = min(dip, value)
        if value >= top and value >= before and value > after:
            if not count or dip < DIP * min(last, value):
                count, last = count + 1, value
            last, dip = max(last, value), value
    return count


def _files() -> list[Path]:
    """Sequences of wire phantoms, by name. Raises RecipeError where there are none."""
    found = sorted((data_folder() / WIRES).glob("*.mkv"))
    if not found:
        raise RecipeError(f"there are no wire phantoms in {data_folder() / WIRES}; set MEDRESTORE_DATA.")
    return found


def _frames(path: Path) -> list[np.ndarray]:
    """Some frames of a sequence, evenly spread, grey in [0, 1]."""
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = [round((k + 0.5) * count / WIRE_FRAMES) for k in range(WIRE_FRAMES)]
    frames = []
    for number in range(count):
        there, frame = video.read()
        if not there:
            break
        if number in wanted:
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) / WHITE)
    return frames


def peaks(frame: np.ndarray) -> list[tuple[int, int]]:
    """The brightest wires: peaks of half the frame's brightest grey with no other near, away from the border."""
    smooth = gaussian_filter(frame, 1.0)
    highest = (smooth == maximum_filter(smooth, 2 * WIRE_APART + 1)) & (smooth > WIRE_PEAK * smooth.max())
    rows, columns = frame.shape
    inside = [
        (r, c)
        for r, c in np.argwhere(highest)
        if WIRE_APART <= r < rows - WIRE_APART and WIRE_APART <= c < columns - WIRE_APART
    ]
    return sorted(inside, key=lambda at: -smooth[at])[:MOST_WIRES]


def wire(line: np.ndarray, column: int) -> tuple[float, float] | None:
    """Width and side lobes in % of the peak; None where the profile is no single peak."""
    profile = line[column - WIRE_APART : column + WIRE_APART + 1]
    try:
        width = fwhm(profile)
    except ValueError:
        return None
    distance = np.abs(np.arange(len(profile)) - profile.argmax())
    lobes = profile[(distance >= 1.5 * width) & (distance < 3 * width)]
    return (width, 100 * float(lobes.mean() / profile.max())) if len(lobes) else None
