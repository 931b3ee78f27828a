"""The XCAT phantom's one skeleton taken apart by where its pieces lie, and organs put in that its file lacks.

All limits are read off this one phantom (mesh50_XCAT, Auer et al., Phys Med Biol 2023), in mm from its top, its
midline and its front.
"""

from __future__ import annotations

import cv2
import numpy as np

from .anatomy import INDEX, KINDS, NONE, PARTS

SKELETON = 7
TISSUE = {1: "soft", 3: "brain", 5: "liver", 6: "lung"}  # codes of the file
SHAFTS = {"humerus": (340, 540), "forearm": (620, 780), "femur": (940, 1220), "tibia": (1350, 1600)}  # hold marrow
CORTEX, WALL = 4.0, 6.0  # mm of cortical bone, and of the wall of a shaft
ABSENT = (  # kind; middle to the left, down and deep; half axes in the same order: all mm
    ("spleen", (95, 565, 190), (32, 45, 30)),
    ("kidney", (62, 625, 186), (24, 52, 24)),
    ("kidney", (-62, 645, 186), (24, 52, 24)),
    ("bladder", (0, 845, 95), (20, 20, 20)),
)


def label(codes: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bone, part and tissue of every voxel ``(z, y, x)``, z from the top: uint8, NONE where there is none."""
    table = np.full(256, NONE, np.uint8)
    for code, kind in TISSUE.items():
        table[code] = KINDS.index(kind)
    tissue, skeleton = table[codes], codes == SKELETON
    z, y, x = np.nonzero(skeleton)
    down, deep = z * spacing[0], y * spacing[1]
    middle = x[down < 180].mean() * spacing[2]  # of the skull
    _add_absent(tissue, spacing, middle)
    bone, part = np.full(codes.shape, NONE, np.uint8), np.full(codes.shape, NONE, np.uint8)
    bone[z, y, x] = which = _bone(np.abs(x * spacing[2] - middle), down, deep)
    inside = np.stack([cv2.distanceTransform(plane.astype(np.uint8), cv2.DIST_L2, 5) for plane in skeleton])
    inside = inside[z, y, x] * spacing[2]
    kind = np.where(inside < CORTEX, PARTS.index("c"), PARTS.index("s"))
    for name, (first, last) in SHAFTS.items():
        kind[(which == INDEX[name]) & (inside > WALL) & _between(down, first, last)] = PARTS.index("m")
    kind[which == INDEX["cartilage"]] = PARTS.index("g")
    part[z, y, x] = kind
    return bone, part, tissue


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values >= low) & (values < high)


def _add_absent(tissue: np.ndarray, spacing: tuple[float, float, float], middle: float) -> None:
    at = np.ogrid[tuple(slice(n) for n in tissue.shape)]
    for kind, (left, down, deep), (wide, tall, thick) in ABSENT:
        place = zip(at, spacing, (down, deep, middle + left), (tall, thick, wide), strict=True)
        out = sum(((line * step - centre) / radius) ** 2 for line, step, centre, radius in place)
        tissue[(out < 1) & (tissue == KINDS.index("soft"))] = KINDS.index(kind)


def _bone(side: np.ndarray, down: np.ndarray, deep: np.ndarray) -> np.ndarray:
    """Index into ``NAMES`` of points ``side`` from the midline, ``down`` from the top, ``deep`` from the front."""
    which = np.full(len(side), INDEX["ribs"], np.uint8)

    def name(bone: str, here: np.ndarray) -> None:
        which[here] = INDEX[bone]

    gristle, shoulder = np.interp(down, [320, 560], [40, 104]), np.interp(down, [270, 450], [84, 118])
    name("cartilage", _between(down, 320, 600) & (deep < 150) & (side < gristle))
    name("sternum", _between(down, 300, 524) & (deep < 150) & (side < np.where(down < 360, 32, 20)))
    name("scapula", _between(down, 262, 450) & (deep > 196) & (side > shoulder))
    name("scapula", _between(down, 258, 330) & (side > 128))
    name("clavicle", _between(down, 262, 336) & (deep < 190) & _between(side, 24, 180))
    name("cervical", _between(down, 190, 312) & (side < 36) & (deep > 130))
    name("thoracic", _between(down, 312, 600) & (side < 34) & (deep > 150))
    name("lumbar", _between(down, 600, 740) & (side < 60) & (deep > 130))
    name("pelvis", _between(down, 708, 930) & (side < 160))
    name("lumbar", _between(down, 708, 736) & (side < 40))
    name("sacrum", _between(down, 736, 870) & (side < 46) & (deep > 176))
    name("cranium", down < 206)
    name("mandible", _between(down, 184, 262) & (deep < 110))
    name("femur", (side - 100) ** 2 + (down - 832) ** 2 + (deep - 164) ** 2 < 25**2)  # its head
    name("femur", _between(down, 810, 930) & _between(side, 112, 180))
    name("femur", _between(down, 906, 1290) & (side < 200))
    name("tibia", _between(down, 1290, 1664))
    name("foot", down >= 1664)
    arm = side > np.interp(down, [280, 292, 350, 460, 570, 800], [300, 138, 148, 164, 172, 190])
    name("humerus", arm & _between(down, 280, 574))
    name("forearm", arm & _between(down, 574, 816))
    name("hand", arm & _between(down, 816, 1030))
    return which
