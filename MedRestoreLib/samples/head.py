"""A slab of a T1-weighted head: nested surfaces, with a cortex that a random field folds.

Coordinates are in mm, LPS, from the middle of the brain. A surface is a signed distance in mm, negative inside; a
sigmoid of it mixes the tissues on both sides over about one voxel (partial volume).
"""

from __future__ import annotations

import numpy as np

from ..image import Image
from ..noise import model

SHAPE, SPACING = (40, 152, 128), 1.4  # slices, rows, columns; mm
BRAIN = (64.0, 82.0, 62.0)  # half axes, mm
CORTEX, SULCUS, DEPTH = 3.0, 1.1, 21.0  # thickness, half width and depth of a sulcus, mm
FOLDS = 7.5  # mm: correlation length of the folding
SIGNAL = {"scalp": 820.0, "muscle": 330.0, "bone": 50.0, "fluid": 130.0, "grey": 470.0, "white": 760.0, "deep": 590.0}
NOISE_PERCENT = 8.0


def t1_slab(seed: int = 0) -> Image:
    """Axial slices through the ventricles: voxels ``(1, 40, 152, 128)``, 1.4 mm, Rician noise of 8 %.

    >>> t1_slab().modality
    'MR'
    """
    rng = np.random.default_rng(seed)
    noisy = model("rician").add(clean(rng)[None], NOISE_PERCENT, rng)
    origin = tuple(-(n - 1) / 2 * SPACING for n in SHAPE[::-1])
    stored = np.rint(noisy).astype(np.int16)
    return Image.from_array(stored, spacing=(SPACING,) * 3, origin=origin, modality="MR")


def clean(rng: np.random.Generator) -> np.ndarray:
    """The signal without noise, float32 ``SHAPE``, arbitrary units: each call gives another head."""
    z, y, x = (
        ((np.arange(n) - (n - 1) / 2) * SPACING).astype(np.float32).reshape(shape)
        for n, shape in zip(SHAPE, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)), strict=True)
    )
    z = z + 8
    waves = _smooth(rng, 14)
    hull = _ellipsoid(x, y, z, (0, 0, 0), BRAIN) + 1.2 * waves
    image = np.zeros(SHAPE, np.float32)

    def paint(tissue: str, distance: np.ndarray) -> None:
        nonlocal image
        cover = 1 / (1 + np.exp(np.clip(3 * distance / SPACING, -30, 30)))
        image = image + cover * (SIGNAL[tissue] - image)

    paint("scalp", hull - 14 - waves)
    paint("muscle", np.abs(hull - 12.5) - 0.7)
    paint("bone", hull - 9)
    paint("scalp", np.abs(hull - 6.5) - 0.4 - 0.6 * waves)  # marrow
    paint("fluid", hull - 3)
    sulci = _sulci(rng, x, y, z, hull)
    paint("grey", np.maximum(hull, SULCUS - sulci))
    paint("white", np.maximum(hull, SULCUS - sulci) + CORTEX + 0.3 * waves)
    for side in (-1, 1):
        u = side * x
        paint("white", _ellipsoid(u, y, z, (16, 4, 6), (14, 34, 17)))
        paint("deep", _ellipsoid(u, y, z, (27, -2, 0), (6, 16, 11)))
        paint("deep", _ellipsoid(u, y, z, (11, 14, 4), (8, 13, 9)))
        paint("deep", _ellipsoid(u, y, z, (14, -20, 8), (5, 9, 11)))
        paint("fluid", _ellipsoid(u, y, z, (7, -18, 10), (4, 15, 8)))
        paint("fluid", _ellipsoid(u, y, z, (9, 12, 17), (5, 32, 5)))
        paint("fluid", _ellipsoid(u, y, z, (22, 34, 6), (5, 15, 9)))
    paint("fluid", np.maximum(np.abs(x) - 1.6, np.maximum(np.abs(y - 8) - 14, np.abs(z) - 8)))
    receive = 1 + 0.08 * _smooth(rng, 45)
    return np.clip(image * receive * (1 + 0.015 * _smooth(rng, 4)), 0, None)


def _sulci(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, z: np.ndarray, hull: np.ndarray) -> np.ndarray:
    """Distance to the nearest sulcus or to the interhemispheric fissure, mm, >= 0, float32 ``SHAPE``."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    reach = [int(2 * half / FOLDS * 3) for half in BRAIN]
    field = gaussian_filter(rng.normal(size=reach[::-1]), 1.5, mode="wrap").astype(np.float32)
    field /= field.std()
    # Points are projected about radially onto the surface before the field is read: sulci run straight inwards.
    inward = np.sqrt((x / BRAIN[0]) ** 2 + (y / BRAIN[1]) ** 2 + (z / BRAIN[2]) ** 2)
    lift = 3 / FOLDS / np.clip(inward, 0.4, None) ** 0.7
    where = [p * lift + size / 2 for p, size in zip((z, y, x), field.shape, strict=True)]
    level = map_coordinates(field, where, order=3, mode="wrap")
    slope = np.sqrt(sum(g**2 for g in np.gradient(level, SPACING)))
    sheet = np.abs(level) / np.maximum(slope, 0.08)
    sheet = np.hypot(sheet, np.maximum(-hull - DEPTH, 0))
    bridge = np.maximum(-_ellipsoid(x, y, z, (0, 4, 2), (30, 38, 24)), 0)  # joins the hemispheres: no fissure there
    return np.minimum(sheet, np.hypot(x + 0.8 * np.sin(y / 14), bridge))


def _ellipsoid(x: np.ndarray, y: np.ndarray, z: np.ndarray, centre: tuple, semi: tuple) -> np.ndarray:
    """Signed distance to an ellipsoid, mm, negative inside; accurate to first order near its surface."""
    p = [(a - c) / s for a, c, s in zip((x, y, z), centre, semi, strict=True)]
    value = np.sqrt(sum(a**2 for a in p))
    slope = np.sqrt(sum((a / s) ** 2 for a, s in zip(p, semi, strict=True)))
    return (value - 1) * value / np.maximum(slope, 1e-3)


def _smooth(rng: np.random.Generator, length: float) -> np.ndarray:
    """A smooth random field ``SHAPE`` of unit variance; ``length`` is its correlation length, mm."""
    from scipy.ndimage import gaussian_filter, zoom

    step = max(1, int(length / 3 / SPACING))
    coarse = rng.normal(size=[-(-n // step) + 3 for n in SHAPE])
    field = zoom(gaussian_filter(coarse, length / 2 / SPACING / step), step, order=1)
    field = field[tuple(slice(0, n) for n in SHAPE)].astype(np.float32)
    return field / field.std()
