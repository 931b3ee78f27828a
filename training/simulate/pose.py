"""How a patient lies under the camera: build, tilt, arms, legs and a smooth deviation from the phantom, as warps."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from .anatomy import INDEX
from .projection import Camera, Detector

FAR = 1000.0  # mm from the midline: beyond everything
ARM = [INDEX[name] for name in ("humerus", "forearm", "hand")]


def turned(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Positions (mm) of the cells with head, trunk and either leg turned a little about their long axes, as a shear."""
    phantom = camera.phantom
    neck, hip, knee = phantom.height("cervical"), phantom.height("femur", 0.1), phantom.height("tibia", 0.1)
    x, y, z = phantom.position.T
    head, trunk = rng.normal(0, 0.13), rng.normal(0, 0.045)
    legs = rng.uniform(-0.05, 0.25, 2) * (-1, 1)  # feet fall outwards: the front of each leg moves to its own side
    leg = np.where(x > phantom.middle, legs[1], legs[0])
    lean = np.interp(z, [neck - 40, neck + 60, hip, hip + 80], [head, trunk, trunk, 0])
    lean += leg * np.interp(z, [hip, knee], [0, 1])
    return np.column_stack([x - lean * (y - np.mean(camera.skin)), y, z]).astype(np.float32)


def detectors(
    rng: np.random.Generator, camera: Camera, shape: tuple[int, int], pixel: float, whole: bool
) -> tuple[Detector, Detector, float]:
    """Where each pixel of a planar view looks, for bone and for soft tissue, and the fat over the phantom's skin (mm).

    Args:
        shape: rows and columns.
        pixel: mm.
        whole: the whole body, or else from the shoulders downwards.
    """
    phantom = camera.phantom
    rows, columns = shape
    tall, wide = rng.uniform(0.9, 1.06), rng.uniform(0.92, 1.1)
    fat = rng.uniform(0, 50) * rng.random()
    tall_body = tall * phantom.height("foot", 1.0)
    shoulder = phantom.height("clavicle", 0.0)
    top = rng.uniform(0.25, 0.75) * (rows * pixel - tall_body) if whole else -tall * shoulder + rng.uniform(0, 40)
    x = (np.arange(columns, dtype=np.float32) - columns / 2 + 0.5) * pixel - rng.normal(0, 8)
    y = np.arange(rows, dtype=np.float32)[:, None] * pixel - top
    sway_x, sway_y = (smooth(rng, shape, 120 / pixel, 4.0) for _ in range(2))
    x = (x - rng.normal(0, 0.010) * (y - tall_body / 2)) / wide + sway_x
    y = y / tall
    ankle, pointed = phantom.height("tibia", 0.97), rng.uniform(1.1, 1.9)  # feet point away, more or less
    y = np.where(y > ankle, ankle + (y - ankle) / pointed, y)
    bone, tissue = _limbs(rng, camera, x, y, fat)
    down = ((y + sway_y) / phantom.spacing[0]).astype(np.float32)
    return *(
        Detector(((x + phantom.middle) / phantom.spacing[2]).astype(np.float32), down, pixel) for x in (bone, tissue)
    ), fat


def smooth(rng: np.random.Generator, shape: tuple[int, int], length: float, strength: float) -> np.ndarray:
    """A smooth random field, ``length`` in pixels."""
    knots = rng.normal(0, strength, [int(n / length) + 4 for n in shape]).astype(np.float32)
    wide = cv2.resize(knots, None, fx=length, fy=length, interpolation=cv2.INTER_CUBIC)
    return wide[: shape[0], : shape[1]]


