"""Which planes of a study are judged, and their brightness regions."""

from __future__ import annotations

import numpy as np

SAMPLE_VOXELS = 4_000_000  # evidence on more voxels says the same and takes longer

REGIONS = ("background", "dark", "medium", "bright", "brightest")
REGION_WINDOW = 7  # voxels
FOREGROUND_SHARE = 0.1  # of the brightest: below is background


def sample_planes(voxels: np.ndarray, limit: int = SAMPLE_VOXELS) -> np.ndarray:
    """Evenly spread planes of a study, at most ``limit`` voxels but one plane at least: ``(planes, rows, columns)``."""
    planes = voxels.shape[0] * voxels.shape[1]
    wanted = min(planes, max(1, limit // (voxels.shape[2] * voxels.shape[3])))
    numbers = ((np.arange(wanted) + 0.5) * planes / wanted).astype(int)
    return voxels.reshape(-1, *voxels.shape[2:])[numbers]


def brightness_regions(planes: np.ndarray) -> np.ndarray:
    """Number of each voxel's brightness region, an index into ``REGIONS``: background and quarters of the rest.

    Voxels are sorted by the mean of the 7x7 window around them. Sorted by their own value, noise would choose the
    region and every region would look biased.
    """
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(planes, size=(1, REGION_WINDOW, REGION_WINDOW), mode="nearest")
    darkest, brightest = np.quantile(smooth, [0.01, 0.995])
    floor = darkest + FOREGROUND_SHARE * (brightest - darkest)
    foreground = smooth[smooth > floor]
    if not foreground.size:
        return np.zeros(planes.shape, np.int8)
    return np.digitize(smooth, [floor, *np.quantile(foreground, [0.25, 0.5, 0.75])], right=True).astype(np.int8)
