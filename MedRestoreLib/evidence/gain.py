"""What a restoration is worth, estimated without a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..noise import Noise
from .probing import Denoise, probe
from .pure import Pure
from .risk import BLOCK, Risk
from .sure import Sure

ESTIMATORS = {estimator.name: estimator for estimator in (Sure, Pure)}
EXCESS_CORRELATION = 0.1  # beyond what white noise leaves: a tenth of the residual is not noise


@dataclass(frozen=True)
class Gain:
    """Expected gain of a restoration at full strength, estimated from the noisy study alone.

    Attributes:
        estimator: "SURE", "PURE", or "" where none holds.
        available: False where no estimator holds; all numbers are then None.
        domain: what the risks are mean squared errors of.
        input_risk, expected_risk: mean squared error of the noisy and of the restored study against the truth.
        standard_error: of ``input_risk - expected_risk``, by a block bootstrap.
        gain_db: ``10 log10(input_risk / expected_risk)``; None where the estimate is not positive.
        best_strength: the strength, 0 to 1, whose blend with the noisy study has the least expected error.
        reliable: the gain is more than one standard error, and the residual is as white as the noise model says.
        sentence: for a person.
    """

    estimator: str
    available: bool
    domain: str
    input_risk: float | None
    expected_risk: float | None
    standard_error: float | None
    gain_db: float | None
    best_strength: float | None
    reliable: bool
    sentence: str

    @classmethod
    def unavailable(cls, sentence: str) -> Gain:
        """No estimate, and why."""
        return cls("", False, "", None, None, None, None, None, False, sentence)

    @classmethod
    def of(cls, risk: Risk, estimator: str, excess_correlation: float) -> Gain:
        """The judgement of a risk estimate."""
        reliable, sentence = _judged(risk, estimator, excess_correlation)
        return cls(
            estimator=estimator,
            available=True,
            domain=risk.domain,
            input_risk=risk.before * risk.unit,
            expected_risk=risk.after * risk.unit,
            standard_error=risk.standard_error * risk.unit,
            gain_db=risk.gain_db,
            best_strength=risk.best_strength,
            reliable=reliable,
            sentence=sentence,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Gain:
        """From ``to_dict``."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def expected_gain(noisy: np.ndarray, denoise: Denoise, noise: Noise, *, seed: int = 0, probes: int = 2) -> Gain:
    """Estimate what ``denoise`` gains on this study, without knowing the truth: see ``Sure`` and ``Pure``.

    Runs ``denoise`` ``1 + probes`` times; hand in part of a large study.

    Args:
        noisy: float32 ``(frames, slices, rows, columns)`` in the study's unit.
        denoise: stabilised voxels (noise of standard deviation 1) to stabilised voxels, same shape, full strength.
        noise: the model, bound to the study.
        seed, probes: of the random perturbations.
    """
    if not noise.risk:
        return Gain.unavailable(
            "The gain cannot be estimated: speckle is correlated, and no unbiased estimate holds for it."
        )
    if min(noisy.shape[-2:]) <= BLOCK:
        return Gain.unavailable("No reliable gain: the study is too small to estimate one.")
    estimator = ESTIMATORS[noise.risk](noise)
    covered = noise.covers(noisy)
    where = estimator.judged(noisy, covered)
    if not where.any():
        return Gain.unavailable("No reliable gain: no part of the study shows this noise.")
    response = probe(denoise, noise.stabilise(noisy), covered, probes=probes, seed=seed)
    risk = Risk.of(estimator.terms(noisy, response, where))
    if not np.isfinite(risk.improvement):
        return Gain.unavailable("No reliable gain: the method returned values that are not numbers.")
    return Gain.of(risk, estimator.name, response.excess_correlation)


def _judged(risk: Risk, estimator: str, excess: float) -> tuple[bool, str]:
    """Whether the gain is reliable, and the sentence that says so or why not."""
    if excess > EXCESS_CORRELATION:
        return False, (
            f"No reliable gain: neighbouring voxels of what was removed are correlated ({excess:.2f} more than white "
            "noise leaves), so the noise model or its level does not fit, or structure was removed."
        )
    if risk.gain_db is None:
        return False, "No reliable gain: less error than none is expected, so the noise level is probably too high."
    if risk.improvement <= risk.standard_error:
        return False, (
            f"No reliable gain: the expected change of {risk.gain_db:+.1f} dB is within its standard error or a loss."
        )
    spread = max(4.34 * risk.standard_error / risk.after, 0.1)  # d(10 log10 R) = 4.34 dR / R
    return True, (
        f"At full strength the error is expected to fall by {risk.gain_db:.1f} dB (± {spread:.1f}, {estimator}); "
        f"the best strength is {risk.best_strength:.2f}."
    )
