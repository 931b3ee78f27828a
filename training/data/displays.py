"""What scanners draw over and around an image: text, scales with ticks, the border of the field of view."""

from __future__ import annotations

import numpy as np

from . import WHITE

# Text: scales of a font of 22 pixels, the lowest grey of text over tissue and of text in a box, and the box's own grey,
# in half of the cases black.
LETTERS, BRIGHT_TEXT, DIM_TEXT, BOX_GREY = (0.25, 0.8), 0.6, 0.15, (-0.15, 0.15)

# Ticks: pixels from one to the next, length, width, every which one is twice as long, grey.
APART, LENGTH, WIDTH, LONGER, TICK_GREY = (5, 40), (1, 8), (1, 3), 5, (0.15, 1.0)

Images = dict[str, np.ndarray]


def annotated(before: Images, rng: np.random.Generator, ticks: float = 0.0) -> Images:
    """All images with the same text, or in the share ``ticks`` with the same scale.

    In half of the cases on a box of one dark grey, as beside the fan of a probe.
    """
    images = [image.copy() for image in before.values()]
    rows, columns = images[0].shape
    top, left = rng.integers(0, (rows // 2, columns // 2))
    lowest = BRIGHT_TEXT
    if rng.random() < 0.5:
        lowest = DIM_TEXT
        bottom, right = rng.integers((rows // 2, columns // 2), (rows, columns))
        dark = max(0.0, rng.uniform(*BOX_GREY))
        for image in images:
            image[top:bottom, left:right] = dark
    if ticks and rng.random() < ticks:
        cover, grey = scale((rows, columns), rng), np.float32(rng.uniform(*TICK_GREY))
    else:
        cover, grey = words((rows, columns), (top, left), rng), np.float32(rng.uniform(lowest, 1))
    return dict(zip(before, (image + cover * (grey - image) for image in images), strict=True))


def words(shape: tuple[int, int], corner: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How much text covers each pixel, float32 in [0, 1]."""
    import cv2

    (rows, columns), (top, left) = shape, corner
    drawn = np.zeros(shape, np.uint8)
    for _ in range(rng.integers(1, 6)):
        word = "".join(map(chr, rng.integers(33, 127, rng.integers(1, 12))))
        place = (int(left + rng.integers(-5, columns // 2)), int(top + rng.integers(5, rows // 2 + 5)))
        cv2.putText(drawn, word, place, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(*LETTERS), 255, 1, cv2.LINE_AA)
    return drawn / WHITE


def scale(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How much the ticks of a scale, down a column or along a row, cover each pixel, float32 0 or 1."""
    cover = np.zeros(shape, np.float32)
    down = cover if rng.random() < 0.5 else cover.T
    apart, length, width = int(rng.integers(*APART)), int(rng.integers(*LENGTH)), int(rng.integers(*WIDTH))
    column = int(rng.integers(0, down.shape[1] - 2 * length))
    for number, row in enumerate(range(int(rng.integers(0, apart)), down.shape[0], apart)):
        long = 2 * length if number % LONGER == 0 else length
        down[row : row + width, column : column + long] = 1
    return cover


def within_field(before: Images, rng: np.random.Generator) -> Images:
    """All images black outside one field of view: beyond a line at any angle, or beyond an arc."""
    rows, columns = next(iter(before.values())).shape
    row, column = np.mgrid[:rows, :columns].astype(np.float32)
    angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 3) * rows
    y, x = rng.uniform(0.2, 0.8, 2) * (rows, columns)  # the border passes here
    if rng.random() < 0.5:
        inside = (row - y) * np.sin(angle) + (column - x) * np.cos(angle) > 0
    else:
        inside = np.hypot(row - y + radius * np.sin(angle), column - x + radius * np.cos(angle)) > radius
        inside = inside if rng.random() < 0.5 else ~inside
    return {name: np.where(inside, image, np.float32(0)) for name, image in before.items()}
