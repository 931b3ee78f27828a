"""Clean scintigrams of several organs, made by code or cut from the phantoms among the real studies; the peak is 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

SITE = 5000.0  # counts at the brightest pixel of an injection site


def thyroid(rng: np.random.Generator, size: int = 128) -> np.ndarray:
    """Two lobes of a quarter of the field, one with a cold and one with a hot nodule."""
    y, x = _grid(size)
    lobes = [_ellipse(y, x, (0.02, side * 0.13), (0.22, 0.08), side * 0.15) for side in (-1, 1)]
    image = 0.04 + 0.8 * (lobes[0] | lobes[1]) + 0.7 * _ellipse(y, x, (0.14, 0.0), (0.04, 0.08))
    image = image + 0.35 * _ellipse(y, x, (-0.06, 0.14), (0.035, 0.035))
    image[_ellipse(y, x, (0.08, -0.13), (0.05, 0.05))] = 0.15
    return _seen(rng, image, 2.0)


def lung(rng: np.random.Generator, size: int = 128) -> np.ndarray:
    """Perfusion of both lungs, more below than above, with defects like wedges."""
    y, x = _grid(size)
    lungs = _ellipse(y, x, (0, -0.2), (0.38, 0.14)) | _ellipse(y, x, (0, 0.2), (0.38, 0.15))
    image = 0.03 + lungs * (0.7 + 0.5 * y)
    for place in ((-0.1, -0.27), (0.2, 0.12)):
        image[lungs & _ellipse(y, x, place, (0.08, 0.06))] *= 0.3
    return _seen(rng, image, 2.0)


def kidney(rng: np.random.Generator, size: int = 128) -> np.ndarray:
    """Two kidneys, hot cortex around a cooler middle, one with a scar."""
    y, x = _grid(size)
    image = np.full((size, size), 0.06)
    for side in (-1, 1):
        image[_ellipse(y, x, (0, side * 0.2), (0.17, 0.09), -side * 0.3)] = 1.0
        image[_ellipse(y, x, (0, side * 0.17), (0.07, 0.035), -side * 0.3)] = 0.5
    image[_ellipse(y, x, (-0.14, 0.25), (0.03, 0.04))] = 0.3
    return _seen(rng, image, 1.7)


def flood(rng: np.random.Generator, size: int = 128) -> np.ndarray:
    """An even field that a round detector sees, uneven by some percent."""
    y, x = _grid(size)
    image = 1.0 * (np.hypot(y, x) < 0.47) * (1 + 0.03 * x)
    return _seen(rng, image, 1.0)


def bars(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """The bars of a quadrant phantom, 3 to 8 pixels a pair."""
    rows, columns = np.indices((size, size))
    image = np.zeros((size, size))
    half = size // 2
    for number, (pair, across) in enumerate(((8, rows), (6, columns), (4, columns), (3, rows))):
        quadrant = (rows // half == number // 2) & (columns // half == number % 2)
        image[quadrant] = (across[quadrant] % pair) < pair / 2
    y, x = _grid(size)
    return _seen(rng, 0.02 + image * (np.hypot(y, x) < 0.47), 0.8)


def bone(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """A part of a simulated whole-body scan (``training.simulate.bone``)."""
    from training.simulate.bone import whole_body

    scan = whole_body(int(rng.integers(2**31))).voxels[int(rng.integers(2)), 0]
    first = int(rng.integers(40, 500))
    return _peaked(scan[first : first + size, :size])


def brain(folder: Path) -> Callable[[np.random.Generator], np.ndarray]:
    """Slices of the perfusion phantom among the real studies in ``folder``."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        import MedRestoreLib as mr

        volume = mr.read(folder / "nuclear" / "phantoms" / "brain_perfusion_activity.nrrd").voxels[0]
        return _seen(rng, volume[int(rng.integers(45, 75))], 1.5)

    return draw


ORGANS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    row.__name__: row for row in (bone, thyroid, lung, kidney, flood, bars)
}


def with_site(expected: np.ndarray) -> np.ndarray:
    """Expected counts with an injection site in a corner, ``SITE`` counts at its brightest pixel."""
    y, x = np.indices(expected.shape)
    return (expected + SITE * np.exp(-((y - 14) ** 2 + (x - 14) ** 2) / (2 * 2.0**2))).astype(np.float32)


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each pixel, from -0.5 to 0.5."""
    y, x = (np.indices((size, size)) + 0.5) / size - 0.5
    return y, x


def _ellipse(
    y: np.ndarray, x: np.ndarray, middle: tuple[float, float], radii: tuple[float, float], turn: float = 0.0
) -> np.ndarray:
    down, across = y - middle[0], x - middle[1]
    along, aside = np.cos(turn) * down + np.sin(turn) * across, np.cos(turn) * across - np.sin(turn) * down
    return (along / radii[0]) ** 2 + (aside / radii[1]) ** 2 < 1


def _seen(rng: np.random.Generator, activity: np.ndarray, blur: float) -> np.ndarray:
    """What a camera expects: magnified by up to a tenth, uneven, and blurred by ``blur`` pixels."""
    size = len(activity)
    larger = zoom(activity, rng.uniform(1.0, 1.1), order=1)
    start = (len(larger) - size) // 2
    uneven = np.exp(0.5 * gaussian_filter(rng.standard_normal((size, size)), size / 12) * size / 12)
    return _peaked(gaussian_filter(larger[start : start + size, start : start + size] * uneven, blur))


def _peaked(image: np.ndarray) -> np.ndarray:
    return (np.maximum(image, 0) / image.max()).astype(np.float32)
