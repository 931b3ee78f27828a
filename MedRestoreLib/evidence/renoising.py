"""What a denoiser makes of a study that is known: the restored one, with noise drawn anew (the parametric bootstrap).

There the error can be measured, and so can the covariance of the output with the noise, which turns the power of what
was removed from the true study into an estimate of the true error (Efron, Journal of the American Statistical
Association 99(467), 2004: covariance penalties). ``weighing`` joins the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..noise import Noise
from . import misfit
from .correlation import autocorrelation
from .pieces import Box
from .probing import Denoise
from .risk import block_mean
from .sampling import sample_planes
from .strata import Strata

PLANES = 300_000  # voxels of a whole study that what was found in pieces is extended to
CLEARLY = 2.0  # standard errors: a study keeps more of the noise than its restored copy, as it has fine texture
FITTED = 0.5  # of what is measured: standard error of the penalty where noise was drawn as strong as what was removed
STREAM = 20_041  # of random numbers: a simulated study may have been made with the same seed
SURROUND = 9  # voxels: side of the square around a voxel that says how bright its place is
USUAL, HOT = 99.0, 2.0  # within so many voxels of a place brighter than twice this percentile, counts are not judged


@dataclass(frozen=True, eq=False)
class Restored:
    """A study before and after, planes or pieces of it; arrays are ``(frames, slices, rows, columns)``.

    Attributes:
        noisy, restored: before and after, in the study's unit.
        clean: the best guess of the study without noise (``Noise.clean_behind``).
        where: boolean, the voxels that are judged.
        noise: the model, bound to the study.
    """

    noisy: np.ndarray
    restored: np.ndarray
    clean: np.ndarray
    where: np.ndarray
    noise: Noise

    @classmethod
    def of(cls, noisy: np.ndarray, restored: np.ndarray, noise: Noise, where: np.ndarray) -> Restored:
        """Of parts of a study, judged ``where``."""
        return cls(noisy, restored, noise.clean_behind(noisy, restored), where, noise)

    @classmethod
    def planes(cls, noisy: np.ndarray, restored: np.ndarray, noise: Noise) -> Restored:
        """Of evenly spread planes of a whole study."""
        noisy, restored = (sample_planes(study, PLANES)[:, None] for study in (noisy, restored))
        return cls.of(noisy, restored, noise, judged(noisy, noise))

    @cached_property
    def residual(self) -> np.ndarray:
        """What was removed, on the scale where residuals are judged (``Noise.standardisation``)."""
        observed, expected, _ = _on_scale(self.noise, self.noisy, self.restored, self.where)
        return observed - expected

    @cached_property
    def power(self) -> np.ndarray:
        """Of the noise on that scale."""
        return self.noise.residual_variance(self.clean)

    @cached_property
    def variance(self) -> np.ndarray:
        """Of the noise in the study's unit."""
        return np.square(self.noise.std(self.clean))

    @cached_property
    def strata(self) -> Strata:
        """Of alike surroundings."""
        return Strata.of(self.noise.stabilise(self.clean), self.where)

    @cached_property
    def excess(self) -> tuple[float, float]:
        """Mean of the power of what was removed beyond that of the noise, and its standard error."""
        # Both are means of squares of the same voxels, so what makes both large or small cancels.
        return block_mean(np.square(self.residual) - self.noise.seen_variance(self.noisy, self.clean), self.where)


class Left(NamedTuple):
    """What is left of the noise.

    Attributes:
        measured: share of its power, by measuring where noise was drawn anew.
        estimate, error: the same of the true study by the covariance penalty, and its standard error.
        strength: 0 to 1, the blend with the noisy study that has the least error.
        before, after: mean squared error, by measuring, in the study's unit.
        pieces: how much of the study noise was drawn for, 0 to 1.
    """

    measured: float
    estimate: float
    error: float
    strength: float
    before: float
    after: float
    pieces: float


