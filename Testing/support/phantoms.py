"""Images and studies that tests restore: clean ones of known shape and brightness, and noisy copies of them.

Pictures and volumes are float32 arrays ``(rows, columns)`` or ``(slices, rows, columns)``, in [0, 1] where nothing else
is said; studies are Images with a modality. Everything is the same in every run: what is random takes a seed.
``Testing.support.denoising`` runs a method on them and says how good the result is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.noise import model
from MedRestoreLib.noise.bmode import simulate_bmode

# The noise of a modality at a level that can be seen and told.
USUAL_NOISE = {"NM": ("poisson", 1.0), "MR": ("rician", 5.0), "US": ("speckle", 0.2), "OT": ("gaussian", 5.0)}

# A grid no axis of which could be mistaken for another: oblique, anisotropic, off the origin; mm, LPS.
OBLIQUE: dict[str, Any] = {
    "spacing": (0.7, 0.8, 2.5),
    "origin": (-10.0, 20.0, 5.0),
    "direction": (0.8, 0.0, 0.6, 0.6, 0.0, -0.8, 0.0, 1.0, 0.0),
}

RAYLEIGH_DB = 5.57  # standard deviation of fully developed speckle on a logarithmic scale
RAYLEIGH_LOSS_DB = 2.507  # its mean below the logarithm of the mean intensity


# Studies


def clean_study(
    modality: str = "MR", *, frames: int = 1, slices: int = 1, side: int = 64, **attributes: Any
) -> mr.Image:
    """A disc of 100 on a background of 30, plus 1 a slice and a slight ramp; ``(frames, slices, side, side)``.

    The disc's radius is a third of the side, and a voxel more with each slice and frame. ``attributes`` are those of
    Image, such as ``**OBLIQUE``; a study of modality NM is in counts.
    """
    frame, z, y, x = np.indices((frames, slices, side, side)) - np.reshape([0, 0, side / 2, side / 2], (4, 1, 1, 1, 1))
    grey = np.where(np.hypot(y, x) < side / 3 + z + frame, 100.0, 30.0) + z + 0.1 * x
    attributes.setdefault("unit", "counts" if modality == "NM" else "")
    return mr.Image.from_array(grey.astype(np.float32), modality=modality, **attributes)


def study(
    modality: str = "MR", *, noise: str = "", level: float | None = None, seed: int = 0, **shape: Any
) -> mr.Image:
    """``clean_study`` with the noise of its modality, or another; ``clean_study(modality, **shape)`` is its truth.

    >>> bool(abs(study("NM", slices=3).voxels - clean_study("NM", slices=3).voxels).mean() < 10)
    True
    """
    usual, usual_level = USUAL_NOISE.get(modality, USUAL_NOISE["OT"])
    clean = clean_study(modality, **shape)
    return mr.add_noise(clean, noise or usual, usual_level if level is None else level, seed=seed)


def ramp(side: int = 64) -> np.ndarray:
    """Row plus column, 0 to ``2 side - 2``: no edge, no flat region, nothing that a noise level could be read off."""
    return np.add.outer(np.arange(side), np.arange(side)).astype(np.float32)


# Pictures and volumes


def camera(rows: int = 128, columns: int = 128, *, top: int = 100, left: int = 180) -> np.ndarray:
    """A part of scikit-image's camera, 512 x 512: the man's head and camera where nothing else is said."""
    from skimage import data

    return (data.camera()[top : top + rows, left : left + columns] / np.float32(255)).astype(np.float32)


def body(side: int = 192) -> np.ndarray:
    """Air of 0.1, a body of 0.4 with a disc of 1 and a bar of 0.7 in it: sharp borders, flat inside."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    image = np.full((side, side), 0.1, np.float32)
    image[(x / 0.42) ** 2 + (y / 0.46) ** 2 < 1] = 0.4
    image[(x + 0.1) ** 2 + (y - 0.1) ** 2 < 0.01] = 1.0
    image[(abs(x - 0.2) < 0.02) & (abs(y) < 0.3)] = 0.7
    return image


def smooth_head(side: int = 192) -> np.ndarray:
    """Air of 0 and a head that varies smoothly, 0.2 to 0.8, with a nucleus up to 1; borders blurred by a pixel."""
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[:side, :side] / side - 0.5
    tissue = 0.5 + 0.3 * np.sin(7 * x) * np.cos(5 * y) + 0.2 * ((x / 0.1) ** 2 + (y / 0.15) ** 2 < 1)
    return gaussian_filter(np.where((x / 0.4) ** 2 + (y / 0.45) ** 2 < 1, tissue, 0), 1).astype(np.float32)


def ball(side: int = 40) -> np.ndarray:
    """A ball of 0.7 in 0.3, ``(side, side, side)``."""
    axis = np.linspace(-1, 1, side)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return np.where(radius < 0.6, 0.7, 0.3).astype(np.float32)


def simulated_brain(slices: int = 24, rows: int = 64, columns: int = 64, *, seed: int = 1) -> np.ndarray:
    """The middle of a simulated T1 head: cortex and ventricles, at most 1."""
    from training.simulate.brain import t1_stack

    voxels = t1_stack(seed, (slices, 217, 181)).voxels[0]
    top, left = (217 - rows) // 2, (181 - columns) // 2
    return np.ascontiguousarray((voxels / voxels.max())[:, top : top + rows, left : left + columns])


def real_brain(data_folder: Path, shape: tuple[int, int, int] = (36, 48, 48)) -> np.ndarray:
    """A part of the average of 152 T1-weighted heads, nearly free of noise; 99.9 % of the head's voxels are below 1."""
    voxels = mr.read(data_folder / "mri" / "mni152_t1.nii.gz").voxels[0]
    part = voxels[tuple(slice(start, start + n) for start, n in zip((80, 100, 60), shape, strict=True))]
    return np.clip(part / np.percentile(voxels, 99.9), 0, 1)


def cysts(side: int = 128) -> np.ndarray:
    """Echogenicity in dB below the brightest: tissue with a dark and a bright disc."""
    y, x = np.mgrid[:side, :side] / side
    tissue = np.full((side, side), -20.0, np.float32)
    tissue[(y - 0.3) ** 2 + (x - 0.3) ** 2 < 0.03] = -35
    tissue[(y - 0.7) ** 2 + (x - 0.65) ** 2 < 0.03] = -8
    return tissue


# Noise


def noisy(clean: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """``clean`` with white Gaussian noise of standard deviation ``sigma``, float32, not clipped."""
    return model("gaussian").add(np.asarray(clean, np.float32), sigma, np.random.default_rng(seed))


def speckled(clean: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    """``clean`` with multiplicative speckle of relative standard deviation ``level``, float32, never below 0."""
    return np.maximum(model("speckle").add(np.asarray(clean, np.float32), level, np.random.default_rng(seed)), 0)


def bmode(
    decibel: np.ndarray, *, axial: float = 1.0, lateral: float = 2.0, dynamic_range_db: float = 60.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A log-compressed B-mode picture of an echogenicity in dB, and the grey that it shows on average: its truth."""
    rng = np.random.default_rng(seed)
    image = simulate_bmode(10 ** (decibel / 20), rng, axial, lateral, dynamic_range_db)
    expected = decibel - RAYLEIGH_LOSS_DB
    peak = float(np.mean(expected - dynamic_range_db * (image - 1)))
    return image, np.clip(1 + (expected - peak) / dynamic_range_db, 0, 1).astype(np.float32)
