"""Skeleton, organs and outline of an adult as clouds of emission points, for ``bone``.

Coordinates are in millimetres: x to the patient's left, y from the top of the head to the feet, z to the front; the
body's axis is x = z = 0. Sizes are those of an adult of 1.7 m, rounded. Uptakes are relative to soft tissue and chosen
so that the scan resembles real ones three hours after Tc-99m MDP. A cloud is float64 ``(points, 4)``: x, y, z and
activity, which is uptake times volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.interpolate import PchipInterpolator

DENSITY = 4.7  # emission points per mm2 of the area a structure covers
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0  # multiples of it, modulo 1, fill an interval evenly

# Outline of the body: knots (y, half width, half depth, centre x, centre z), soft-tissue uptake.
# Arms and legs are given for the left and mirrored.
HEAD = tuple(
    (y, 84 * w, 98 * w, 0, 0) for y, w in ((-6, 0.05), (2, 0.38), (18, 0.66), (40, 0.85), (75, 0.98), (110, 1))
)
HEAD += ((160, 78, 92, 0, 0), (200, 66, 84, 0, 0), (232, 55, 66, 0, 0), (260, 60, 62, 0, -8), (300, 62, 62, 0, -8))
TRUNK = (
    (232, 30, 40, 0, -15),
    (255, 70, 58, 0, -12),
    (275, 118, 70, 0, -8),
    (295, 165, 82, 0, -4),
    (330, 186, 96, 0, 0),
)
TRUNK += ((400, 178, 108, 0, 0), (520, 160, 112, 0, 0), (640, 152, 110, 0, 0), (740, 168, 112, 0, 0))
TRUNK += ((850, 182, 108, 0, -4), (905, 170, 96, 0, -6), (935, 120, 80, 0, -8), (955, 40, 40, 0, -5))
LEG = (
    (820, 70, 80, 96, 0),
    (900, 88, 92, 100, 0),
    (960, 88, 90, 100, 0),
    (1100, 76, 78, 100, 2),
    (1230, 62, 64, 97, 2),
)
LEG += ((1290, 58, 62, 95, 4), (1340, 54, 60, 95, -4), (1420, 58, 64, 97, -12), (1520, 47, 52, 96, -10))
LEG += (
    (1620, 35, 42, 95, -6),
    (1665, 38, 52, 96, 6),
    (1700, 40, 62, 101, 24),
    (1745, 40, 42, 108, 52),
    (1768, 20, 20, 112, 64),
)
ARM = (
    (280, 15, 20, 172, -4),
    (298, 46, 46, 178, -4),
    (340, 54, 54, 190, -4),
    (430, 48, 52, 206, -4),
    (600, 43, 46, 226, 0),
)
ARM += (
    (650, 44, 44, 230, 4),
    (720, 42, 42, 232, 8),
    (850, 30, 28, 234, 14),
    (880, 34, 22, 234, 16),
    (930, 42, 20, 234, 18),
)
ARM += ((985, 38, 15, 232, 18), (1035, 26, 11, 228, 18), (1055, 10, 6, 226, 18))
BODY = ((HEAD, 0.95, False), (TRUNK, 1.0, False), (LEG, 0.8, True), (ARM, 0.8, True))

LESION_SITES = (  # most frequent sites of metastases of prostate and breast cancer
    (8, 480, -50), (-6, 640, -15), (10, 705, -12), (96, 745, -40), (-105, 720, -20), (-42, 790, -60),
    (118, 470, 20), (-128, 545, 0), (92, 420, 70), (-110, 380, -60), (128, 920, 0), (-140, 905, -5), (0, 430, 82),
    (45, 45, 20), (188, 350, -8),
)  # fmt: skip


def bones() -> list[np.ndarray]:
    """Every bone, one cloud each."""
    return [*_skull(), *_spine(), *_chest(), *_pelvis(), *_limbs()]


def organs(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Kidneys, bladder, bowel and liver, with random filling and activity."""
    yield _ball((66, 598, -52), (25, 50, 20), rng.uniform(5, 8))
    yield _ball((-66, 612, -52), (25, 50, 20), rng.uniform(5, 8))
    fill = rng.uniform(0.85, 1.2)
    yield _ball((rng.normal(0, 3), 872 - 14 * fill, 28), (44 * fill, 28 * fill, 34 * fill), 20.0)
    yield _ball((0, 600, 20), (130, 110, 60), 0.25)
    yield _ball((-60, 530, 20), (75, 60, 70), 0.35)


