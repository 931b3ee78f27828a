"""Which methods need no training? Restorers of one noisy view, against which learned ones are compared.

Each is ``f(noisy, level) -> restored`` on float32 ``(rows, columns)``, noisy as training.data.degradations makes it. It
gets the true level, in the unit of that noise model.
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
from MedRestoreLib.pipeline.domains import STABILISED

from ..data import GREY

Restorer = Callable[[np.ndarray, float], np.ndarray]

WIDTHS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)  # standard deviations, in pixels, from which oracles choose
FRAME = 8  # pixels at the border of a bone scan that are air
MEDIAN = 5  # pixels


def noisy(image: np.ndarray, level: float) -> np.ndarray:
    """Unchanged."""
    return image


def gaussian(width: float) -> Restorer:
    """A Gaussian filter of standard deviation ``width`` pixels, at any level."""
    return lambda image, level: gaussian_filter(image, width)


def anscombe_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D between the Anscombe transform and its exact unbiased inverse, as in the library."""
    return _stabilised_bm3d(image, model("poisson")(peak_counts(level)))


def raw_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D on counts without a transform, with the root mean variance: Poisson noise taken for white."""
    return _bm3d(image, level / GREY * float(np.sqrt(image.mean())))


def p_lit_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D for ``p_lit``, whose noise is white, with its standard deviation; the offset stays."""
    return _bm3d(image, float(np.sqrt(level)) / GREY)


def gaussian_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D for white noise of this level."""
    return _bm3d(image, level / GREY)


def offset(image: np.ndarray, level: float) -> np.ndarray:
    """For ``p_lit``: subtracts the offset alone, estimated as the mean of the air at the border."""
    inner = np.zeros(image.shape, bool)
    inner[FRAME:-FRAME, FRAME:-FRAME] = True
    return np.maximum(image - image[~inner].mean(), 0)


def offset_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """``offset`` after BM3D."""
    return offset(p_lit_bm3d(image, level), level)


def median(image: np.ndarray, level: float) -> np.ndarray:
    """The median of 5 x 5 pixels, at any level; also of each frame of ``(..., rows, columns)``."""
    return median_filter(image, (*(1,) * (image.ndim - 2), MEDIAN, MEDIAN))


def speckle_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D without a transform, with the root mean variance: speckle taken for white noise."""
    return _bm3d(image, level * float(np.sqrt(np.mean(image**2) / (1 + level**2))))


def log_bm3d(image: np.ndarray, level: float) -> np.ndarray:
    """BM3D between the logarithm and its exact unbiased inverse, as in the library."""
    return _stabilised_bm3d(image, model("speckle").bind(image[None, None], level))


def srad(image: np.ndarray, level: float) -> np.ndarray:
    """Speckle-reducing anisotropic diffusion on the linear image."""
    return _of_library("srad", image, level)


def nllr(image: np.ndarray, level: float) -> np.ndarray:
    """Non-local low-rank despeckling on the linear image."""
    return _of_library("nllr", image, level)


Baselines = dict[str, Restorer]

PEAK: Baselines = {"noisy": noisy, "bm3d_raw": raw_bm3d, "bm3d_anscombe": anscombe_bm3d}
P_LIT: Baselines = {"noisy": noisy, "offset": offset, "bm3d_raw": p_lit_bm3d, "bm3d_offset": offset_bm3d}
SPECKLE: Baselines = {
    "noisy": noisy,
    "median": median,
    "srad": srad,
    "bm3d_raw": speckle_bm3d,
    "bm3d_log": log_bm3d,
    "nllr": nllr,
}
WHITE_NOISE: Baselines = {"noisy": noisy, "bm3d": gaussian_bm3d}
BMODE: Baselines = {"noisy": noisy, "median": median}


def _stabilised_bm3d(image: np.ndarray, noise: Noise) -> np.ndarray:
    low, scale = STABILISED.range(noise, image[None, None])
    restored = _bm3d((STABILISED.forward(noise, image) - low) / scale, STABILISED.sigma(noise, scale))
    return STABILISED.inverse(noise, restored * scale + low)


def _bm3d(image: np.ndarray, sigma: float) -> np.ndarray:
    return _of_library("bm3d", image, sigma)


@lru_cache(maxsize=4)
def _implementation(method: str) -> Callable:
    return catalogue.find(method).load()


def _of_library(method: str, image: np.ndarray, sigma: float) -> np.ndarray:
    """The method on the whole image at once, at its automatic setting."""
    with torch.inference_mode():
        return _implementation(method)(torch.from_numpy(image.astype(np.float32))[None, None], sigma)[0, 0].numpy()
