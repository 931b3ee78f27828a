"""Is the difference between two methods more than chance?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean difference and its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the difference is significant at this confidence."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    a: np.ndarray, b: np.ndarray, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Mean of ``a - b`` over patients, with its percentile bootstrap interval (Efron and Tibshirani, 1993, chapter 13).

    Args:
        a, b: ``(patients,)``: one score per patient and method, in the same order. Average over each patient's images
            first: images of one patient are not independent, so resampling images would make the interval too narrow.
        confidence: coverage of the interval, 0 to 1.
        resamples, seed: of the bootstrap; the same seed gives the same interval.

    Raises:
        ValueError: the lists differ in length, or hold fewer than 2 patients.

    >>> paired_bootstrap([3.0, 3.0, 3.0], [1.0, 1.0, 1.0])
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    from scipy.stats import bootstrap

    if np.shape(a) != np.shape(b) or np.ndim(a) != 1 or len(a) < 2:
        raise ValueError("a paired bootstrap needs two equally long lists of at least 2 patients")
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    interval = bootstrap(
        (difference,),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        random_state=np.random.default_rng(seed),  # SciPy's rng from 1.15 on
    ).confidence_interval
    return Interval(float(difference.mean()), float(interval.low), float(interval.high))
