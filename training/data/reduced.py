"""The degradation of super-resolution: a frame at a third or so of its resolution, as an 8-bit file holds it.

``level`` is the factor: 2, 3 or 4.
"""

from __future__ import annotations

import numpy as np
import torch

from MedRestoreLib.networks import resizing
from MedRestoreLib.noise.speckle import Speckle

from . import WHITE, second_order

PSF = (0.4, 0.8)  # standard deviation of the point spread function, in pixels of the reduced image
SPECKLE = (0.02, 0.15)  # relative standard deviation

Degraded = dict[str, np.ndarray]


def reduced(clean: np.ndarray, level: float, rng: np.random.Generator, form: str = "bicubic") -> Degraded:
    """``clean`` reduced by the factor ``level``.

    Args:
        clean: float32 ``(rows, columns)`` in [0, 1]; sides are cut to multiples of the factor.
        form: "bicubic", the paper's; "blur+down+speckle": a Gaussian point spread function, decimation, then
            multiplicative speckle; or "second_order": Real-ESRGAN's.

    Returns:
        ``noisy``, float32 ``(rows / factor, columns / factor)``, in steps of 1/255, and ``clean`` as it was cut.
    """
    factor = round(level)
    clean = cut(clean, factor)
    if form == "bicubic":
        small = resized(clean, factor)
    elif form == "second_order":
        small = second_order.degraded(clean, factor, rng)
    else:
        from scipy.ndimage import gaussian_filter

        small = gaussian_filter(clean, factor * rng.uniform(*PSF), mode="nearest")
        # The middle of each block, so that nothing moves: averages of the middle two where there is no middle pixel.
        low, high = (factor - 1) // 2, factor // 2
        small = (small[low::factor, low::factor] + small[high::factor, high::factor]) / 2
        small = Speckle.add(small, rng.uniform(*SPECKLE), rng)
    return {"noisy": eight_bits(small), "clean": clean}


def cut(image: np.ndarray, factor: int) -> np.ndarray:
    """The image without the last rows and columns that do not fill a block of ``factor``."""
    rows, columns = (length - length % factor for length in image.shape[-2:])
    return image[..., :rows, :columns]


def resized(images: np.ndarray, factor: int) -> np.ndarray:
    """``(..., rows, columns)`` reduced by bicubic interpolation with antialiasing, float32."""
    stack = torch.from_numpy(np.ascontiguousarray(images, np.float32)).reshape(-1, 1, *images.shape[-2:])
    small = resizing.reduced(stack, factor)
    return small.reshape(*images.shape[:-2], *small.shape[-2:]).numpy()


def eight_bits(image: np.ndarray) -> np.ndarray:
    """As an 8-bit file holds it: clipped to [0, 1], in steps of 1/255."""
    return np.rint(np.clip(image, 0, 1) * WHITE) / WHITE
