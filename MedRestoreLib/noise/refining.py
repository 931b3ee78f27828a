"""An estimate for white and even noise, beside what the study's flat blocks show: which of the two is to be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .base import SURE, Estimate
from .blocks import SILENT
from .measuring import ANATOMY, ENOUGH, GROWN, Measured, measure

CONTRADICTED = 1.15  # flat blocks that have so much more noise than an estimate for white noise says: it is wrong
AGREEING = 1.1  # a level of air over that of flat blocks, at most, to be the same noise
# A level of even noise is doubted where blocks differ so much, are noisier by so much, and hold no anatomy.
UNEVEN, NOISIER = 1.3, 1.05


def refined(
    estimate: Estimate,
    voxels: np.ndarray,
    level_of: Callable[[float], float],
    *,
    textured: bool = False,
    of_air: bool = False,
    floor: float = 0.0,
) -> Estimate:
    """An estimate for white and even noise, replaced where the noise is neither, or where it is not sure.

    Args:
        estimate: of the same study, for white noise.
        voxels: the study, ``(frames, slices, rows, columns)``.
        level_of: from a standard deviation in the study's unit to a level.
        textured: as for ``measure``.
        of_air: the estimate is that of air, where there is no anatomy: its total is right for coloured noise, too.
        floor: as for ``measure``.

    Returns:
        The estimate that is sure, the one for white noise where both are; else a careful one.
    """
    found = measure(voxels, textured=textured, floor=floor) if estimate.level != 0 else None
    if found is None or found.sigma < SILENT * np.ptp(voxels):
        return estimate
    if estimate.sure and estimate.level is not None and (found.confidence <= SURE or found.white):
        # Air may be calmer than tissue: then it does not tell the noise of tissue.
        sigma = found.beneath or (found.sigma if found.growth < GROWN else found.careful)
        if found.blocks < ENOUGH or level_of(sigma) < CONTRADICTED * estimate.level:
            return _doubted(estimate) if _uneven(found, level_of(found.sigma) / estimate.level) else estimate
    if found.confidence > SURE:
        level = level_of(found.sigma)
        where = "differences of frames" if found.repeats else f"{found.blocks} flat blocks"
        reason = f"Noise of {found.sigma:.3g} in {where}; {found.words}."
        if of_air and estimate.level and estimate.confidence >= SURE and found.spectrum and not found.cubes:
            # Few squares tell the spectrum better than the total, which air tells as well where it holds no ghosts.
            level = min(level, (level * estimate.level) ** 0.5)
            reason = f"{reason.rstrip('.')}; {estimate.reason}"
        return Estimate(level, found.confidence, reason, found.spectrum, found.noise_map)
    if found.beneath is not None:
        reason = (
            f"Between {found.beneath:.3g} and {found.sigma:.3g}: fine texture with white noise beneath, or coloured "
            "noise; the lower value is taken."
        )
        return Estimate(level_of(found.beneath), found.confidence, reason)
    least, most = level_of(found.careful), level_of(found.sigma)
    limits = f"{found.careful:.3g} and {found.sigma:.3g} in the {found.blocks} flattest blocks, where anatomy may be"
    if of_air and estimate.level and least < estimate.level < AGREEING * most:
        reason = f"{estimate.reason.rstrip('.')}; between {limits}."
        return Estimate(min(estimate.level, most), found.confidence, reason, found.spectrum, found.noise_map)
    reason = f"Between {limits}; the lower value is taken."
    return Estimate(least, found.confidence, reason, found.spectrum, found.noise_map)


def _uneven(found: Measured, ratio: float) -> bool:
    """Whether blocks that are flat differ as even noise does not, and are noisier than an estimate says."""
    if found.blocks >= ENOUGH and found.scattered:
        return True
    return found.blocks >= ENOUGH and ratio > NOISIER and found.dispersion > UNEVEN and found.growth < ANATOMY


def _doubted(estimate: Estimate) -> Estimate:
    """The same level, not sure."""
    reason = f"{estimate.reason.rstrip('.')}, but flat blocks differ more than even noise does; it may be stronger."
    return replace(estimate, confidence=SURE, reason=reason, confirmed=False)
