"""A planar whole-body bone scan, anterior view: tubes and ellipsoids of uptake, projected, blurred, then counted.

Coordinates are in mm: x from the midline, y down from the crown. At a distance d from its axis, a tube of radius r and
uptake u per mm adds 2 u sqrt(r^2 - d^2) to the projection. Paired structures are listed once, for one side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from ..image import Image
from ..noise import model

ROWS, COLUMNS, PIXEL = 512, 192, 3.5  # mm
TOP = 8  # row of the crown
CAMERA_FWHM, FWHM_PER_SIGMA = 10.0, 2.355  # mm: full width at half maximum of a point; that of a Gaussian of sigma 1
PEAK_COUNTS, PEAK_UPTAKE = 60.0, 160.0  # expected counts where the uptake, summed along the view, is PEAK_UPTAKE
SCATTER, SCATTER_SIGMA = 0.1, 30.0  # share of the counts that are scattered; standard deviation of their blur, mm

# Uptake, radius in mm, and the axis: points (x, y).
TUBES = [
    (1.6, 9, [(0, 205), (0, 300)]),  # cervical spine
    (2.3, 13, [(0, 300), (3, 420), (-2, 520)]),  # thoracic
    (2.6, 17, [(-2, 520), (2, 640), (0, 720)]),  # lumbar
    (2.0, 15, [(0, 320), (0, 440)]),  # sternum
    (2.2, 24, [(0, 735), (0, 800)]),  # sacrum
]
PAIRED_TUBES = [
    (2.4, 7, [(12, 185), (38, 170), (52, 130)]),  # mandible
    (1.5, 6, [(15, 308), (80, 290), (165, 296)]),  # clavicle
    (1.2, 8, [(90, 340), (110, 430), (150, 330), (90, 340)]),  # scapula
    (1.5, 12, [(178, 310), (205, 450), (222, 590)]),  # humerus
    (1.2, 8, [(222, 600), (240, 840)]),  # forearm
    (0.9, 13, [(243, 860), (250, 945)]),  # hand
    (2.0, 12, [(32, 740), (70, 690), (118, 705), (122, 760), (90, 830)]),  # ilium
    (1.7, 10, [(90, 830), (45, 850), (8, 880)]),  # pubis
    (1.5, 9, [(88, 850), (60, 915), (12, 890)]),  # ischium
    (1.5, 15, [(105, 850), (140, 885), (118, 1120), (92, 1290)]),  # femur
    (1.2, 14, [(90, 1310), (88, 1480), (82, 1650)]),  # tibia
    (0.7, 7, [(108, 1330), (106, 1500), (100, 1650)]),  # fibula
    (1.2, 16, [(84, 1670), (96, 1715)]),  # foot
]
# Uptake, radii in mm, centre (x, y).
ELLIPSOIDS = [
    (0.5, (42, 30), (0, 155)),  # face
    (4.2, (38, 30), (0, 850)),  # bladder
]
PAIRED_ELLIPSOIDS = [
    (0.25, (44, 52), (78, 762)),  # wing of the ilium
    (2.0, (9, 26), (38, 765)),  # sacroiliac joint
    (1.5, (24, 24), (175, 308)),  # shoulder
    (1.5, (20, 20), (224, 598)),  # elbow
    (1.3, (17, 17), (242, 850)),  # wrist
    (1.3, (26, 26), (98, 852)),  # hip
    (0.9, (36, 26), (92, 1298)),  # knee
    (1.4, (24, 20), (84, 1662)),  # ankle
    (0.9, (32, 55), (62, 585)),  # kidney
]
SHELLS = [(1.9, (76, 96), (70, 90), (0, 96))]  # skull: uptake, outer and inner radii, centre
# The body: half width in mm at these heights; arms and legs apart.
TORSO = [(0, 0), (4, 40), (80, 82), (150, 74), (215, 58), (265, 75), (310, 190), (440, 172), (620, 150), (740, 178)]
TORSO += [(850, 190), (900, 185)]
LIMBS = [
    (55, [(185, 320), (208, 450), (224, 600), (243, 850), (250, 950)]),
    (80, [(105, 880), (112, 1050), (95, 1290)]),
    (55, [(94, 1290), (90, 1450), (84, 1650), (95, 1720)]),
]
TISSUE = 0.05

X = ((np.arange(COLUMNS) - (COLUMNS - 1) / 2) * PIXEL)[None]
Y = ((np.arange(ROWS) - TOP) * PIXEL)[:, None]


def whole_body(seed: int = 0) -> Image:
    """The scan: voxels ``(1, 1, 512, 192)`` in counts, 3.5 mm pixels, Poisson noise of level 1.

    >>> whole_body().voxels.shape
    (1, 1, 512, 192)
    """
    rng = np.random.default_rng(seed)
    counts = model("poisson").add(expected(rng), 1.0, rng).astype(np.uint16)
    return Image.from_array(counts[None, None], spacing=(PIXEL, PIXEL, PIXEL), modality="NM", unit="counts")


def expected(rng: np.random.Generator) -> np.ndarray:
    """The expected counts, float32 ``(rows, columns)``: each call gives another patient, with five lesions."""
    from scipy.ndimage import gaussian_filter

    view = TISSUE * _body()
    _skeleton(view, rng)
    _lesions(view, rng)
    view = gaussian_filter(view, CAMERA_FWHM / FWHM_PER_SIGMA / PIXEL)
    view = (1 - SCATTER) * view + SCATTER * gaussian_filter(view, SCATTER_SIGMA / PIXEL)
    return (PEAK_COUNTS / PEAK_UPTAKE * view).astype(np.float32)


def _skeleton(view: np.ndarray, rng: np.random.Generator) -> None:
    """Add the bones and organs; their uptake differs from patient to patient (log-normal, 10 %)."""
    for uptake, radius, axis in (*TUBES, *_both_sides(PAIRED_TUBES), *_both_sides(_ribs())):
        _add_tube(view, uptake * rng.lognormal(0, 0.1), radius, axis)
    for uptake, radii, centre in (*ELLIPSOIDS, *_both_sides(PAIRED_ELLIPSOIDS)):
        _add_ellipsoid(view, uptake * rng.lognormal(0, 0.1), radii, centre)
    for uptake, outer, inner, centre in SHELLS:
        _add_ellipsoid(view, uptake, outer, centre)
        _add_ellipsoid(view, -uptake, inner, centre)
    for y in np.linspace(215, 715, 24):  # vertebrae, wider and brighter downwards
        _add_ellipsoid(view, 1.2 + (y - 215) / 400, (13 + (y - 215) / 60, 7), (rng.normal(0, 1), y))


def _ribs() -> Iterator[tuple]:
    """The twelve ribs of one side, as tubes that run from the spine outwards and down."""
    for k in range(12):
        y, width = 295 + 24 * k, np.interp(k, (0, 2, 7, 11), (62, 105, 135, 90))
        drop = np.interp(k, (0, 6, 11), (45, 75, 60))
        angle = np.linspace(0.1, np.interp(k, (0, 7, 11), (2.9, 2.7, 1.5)), 12)
        yield 1.5, 5.5, [(width * np.sin(a), y + drop * a / 3) for a in angle]


def _lesions(view: np.ndarray, rng: np.random.Generator) -> None:
    """Add lesions to two ribs, the spine, the pelvis and a femur."""
    ribs = list(_ribs())
    for k in rng.choice(np.arange(2, 10), 2, replace=False):
        x, y = ribs[k][2][rng.integers(5, 10)]
        _add_ellipsoid(view, rng.uniform(4, 6), (9, 7), (rng.choice((-1, 1)) * x, y))
    _add_ellipsoid(view, rng.uniform(3, 5), (12, 9), (rng.uniform(-8, 8), rng.uniform(420, 680)))
    _add_ellipsoid(view, rng.uniform(4, 6), (11, 11), (rng.choice((-1, 1)) * 95, rng.uniform(720, 760)))
    _add_ellipsoid(view, rng.uniform(3, 5), (9, 14), (rng.choice((-1, 1)) * 125, rng.uniform(960, 1100)))


def _both_sides(paired: Iterable[tuple]) -> Iterator[tuple]:
    """Each structure on both sides of the midline."""
    for uptake, size, where in paired:
        if isinstance(where, tuple):
            yield from ((uptake, size, (side * where[0], where[1])) for side in (1, -1))
        else:
            yield from ((uptake, size, [(side * x, y) for x, y in where]) for side in (1, -1))


def _add_tube(view: np.ndarray, uptake: float, radius: float, axis: Sequence[tuple[float, float]]) -> None:
    """Add the projection of a tube whose axis joins the points."""
    xs, ys = zip(*axis, strict=True)
    box = _box(min(xs) - radius, max(xs) + radius, min(ys) - radius, max(ys) + radius)
    x, y = X[:, box[1]], Y[box[0]]
    squared = np.full(view[box].shape, np.inf)
    for (x0, y0), (x1, y1) in pairwise(axis):
        length = (x1 - x0) ** 2 + (y1 - y0) ** 2
        along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
        squared = np.minimum(squared, (x - x0 - along * (x1 - x0)) ** 2 + (y - y0 - along * (y1 - y0)) ** 2)
    view[box] += 2 * uptake * np.sqrt(np.clip(radius**2 - squared, 0, None))


def _add_ellipsoid(view: np.ndarray, uptake: float, radii: tuple[float, float], centre: tuple[float, float]) -> None:
    """Add the projection of an ellipsoid; its half axis along the view is the smaller of its ``radii``."""
    (a, b), (u, v) = radii, centre
    box = _box(u - a, u + a, v - b, v + b)
    inside = 1 - ((X[:, box[1]] - u) / a) ** 2 - ((Y[box[0]] - v) / b) ** 2
    view[box] += 2 * uptake * min(radii) * np.sqrt(np.clip(inside, 0, None))


def _box(left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
    """A rectangle in mm as slices of rows and columns."""
    rows, columns = np.searchsorted(Y[:, 0], (top, bottom)), np.searchsorted(X[0], (left, right))
    return slice(*rows), slice(*columns)


def _body() -> np.ndarray:
    """Thickness of the body along the view, mm; cross-sections are ellipses."""
    heights, widths = np.array(TORSO, float).T
    half = np.interp(Y, heights, widths, right=0)
    body = 1.4 * np.sqrt(np.clip(half**2 - X**2, 0, None))
    for _, radius, axis in _both_sides((1.0, *limb) for limb in LIMBS):
        limb = np.zeros_like(body)
        _add_tube(limb, 1.0, radius, axis)
        body = np.maximum(body, limb)
    return body
