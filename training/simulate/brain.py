"""A clean T1-weighted head: an analytic brain with folded cortex, on any grid of slices.

Coordinates are LPS millimetres around the middle of the brain: x to the left, y to the back, z up. Every shape is a
signed distance in mm (negative inside), so borders have about a voxel of partial volume on a grid of any spacing. Sulci
are sheets: the zero level set of a smooth random field that hardly changes with depth, cut off below a random depth.
Grey matter is what lies within CORTEX of a sulcus or of the surface. Sizes are those of an adult, rounded.
"""

from __future__ import annotations

import numpy as np

from MedRestoreLib.image import Image

BRAIN = (66.0, 86.0, 66.0)  # half axes, mm
CORTEX = 3.3  # thickness, mm
CSF_LAYER, SKULL, SCALP = 2.0, 8.0, 13.0  # outer ends of the layers above the brain, mm
SCALE = 1000.0  # of the signals below: arbitrary units, as scanners give them
SIGNAL = {  # magnetisation-prepared T1 weighting at 3 T, white matter 0.8
    "air": 0.0, "fat": 0.5, "muscle": 0.33, "bone": 0.06, "marrow": 0.22, "fluid": 0.12, "grey": 0.47, "white": 0.8,
    "dura": 0.24, "caudate": 0.53, "putamen": 0.57, "pallidum": 0.69, "thalamus": 0.66, "choroid": 0.3, "vessel": 0.75,
}  # fmt: skip


def t1_stack(
    seed: int = 0,
    shape: tuple[int, int, int] = (24, 217, 181),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Image:
    """Axial T1-weighted slices of a head, centred at the lateral ventricles; Rician noise is added later.

    Args:
        seed: of the head: folding, size, ventricles and receive field.
        shape: slices, rows, columns.
        spacing: of columns, rows and slices (x, y, z) in mm.

    Returns:
        Image of modality MR, voxels ``(1, *shape)`` from 0 to about 900, arbitrary units.

    >>> t1_stack(shape=(1, 64, 64), spacing=(3.0, 3.0, 3.0)).voxels.shape
    (1, 1, 64, 64)
    """
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.96, 1.04, 3)
    z, y, x = np.meshgrid(
        *((np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing[::-1], strict=True)), indexing="ij"
    )
    origin = tuple(float(axis.flat[0]) for axis in (x, y, z))
    x, y, z = x / size[0], (y - 2) / size[1], (z + 6) / size[2]
    signal = _head(rng, x.astype(np.float32), y.astype(np.float32), z.astype(np.float32), 0.5 * min(spacing[:2]))
    receive = 1 + 0.06 * _waves(rng, 12, 110, 240)(x, y, z)
    return Image((SCALE * signal * receive)[None], spacing=spacing, origin=origin, modality="MR")


def _head(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, z: np.ndarray, edge: float) -> np.ndarray:
    """Signal at points; ``edge`` is the half width of a tissue border in mm."""
    uneven, fine = _waves(rng, 16, 25, 60)(x, y, z), _waves(rng, 24, 5, 12)(x, y, z)
    surface = (
        _ellipsoid(x, y, z, (0, 0, 0), BRAIN) + 1.6 * _waves(rng, 10, 90, 200)(x, y, z) + 1.2 * np.abs(x) / BRAIN[0]
    )
    image = np.zeros_like(x)

    def paint(tissue: str, distance: np.ndarray, share: float = 1.0) -> None:
        nonlocal image
        cover = share / (1 + np.exp(np.clip(2.5 * distance / edge, -30, 30)))
        image = image + cover * (SIGNAL[tissue] - image)

    paint("muscle", surface - SCALP)
    paint("fat", np.abs(surface - (SKULL + SCALP) / 2 - 0.8 * uneven) - 0.9 - 0.6 * uneven, 0.8)
    paint("bone", surface - SKULL)
    paint("marrow", np.abs(surface - (CSF_LAYER + SKULL) / 2) - 0.9 - 0.7 * uneven)
    paint("dura", surface - CSF_LAYER - 0.6)
    paint("fluid", surface - CSF_LAYER)

    sulci = _sulci(rng, x, y, z, surface)
    pia = np.maximum(surface, 0.55 + 0.3 * uneven - sulci)  # the brain's own surface: the hull without the sulci
    paint("grey", pia)
    paint("white", pia + CORTEX + 0.3 * uneven)
    paint("dura", np.maximum(np.abs(x - _midline(y, z)) - 0.35, _core(x, y, z, -6)) + np.maximum(surface - 2, 0), 0.6)
    paint(
        "vessel",
        np.hypot(x - _midline(y, z), y - BRAIN[1] * np.sqrt(np.clip(1 - (z / BRAIN[2]) ** 2, 0, 1)) - 1) - 2.5,
        0.4,
    )
    _deep(rng, paint, x, y, z)
    return np.clip(image * (1 + 0.012 * fine + 0.012 * uneven), 0, None)


