"""What a denoiser makes of a study that is known: the restored one, with noise drawn anew (the parametric bootstrap).

There the error can be measured, and so can the covariance of the output with the noise, which turns the power of what
was removed from the true study into an estimate of the true error (Efron, Journal of the American Statistical
Association 99(467), 2004: covariance penalties). ``weighing`` joins the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..noise import Noise
from .correlation import autocorrelation
from .pieces import Box
from .probing import Denoise
from .risk import block_mean, surroundings
from .sampling import sample_planes

PLANES = 500_000  # voxels of a whole study that errors are extended to
STREAM = 20_041  # of random numbers: a simulated study may have been made with the same seed
LEAST_SHARE = 0.2  # of the error in the pieces: the whole study's is hardly less
SURROUND = 9  # voxels: side of the square around a voxel that says how bright its place is
USUAL, HOT = 99.0, 2.0  # within so many voxels of a place brighter than twice this percentile, counts are not judged


@dataclass(frozen=True, eq=False)
class Renoised:
    """A restored study, or pieces of it, with other noise; arrays are ``(frames, slices, rows, columns)``.

    Attributes:
        noisy, restored: the study before and after, in its unit.
        clean: the study that noise was added to.
        aim: what would be restored from it at best (``Noise.aim``).
        drawn, again: with that noise, and what the denoiser made of it.
        noise: the model, bound to the study.
        where: boolean, the voxels that are judged.
    """

    noisy: np.ndarray
    restored: np.ndarray
    clean: np.ndarray
    aim: np.ndarray
    drawn: np.ndarray
    again: np.ndarray
    noise: Noise
    where: np.ndarray

    @classmethod
    def of(
        cls, denoise: Denoise, noisy: np.ndarray, restored: np.ndarray, noise: Noise, where: np.ndarray, seed: int
    ) -> Renoised:
        """Run ``denoise``, from stabilised voxels to stabilised ones, once."""
        clean = noise.clean_behind(noisy, restored)
        drawn = noise.drawn(clean, np.random.default_rng((seed, STREAM)))
        again = noise.unbiased_inverse(denoise(noise.stabilise(drawn)))
        return cls(noisy, restored, clean, noise.aim(clean), drawn, again, noise, where)

    def left(self) -> tuple[float, float, float, float]:
        """Shares of the noise's power, on the scale where residuals are judged (``Noise.standardisation``).

        Returns:
            What is left here, by measuring; what is left in the true study, by the covariance penalty; that one's
            standard error; and the strength, 0 to 1, whose blend with the noisy study has the least error.
        """
        nowhere = np.zeros(self.clean.shape, np.int8)
        drawn, aim, _ = self.noise.standardisation(self.drawn, self.aim, self.where, nowhere)
        again = self.noise.standardisation(self.drawn, self.again, self.where, nowhere)[1]
        noisy, restored, _ = self.noise.standardisation(self.noisy, self.restored, self.where, nowhere)
        power = self.noise.residual_variance(self.clean)
        here, there = again - aim, noisy - restored
        covariance = here * (drawn - aim)
        # Both are means of squares of the same voxels, so what makes both large or small cancels.
        whole = block_mean(power, self.where)[0]
        removed = np.square(there)
        estimate, error = block_mean(removed - power + 2 * covariance, self.where)
        measured = block_mean(np.square(here), self.where)[0]
        removable = whole - block_mean(covariance, self.where)[0]
        strength = removable / max(block_mean(removed, self.where)[0], 1e-30)
        return measured / whole, estimate / whole, error / whole, float(np.clip(strength, 0, 1))

    def excess_correlation(self) -> float:
        """Correlation of neighbours of what was removed beyond that of what is removed here, less chance."""
        nowhere = np.zeros(self.clean.shape, np.int8)
        residuals = []
        for before, after in ((self.noisy, self.restored), (self.drawn, self.again)):
            observed, expected, std = self.noise.standardisation(before, after, self.where, nowhere)
            residuals.append(autocorrelation((observed - expected) / std, self.where))
        return float((residuals[0] - residuals[1]).max()) - 3 / float(np.sqrt(max(self.where.sum(), 1)))

    def errors(self) -> tuple[float, float]:
        """Mean squared error with the noise, and of what the denoiser made of it, in the study's unit."""
        noisy, restored = (
            float(np.square(study - self.aim)[self.where].mean(dtype=np.float64)) for study in (self.drawn, self.again)
        )
        return noisy, restored

    def errors_of(self, noisy: np.ndarray, restored: np.ndarray) -> tuple[float, float]:
        """The same of the whole study of which these are pieces.

        What is left of the noise's variance is predicted from the surroundings, by linear regression: there is less of
        it where the study is flat than where it has edges.
        """
        noisy, restored = (sample_planes(study, PLANES)[:, None] for study in (noisy, restored))
        clean, where = self.noise.clean_behind(noisy, restored), judged(noisy, self.noise)
        drawn = replace(self.noise, spectrum=None).drawn(clean, np.random.default_rng(0))
        here, there = (surroundings(self.noise.stabilise(study)) for study in (self.clean, clean))
        before_here, after_here = self.errors()
        power, whole = (_variance(self.noise, study) for study in (self.clean, clean))
        shares = (np.square(self.again - self.aim) / power)[self.where].astype(np.float64)
        slopes = np.linalg.lstsq(here[:, self.where].T.astype(np.float64), shares, rcond=None)[0]
        after = float((np.tensordot(slopes, there, 1) * whole)[where].mean(dtype=np.float64))
        before = float(np.square(drawn - self.noise.aim(clean))[where].mean(dtype=np.float64))
        if after < LEAST_SHARE * after_here:  # the regression leads nowhere: as large a share is left everywhere
            after = before * after_here / max(before_here, 1e-30)
        return before, after


def pieces_of(study: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """The pieces as frames; the study itself where there are none."""
    return np.concatenate([study[box] for box in boxes]) if boxes else study


def judged(noisy: np.ndarray, noise: Noise, whole: np.ndarray | None = None) -> np.ndarray:
    """The voxels whose error counts: those where the noise model holds.

    Of counts all, as a voxel without one is a measurement, too, but for hot spots such as an injection site, whose
    squared errors would drown those of the anatomy. How hot a place is, is told by the voxels around it: chosen by its
    own value, the estimate would be biased.

    Args:
        noisy: a study ``(frames, slices, rows, columns)``, or pieces of it.
        whole: the study that it is of, in which hot is what is rare.
    """
    from scipy.ndimage import maximum_filter

    if not noise.counted:
        return noise.covers(noisy)
    if not noisy.any():
        return np.zeros(noisy.shape, bool)
    around = _around(noisy)
    usual = np.percentile(around if whole is None else _around(sample_planes(whole)[:, None]), USUAL)
    return maximum_filter(around, (1, 1, SURROUND, SURROUND)) <= HOT * usual


def _around(noisy: np.ndarray) -> np.ndarray:
    """Mean of the voxels around each, without it."""
    from scipy.ndimage import uniform_filter

    sums = uniform_filter(noisy.astype(np.float32), (1, 1, SURROUND, SURROUND), mode="nearest") * SURROUND**2
    return (sums - noisy) / (SURROUND**2 - 1)


def _variance(noise: Noise, clean: np.ndarray) -> np.ndarray:
    """Of the noise, nowhere zero."""
    variance = np.square(noise.std(clean))
    return np.maximum(variance, 0.01 * max(float(variance.mean(dtype=np.float64)), 1e-30))
