"""The report of one run: what was done to the study, by what, and the evidence for it."""

from __future__ import annotations

import hashlib
import platform

import numpy as np

from .. import weights
from ..evidence.adaptation import Adaptation
from ..evidence.audit import audit
from ..evidence.enlargement import CAUTION as NOT_MEASURED
from ..evidence.enlargement import Enlargement
from ..evidence.gain import Gain, expected_gain
from ..evidence.pieces import Box, typical_pieces
from ..evidence.renoising import hot
from ..evidence.sampling import sample_planes
from ..evidence.totals import totals
from ..image import Image
from ..noise import Noise
from ..reporting.report import Level, Provenance, Report, Study
from ..version import __version__
from . import device as devices
from .choice import is_reconstruction, misfits
from .denoising import Denoising
from .estimates import estimated
from .evening import evened, unevenness
from .plan import Plan
from .tiles import Run

# The expected gain is estimated on so much of the study, as it needs the method once more; and on so many
# voxels at least and at most, in squares or cubes.
PIECES, SAMPLE_SHARE, LEAST_SAMPLE, MOST_SAMPLE = 4, 0.1, 4 * 64**2, 4 * 128**2

# The relative error of an estimated level by its confidence: measured on phantoms and clean MR studies with noise.
LEVEL_ERROR, SURE_ENOUGH, UNSURE_ERROR = 0.015, 0.95, 0.17
CURVED_ERROR = 0.1  # and of reconstructions (Testing/benchmarks/reconstructions.py)
SHAPED_ERROR = 0.05  # the least of noise that is coloured or uneven (Testing/benchmarks/mr_noise.py)

# A level that a person gave is not believed where it is so many times the study's own estimate, if that is sure or not.
TOO_HIGH, TOO_HIGH_UNSURE = 1.5, 2.5

# A method that changes a frame's total by more is not to be trusted with its parts.
TOTALS_FACTORS = (0.97, 1.03)

# With fewer counts a pixel at bright places (that percentile of the means of 7x7 pixels), no study tells whether hot
# uptake was lowered by a tenth (Testing/benchmarks/counts.py). An injection site fills less of a frame.
FEW_COUNTS, BRIGHT_PLACES, PLACE = 2.2, 96.5, 7
PLACES = 1_000_000  # voxels that are looked at

_NO_GAIN = "no noise was removed: what an enlargement gains between the study's pixels, the study does not tell."
_COLOUR_KEPT = "Only the brightness (luma) was restored; colour was kept."
_COLOUR_INTERPOLATED = "Only the brightness (luma) was enlarged by the method; colour was interpolated."


def build_report(image: Image, plan: Plan, run: Run, seconds: float, adaptation: Adaptation | None = None) -> Report:
    """Everything that happened, with the evidence.

    Args:
        image: the study before.
        plan: what was to be done.
        run: what was done; its voxels are the study after.
        seconds: of the restoration.
        adaptation: of the network; None where it is the one that ships.
    """
    denoising = run.denoising
    method, noise = denoising.method, denoising.noise
    baseline = image.enlarged(plan.factor)
    enlargement = None
    if plan.factor != 1:
        enlargement = Enlargement.of(image.voxels, run.voxels, baseline.voxels, plan.factor)
    uneven = unevenness(plan, image.voxels)
    before, after = evened(image.voxels, uneven), evened(run.voxels, uneven)
    level = _level(plan, denoising)
    unknown = "could not be estimated" if plan.level_is_default else "is uncertain"
    unused = f"The noise level {unknown}, but {method.title} uses none." if plan.careful and method.blind else ""
    spacing = image.spacing if image.spacing_known else None
    colour = _COLOUR_INTERPOLATED if enlargement else _COLOUR_KEPT
    return Report(
        study=Study(
            modality=image.modality,
            unit=image.unit,
            size=image.voxels.shape,
            spacing_mm=spacing,
            sha256=hashlib.sha256(np.ascontiguousarray(image.voxels).data).hexdigest(),
        ),
        plan=plan.to_dict(),
        noise=level,
        gain=Gain.unavailable(_NO_GAIN) if enlargement else _gain(image, plan, denoising, before, after),
        audit=None if enlargement else audit(before, after, noise, grid=image),
        totals=totals(
            baseline.voxels, run.voxels, spacing=spacing and (*baseline.spacing[:2], spacing[2]), unit=image.unit
        ),
        provenance=Provenance(
            software=f"MedRestore {__version__}",
            method=method.title,
            citation=method.citation,
            weights=_described(method.networks(plan.factor), adaptation),
            device=devices.full_name(denoising.device),
            precision=denoising.precision,
            totals_factors=run.totals_factors,
            seconds=round(seconds, 3),
            python=platform.python_version(),
            numpy=np.__version__,
            torch=_torch_version(),
        ),
        notes=(
            *run.notes,
            *(() if adaptation is None else (adaptation.sentence,)),
            *((NOT_MEASURED,) if enlargement else noise.caveats),
            *(note for note in (level.caution, unused, "" if image.colour is None else colour) if note),
        ),
        cautions=(*_cautions(level, run), *_few_counts(image, noise), *_outside(image, denoising)),
        enlargement=enlargement,
        adaptation=adaptation,
    )


