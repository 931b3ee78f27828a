"""What learned methods are measured against: restorers of one noisy view that need no training.

Each is ``f(noisy, level) -> restored`` on float32 ``(rows, columns)``, noisy as training.data.degradations makes it,
with the true level, in the unit that its noise has there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, median_filter

from MedRestoreLib.methods import catalogue
from MedRestoreLib.noise import Noise, model
from MedRestoreLib.noise.poisson import peak_counts
from MedRestoreLib.pipeline.domains import unit_range

from ..data.degradations import GREY

Restorer = Callable[[np.ndarray, float], np.ndarray]

WIDTHS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)  # pixels: the Gaussians that are tried
FRAME = 8  # pixels: the outermost are air
MEDIAN = 5  # pixels


def noisy(image: np.ndarray, level: float) -> np.ndarray:
    """As it is."""
    return image


def gaussian(width: float) -> Restorer:
    """A Gaussian blur of ``width`` pixels (standard deviation), at any level."""
    return lambda image, level: gaussian_filter(image, width)


def anscombe_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D between Anscombe's transform and its exact unbiased inverse, as the library does it."""
    return _stabilised_bm3d(image, model("poisson")(peak_counts(level)))


def raw_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D on the counts themselves, told the mean noise: Poisson noise taken for white."""
    return _bm3d(image, level / GREY * float(np.sqrt(image.mean())))


def raw_bm3d_literal(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D for ``p_lit``, whose noise is white, told its standard deviation; the offset stays."""
    return _bm3d(image, float(np.sqrt(level)) / GREY)


def offset(image: np.ndarray, level: float) -> np.ndarray:
    """For ``p_lit``: only what air shows is subtracted, the mean of the frame around the picture."""
    inner = np.zeros(image.shape, bool)
    inner[FRAME:-FRAME, FRAME:-FRAME] = True
    return np.maximum(image - image[~inner].mean(), 0)


def offset_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """``offset`` after BM3D."""
    return offset(raw_bm3d_literal(image, level), level)


def median(image: np.ndarray, level: float) -> np.ndarray:
    """The median of 5 x 5 pixels, at any level."""
    return median_filter(image, MEDIAN)


def speckle_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D on the speckled image itself, told the root of the mean variance: speckle taken for white noise."""
    return _bm3d(image, level * float(np.sqrt(np.mean(image**2) / (1 + level**2))))


def log_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D between the logarithm and its exact unbiased inverse, as the library does it."""
    return _stabilised_bm3d(image, model("speckle").bind(image[None, None], level))


def srad(image: np.ndarray, level: float) -> np.ndarray:
    """Speckle-reducing anisotropic diffusion on the linear image."""
    return _of_library("srad", image, level)


def nllr(image: np.ndarray, level: float) -> np.ndarray:
    """Non-local low-rank despeckling on the linear image."""
    return _of_library("nllr", image, level)


SPECKLE: dict[str, Restorer] = {
    "noisy": noisy,
    "median": median,
    "srad": srad,
    "bm3d_raw": speckle_bm3d,
    "bm3d_log": log_bm3d,
    "nllr": nllr,
}
PROTOCOLS: dict[str, dict[str, Restorer]] = {
    "p_peak": {"noisy": noisy, "bm3d_raw": raw_bm3d, "bm3d_anscombe": anscombe_bm3d},
    "p_lit": {"noisy": noisy, "offset": offset, "bm3d_raw": raw_bm3d_literal, "bm3d_offset": offset_bm3d},
    "speckle": SPECKLE,
    "speckle_8bit": SPECKLE,
    "bmode": {"noisy": noisy, "median": median},
}


def _stabilised_bm3d(image: np.ndarray, noise: Noise) -> np.ndarray:
    stable = noise.stabilise(image)
    low, scale = unit_range(stable[None])
    return noise.unbiased_inverse(_bm3d((stable - low) / scale, 1 / scale) * scale + low)


def _bm3d(image: np.ndarray, sigma: float) -> np.ndarray:
    return _of_library("bm3d", image, sigma)


@lru_cache(maxsize=4)
def _implementation(method: str) -> Callable:
    return catalogue.find(method).load()


def _of_library(method: str, image: np.ndarray, sigma: float) -> np.ndarray:
    """Whole image at once, at the method's automatic setting."""
    with torch.inference_mode():
        return _implementation(method)(torch.from_numpy(image.astype(np.float32))[None, None], sigma)[0, 0].numpy()
