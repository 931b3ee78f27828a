"""How training spoils clean images: the noise models of counts, on the fly, from a generator that the caller seeds.

A level is 1 to 50 grey values of 255: the noise's standard deviation where the image is 1 (``p_peak``), or its mean and
variance in grey values (``p_lit``). Never mix their tables: they are different kinds of noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from MedRestoreLib.noise import poisson

GREY = 255.0

Degraded = dict[str, np.ndarray]


def p_peak(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """``Poisson(K clean) / K`` with K = (255 / level)²: K counts are expected where ``clean`` is 1; not clipped."""
    return {"noisy": poisson.add_peak(clean, poisson.peak_counts(level), rng)}


def p_lit(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """``clip(clean + Poisson(level) / 255, 0, 1)`` on 8-bit grey values: mostly an offset of ``level``.

    The noise behind the published table of Yu et al. (2023), as its printed row of noisy pictures gives away.
    """
    grey = np.rint(np.clip(clean, 0, 1) * np.float32(GREY))
    return {"noisy": poisson.add_literal(grey, level, rng) / np.float32(GREY)}


def p_thin(clean: np.ndarray, level: float, rng: np.random.Generator, fraction: float = 0.5) -> Degraded:
    """A scan of counts split in two independent parts: ``fraction`` of them to restore, the remainder as target.

    ``level`` is that of the thinned part, so the scan before thinning has 1 / ``fraction`` times its counts. The
    remainder replaces ``clean``: a training signal that a real scan has too (Lehtinen et al., ICML 2018).
    """
    kept = poisson.peak_counts(level)
    counts = rng.poisson(np.asarray(clean, np.float64) * (kept / fraction)).astype(np.float32)
    part = poisson.thin(counts, fraction, rng)
    rest = kept * (1 - fraction) / fraction
    return {"noisy": part / np.float32(kept), "clean": (counts - part) / np.float32(rest)}


MODELS: dict[str, Callable[..., Degraded]] = {"p_peak": p_peak, "p_lit": p_lit, "p_thin": p_thin}


def draw(
    sample: dict[str, Any],
    rng: np.random.Generator,
    *,
    model: str,
    levels: tuple[float, ...],
    even: bool = False,
    brightness: float = 0.0,
    **arguments: Any,
) -> dict[str, Any]:
    """A training sample from a clean one: a level is drawn, then the noise.

    Args:
        sample: holds ``clean``, ``(rows, columns)``, at most about 1; whatever else it holds is passed on.
        levels: the lowest and the highest; drawn log-uniformly between them, or uniformly if ``even``.
        brightness: see ``training.recipe.Degradation``. In practice the brightness that a study is divided by is
            estimated; counts are scaled along with it, so the level stays right and the maximum is no longer 1.

    Returns:
        The sample with ``noisy``, and ``level`` as networks take it (level / 255, float32).
    """
    level = float(rng.uniform(*levels) if even else np.exp(rng.uniform(*np.log(levels))))
    factor = np.exp(rng.uniform(-1, 1) * np.log1p(brightness))
    clean = sample["clean"] * np.float32(factor)
    spoilt = MODELS[model](clean, level, rng, **arguments)
    if "mean" in sample:
        sample = {**sample, "mean": np.float32(sample["mean"] * factor)}
    return {**sample, "clean": clean, "level": np.float32(level / GREY), **spoilt}