@lru_cache(maxsize=8)
def gaps(camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every row: where the trunk ends and the arm begins (mm from the midline, right and left), legs' half gap."""
    phantom = camera.phantom
    step_z, _, step_x = phantom.spacing
    rows, columns = camera.outline.shape
    arm = np.isin(phantom.bone, ARM)
    row = np.rint(phantom.position[arm, 2] / step_z).astype(int)
    across = phantom.position[arm, 0] - phantom.middle
    aside = (np.arange(columns) * step_x - phantom.middle)[None]
    trunk, begin = np.zeros((2, rows)), np.full((2, rows), np.nan)
    for side, sign in enumerate((-1, 1)):
        here = across * sign > 0
        inner = np.full(rows, np.inf)
        np.minimum.at(inner, row[here], across[here] * sign)
        found = np.isfinite(inner)
        inner = np.interp(np.arange(rows), np.nonzero(found)[0], inner[found])
        air = ~camera.outline & (aside * sign > 60) & (aside * sign < inner[:, None])
        width = air.sum(axis=1) * step_x
        last = np.where(air, aside * sign, -np.inf).max(axis=1)
        begin[side] = np.where(width > 0, last, inner - 18)
        trunk[side] = begin[side] - width
    legs = (~camera.outline & (np.abs(aside) < 120)).sum(axis=1) * step_x / 2
    trunk, begin = (gaussian_filter1d(edge, 30 / step_z, axis=1, mode="nearest") for edge in (trunk, begin))
    below = round((phantom.height("hand", 1.0) + 15) / step_z)
    trunk[:, below:] = begin[:, below:] = FAR
    return trunk, begin, legs


def without_arms(camera: Camera, height: float) -> np.ndarray:
    """1 for the phantom's columns at a height (mm) that stay when the arms are raised, else 0."""
    phantom = camera.phantom
    columns = camera.outline.shape[1]
    if height < phantom.height("humerus", 0.35):
        return np.ones(columns, np.float32)
    trunk, begin, _ = gaps(camera)
    row = min(round(height / phantom.spacing[0]), len(camera.outline) - 1)
    right, left = (trunk[:, row] + begin[:, row]) / 2
    aside = np.arange(columns) * phantom.spacing[2] - phantom.middle
    return ((aside > -right) & (aside < left)).astype(np.float32)


def _limbs(rng: np.random.Generator, camera: Camera, x: np.ndarray, y: np.ndarray, fat: float) -> list[np.ndarray]:
    """Arms and legs nearer to the midline or farther, and fat: x on the phantom of each pixel, for bone and tissue.

    ``x`` is ``(rows, columns)`` and ``y`` ``(rows, 1)``: mm on the phantom before anything moves.
    """
    phantom = camera.phantom
    trunk, begin, legs = gaps(camera)
    line = np.arange(len(legs)) * phantom.spacing[0]
    shoulder, wrist = phantom.height("humerus", 0.1), phantom.height("hand", 0.2)
    hip, ankle = phantom.height("pelvis", 1.0), phantom.height("tibia", 0.98)
    wrist_row, ankle_row = line.searchsorted((wrist, ankle))
    swing = np.clip((y - shoulder) / (wrist - shoulder), 0, 1)
    spread = np.clip((y - hip) / (ankle - hip), 0, 1.1)
    girth = 1 + fat / 160 * np.interp(y, [shoulder, shoulder + 150, hip, ankle], [0, 1, 1, 0])
    moved = [np.empty(x.shape), np.empty(x.shape)]
    for side, sign in enumerate((-1, 1)):
        here = x > 0 if sign > 0 else x <= 0
        edge, arm = (np.interp(y, line, border[side]) for border in (trunk, begin))
        gap = begin[side, wrist_row] - trunk[side, wrist_row]
        closer = swing * (rng.uniform(0.1, 1.0) * min(gap, 45) + rng.uniform(-5, 15) - gap)
        foot = spread * (rng.uniform(0.25, 1.1) * min(legs[ankle_row], 60) - legs[ankle_row])
        out = np.abs(x) - foot * _step((np.abs(x) - 4) / 8)
        for k, stretch in enumerate((np.ones_like(girth), girth)):
            moved[k][here] = sign * _apart(out, edge, arm, stretch, closer + edge * (girth - 1))[here]
    return moved


def _apart(out: np.ndarray, edge: np.ndarray, arm: np.ndarray, girth: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Distance from the midline on the phantom for ``out`` on the detector: what lies between trunk and arm gives way.

    The trunk, which ends at ``edge``, is ``girth`` times as wide; the arm, which begins at ``arm``, is moved by
    ``shift``; no point of either is stretched otherwise.
    """
    room = np.maximum(arm + shift - edge * girth, 1.0)
    between = edge + (arm - edge) * np.clip((out - edge * girth) / room, 0, 1)
    return np.where(out < edge * girth, out / girth, np.where(out < arm + shift, between, out - shift))


def _step(values: np.ndarray) -> np.ndarray:
    """0 below -1/2, 1 above 1/2, smooth between."""
    t = np.clip(values + 0.5, 0, 1)
    return t * t * (3 - 2 * t)
