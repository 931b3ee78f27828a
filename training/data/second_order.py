"""Real-ESRGAN's degradation: blur, resizing, noise and JPEG compression, twice over, and ringing.

Wang, Xie, Dong and Shan, ICCV workshops 2021, with the ranges that the authors published. Images are grey, and kernels
are Gaussian or a sinc: generalised Gaussian and plateau-shaped ones are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

KERNELS = range(7, 22, 2)  # sides of kernels, pixels
SINC, LAST_SINC = 0.1, 0.8  # share of the blurs that ring, and of images that ring at last
GAUSSIAN_NOISE = 0.5  # share of the noises that are Gaussian, not of counts
JPEG = (30, 95)  # quality
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
WHITE = 255


@dataclass(frozen=True)
class Pass:
    """One of the two passes: blur in pixels, factors of resizing, noise in grey values of 255, scale of counts."""

    blur: tuple[float, float]
    smaller: tuple[float, float]
    larger: tuple[float, float]
    resized: tuple[float, float, float]  # chances of larger, smaller, and as large
    noise: tuple[float, float]
    counts: tuple[float, float]
    blurred: float  # share of the images


FIRST = Pass((0.2, 3.0), (0.15, 1.0), (1.0, 1.5), (0.2, 0.7, 0.1), (1.0, 30.0), (0.05, 3.0), 1.0)
SECOND = Pass((0.2, 1.5), (0.3, 1.0), (1.0, 1.2), (0.3, 0.4, 0.3), (1.0, 25.0), (0.05, 2.5), 0.8)


def degraded(clean: np.ndarray, factor: int, rng: np.random.Generator) -> np.ndarray:
    """An image at ``1 / factor`` of its resolution after both passes; float32, about in [0, 1].

    Args:
        clean: float32 ``(rows, columns)`` in [0, 1]; sides are multiples of the factor.
    """
    size = (clean.shape[0] // factor, clean.shape[1] // factor)
    image = _resized(_blurred(clean, FIRST, rng), _drawn(clean.shape, FIRST, rng), rng)
    image = _jpeg(_noisy(image, FIRST, rng), rng)
    image = _resized(_blurred(image, SECOND, rng), _drawn(size, SECOND, rng), rng)
    image = _noisy(image, SECOND, rng)
    if rng.random() < 0.5:
        return _jpeg(_rings(_resized(image, size, rng), rng), rng)
    return _rings(_resized(_jpeg(image, rng), size, rng), rng)


def _blurred(image: np.ndarray, of: Pass, rng: np.random.Generator) -> np.ndarray:
    if rng.random() >= of.blurred:
        return image
    side = int(rng.choice(KERNELS))
    if rng.random() < SINC:
        return _filtered(image, sinc(side, rng.uniform(np.pi / 3 if side < 13 else np.pi / 5, np.pi)))
    return _filtered(image, gaussian(side, *rng.uniform(*of.blur, 2), rng.uniform(0, np.pi)))


def _rings(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() >= LAST_SINC:
        return image
    return _filtered(image, sinc(int(rng.choice(KERNELS)), rng.uniform(np.pi / 3, np.pi)))


def gaussian(side: int, along: float, across: float, angle: float) -> np.ndarray:
    """A Gaussian kernel ``(side, side)`` of sum 1; standard deviations in pixels, angle in radians."""
    row, column = np.mgrid[:side, :side] - side // 2
    u, v = column * np.cos(angle) + row * np.sin(angle), row * np.cos(angle) - column * np.sin(angle)
    kernel = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    return kernel / kernel.sum()


def sinc(side: int, cutoff: float) -> np.ndarray:
    """The kernel ``(side, side)`` of a circular low-pass filter, of sum 1; ``cutoff`` in radians per pixel."""
    from scipy.special import j1

    row, column = np.mgrid[:side, :side] - side // 2
    radius = np.hypot(row, column)
    radius[side // 2, side // 2] = 1
    kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[side // 2, side // 2] = cutoff**2 / (4 * np.pi)
    return kernel / kernel.sum()


def _filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return cv2.filter2D(image, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT)


def _drawn(size: tuple[int, ...], of: Pass, rng: np.random.Generator) -> tuple[int, ...]:
    """The size times a random factor."""
    ways = (of.larger, of.smaller, (1.0, 1.0))
    factor = rng.uniform(*ways[rng.choice(3, p=of.resized)])
    return tuple(max(4, round(factor * side)) for side in size)


def _resized(image: np.ndarray, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return cv2.resize(image, size[::-1], interpolation=INTERPOLATIONS[rng.integers(len(INTERPOLATIONS))])


def _noisy(image: np.ndarray, of: Pass, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < GAUSSIAN_NOISE:
        noise = rng.normal(0, rng.uniform(*of.noise) / WHITE, image.shape)
    else:
        image = np.clip(image, 0, 1)
        noise = rng.uniform(*of.counts) * (rng.poisson(image * WHITE) / WHITE - image)
    return np.clip(image + noise, 0, 1).astype(np.float32)


def _jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grey = np.rint(np.clip(image, 0, 1) * WHITE).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(JPEG[0], JPEG[1] + 1))])
    return cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.float32) / WHITE