def _sulci(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, z: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Distance to the nearest sulcus, mm, >= 0."""
    folds, warp = _waves(rng, 64, 15, 26, (1, 1, 0.45)), [_waves(rng, 12, 20, 45) for _ in range(3)]
    reach = 18 + 7 * _waves(rng, 16, 25, 60)(x, y, z)  # how deep sulci go

    def level(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The field of points moved towards the surface: it hardly changes with depth, so its level sets are sheets."""
        inward = np.sqrt((x / BRAIN[0]) ** 2 + (y / BRAIN[1]) ** 2 + (z / BRAIN[2]) ** 2)
        lift = 1 / np.clip(inward, 0.4, None) ** 0.6
        return folds(*(lift * p + 3.0 * w(x, y, z) for p, w in zip((x, y, z), warp, strict=True)))

    here, step = level(x, y, z), 0.5
    slope = np.sqrt(
        sum(((level(*moved) - here) / step) ** 2 for moved in ((x + step, y, z), (x, y + step, z), (x, y, z + step)))
    )
    fissure = np.maximum(np.abs(x - _midline(y, z)), _core(x, y, z, 0))
    below = np.maximum(np.minimum(-surface, fissure) - reach, 0)
    sheet = np.hypot(here / np.maximum(slope, 1e-3), below)
    side = np.abs(x)
    wobble = 2.5 * warp[0](x, y, z)
    insula = np.hypot(side - 42 + 0.012 * (y + 2) ** 2 + wobble, np.maximum(np.hypot((y + 2) / 1.2, z - 2) - 15, 0))
    sylvian = np.hypot(y - 4 - 0.3 * (side - 41) - 2 * wobble, np.maximum(np.maximum(41 - side, np.abs(z - 2) - 14), 0))
    return np.minimum.reduce([sheet, np.maximum(fissure, 0), insula, sylvian])


def _deep(rng: np.random.Generator, paint, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    """White core, basal ganglia, thalami and ventricles."""
    wide = rng.uniform(0.8, 1.3)
    paint("white", _core(x, y, z, 3))
    for side in (-1, 1):
        u = side * x - 0.6
        paint("putamen", _ellipsoid(u, y, z, (28, -4, 0), (5.5, 15, 10), turn=0.28))
        paint("pallidum", _ellipsoid(u, y, z, (21, -1, -1), (4.5, 9, 7), turn=0.4))
        paint("thalamus", _ellipsoid(u, y, z, (11, 15, 4), (8.5, 14, 9), turn=-0.45))
        paint("caudate", _ellipsoid(u, y, z, (15, -22, 5), (5.5, 10, 12), turn=0.3))
        horn = _ellipsoid(u, y, z, (9, -24, 7), (4.0 * wide, 14, 9), turn=0.42)
        body = _ellipsoid(u, y, z, (9, 4, 18), (6 * wide, 34, 5))
        atrium = _ellipsoid(u, y, z, (24, 36, 4), (5.5 * wide, 16, 9), turn=0.35)
        paint("fluid", np.minimum.reduce([horn, body, atrium]))
        paint("choroid", _ellipsoid(u, y, z, (23, 33, 5), (2.2, 6, 3), turn=0.35), 0.8)
    paint("fluid", np.maximum(np.abs(x) - 1.6 * wide, np.maximum(np.abs(y - 8) - 15, z - 4)))
    paint("white", np.maximum(np.abs(x) - 0.5, np.maximum(np.abs(y + 20) - 14, np.abs(z - 10) - 8)), 0.7)


def _core(x: np.ndarray, y: np.ndarray, z: np.ndarray, smaller: float) -> np.ndarray:
    """The core that joins the hemispheres: distance, positive inside; shrunk by ``smaller`` mm."""
    distance = _ellipsoid(x, y, z, (0, 4, 2), (34.0, 41.0, 24.0)) + smaller
    return -distance if smaller <= 0 else distance


def _midline(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """x (mm) of the fissure between the hemispheres."""
    return 0.8 * np.sin(y / 14) + 0.5 * np.sin(z / 8 + y / 23)


def _ellipsoid(x, y, z, centre: tuple, semi: tuple, turn: float = 0.0) -> np.ndarray:
    """Signed distance to an ellipsoid in mm, exact on its surface; ``turn`` radians about z."""
    x, y, z = x - centre[0], y - centre[1], z - centre[2]
    if turn:
        x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    scaled = np.sqrt(sum((p / s) ** 2 for p, s in zip((x, y, z), semi, strict=True)))
    slope = np.sqrt(sum((p / s**2) ** 2 for p, s in zip((x, y, z), semi, strict=True)))
    return scaled * (scaled - 1) / np.maximum(slope, 1e-6)


def _waves(rng: np.random.Generator, count: int, shortest: float, longest: float, along: tuple = (1, 1, 1)):
    """A smooth random field of unit variance: plane waves with wavelengths in mm, as a function of x, y, z.

    ``along`` shrinks the directions' components: the field varies less along an axis that has a small one.
    """
    direction = rng.normal(size=(count, 3)) * along
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wave = (2 * np.pi / rng.uniform(shortest, longest, (count, 1)) * direction).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    height = np.float32(np.sqrt(2 / count))

    def field(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
        for (a, b, c), p in zip(wave, phase, strict=True):
            total += np.cos(a * x + b * y + c * z + p)
        return height * total

    return field
