"""A phantom, its noisy copies and a filter as a denoiser: what the tests of evidence judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.ndimage import gaussian_filter

from MedRestoreLib.noise import Noise, model
from Testing.support.phantoms import body


def phantom(size: int = 192) -> np.ndarray:
    """``phantoms.body`` as a study's voxels, ``(1, 1, size, size)``."""
    return body(size)[None, None]


def smooth(width: float) -> Callable[[np.ndarray], np.ndarray]:
    """A Gaussian filter of ``width`` voxels in each slice, as a denoiser."""
    return lambda voxels: gaussian_filter(voxels, (0, 0, width, width))


def restored(noisy: np.ndarray, noise: Noise, width: float) -> np.ndarray:
    """``noisy`` filtered on the stabilised scale."""
    return noise.unbiased_inverse(smooth(width)(noise.stabilise(noisy)))


def realisations(name: str, clean: np.ndarray, level: float, number: int = 20) -> Iterator[tuple[np.ndarray, Noise]]:
    """Noisy copies of ``clean``, and the noise model bound to each."""
    for seed in range(number):
        noisy = model(name).add(clean, level, np.random.default_rng(seed))
        yield noisy, model(name).bind(noisy, level)
