"""Which of several methods does best on one study, told without a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..noise import Noise
from .probing import Denoise, probe
from .risk import block_mean
from .sure import Sure

LEAST_RATE = 0.003  # counts: under a rate of zero the deviance of a single count would be infinite
STRENGTHS = np.linspace(0, 1, 21)
HOT_SHARE = 0.5  # of the brightest place: from here on uptake is hot
HOT_BIAS = 0.03  # relative: a method that moves hot uptake further, beyond chance, is out


@dataclass(frozen=True)
class Entry:
    """One method of a comparison.

    Attributes:
        name: of the method.
        score: mean loss; only differences mean something.
        error: standard error of the difference to the least score.
        removed: mean square of what was taken out, in variances of the noise.
        strength: 0 to 1: the blend with the noisy study that has the least loss.
        biased: it moves hot uptake.
    """

    name: str
    score: float
    error: float
    removed: float
    strength: float
    biased: bool = False


def by_counts(kept: np.ndarray, held_back: np.ndarray, share: float, rates: Mapping[str, np.ndarray]) -> list[Entry]:
    """By how well restored counts predict counts of the same scan that no method saw, the best first.

    The loss is the Poisson deviance (METHODS: thinning).

    Args:
        kept: the counts that were restored, ``(pieces, 1, rows, columns)``.
        held_back: independent counts of the same voxels.
        share: of all counts that were kept, 0 to 1.
        rates: name → the expected counts beside ``kept``, restored at full strength.
    """
    share_back = (1 - share) / share
    everywhere = np.ones(kept.shape, bool)
    hot = _hot(kept)
    losses, entries = {}, {}
    for name, rate in rates.items():
        rate = rate * np.float32(kept.sum(dtype=np.float64) / max(float(rate.sum(dtype=np.float64)), 1e-9))
        losses[name] = _deviance(held_back, rate * share_back)
        blends = [
            _deviance(held_back, (kept + a * (rate - kept)) * share_back).mean(dtype=np.float64) for a in STRENGTHS
        ]
        power = np.maximum(rate, 0.5)
        expected, seen = float(rate[hot].sum() * share_back), float(held_back[hot].sum())
        entries[name] = Entry(
            name,
            float(losses[name].mean(dtype=np.float64)),
            0.0,
            float((np.square(kept - rate) / power).mean(dtype=np.float64)),
            float(STRENGTHS[int(np.argmin(blends))]),
            abs(expected - seen) > HOT_BIAS * seen + 2 * np.sqrt(seen / share),
        )
    return _ranked(entries, losses, everywhere)


def by_risk(noisy: np.ndarray, denoisers: Mapping[str, Denoise], noise: Noise, seed: int = 0) -> list[Entry]:
    """By Stein's unbiased risk estimate, with the same perturbation for every method, the best first.

    Args:
        noisy: pieces ``(pieces, slices, rows, columns)`` in the study's unit.
        denoisers: name → as ``expected_gain`` takes it; each runs twice.
        noise: the model, bound to the study.
    """
    where = noise.covers(noisy)
    if not where.any():
        return []
    stabilised, losses, entries = noise.stabilise(noisy), {}, {}
    for name, denoise in denoisers.items():
        response = probe(denoise, stabilised, where, seed=seed, spectrum=noise.spectrum)
        terms = Sure(noise).terms(noisy, response, where)
        losses[name] = terms.power - 2 * terms.removable + terms.removed
        removed = float(terms.removed[where].mean(dtype=np.float64))
        best = float(np.clip(terms.removable[where].mean(dtype=np.float64) / max(removed, 1e-9), 0, 1))
        entries[name] = Entry(name, float(losses[name][where].mean(dtype=np.float64)), 0.0, removed, best)
    return _ranked(entries, losses, where)


def _ranked(entries: Mapping[str, Entry], losses: Mapping[str, np.ndarray], where: np.ndarray) -> list[Entry]:
    """The entries, the winner first: the gentlest of those whose loss exceeds the least by no more than chance."""
    fair = [name for name, entry in entries.items() if not entry.biased] or list(entries)
    best = min(fair, key=lambda name: entries[name].score)
    excess = {name: block_mean(losses[name] - losses[best], where) for name in entries}
    tied = [name for name in fair if excess[name][0] <= excess[name][1]]
    winner = min(tied, key=lambda name: entries[name].removed)
    order = sorted(entries, key=lambda name: (name != winner, entries[name].biased, entries[name].score))
    return [Entry(**{**vars(entries[name]), "error": excess[name][1]}) for name in order]


def _deviance(counts: np.ndarray, rate: np.ndarray) -> np.ndarray:
    rate = np.maximum(rate, LEAST_RATE)
    log_term = counts * np.log(np.maximum(counts, 1) / rate)
    return 2 * (np.where(counts > 0, log_term, 0) - counts + rate)


def _hot(kept: np.ndarray) -> np.ndarray:
    """Where uptake is hot, seen in 5x5 means of the counts that were kept, which the held-back ones do not bias."""
    from scipy.ndimage import uniform_filter

    means = uniform_filter(kept.astype(np.float32), (1, 1, 5, 5), mode="nearest")
    return means >= HOT_SHARE * np.percentile(means, 99)
