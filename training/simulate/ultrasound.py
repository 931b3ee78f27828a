"""Clean echogenicity maps, which a speckle simulator turns into B-mode images.

Layers as in a breast: skin, fat lobules between bright septa, glandular tissue, the chest muscle with its fascia, the
chest wall; in them cysts (almost no echo, bright behind), solid lesions (dark and ragged, shadow behind), fibroadenomas
(smooth) and hyperechoic lesions. Values are linear echo amplitudes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from MedRestoreLib.image import Image

SKIN, FAT, SEPTUM, GLAND, FASCIA, MUSCLE, DEPTH = 0.8, 0.20, 0.6, 0.5, 0.85, 0.26, 0.10  # amplitudes, 1 the brightest


class Lesion(NamedTuple):
    """A kind of lesion: echo inside, roughness of its border (0 a smooth oval), echo factor behind it."""

    echo: float
    rough: float
    behind: float


KINDS = {
    "cyst": Lesion(0.015, 0.02, 1.6),
    "solid": Lesion(0.05, 0.3, 0.35),
    "fibroadenoma": Lesion(0.12, 0.06, 1.1),
    "hyperechoic": Lesion(0.9, 0.06, 1.0),
}


def echogenicity(seed: int = 0, shape: tuple[int, int] = (512, 512)) -> Image:
    """A breast-like echogenicity map of about 4 cm depth; speckle, blur and log compression are added later.

    Args:
        seed: of the breast.
        shape: rows (depth) and columns, each at least 64.

    Returns:
        Image of modality US, voxels ``(1, 1, *shape)``: linear amplitudes in (0, 1].

    >>> echogenicity(seed=2, shape=(64, 96)).voxels.shape
    (1, 1, 64, 96)
    """
    echo, _ = _render(seed, shape)
    return Image(echo[None, None], spacing=(40.0 / shape[0], 40.0 / shape[0], 1.0), modality="US")


def lesion_mask(seed: int = 0, shape: tuple[int, int] = (512, 512)) -> np.ndarray:
    """The lesions of ``echogenicity(seed, shape)``: integers ``shape``, 0 outside, 1 + index into ``KINDS`` inside."""
    return _render(seed, shape)[1]


def _render(seed: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows, columns = shape
    depth, across = np.mgrid[0:rows, 0:columns] / rows
    scale = rows / 512
    gland_top, gland_end, rib_top = (
        level + size * _curve(rng, columns, 0.2 * rows)
        for level, size in (
            (rng.uniform(0.18, 0.3), 0.035),
            (rng.uniform(0.6, 0.72), 0.03),
            (rng.uniform(0.82, 0.9), 0.01),
        )
    )
    echo = np.where(depth < gland_top, FAT, GLAND)
    echo = np.where(depth > gland_end, MUSCLE, echo)
    lobules = _field(rng, shape, 26 * scale, 38 * scale)
    septa = np.exp(-((lobules / 0.12) ** 2)) * np.exp(-np.clip(depth - gland_top, 0, None) * 25)
    echo = echo + (SEPTUM - echo) * 0.8 * septa * (depth < gland_end)
    lace = _field(rng, shape, 7 * scale, 22 * scale)
    inside = (depth > gland_top) & (depth < gland_end)
    echo = echo * np.where(
        inside, np.exp(0.25 * lace) * np.where(_field(rng, shape, 14 * scale, 30 * scale) > 1.1, 0.5, 1), 1
    )
    fibres = _field(rng, shape, 2 * scale, 40 * scale)
    echo = echo * np.where(depth > gland_end, np.exp(0.35 * fibres), 1)
    echo = echo + (FASCIA - echo) * np.exp(-(((depth - gland_end) / 0.006) ** 2))
    echo = np.where(depth > rib_top, DEPTH, echo)
    echo = echo + (FASCIA - echo) * np.exp(-(((depth - rib_top) / 0.008) ** 2))
    echo, labels = _lesions(rng, echo, depth, across, gland_top.mean(), gland_end.mean())
    skin = 0.035 + 0.004 * _curve(rng, columns, 0.3 * rows)
    echo = np.where(depth < skin, SKIN * (0.75 + 0.25 * np.cos(depth / skin * 2 * np.pi)), echo)
    echo = (
        gaussian_filter(echo, 0.8 * scale)
        * (1 - 0.35 * depth)
        * np.exp(0.06 * _field(rng, shape, 90 * scale, 90 * scale))
    )
    return np.clip(echo, 0.004, 1).astype(np.float32), labels


def _lesions(rng: np.random.Generator, echo: np.ndarray, depth: np.ndarray, across: np.ndarray, top: float, end: float):
    """Two to four lesions that do not overlap, with enhancement or shadow behind them, and their label map."""
    labels = np.zeros(echo.shape, np.uint8)
    width = across.max()
    taken: list[tuple[float, float, float]] = []
    wanted = rng.integers(2, 5)
    for _ in range(60):
        if len(taken) == wanted:
            break
        size = rng.uniform(0.035, 0.1)
        y, x = rng.uniform(top, end), rng.uniform(0.1, 0.9) * width
        if any(np.hypot(y - v, x - u) < size + other + 0.03 for v, u, other in taken):
            continue
        taken.append((y, x, size))
        kind = rng.integers(len(KINDS))
        lesion = list(KINDS.values())[kind]
        angle, tall = np.arctan2(depth - y, across - x), rng.uniform(0.6, 0.95)
        border = 1 + sum(
            lesion.rough / k * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) * rng.normal(1, 0.3) for k in (2, 3, 5, 8)
        )
        radius = np.hypot((depth - y) / tall, across - x) / (size * border)
        cover = 1 / (1 + np.exp(np.clip((radius - 1) * (60 if lesion.rough < 0.1 else 16), -30, 30)))
        below = np.clip((depth - y) / 0.03, 0, 1) * np.exp(-np.clip(depth - y, 0, None) / 0.35)
        beam = np.exp(-(np.abs((across - x) / (0.8 * size)) ** 4))
        echo = echo * lesion.behind ** (below * beam * (1 - cover))
        texture = np.exp(0.2 * _field(rng, echo.shape, 8 * echo.shape[0] / 512, 8 * echo.shape[0] / 512))
        echo = echo + cover * (lesion.echo * texture - echo)
        labels[radius < 1] = 1 + kind
    return echo, labels


def _field(rng: np.random.Generator, shape: tuple[int, int], tall: float, wide: float) -> np.ndarray:
    """A smooth random field of unit variance; correlation lengths in pixels."""
    field = gaussian_filter(rng.normal(size=shape), (tall / 2, wide / 2), mode="reflect")
    return field / field.std()


def _curve(rng: np.random.Generator, columns: int, length: float) -> np.ndarray:
    """A smooth random curve of unit variance over the columns."""
    curve = gaussian_filter1d(rng.normal(size=columns + int(8 * length)), length)
    return (curve / curve.std())[int(4 * length) :][:columns]
