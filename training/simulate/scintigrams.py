"""Planar scintigrams of organs in pairs (thyroid, lungs, kidneys), floods, and slices of nuclear phantoms.

They are drawn quickly, to show a network more than skeletons. Everything random comes from the generator. All images
are float32 with the maximum 1: what a camera expects, without noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

# Phantoms of nuclear medicine among the studies. The brain perfusion phantom is kept for tests.
PHANTOMS = (
    "DaT_Source_120x120x120",
    "Defrise_200x200x200",
    "Derenzo_220x220x161_with_bkg",
    "Fillable_Jaszczak_238x237x134_with_bkg",
    "Glioblastoma_Source_92x102x65",
    "Jaszczak_238x237x134",
    "ludotatate_activity",
)
PROJECTED = 0.4  # share of the phantoms' images that are projections, not slices
BLUR = (0.8, 2.5)  # pixels, standard deviation of the camera's resolution
UNEVEN = 0.3  # relative standard deviation of uptake that varies slowly
FLOOD = 0.15  # share of floods among the organs


def volumes(folder: Path) -> list[np.ndarray]:
    """The phantoms' activities, float32 ``(slices, rows, columns)`` with the maximum 1."""
    import SimpleITK as sitk

    found = []
    for name in PHANTOMS:
        voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{name}.nrrd"))).astype(np.float32)
        found.append(voxels / voxels.max())
    return found


def phantom(rng: np.random.Generator, volumes: Sequence[np.ndarray], side: int) -> np.ndarray:
    """A slice or a projection of one of the volumes along any axis, on ``side`` x ``side`` pixels."""
    volume = np.moveaxis(volumes[rng.integers(len(volumes))], rng.integers(3), 0)
    if rng.random() < PROJECTED:
        plane = volume.mean(axis=0)
    else:
        shows = np.flatnonzero(volume.mean(axis=(1, 2)) > 0.2 * volume.mean())
        plane = volume[shows[rng.integers(len(shows))]]
    plane = zoom(plane, rng.uniform(0.5, 1.0) * side / max(plane.shape), order=1)
    canvas = np.zeros((side, side), np.float32)
    row, column = (int(rng.integers(side - size + 1)) for size in plane.shape)
    canvas[row : row + plane.shape[0], column : column + plane.shape[1]] = plane
    return peaked(gaussian_filter(canvas, rng.uniform(*BLUR)))


def organs(rng: np.random.Generator, side: int) -> np.ndarray:
    """A pair of organs that may have cold and hot places, on a body; or a flood with or without the camera's edge."""
    y, x = _grid(side, rng)
    if rng.random() < FLOOD:
        field = np.hypot(y, x) < rng.uniform(0.25, 1.2)
        return peaked(gaussian_filter(field * _uneven(rng, side, 0.05), rng.choice((0.0, rng.uniform(0.3, 2.0)))))
    image = rng.uniform(0, 0.15) * (1.0 * _ellipse(y, x, (0, 0), rng.uniform(0.3, 0.9, 2), 0))
    apart, lengths, turn = rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.4, 2) * (1, 0.6), rng.uniform(-0.5, 0.5)
    for way in (-1, 1) if rng.random() < 0.8 else (1,):
        middle = (rng.uniform(-0.05, 0.05), way * apart)
        size = lengths * rng.uniform(0.8, 1.2, 2)
        within = _ellipse(y, x, middle, size, way * turn)
        image[within] = rng.uniform(0.4, 1.0) * (1 + rng.uniform(-0.8, 0.8) * y[within])
        if rng.random() < 0.3:  # a cooler middle, as a kidney's
            image[within & _ellipse(y, x, middle, size * rng.uniform(0.3, 0.6), way * turn)] *= rng.uniform(0.3, 0.9)
        for _ in range(rng.integers(0, 4)):  # nodules and defects
            place = np.array(middle) + rng.uniform(-1, 1, 2) * size
            small = rng.uniform(0.02, 0.3, 2) * size.max() + 0.01
            image[within & _ellipse(y, x, place, small, rng.uniform(0, np.pi))] *= rng.choice((0.1, 0.5, 1.5, 2.5))
    return peaked(gaussian_filter(image * _uneven(rng, side, UNEVEN), rng.uniform(*BLUR)))


def peaked(image: np.ndarray) -> np.ndarray:
    """Without negative values, divided by the maximum; all zero where that is zero."""
    image = np.maximum(image, 0)
    return (image / max(float(image.max()), 1e-6)).astype(np.float32)


def _grid(side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each pixel in shares of the image, from a middle that lies anywhere near it."""
    y, x = (np.indices((side, side)) + 0.5) / side - 0.5 - rng.uniform(-0.2, 0.2, (2, 1, 1))
    return y, x


def _ellipse(y: np.ndarray, x: np.ndarray, middle: Sequence[float], radii: Sequence[float], turn: float) -> np.ndarray:
    down, across = y - middle[0], x - middle[1]
    along, aside = np.cos(turn) * down + np.sin(turn) * across, np.cos(turn) * across - np.sin(turn) * down
    return (along / radii[0]) ** 2 + (aside / radii[1]) ** 2 < 1


def _uneven(rng: np.random.Generator, side: int, strength: float) -> np.ndarray:
    """A factor that varies slowly over the image, log-normal."""
    coarse = zoom(rng.standard_normal((6, 6)), side / 6, order=1)[:side, :side]
    return np.exp(rng.uniform(0, strength) * coarse)
