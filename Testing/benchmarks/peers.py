"""Denoisers of other packages, called the same way. Each package is optional.

bm3d and bm4d are here for comparison only: their licence forbids commercial use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Peer(NamedTuple):
    """One row: the package it comes from; ``run(image, sigma, strength)``, a float32 image or volume in [0, 1] in and
    out; the strengths to try; and whether it takes images, volumes or both."""

    package: str
    run: Callable[[np.ndarray, float, float], np.ndarray]
    strengths: tuple[float, ...]
    dimensions: tuple[int, ...] = (2, 3)


def nlm(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    size, distance = 5, 6 if image.ndim == 2 else 3
    return denoise_nl_means(
        image, patch_size=size, patch_distance=distance, h=strength * sigma, sigma=sigma, fast_mode=True
    )


def total_variation(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=strength * sigma)


def wavelet(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    from skimage.restoration import denoise_wavelet

    return denoise_wavelet(image, sigma=strength * sigma, method="BayesShrink", mode="soft", rescale_sigma=True)


def itk_diffusion(image: np.ndarray, conductance: float, iterations: int, filter_name: str) -> np.ndarray:
    import SimpleITK as sitk

    options = {"timeStep": 0.0625, "conductanceParameter": conductance, "numberOfIterations": iterations}
    return sitk.GetArrayFromImage(getattr(sitk, filter_name)(sitk.GetImageFromArray(image), **options))


def gradient_diffusion(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    return itk_diffusion(image, strength, 20, "GradientAnisotropicDiffusion")


def curvature_diffusion(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    return itk_diffusion(image, strength, 20, "CurvatureAnisotropicDiffusion")


def medpy_diffusion(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    from medpy.filter.smoothing import anisotropic_diffusion

    return anisotropic_diffusion(image, niter=5, kappa=strength * sigma, gamma=0.4 / image.ndim, option=2)


def block_matching(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    import bm3d

    return bm3d.bm3d(image, strength * sigma)


def cube_matching(image: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    import bm4d

    return bm4d.bm4d(image, strength * sigma)


PEERS = {
    "sk_nlm": Peer("skimage", nlm, (0.5, 0.6, 0.8, 1.0)),
    "sk_tv": Peer("skimage", total_variation, (0.7, 1.0, 1.4)),
    "sk_wavelet": Peer("pywt", wavelet, (0.8, 1.0, 1.3)),
    "sitk_gradient": Peer("SimpleITK", gradient_diffusion, (0.8, 1.2, 2.0, 3.0)),
    "sitk_curvature": Peer("SimpleITK", curvature_diffusion, (1.5, 3.0, 6.0)),
    "medpy_diffusion": Peer("medpy", medpy_diffusion, (1.0, 1.5, 2.5, 4.0)),
    "bm3d_oracle": Peer("bm3d", block_matching, (1.0,), (2,)),
    "bm4d_oracle": Peer("bm4d", cube_matching, (1.0,), (3,)),
}