@dataclass(frozen=True, eq=False)
class Renoised:
    """A restored study, or pieces of it, with other noise; arrays are ``(frames, slices, rows, columns)``.

    Attributes:
        study: before and after.
        aim: what would be restored from its ``clean`` at best (``Noise.aim``).
        drawn, again: that with noise, and what the denoiser made of it.
        strength: power of the noise that was drawn over the model's; None where the model's was drawn.
    """

    study: Restored
    aim: np.ndarray
    drawn: np.ndarray
    again: np.ndarray
    strength: np.ndarray | None = None

    @classmethod
    def of(cls, denoise: Denoise, study: Restored, seed: int) -> Renoised:
        """Run ``denoise``, from stabilised voxels to stabilised ones, once, on noise as the model has it."""
        return cls._drawn(denoise, study, None, seed)

    def as_seen(self, denoise: Denoise, seed: int) -> Renoised:
        """Run ``denoise`` once more, on noise as strong as what was removed; this object where the model's is."""
        strength = misfit.strength(self.study.residual, self.residual, self.study.where)
        return self if strength is None else self._drawn(denoise, self.study, strength, seed)

    @classmethod
    def _drawn(cls, denoise: Denoise, study: Restored, strength: np.ndarray | None, seed: int) -> Renoised:
        noise, clean, rng = study.noise, study.clean, np.random.default_rng((seed, STREAM))
        uneven = np.float32(1) if strength is None else np.sqrt(strength)
        # A study and its noise that are divided by the same factor stay what they are.
        drawn = noise.drawn(clean / uneven, rng) * uneven
        again = noise.unbiased_inverse(denoise(noise.stabilise(drawn)))
        return cls(study, noise.aim(clean), drawn, again, strength)

    def left(self, whole: Restored, slope: np.ndarray | None = None) -> Left:
        """What is left of the noise in the whole study, of which these are pieces.

        What was removed is known of the whole study; its covariance with the noise is known here.

        Args:
            whole: the study.
            slope: of the denoiser at the pieces themselves (``probing.slope``); None: the covariance is that of the
                noise that was drawn.
        """
        study, where, fitted = self.study, self.study.where, self.strength is not None
        alike = whole.strata.alike(study.noise.stabilise(study.clean), where)

        def mean(values: np.ndarray, power: np.ndarray, whole_power: np.ndarray) -> float:
            """Of the whole study, in which values follow the noise's power as they do here."""
            return whole.strata.extended(values[where], power[where], alike, whole_power[whole.where])

        drawn, aim, _ = self._scaled
        error = drawn - self.residual - aim
        power = study.power * self.strength if fitted else study.power
        covariance = error * (drawn - aim)
        modelled, total, shared, measured = (
            mean(values, study.power, whole.power) for values in (study.power, power, covariance, np.square(error))
        )
        more = 1.0  # times as much of the noise is kept in the study itself as where it was drawn
        if slope is not None:
            itself = slope * power
            kept, chance = block_mean(itself - covariance, where)
            if kept > CLEARLY * chance:
                covariance, drawn_shared = itself, shared
                shared = mean(covariance, study.power, whole.power)
                more = max(shared / max(drawn_shared, 1e-30), 1.0)
        excess, chance = whole.excess
        errors = (chance, 2 * block_mean(covariance, where)[1], FITTED * measured * fitted)
        removed = np.square(whole.residual)[whole.where].mean(dtype=np.float64)
        return Left(
            measured=more * measured / total,
            estimate=(excess + modelled - total + 2 * shared) / total,
            error=float(np.linalg.norm(errors)) / total,
            strength=float(np.clip((total - shared) / max(removed, 1e-30), 0, 1)),
            before=mean(np.square(self.drawn - self.aim), study.variance, whole.variance),
            after=more * mean(np.square(self.again - self.aim), study.variance, whole.variance),
            pieces=min(float(where.sum() / whole.where.sum()), 1.0),
        )

    @cached_property
    def _scaled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Drawn values, what they would be without noise, and what was made of them, on the residuals' scale."""
        noise, where = self.study.noise, self.study.where
        drawn, again, _ = _on_scale(noise, self.drawn, self.again, where)
        return drawn, _on_scale(noise, self.drawn, self.aim, where)[1], again

    @cached_property
    def residual(self) -> np.ndarray:
        """What was removed here, on the scale where residuals are judged."""
        drawn, _, again = self._scaled
        return drawn - again

    def excess_correlation(self) -> float:
        """Correlation of neighbours of what was removed beyond that of what is removed here, less chance."""
        study, noise = self.study, self.study.noise
        there, here = (
            autocorrelation(residual / noise.residual_std(after), study.where)
            for residual, after in ((study.residual, study.restored), (self.residual, self.again))
        )
        return float((there - here).max()) - 3 / float(np.sqrt(max(study.where.sum(), 1)))


def _on_scale(
    noise: Noise, noisy: np.ndarray, restored: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return noise.standardisation(noisy, restored, where, np.zeros(noisy.shape, np.int8))


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
    limit = hot(noisy if whole is None else whole)
    return maximum_filter(_around(noisy), (1, 1, SURROUND, SURROUND)) <= limit


def hot(noisy: np.ndarray) -> float:
    """The mean of a place from which on it is a hot spot, in the study's unit."""
    return HOT * float(np.percentile(_around(sample_planes(noisy)[:, None]), USUAL))


def _around(noisy: np.ndarray) -> np.ndarray:
    """Mean of the voxels around each, without it."""
    from scipy.ndimage import uniform_filter

    sums = uniform_filter(noisy.astype(np.float32), (1, 1, SURROUND, SURROUND), mode="nearest") * SURROUND**2
    return (sums - noisy) / (SURROUND**2 - 1)