def lesions(rng: np.random.Generator) -> list[np.ndarray]:
    """Three to six hot lesions of 14 to 30 mm."""
    sites = rng.permutation(len(LESION_SITES))[: rng.integers(3, 7)]
    return [
        _ball(
            LESION_SITES[s] + rng.normal(0, 3, 3), rng.uniform(7, 13) * rng.uniform(0.8, 1.25, 3), rng.uniform(12, 26)
        )
        for s in sites
    ]


def _tube(
    path: Iterable[tuple], radii: Iterable[float], uptake: float, hollow: float = 0.0, flat: float = 1.0
) -> np.ndarray:
    """A bone along a smooth path; ``hollow``: radius of the marrow, ``flat``: depth, both relative to the radius."""
    path, radii = np.array(path, float), np.broadcast_to(np.array(radii, float), len(tuple(path)))
    steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]
    length = steps[-1]
    n = max(64, int(DENSITY * length * 2 * radii.mean()))
    k = np.arange(n)
    along = (k + 0.5) / n * length
    centre = PchipInterpolator(steps, path)(along)
    radius = PchipInterpolator(steps, radii)(along)
    r = radius * np.sqrt(hollow**2 + (1 - hollow**2) * (k * GOLDEN % 1))
    angle = 2 * np.pi * (k * np.sqrt(2) % 1)
    direction = np.gradient(centre, along, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    side = np.cross(direction, np.where(np.abs(direction[:, 2:]) < 0.9, (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(direction, side)
    centre = centre + r[:, None] * (np.cos(angle)[:, None] * side + flat * np.sin(angle)[:, None] * up)
    volume = np.pi * radius**2 * (1 - hollow**2) * flat * length / n
    return np.column_stack([centre, uptake * volume])


def _ball(centre: tuple, semi: tuple | float, uptake: float, hollow: float = 0.0) -> np.ndarray:
    """An ellipsoid, or its shell outside ``hollow``."""
    semi = np.broadcast_to(np.array(semi, float), 3)
    n = max(64, int(DENSITY * np.pi * semi[0] * semi[1]))
    k = np.arange(n)
    r = np.cbrt(hollow**3 + (1 - hollow**3) * (k * GOLDEN % 1))
    cosine, angle = 1 - 2 * (k + 0.5) / n, 2 * np.pi * (k * np.sqrt(2) % 1)
    sine = np.sqrt(1 - cosine**2)
    unit = np.column_stack([sine * np.cos(angle), cosine, sine * np.sin(angle)])
    volume = 4 / 3 * np.pi * semi.prod() * (1 - hollow**3) / n
    return np.column_stack([np.array(centre, float) + r[:, None] * unit * semi, np.full(n, uptake * volume)])


def _plate(one: Iterable[tuple], other: Iterable[tuple], thickness: float, uptake: float) -> np.ndarray:
    """A flat bone spanned between two edges."""
    edges = []
    for edge in (np.array(one, float), np.array(other, float)):
        steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(edge, axis=0), axis=1))]
        edges.append(PchipInterpolator(steps / steps[-1], edge))
    grid = np.linspace(0, 1, 20)
    a, b = edges[0](grid), edges[1](grid)
    area = np.linalg.norm(b - a, axis=1).mean() * np.linalg.norm(np.diff((a + b) / 2, axis=0), axis=1).sum()
    n = max(64, int(DENSITY * area))
    k = np.arange(n)
    t, s, z = ((k + 0.5) / n)[:, None], (k * GOLDEN % 1)[:, None], (k * np.sqrt(2) % 1) - 0.5
    points = (1 - s) * edges[0](t[:, 0]) + s * edges[1](t[:, 0])
    points[:, 2] += thickness * z
    return np.column_stack([points, np.full(n, uptake * area * thickness / n)])


def _both(cloud: np.ndarray) -> Iterator[np.ndarray]:
    """The left one, and its mirror image as the right one."""
    yield cloud
    yield cloud * (-1, 1, 1, 1)


def _skull() -> Iterator[np.ndarray]:
    yield _ball((0, 88, -6), (76, 90, 92), 4.6, hollow=0.9)
    yield _ball((0, 52, 10), (66, 48, 74), 1.2, hollow=0.9)
    yield _ball((0, 152, -4), (58, 17, 52), 2.2)
    yield _ball((0, 140, 66), (13, 20, 14), 7.0)
    yield _ball((0, 166, 64), (19, 20, 18), 9.0)
    yield from _both(_ball((23, 164, 56), (13, 18, 14), 6.5))
    yield _tube([(-32, 186, 50), (-19, 194, 72), (0, 196, 78), (19, 194, 72), (32, 186, 50)], 8, 7.0)
    mandible = [(58, 150, 0), (55, 190, 14), (38, 216, 46), (15, 226, 70), (0, 227, 74)]
    yield from _both(_tube(mandible, (7, 8, 8, 8, 8), 5.5))
    ring = [(33 + 20 * np.cos(a), 128 + 17 * np.sin(a), 70 - 8 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 13)]
    yield from _both(_tube(ring, 5, 4.0))
    yield from _both(_tube([(48, 152, 55), (66, 150, 25), (70, 148, 0)], 6, 4.0))


def _spine() -> Iterator[np.ndarray]:
    top = [*np.linspace(196, 256, 7), *np.linspace(270, 546, 12), *np.linspace(578, 722, 5)]
    bottom = [*top[1:], 755]
    depth = PchipInterpolator((196, 256, 330, 450, 560, 650, 722, 760), (-12, -18, -50, -58, -42, -18, -14, -32))
    for number, (y0, y1) in enumerate(zip(top, bottom, strict=True)):
        width = np.interp(number, (0, 6, 8, 18, 23), (19, 21, 17, 22, 27))
        y, height, z = (y0 + y1) / 2, (y1 - y0) * 0.9, float(depth((y0 + y1) / 2))
        uptake = np.interp(number, (0, 6, 18, 23), (5.0, 6.5, 8.0, 9.5))
        yield _tube(
            [(0, y - height / 2, z), (0, y, z), (0, y + height / 2, z)], (width, width * 0.88, width), uptake, 0.3, 0.72
        )
        yield _ball((0, y + 0.3 * height, z - width - 12), (5, 0.4 * height, 10), uptake)
        yield from _both(_ball((0.72 * width, y + 0.1 * height, z - width - 2), (6, 0.3 * height, 6), 1.4 * uptake))
        if 7 <= number < 19:
            yield from _both(_ball((width + 6, y - 2, z - 12), (7, 5, 5), 1.2 * uptake))


def _chest() -> Iterator[np.ndarray]:
    yield _tube([(0, 306, 58), (0, 322, 64), (0, 350, 72)], (25, 25, 15), 10.0, flat=0.5)
    yield _tube([(0, 356, 74), (0, 420, 82), (0, 490, 86)], (14, 15, 16), 9.5, flat=0.45)
    yield _tube([(0, 494, 86), (0, 520, 84)], (8, 3), 4.0, flat=0.5)
    yield from _both(_ball((25, 309, 54), (10, 9, 8), 11.0))
    yield from _both(_tube([(28, 304, 54), (60, 291, 50), (110, 282, 18), (160, 281, -6)], (7, 5.5, 5, 7), 7.0))
    for number, y in enumerate(np.linspace(272, 556, 12)):
        width = np.interp(number, (0, 2, 5, 8, 10, 11), (64, 104, 130, 139, 132, 112))
        depth = np.interp(number, (0, 3, 7, 11), (52, 86, 100, 84))
        drop = np.interp(number, (0, 3, 7, 11), (52, 88, 112, 70))
        end = np.radians(np.interp(number, (0, 6, 7, 9, 10, 11), (160, 152, 140, 118, 92, 62)))
        angle = np.linspace(0.14, end, 14)
        path = np.column_stack([width * np.sin(angle), y + drop * (angle / np.pi) ** 1.2, -12 - depth * np.cos(angle)])
        yield from _both(_tube(path, np.linspace(4.8, 5.8, 14), np.interp(number, (0, 11), (5.5, 6.8))))
        if number < 10:
            yield from _both(_ball(path[-1], (6, 6, 5), 7.5))
    edge, inner = [(76, 312, -82), (88, 380, -90), (104, 440, -88)], [(152, 318, -52), (132, 380, -78), (106, 442, -88)]
    yield from _both(_plate(edge, inner, 5, 4.0))
    yield from _both(_tube(edge, 4, 6.0))
    yield from _both(_tube(inner, (7, 5.5, 6), 6.5))
    yield from _both(_tube([(76, 328, -90), (120, 310, -82), (166, 284, -40)], (4, 5, 8), 6.5))
    yield from _both(_ball((166, 286, -12), (11, 8, 10), 9.0))
    yield from _both(_ball((148, 306, 22), (9, 8, 9), 6.5))


def _pelvis() -> Iterator[np.ndarray]:
    crest = [(44, 752, -74), (66, 712, -72), (104, 694, -40), (136, 714, 18), (136, 760, 52)]
    rim = [(46, 800, -64), (58, 815, -50), (74, 828, -30), (92, 832, 0), (112, 830, 24)]
    yield from _both(_tube(crest, (7, 8, 7, 7, 7), 6.5))
    yield from _both(_plate(crest, rim, 8, 5.5))
    yield from _both(_tube([(46, 745, -70), (52, 775, -66), (46, 808, -64)], (9, 10, 8), 11.0))
    left, right = [(50, 752, -52), (46, 800, -72), (14, 862, -84)], [(-50, 752, -52), (-46, 800, -72), (-14, 862, -84)]
    yield _plate(left, right, 20, 6.5)
    yield _tube([(0, 864, -84), (0, 890, -78)], (8, 4), 4.0)
    yield from _both(_ball((94, 850, 4), (33, 33, 30), 6.0, hollow=0.8))
    yield from _both(_tube([(84, 862, 18), (50, 868, 36), (10, 888, 42)], (9, 7, 9), 5.5))
    yield from _both(_tube([(12, 896, 40), (34, 922, 20), (62, 946, -10)], (8, 6, 9), 5.5))
    yield from _both(_tube([(92, 874, -16), (82, 920, -28), (66, 948, -24)], (13, 11, 13), 4.5))
    yield _ball((0, 896, 42), (5, 18, 8), 5.0)


def _limbs() -> Iterator[np.ndarray]:
    def both(*clouds: np.ndarray) -> Iterator[np.ndarray]:
        for cloud in clouds:
            yield from _both(cloud)

    yield from both(  # thigh and knee
        _ball((95, 850, 5), 23, 3.4),
        _tube([(100, 852, 4), (122, 872, 0), (140, 892, -4)], (16, 14, 18), 4.2),
        _ball((148, 884, -8), (16, 24, 16), 5.0),
        _tube(
            [(138, 890, -2), (137, 960, 2), (122, 1100, 6), (104, 1225, 4), (97, 1262, 2)],
            (20, 15, 14, 18, 32),
            4.6,
            0.5,
        ),
        _ball((78, 1280, 0), (19, 20, 26), 4.0),
        _ball((118, 1278, 0), (18, 20, 26), 4.2),
        _ball((98, 1268, 44), (20, 22, 9), 6.0),
        _ball((96, 1311, 0), (39, 19, 28), 2.8),
        _ball((76, 1300, 6), (15, 6, 16), 7.0),
    )
    yield from both(  # the joints themselves, blurred by cartilage and wear
        _ball((97, 1296, 2), (40, 36, 34), 1.6),
        _ball((225, 624, 0), (28, 24, 18), 2.2),
        _ball((233, 868, 15), (22, 22, 12), 3.0),
        _ball((98, 1690, 14), (26, 34, 30), 1.6),
    )
    yield from both(  # lower leg and foot
        _tube(
            [(96, 1310, 0), (95, 1345, 6), (94, 1450, 6), (94, 1600, 2), (92, 1648, 0)], (33, 20, 14, 12, 19), 4.6, 0.45
        ),
        _tube([(126, 1326, -18), (120, 1450, -22), (112, 1600, -12), (110, 1660, -6)], (9, 6, 6, 9), 4.2),
        _ball((94, 1668, 6), (24, 18, 22), 5.0),
        _ball((96, 1690, -22), (18, 18, 30), 3.6),
        _ball((99, 1700, 34), (24, 16, 18), 5.0),
        *(
            _tube([(88 + 7 * i, 1706, 40), (87 + 10 * i, 1738, 62), (88 + 11 * i, 1760, 66)], (6, 5, 4), 3.6)
            for i in range(5)
        ),
        _ball((86, 1738, 62), (8, 8, 7), 7.0),
    )
    yield from both(  # upper arm, forearm and hand
        _ball((182, 310, -8), (23, 23, 22), 5.0),
        _ball((198, 322, -4), (11, 17, 14), 5.0),
        _tube([(186, 322, -6), (198, 420, -4), (214, 560, 0), (222, 612, 2)], (19, 12, 11, 25), 4.4, 0.45, 0.8),
        _ball((224, 624, 0), (26, 16, 14), 3.6),
        _tube([(214, 632, -4), (220, 740, 4), (224, 856, 12)], (10, 7, 6), 5.0),
        _tube([(236, 640, 4), (244, 740, 8), (242, 858, 14)], (8, 7, 10), 5.0),
        _ball((234, 874, 16), (21, 17, 9), 5.0),
        *(_tube([(222 + 7 * i, 888, 17), (216 + 10 * i, 938, 18)], (5, 5), 5.0) for i in range(4)),
        *(
            _tube([(215 + 10 * i, 944, 18), (214 + 9 * i, 1030 - 9 * abs(i - 1.4), 18)], (5, 3.5), 4.5)
            for i in range(4)
        ),
        _tube([(216, 888, 22), (200, 930, 28), (200, 962, 28)], (6, 5, 4), 5.0),
    )