def _gain(image: Image, plan: Plan, denoising: Denoising, before: np.ndarray, after: np.ndarray) -> Gain:
    """The expected gain; none for counts that are not raw: the noise of reconstructions and filters is correlated.

    ``before`` and ``after`` are the study with even noise.
    """
    noise = denoising.noise
    if noise.counted and is_reconstruction(image):
        return Gain.unavailable("a reconstruction is no raw count: its noise is correlated, and no estimate holds.")
    if noise.counted:
        estimate = plan.estimate or type(noise).estimate(image.voxels)
        if estimate.level is None:
            return Gain.unavailable(f"the study does not show the noise of raw counts ({estimate.reason.rstrip('.')}).")
    if (ratio := _over_estimate(image, plan, noise)) > 1:
        return Gain.unavailable(f"the level that was given is {ratio:.1f} times the one that the study shows.")
    at_full_strength = plan.strength == 1 and plan.mask is None
    return expected_gain(
        before,
        denoising.on_stabilised,
        noise,
        boxes=sample(before, plan.dimensions, plan.together, hot(before) if noise.counted else np.inf),
        restored=after if at_full_strength else None,
        level_error=_level_error(plan, noise, before),
    )


def _over_estimate(image: Image, plan: Plan, noise: Noise) -> float:
    """A given level over the study's own estimate, where that is too much to be believed; else 1."""
    if plan.estimate is not None or not noise.shaped:
        return 1.0
    own = estimated(image.voxels, noise.id)
    ratio = noise.level / own.level if own.level else 1.0
    return ratio if ratio > (TOO_HIGH if own.sure else TOO_HIGH_UNSURE) else 1.0


def sample(voxels: np.ndarray, dimensions: int, together: bool = False, ceiling: float = np.inf) -> list[Box]:
    """Pieces that are typical of a study ``(frames, slices, rows, columns)``, whatever memory is allowed.

    None for a small study: it is judged as a whole. Where its frames are restored ``together``, they are of all frames.
    ``ceiling`` is ``typical_pieces``'s.
    """
    if voxels.size <= LEAST_SAMPLE:
        return []
    looked_at = voxels[:1] if together else voxels
    size = np.clip(SAMPLE_SHARE * looked_at.size, LEAST_SAMPLE, MOST_SAMPLE) / PIECES
    side = round(size ** (1 / dimensions))
    boxes = typical_pieces(looked_at, side, side if dimensions == 3 else 1, PIECES, ceiling)
    return [(slice(0, len(voxels)), *box[1:]) for box in boxes] if together else boxes


def _level_error(plan: Plan, noise: Noise, voxels: np.ndarray) -> float:
    """Relative standard error of the noise's standard deviation, from the confidence in the level."""
    if plan.estimate is None:
        return 0.0  # a person's word
    counts = sample_planes(voxels) * noise.level
    if noise.counted and np.abs(counts - np.rint(counts)).max() < 1e-3:
        return 0.0  # whole counts: the level is exact
    least = CURVED_ERROR if plan.noise_curve else SHAPED_ERROR if plan.noise_words else LEVEL_ERROR
    return least + UNSURE_ERROR * max(SURE_ENOUGH - plan.estimate.confidence, 0)


def _cautions(level: Level, run: Run) -> tuple[str, ...]:
    """What a person should know before anything else of the evidence."""
    low, high = min(run.totals_factors, default=1.0), max(run.totals_factors, default=1.0)
    found = ["the noise level is uncertain"] if level.caution else []
    if low < TOTALS_FACTORS[0] or high > TOTALS_FACTORS[1]:
        worst = max((low, high), key=lambda factor: abs(factor - 1))
        found.append(f"the method changed a frame's counts by {100 * (1 / worst - 1):+.0f} %, which was made up for")
    return tuple(found)


def _few_counts(image: Image, noise: Noise) -> tuple[str, ...]:
    """Where a scan has too few counts to tell whether hot uptake was kept."""
    from scipy.ndimage import uniform_filter

    if not noise.counted:
        return ()
    places = uniform_filter(sample_planes(image.voxels, PLACES), (1, PLACE, PLACE)) * noise.level
    counts = float(np.percentile(places, BRIGHT_PLACES))
    if counts >= FEW_COUNTS:
        return ()
    return (f"with {counts:.1f} counts a pixel at bright places, hot uptake may be off by a tenth",)


def _outside(image: Image, denoising: Denoising) -> tuple[str, ...]:
    """Where a learned method was used on a study unlike those that it was validated on."""
    method = denoising.method
    found = misfits(image, denoising.noise, method)
    return (f"{method.title} was not validated on such studies ({'; '.join(found)})",) if found else ()


def _level(plan: Plan, denoising: Denoising) -> Level:
    noise, estimate = denoising.noise, plan.estimate
    return Level(
        model=noise.id,
        title=noise.title,
        level=noise.level,
        unit=noise.unit,
        estimated=estimate is not None and not plan.level_is_default,
        assumed=plan.level_is_default,
        confidence=None if estimate is None else estimate.confidence,
        careful=plan.careful and not denoising.method.blind,
        reason=_given(plan) if estimate is None else estimate.reason,
    )


def _given(plan: Plan) -> str:
    return f"The level was given{plan.noise_words and f'; the noise is {plan.noise_words}'}."


def _described(names: tuple[str, ...], adaptation: Adaptation | None) -> str | None:
    """The networks' weights for the report; None for methods without."""
    changed = ", adapted to this study" if adaptation is not None and adaptation.kept else ""
    return "; ".join(f"{name}, SHA-256 {weights.find(name).sha256}" for name in names) + changed if names else None


def _torch_version() -> str:
    import torch

    return str(torch.__version__)
