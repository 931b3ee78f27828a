"""How noisy is an image? The two classical estimators that EMANet's first stage is compared with.

The literature names HBNE and DWTNE without defining them; both definitions here are ours. Each reads one number off the
image in which the noise shows; a quadratic fitted on the validation split turns it into a level (1 to 50), since counts
have no single standard deviation. All are ``f(noisy) -> number`` on ``(rows, columns)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter1d, sobel, uniform_filter

from ..data.degradations import GREY

WINDOW = 7  # pixels: where HBNE measures standard deviations
BINS = 256
EDGES = 90  # percentile of the slope from which DWTNE sees an edge


def histogram_based(image: np.ndarray) -> float:
    """HBNE: the commonest local standard deviation, grey values of 255. Windows without any count do not vote."""
    image = image.astype(np.float64)
    mean = uniform_filter(image, WINDOW)
    variance = np.maximum(uniform_filter(image**2, WINDOW) - mean**2, 0)
    deviations = np.sqrt(variance[mean > 0.1 * mean.max()])
    if deviations.size == 0 or deviations.max() == 0:
        return 0.0
    counts, edges = np.histogram(deviations, BINS, (0, np.percentile(deviations, 99)))
    mode = int(gaussian_filter1d(counts.astype(float), 3).argmax())
    return GREY * float(edges[mode] + edges[mode + 1]) / 2


def wavelet_based(image: np.ndarray) -> float:
    """DWTNE: standard deviation of the finest diagonal Haar coefficients away from edges, grey values of 255.

    After the idea of Pimpalkhute et al. (IEEE TIP 30, 2021): coefficients under an edge, as Sobel's filter finds it,
    are structure, not noise. Those where no count was seen are left out.
    """
    rows, columns = (side // 2 * 2 for side in image.shape)
    a, b = image[:rows:2, :columns:2], image[:rows:2, 1:columns:2]
    c, d = image[1:rows:2, :columns:2], image[1:rows:2, 1:columns:2]
    diagonal, mean = (a - b - c + d) / 2, (a + b + c + d) / 4
    slope = np.hypot(sobel(mean, 0), sobel(mean, 1))
    seen = uniform_filter(mean, 5) > 0.1 * uniform_filter(mean, 5).max()
    edge = binary_dilation(slope > np.percentile(slope[seen], EDGES)) if seen.any() else ~seen
    flat = diagonal[seen & ~edge]
    return GREY * float(flat.std()) if flat.size else 0.0


ESTIMATORS: dict[str, Callable[[np.ndarray], float]] = {"HBNE": histogram_based, "DWTNE": wavelet_based}


def calibrated(readings: np.ndarray, levels: np.ndarray) -> Callable[[float], float]:
    """The quadratic through (reading, level) pairs, kept within levels 1 to 50."""
    curve = np.polyfit(readings, levels, 2)
    return lambda reading: float(np.clip(np.polyval(curve, reading), 1, 50))
