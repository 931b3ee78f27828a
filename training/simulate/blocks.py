"""Blocks of slices made or changed by code: drawn shapes, drifting slices, planted lesions, other contrasts."""

from __future__ import annotations

import numpy as np

DRIFT = 1.0  # pixels from slice to slice, at most
SIZES = (1.5, 8.0)  # radii of planted lesions in voxels
CONTRASTS = (0.05, 0.6)  # of planted lesions, relative to the tissue around


def drawn(rng: np.random.Generator, depth: int, side: int) -> np.ndarray:
    """Ellipsoids, slabs, tubes and soft blobs on a ground that may slope, sharp or blurred: ``(depth, side, side)``.

    Slices may be thicker than pixels are wide; values are in [0, 1].
    """
    from scipy.ndimage import gaussian_filter

    thickness = rng.choice((1.0, rng.uniform(1, 4)))
    z, y, x = np.meshgrid(
        thickness * (np.arange(depth) - depth / 2), *2 * [np.arange(side) - side / 2], indexing="ij", sparse=True
    )
    slope = rng.normal(0, rng.choice((0, 0.3)) / side, 3)
    block = np.float32(rng.uniform(0, 0.6)) + slope[0] * z + slope[1] * y + slope[2] * x
    reach = np.array((thickness * depth, side, side)) / 2
    for _ in range(rng.integers(1, 10)):
        grey, kind = rng.uniform(-0.6, 0.8), rng.random()
        turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        centre = rng.uniform(-reach, reach)
        a, b, c = ((z - centre[0]) * t[0] + (y - centre[1]) * t[1] + (x - centre[2]) * t[2] for t in turn)
        if kind < 0.45:
            radii = rng.uniform(0.03, 0.4, 3) * side
            block = block + grey * ((a / radii[0]) ** 2 + (b / radii[1]) ** 2 + (c / radii[2]) ** 2 < 1)
        elif kind < 0.6:
            block = block + grey * (np.abs(a) < rng.uniform(0.5, 6))
        elif kind < 0.75:
            block = block + grey * (a**2 + b**2 < rng.uniform(0.7, 5) ** 2)
        elif kind < 0.88:
            block = block + grey * (a > 0)
        else:
            block = block + grey * np.exp(-(a**2 + b**2 + c**2) / (2 * (rng.uniform(0.03, 0.25) * side) ** 2))
    blur = rng.choice((0.0, rng.uniform(0.4, 2.0)))
    block = gaussian_filter(block, (blur / thickness, blur, blur), mode="nearest") if blur else block
    return np.clip(block, 0, 1).astype(np.float32)


def drifting(rng: np.random.Generator, plane: np.ndarray, depth: int) -> np.ndarray:
    """A plane that is shifted, turned and enlarged a little more in each slice: ``(depth, rows, columns)``."""
    from scipy.ndimage import affine_transform

    shift, angle, growth = rng.uniform(-DRIFT, DRIFT, 2), rng.normal(0, 0.01), rng.normal(0, 0.01)
    middle = (np.array(plane.shape) - 1) / 2
    slices = []
    for step in np.arange(depth) - depth // 2:
        turn, scale = step * angle, np.exp(step * growth)
        matrix = scale * np.array(((np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))))
        offset = middle - matrix @ middle + step * shift
        slices.append(affine_transform(plane, matrix, offset, order=1, mode="mirror") if step else plane)
    return np.stack(slices).astype(np.float32)


def planted(rng: np.random.Generator, block: np.ndarray) -> np.ndarray:
    """A few ellipsoids in bright places, darker or brighter than what is around, with soft borders; in [0, 1]."""
    bright = np.argwhere(block > 0.3)
    if not len(bright):
        return block
    block = block.copy()
    for _ in range(rng.integers(1, 6)):
        centre, radii = bright[rng.integers(len(bright))], np.exp(rng.uniform(*np.log(SIZES), 3))
        around = tuple(
            slice(max(0, int(c - 2 * r) - 1), int(c + 2 * r) + 2) for c, r in zip(centre, radii, strict=True)
        )
        grids = np.meshgrid(*(np.arange(s.start, min(s.stop, n)) for s, n in zip(around, block.shape, strict=True)),
                            indexing="ij", sparse=True)  # fmt: skip
        distance = np.sqrt(sum(((g - c) / r) ** 2 for g, c, r in zip(grids, centre, radii, strict=True)))
        inside = 1 / (1 + np.exp((distance - 1) * rng.uniform(3, 12)))
        block[around] *= 1 + rng.choice((-1, 1)) * rng.uniform(*CONTRASTS) * inside
    return np.clip(block, 0, 1).astype(np.float32)


def recontrasted(rng: np.random.Generator, block: np.ndarray) -> np.ndarray:
    """Another contrast: grey levels through a random curve, which need not rise; black stays dark."""
    levels = np.concatenate(([rng.uniform(0, 0.05)], rng.uniform(0.1, 1, 5)))
    return np.interp(block, np.linspace(0, 1, 6), levels).astype(np.float32)
