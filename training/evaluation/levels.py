"""How well is the noise level of counts estimated? By a network, and by two classical estimators.

The literature names HBNE and DWTNE without defining them; both definitions here are ours. Each reads one number off the
noisy image; a quadratic fitted on the validation split turns it into a level (1 to 50), since counts have no single
standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter1d, sobel, uniform_filter

from .. import build
from ..data import GREY
from ..tables.results import Result, Values, method_name
from ..trainers.scores import estimated_level
from .protocols import COUNTS, HeldOut

CALIBRATION = tuple(float(level) for level in range(2, 51, 4))

WINDOW = 7  # pixels: side of the windows in which HBNE measures standard deviations
BINS = 256
EDGES = 90  # percentile of the gradient above which DWTNE sees an edge
SEEN = 0.1  # of the maximum of the local mean: below it there are hardly any counts

Estimator = Callable[[np.ndarray], float]  # noisy (rows, columns) → number


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each estimator: HBNE, DWTNE, level networks by their folders. Raises RecipeError."""
    test = replace(test, protocol="p_peak")
    for name in names:
        if name in ESTIMATORS:
            values, method, seed, about = measure(calibrated(name, test), test), name, 0, {}
        else:
            network = build.trained(name)
            values = measure(lambda noisy, network=network: estimated_level(network, noisy), test)
            method, seed, about = method_name(network.recipe.name), network.recipe.seed, network.about
        yield Result("levels", test.protocol, method, values, seed, {**about, **test.about()})


def measure(estimate: Estimator, test: HeldOut, levels: Sequence[float] = COUNTS) -> Values:
    """ "mean" of the estimated levels and root mean squared error "rmse" → true level → over all test views."""
    errors: dict[str, list[float]] = {}
    for view in test.views(levels):
        errors.setdefault(f"{view.level:g}", []).append(estimate(view.noisy) - view.level)
    return {
        "mean": {level: float(level) + float(np.mean(e)) for level, e in errors.items()},
        "rmse": {level: float(np.sqrt(np.mean(np.square(e)))) for level, e in errors.items()},
    }


def calibrated(name: str, test: HeldOut) -> Estimator:
    """HBNE or DWTNE with the quadratic from its readings to levels, kept within 1 to 50, of the validation split."""
    read = ESTIMATORS[name]
    pairs = [(read(view.noisy), view.level) for view in test.views(CALIBRATION, "validation")]
    curve = np.polyfit(*np.array(pairs).T, 2)
    return lambda noisy: float(np.clip(np.polyval(curve, read(noisy)), 1, 50))


def histogram_based(image: np.ndarray) -> float:
    """HBNE: the mode of the local standard deviations, in grey values of 255, over windows that hold counts."""
    image = image.astype(np.float64)
    mean = uniform_filter(image, WINDOW)
    variance = np.maximum(uniform_filter(image**2, WINDOW) - mean**2, 0)
    deviations = np.sqrt(variance[mean > SEEN * mean.max()])
    if deviations.size == 0 or deviations.max() == 0:
        return 0.0
    counts, edges = np.histogram(deviations, BINS, (0, np.percentile(deviations, 99)))
    mode = int(gaussian_filter1d(counts.astype(float), 3).argmax())
    return GREY * float(edges[mode] + edges[mode + 1]) / 2


def wavelet_based(image: np.ndarray) -> float:
    """DWTNE: standard deviation of the finest diagonal Haar coefficients away from edges, in grey values of 255.

    After an idea of Pimpalkhute et al. (IEEE TIP 30, 2021): coefficients at edges, found by Sobel's filter, are
    structure, not noise. Coefficients where there are hardly any counts are left out.
    """
    rows, columns = (side // 2 * 2 for side in image.shape)
    a, b = image[:rows:2, :columns:2], image[:rows:2, 1:columns:2]
    c, d = image[1:rows:2, :columns:2], image[1:rows:2, 1:columns:2]
    diagonal, mean = (a - b - c + d) / 2, (a + b + c + d) / 4
    gradient, local = np.hypot(sobel(mean, 0), sobel(mean, 1)), uniform_filter(mean, 5)
    seen = local > SEEN * local.max()
    edge = binary_dilation(gradient > np.percentile(gradient[seen], EDGES)) if seen.any() else ~seen
    flat = diagonal[seen & ~edge]
    return GREY * float(flat.std()) if flat.size else 0.0


ESTIMATORS: dict[str, Estimator] = {"HBNE": histogram_based, "DWTNE": wavelet_based}
