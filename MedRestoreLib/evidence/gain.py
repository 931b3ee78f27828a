"""What a restoration is worth, estimated without a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from ..noise import Noise
from .pieces import Box
from .probing import Denoise, slope
from .renoising import Left, Renoised, Restored, judged, pieces_of
from .risk import BLOCK
from .weighing import weigh

ESTIMATOR = "by renoising"
EXCESS_CORRELATION = 0.1  # beyond what white noise leaves: a tenth of the residual is not noise
COLOURED = 2.0  # times the correlation in excess: relative error of the noise's power as a method meets it
PIECE_MARGIN = 8  # voxels
LEAST_CHANGE = 0.1  # dB: a smaller gain or loss is none
LARGEST_SPREAD = 1.5  # dB: a gain that is less exact is not called reliable
LEAST_LEFT = 1e-4  # of the error: 40 dB, beyond which nothing can be told
CONFIDENCE = 2.0  # standard errors on either side hold the truth in 95 % of studies


@dataclass(frozen=True)
class Gain:
    """Expected gain of a restoration at full strength, estimated from the noisy study alone.

    Attributes:
        estimator: how it was estimated, in two words; "" where it was not.
        available: False where no estimator holds; all numbers are then None.
        domain: what the risks are mean squared errors of.
        input_risk, expected_risk: mean squared error of the noisy and of the restored study against the truth.
        standard_error: of ``input_risk - expected_risk``: by a block bootstrap, with the error of the noise level.
        gain_db: ``10 log10(input_risk / expected_risk)``; None where the estimate is not positive.
        spread_db: what is written behind ±: from ``gain_db`` to the farther of the limits; None where there is none.
        least_db, most_db: the gain lies between them with a probability of 95 %; ``most_db`` is None for no limit.
        best_strength: the strength, 0 to 1, whose blend with the noisy study has the least expected error.
        white: the residual is as white as the noise model says; without that, no number is to be relied on.
        sentence: for a person, a part of a sentence with a full stop.
    """

    estimator: str
    available: bool
    domain: str
    input_risk: float | None
    expected_risk: float | None
    standard_error: float | None
    gain_db: float | None
    spread_db: float | None
    least_db: float | None
    most_db: float | None
    best_strength: float | None
    white: bool
    sentence: str

    @property
    def certain(self) -> bool:
        """The error falls: even the least gain is one, and the residual is white."""
        return self.white and self.least_db is not None and self.least_db > LEAST_CHANGE

    @property
    def reliable(self) -> bool:
        """The error falls, and by how much is known to ``LARGEST_SPREAD``."""
        return self.certain and self.spread_db is not None and self.spread_db < LARGEST_SPREAD

    @property
    def loss(self) -> bool:
        """The error grows: even the most that can be gained is a loss, and the residual is white."""
        return self.white and self.most_db is not None and self.most_db < -LEAST_CHANGE

    @classmethod
    def unavailable(cls, sentence: str) -> Gain:
        """No estimate, and why."""
        return cls("", False, "", None, None, None, None, None, None, None, None, False, sentence)

    @classmethod
    def of(cls, left: Left, excess: float, power_error: float, noise_id: str) -> Gain:
        """The judgement.

        Args:
            left: what is left of the noise.
            excess: correlation of neighbours of what was removed beyond that of the noise.
            power_error: relative standard error of the noise's power.
            noise_id: of the noise model.
        """
        ratio = weigh(
            left.estimate,
            left.error,
            left.measured,
            noise_id=noise_id,
            power_error=power_error,
            pieces=left.pieces,
        )
        white = excess <= EXCESS_CORRELATION
        if white and not ratio.fits:
            return cls.unavailable("less was removed than noise of this level, which is too high for the study.")
        before, after = left.before, left.after
        gain, most, least = (_decibels(share * after / before) for share in ratio[:3])
        found = cls(
            estimator=ESTIMATOR,
            available=True,
            domain="the study's unit squared",
            input_risk=before,
            expected_risk=ratio.middle * after,
            standard_error=float(np.log(ratio.high / ratio.low)) / (2 * CONFIDENCE) * ratio.middle * after,
            gain_db=gain,
            spread_db=max(most - gain, gain - least),
            least_db=least,
            most_db=most,
            best_strength=left.strength,
            white=white,
            sentence="",
        )
        return replace(found, sentence=_told(found, excess))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Gain:
        """From ``to_dict``; reports of former versions know no limits of the gain, and are not relied on."""
        found: dict[str, Any] = {field.name: values.get(field.name) for field in fields(cls)}
        return cls(**found | {"white": bool(values.get("white"))})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"reliable": self.reliable}


def expected_gain(
    noisy: np.ndarray,
    denoise: Denoise,
    noise: Noise,
    *,
    boxes: Sequence[Box] = (),
    restored: np.ndarray | None = None,
    level_error: float = 0.0,
    seed: int = 0,
) -> Gain:
    """Estimate what ``denoise`` gains on this study, without knowing the truth: see ``renoising``.

    Runs ``denoise`` once, once more without ``restored``, where noise is linear, and where it is not as the model says.

    Args:
        noisy: float32 ``(frames, slices, rows, columns)`` in the study's unit.
        denoise: stabilised voxels (noise of standard deviation 1) to stabilised voxels, same shape, full strength.
        noise: the model, bound to the study.
        boxes: where ``denoise`` is run: pieces of one shape, typical of the study; empty for the whole of it.
        restored: the study at full strength; without it, only the pieces are judged.
        level_error: relative standard error of the noise's standard deviation, as the level gives it.
        seed: of the noise that is drawn.
    """
    if not noise.risk:
        return Gain.unavailable("speckle is correlated, and no unbiased estimate of the gain holds for it.")
    if min(noisy.shape[-2:]) <= BLOCK:
        return Gain.unavailable("the study is too small to estimate a gain.")
    before = pieces_of(noisy, boxes)
    where = judged(before, noise, noisy)
    if boxes:
        where &= _inside(before.shape)
    if not where.any():
        return Gain.unavailable("no part of the study shows this noise.")
    after = noise.unbiased_inverse(denoise(noise.stabilise(before))) if restored is None else pieces_of(restored, boxes)
    if not np.isfinite(after).all():
        return Gain.unavailable("the method returned values that are not numbers.")
    study = Restored.of(before, after, noise, where)
    whole = study if restored is None or not boxes else Restored.planes(noisy, restored, noise)
    renoised = Renoised.of(denoise, study, seed)
    response = None
    if noise.linear:  # also of photographs: where they have fine texture, a denoiser keeps more noise than in ``after``
        response = slope(denoise, noise.stabilise(before), noise.stabilise(after), seed=seed, spectrum=noise.spectrum)
    left, excess = renoised.left(whole, response), renoised.excess_correlation()
    # Where less is gone than noise of the model, the noise is another one; where more is gone, so may be structure.
    if noise.shaped and excess <= EXCESS_CORRELATION and left.estimate < left.measured:
        left = renoised.as_seen(denoise, seed).left(whole, response)
    power_error = float(np.hypot(2 * level_error, COLOURED * max(excess, 0)))
    return Gain.of(left, excess, power_error, noise.id)


def _inside(shape: tuple[int, ...]) -> np.ndarray:
    """Boolean: a margin in rows and columns is left out, where a piece's border changes what a denoiser does."""
    inside = np.zeros(shape, bool)
    margins = [min(PIECE_MARGIN, side // 4) for side in shape[2:]]
    inner = tuple(slice(margin, side - margin) for margin, side in zip(margins, shape[2:], strict=True))
    inside[(slice(None), slice(None), *inner)] = True
    return inside


def _told(gain: Gain, excess: float) -> str:
    """The sentence for a gain that was estimated."""
    if not gain.white:
        return (
            f"neighbouring voxels of what was removed are correlated ({excess:.2f} more than white noise leaves), so "
            "the noise model or its level does not fit, or structure was removed."
        )
    if gain.loss:
        return (
            f"at full strength the error is expected to grow by {-(gain.most_db or 0):.1f} dB at least "
            f"({gain.estimator}); the best strength is {gain.best_strength:.2f}."
        )
    if gain.reliable:
        return (
            f"at full strength the error is expected to fall by {gain.gain_db:.1f} dB (± {gain.spread_db:.1f}, "
            f"{gain.estimator}); the best strength is {gain.best_strength:.2f}."
        )
    if gain.certain:
        return (
            f"at full strength the error is expected to fall by {gain.least_db:.1f} dB at least ({gain.estimator}); "
            "how much more cannot be told."
        )
    limits = [limit for limit in (gain.least_db, gain.most_db) if limit is not None]
    span = " to ".join(f"{limit:+.1f}" for limit in limits) or "any number of"
    return f"whether the error falls cannot be told: the gain is {span} dB, for so few data or so uncertain a level."


def _decibels(left: float) -> float:
    """``left`` of the error as a gain."""
    return float(-10 * np.log10(max(left, LEAST_LEFT)))
