"""CT of a digital phantom: rays are counted behind it, and their logarithm is back-projected.

One energy, parallel rays, no scatter. What is kept is what makes the noise of CT: a ray through much bone leaves few
photons, so that noise is streaked and strongest in the middle of a thick body, and the kernel colours it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from .tomography import FINE, Camera

WATER = 0.0193  # per mm at 70 keV
VIEWS = 201  # over a full turn; odd, so that no two see the same rays
KERNEL, ORDER = 0.3, 5  # cutoff, cycles a bin, and order of a Butterworth filter on the ramp: a soft kernel
FEWEST = 0.5  # photons of a ray, at least: its logarithm is taken
# HU of the XCAT phantom's labels: outside, body, air, brain, bronchi, liver, lungs, skeleton.
HOUNSFIELD = np.array([-1000, 20, -1000, 35, -950, 60, -820, 500], np.float32)


def body(file: Path, first: int, slices: int, side: int) -> np.ndarray:
    """Slices of the XCAT phantom in HU, ``(slices, side, side)``: the trunk alone, its middle in the middle.

    Args:
        file: its labels, ``xcat50_male_labels_2mm.nrrd``.
        first: slice, from its feet; the liver is in those from 612 to 644.
        slices, side: in its voxels.
    """
    from scipy.ndimage import label

    from MedRestoreLib.files.studies import read

    labels = read(file).voxels[0, first : first + slices].astype(int)
    _, rows, columns = labels.shape
    parts, _ = label(labels > 0)
    labels[parts != np.bincount(parts[parts > 0]).argmax()] = 0
    left, high = (columns - side) // 2, side - rows
    trunk = labels[:, :, left : left + side]
    return HOUNSFIELD[np.pad(trunk, ((0, 0), (high // 2, high - high // 2), (0, 0)))]


def scanned(
    hounsfield: np.ndarray, photons: float | np.ndarray, seed: int | None, voxel_mm: float = 2.0, views: int = VIEWS
) -> np.ndarray:
    """The reconstruction of a scan in HU, float32 ``(slices, side, side)``.

    Args:
        hounsfield: of the object, ``(slices, side, side)``.
        photons: that a ray would count without the object; of each slice, ``(slices,)``, where they differ, as those
            of a cone beam do.
        seed: of the counts; None for the expected ones.
        voxel_mm: width of a voxel and of a bin.
        views: angles.
    """
    absorbing = np.maximum(hounsfield / 1000 + 1, 0) * np.float32(WATER)
    fine = absorbing.repeat(FINE, axis=1).repeat(FINE, axis=2)
    side = hounsfield.shape[-1]
    lengths = _camera(fine.shape, voxel_mm / FINE, side, views).project(fine) * np.float32(voxel_mm / FINE**2)
    counts = photons * np.exp(-lengths)
    if seed is not None:
        counts = np.random.default_rng(seed).poisson(counts)
    seen = -np.log(np.maximum(counts, FEWEST) / photons)
    density = _back_projected(_camera(absorbing.shape, voxel_mm, side, views), seen) / voxel_mm
    return (1000 * (density / WATER - 1)).astype(np.float32)


def _back_projected(camera: Camera, lengths: np.ndarray) -> np.ndarray:
    """Of line integrals ``(views, bins, slices)``, by Ramachandran and Lakshminarayanan's ramp (1971), windowed."""
    bins = lengths.shape[1]
    lag = np.rint(np.fft.fftfreq(2 * bins) * 2 * bins)
    ramp = np.where(lag % 2 == 1, -1 / np.square(np.pi * np.maximum(np.abs(lag), 1)), 0)
    ramp[0] = 0.25
    window = 1 / np.sqrt(1 + (np.fft.rfftfreq(2 * bins) / KERNEL) ** (2 * ORDER))
    gain = np.fft.rfft(ramp).real * window
    filtered = np.fft.irfft(np.fft.rfft(lengths, 2 * bins, axis=1) * gain[:, None], axis=1)[:, :bins]
    flat = sum(rays.T @ one for rays, one in zip(camera.rays, filtered.astype(np.float32), strict=True))
    return flat.T.reshape(camera.thickness.shape) * (np.pi / camera.views)


@lru_cache(maxsize=2)
def _camera(shape: tuple[int, ...], voxel_mm: float, bins: int, views: int) -> Camera:
    return Camera(np.zeros(shape, np.float32), voxel_mm, bins, views, 0.0)
