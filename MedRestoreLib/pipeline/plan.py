"""What will be done to a study: recommended, changed by a person or a script, and checked before any work starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from .. import modalities
from ..errors import InvalidPlan
from ..image import Image
from ..methods import catalogue
from ..noise import Estimate, NoiseCurve, NoiseMap, Spectrum
from .checks import (
    as_mask,
    check,
    check_factor,
    check_fit,
    check_image,
    check_level,
    check_physics,
    extremes,
    find_method,
    find_noise,
)
from .choice import Candidate, Choice, adaptable, choose, compare, enlarging, is_reconstruction, prefers_together
from .estimates import estimated
from .quadrature import joined, parts

# Where no better model is known; of tomograms in nuclear medicine.
ANY_NOISE, TOMOGRAM = "gaussian", "reconstructed"

# Of the two parts of complex numbers.
COMPLEX_NOISE, COMPLEX = "gaussian", "Real and imaginary parts are restored: their noise has no mean of its own"

# What 8-bit frames of log-compressed echoes show; scanners use 50 to 60 dB, and the files do not say.
BMODE_DYNAMIC_RANGE_DB = 60.0

# A study with this many slices, not much thicker than wide, is restored as a volume: better there than slice by slice
# (Resources/benchmarks).
VOLUME_SLICES = 8
THICK = 2.0

# What is known of the noise beside its level: fields of a plan and of an estimate.
SHAPES = ("spectrum", "noise_map", "noise_curve")

# How much of a blur is taken out, from 0 to 1, by a method that can.
USUAL_SHARPENING = 0.5

# Of the usual level, for a study in which no noise was found.
NEXT_TO_NOTHING = 0.1

# Why frames are enlarged together.
SHARED = "frames share the detail that is added, so that still tissue flickers less"

# Levels that differ by less, relatively, are one.
SAME = 1e-6

# A study with more frames than this is restored by a quicker method.
CINE_FRAMES = 8


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that ``restore`` will do. ``recommend`` makes one; ``dataclasses.replace`` edits it.

    Attributes:
        method: id of a method in ``methods()``.
        noise: "gaussian", "poisson", "reconstructed", "rician" or "speckle".
        level: noise level in the model's unit: Gaussian σ in the study's unit, Poisson counts per unit (1 for raw
            counts), Rician σ in percent of the maximum, speckle relative σ.
        strength: 0 (leave as it is) to 1 (the full method); a blend in the study's unit. ``recommend`` takes "auto" for
            the one that is expected to serve best.
        dimensions: 2 (slice by slice) or 3.
        together: frames are restored through their principal components, so that each gains by what others show of
            the same object; see ``series``. ``recommend`` does so where the study itself prefers it. Enlarged frames
            share the detail that was added, so that still tissue flickers less; see ``clips``.
        adapt: a network goes on learning on this study before it restores it, some seconds to a minute. It is used so
            if the study itself says that this is better; see ``adaptation``.
        factor: how many times as many rows and columns the result has; 1 keeps the grid. Slices and frames stay.
        mask: None, or bool ``(slices, rows, columns)``: restore inside only; the edge is feathered inwards.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "float32", "bfloat16" or "auto": bfloat16 for networks where it was measured to be much faster and
            to differ by far less than the noise. Methods without learning use float32.
        memory_gb: most working memory of one tile, or None for the device's default; it never changes the result.
        options: the method's own parameters, for experts.
        estimate: the estimate behind ``level``; None if the user gave the level. Where it is not sure (``careful``),
            ``level`` is a low one, so that rather noise stays than structure goes.
        spectrum: of the noise, None where it is white; ``level`` is its total, whatever the spectrum.
        noise_map: where the noise is stronger than elsewhere, None where it is even; ``level`` is its root mean square.
        noise_curve: how the noise follows brightness, None where it does not; ``level`` is its root mean square.
        remove_bias: take out the mean that noise adds to magnitudes. ``recommend`` does so only where the noise of the
            air confirms the model.
        reason: why this method and noise model, in one sentence.
        ranking: the comparison behind ``method``, the recommended one first; empty where there was none.
    """

    method: str
    noise: str
    level: float
    strength: float = 1.0
    dimensions: int = 2
    together: bool = False
    adapt: bool = False
    factor: int = 1
    mask: np.ndarray | None = field(default=None, repr=False)
    device: str = "auto"
    precision: str = "auto"
    memory_gb: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    estimate: Estimate | None = None
    spectrum: Spectrum | None = field(default=None, repr=False)
    noise_map: NoiseMap | None = field(default=None, repr=False)
    noise_curve: NoiseCurve | None = field(default=None, repr=False)
    remove_bias: bool = True
    reason: str = ""
    ranking: tuple[Candidate, ...] = ()

    @property
    def careful(self) -> bool:
        """Whether no level was given and none is sure, so that ``level`` is rather too low than too high."""
        return self.estimate is not None and not self.estimate.sure

    @property
    def noise_words(self) -> str:
        """How the noise differs from white and even noise, for a person; "" where it does not."""
        shapes = (getattr(self, name) for name in SHAPES)
        return "; ".join(shape.words for shape in shapes if shape is not None)

    @property
    def level_is_default(self) -> bool:
        """Whether no level was given and none could be estimated, so that ``level`` is the model's default."""
        return self.estimate is not None and not self.estimate.level

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the mask becomes the number of voxels in it."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["mask"] = None if self.mask is None else int(self.mask.sum())
        values["options"] = dict(self.options)
        values["estimate"] = None if self.estimate is None else self.estimate.to_dict()
        for name in SHAPES:
            values[name] = None if values[name] is None else values[name].to_list()
        values["ranking"] = [asdict(candidate) for candidate in self.ranking]
        return values


def estimate_noise(image: Image, noise: str = "auto") -> tuple[str, Estimate]:
    """The noise model and its level, estimated from the study.

    Args:
        image: the noisy study.
        noise: a model's id, or "auto" for the one of its modality.

    Returns:
        The model's id and an ``Estimate``, whose level is None where the study does not tell.

    Raises:
        UnknownNoise: no such model.
        UnsupportedImage: the study is constant or holds values that are not finite.
    """
    check_image(image)
    if noise in ("auto", COMPLEX_NOISE):
        image = parts(image)
    noise = _choose_noise(image)[0] if noise == "auto" else noise
    return noise, estimated(image.voxels, noise)


def add_noise(image: Image, noise: str, level: float, seed: int = 0) -> Image:
    """A noisy copy of a clean study, for tests, training and tables: the same code everywhere.

    Gaussian noise is added to both parts of a complex study.

    Raises:
        UnknownNoise: no such model.
        InvalidPlan: the level is not within the model's limits.
    """
    model = find_noise(noise)
    check_level(noise, level)
    study = parts(image) if noise == COMPLEX_NOISE else image.magnitude()
    noisy = model.add(study.voxels, float(level), np.random.default_rng(seed))
    return joined(image, noisy) if noise == COMPLEX_NOISE else study.with_voxels(noisy)


def recommend(image: Image, **edits: Any) -> Plan:
    """The plan for this study; ``edits`` are the fields of ``Plan`` that are already decided ("auto" leaves them open).

    Where the noise level cannot be told, it is a careful one: see ``Plan.careful``.

    Raises:
        MedRestoreError: the study or an edit is unfit; the message says what to do.

    >>> clean = Image.from_array(np.add.outer(np.arange(64.0), np.arange(64.0)), modality="MR")
    >>> plan = recommend(add_noise(clean, "rician", 5.0), level=5.0)
    >>> plan.method, plan.noise
    ('bm3d', 'rician')
    """
    study = parts(image)
    plan = _drafted(study, edits)
    check(study, plan)
    if study is not image:
        if plan.factor != 1:
            raise InvalidPlan(
                "complex studies are not enlarged; write the magnitude, and enlarge that.", field="factor"
            )
        return replace(plan, reason=f"{COMPLEX}. {plan.reason}")
    return plan


def revise(image: Image, plan: Plan | None, **edits: Any) -> Plan:
    """The plan with some fields changed, checked against the study; without a plan, as ``recommend``.

    Options and dimensions belong to a method, a level and its estimate to a noise model: where the method or the model
    changes, what belonged to the former one is recommended anew.

    Raises:
        MedRestoreError: an edit is unfit; the message says what to do.
    """
    if plan is None:
        return recommend(image, **edits)
    edits = decided(edits)
    same_method = edits.get("method", plan.method) == plan.method
    same_noise = edits.get("noise", plan.noise) == plan.noise
    if not (same_method and same_noise):
        kept = ["method", "noise", "strength", "mask", "device", "precision", "memory_gb"]
        kept += ["options", "dimensions", "together", "adapt", "factor"] if same_method else []
        same_level = same_noise and "level" not in edits and not plan.level_is_default
        kept += ["level", "estimate", "remove_bias"] if same_level else []
        kept += SHAPES if same_noise else []
        return recommend(image, **{name: getattr(plan, name) for name in kept} | edits)
    if "mask" in edits:
        edits["mask"] = as_mask(edits["mask"], image)
    if "level" in edits:
        check_level(plan.noise, edits["level"])
        if not _same(edits["level"], plan.level):
            edits.setdefault("estimate", None)
    plan = replace(plan, **edits)
    check(parts(image), plan)
    return plan


def decided(edits: Mapping[str, Any]) -> dict[str, Any]:
    """The edits that decide something ("auto" and None do not), as far as they can be checked without a study.

    Raises:
        InvalidPlan, UnknownNoise: a field, method or noise model that does not exist.
    """
    edits = {name: value for name, value in edits.items() if value is not None and not _is_auto(value)}
    unknown = set(edits) - set(Plan.__dataclass_fields__)
    if unknown:
        raise InvalidPlan(f"a plan has no field '{min(unknown)}'; it has {', '.join(Plan.__dataclass_fields__)}.")
    method = find_method(edits["method"]) if "method" in edits else None
    if "noise" in edits:
        find_noise(edits["noise"])
    if "factor" in edits:
        check_factor(edits["factor"], method)
    return edits


def _drafted(image: Image, edits: Mapping[str, Any]) -> Plan:
    """A plan that is not checked yet; its level may be the model's default."""
    best_strength = _is_auto(edits.get("strength"))
    edits = decided(edits)
    check_image(image)
    edits["factor"] = _factor(edits)
    noise, why_noise = _noise_for(image, edits)
    edits = _with_noise(image, noise, edits)
    if "mask" in edits:
        edits["mask"] = as_mask(edits["mask"], image)
    first = Plan(**{**edits, "method": edits.get("method", ""), "noise": noise})
    check_level(noise, first.level)
    check_physics(image, noise, first.level)
    choice = _choice(image, first, best_strength)
    options = dict(edits.get("options", {}))
    if choice.method.compressed:
        options.setdefault("compressed", _dynamic_range_db(image))
    if choice.method.deblurs:
        options.setdefault("sharpen", USUAL_SHARPENING)
    if choice.method.keeps_means and noise == TOMOGRAM:
        options.setdefault("keep_means", True)
    if best_strength and choice.ranking:
        edits["strength"] = choice.ranking[0].strength
    defaults = {"dimensions": choice.method.dimensions[0]}
    found = {"method": choice.method.id, "noise": noise, "options": options, "ranking": choice.ranking}
    plan = Plan(**{**defaults, **edits, **found, "reason": _sentence(why_noise, choice.reason)})
    if "together" not in edits and prefers_together(image, plan):
        why = SHARED if choice.method.across else "the study itself prefers its frames restored together"
        return replace(plan, together=True, reason=_sentence(why_noise, choice.reason, why))
    return plan


def _with_noise(image: Image, noise: str, edits: Mapping[str, Any]) -> dict[str, Any]:
    """The edits with the level, the shapes and the bias of the noise, as the study shows them where they are open."""
    if "level" in edits:
        check_level(noise, edits["level"])
        if not find_noise(noise).shaped:
            return dict(edits)
    estimate = estimated(image.voxels, noise)
    level = float(estimate.level or _careful_level(image, noise, estimate))
    found: dict[str, Any] = {}
    # A level that is handed on from what was recommended, by a panel or a script, is the estimate and no one's word.
    if _same(edits.get("level", level), level):
        found |= {"level": level, "estimate": estimate, "remove_bias": estimate.confirmed}
    if not edits.keys() & set(SHAPES) and find_noise(noise).shaped:
        found |= {name: getattr(estimate, name) for name in SHAPES}
        found.setdefault("remove_bias", estimate.confirmed or not any(found[name] for name in SHAPES))
    return found | dict(edits)


def _same(level: float, other: float) -> bool:
    return math.isclose(level, other, rel_tol=SAME)


def _careful_level(image: Image, noise: str, estimate: Estimate) -> float:
    """The level where none was found: a usual one, or next to nothing where there is no noise to be found."""
    model = find_noise(noise)
    usual = model.usual_level(*extremes(image))
    return usual * NEXT_TO_NOTHING if estimate.level == 0 and model.shaped else usual


def _choice(image: Image, plan: Plan, best_strength: bool) -> Choice:
    """The method, given or chosen."""
    if plan.method:
        method = find_method(plan.method)
        check_fit(image, plan.noise, method)
        choice = Choice(method, "the method was given")
    elif plan.factor != 1:
        return enlarging(image, plan)
    elif plan.adapt:
        return adaptable(image, plan)
    else:
        choice = choose(image, plan, _shapes(image))
    if best_strength and not choice.ranking and not plan.level_is_default and plan.factor == 1:
        return replace(choice, ranking=compare(image, plan, [choice.method]))
    return choice


def _factor(edits: Mapping[str, Any]) -> int:
    """How many times larger: as given, else the least that the method that was given can."""
    if "factor" in edits:
        return int(edits["factor"])
    return (find_method(edits["method"]).factors or (1,))[0] if "method" in edits else 1


def _noise_for(image: Image, edits: Mapping[str, Any]) -> tuple[str, str]:
    """The noise model, given or chosen, and why."""
    if "noise" in edits:
        return edits["noise"], "the noise model was given"
    noise, why = _choose_noise(image)
    if "method" in edits:
        method = find_method(edits["method"])
        if noise not in method.noises:  # take the physics that the method is made for
            return method.noises[0], f"{method.title} is made for {method.noises[0]} noise"
    return noise, why


def _choose_noise(image: Image) -> tuple[str, str]:
    """The noise model of the study's modality, and why."""
    noise = modalities.find(image.modality).noise
    if noise == "poisson" and (why := _tomogram(image)):
        return TOMOGRAM, why
    if find_noise(noise).unfit(*extremes(image)):
        return ANY_NOISE, f"{image.modality} voxels below zero are neither counts nor magnitudes"
    if noise == ANY_NOISE:
        return noise, "no better model is known"
    return noise, f"{find_noise(noise).title.lower()} noise is what {image.modality} studies have"


def _tomogram(image: Image) -> str:
    """Why a study of nuclear medicine is no raw counts but a reconstruction; "" where it may be counts."""
    if is_reconstruction(image):
        return "its header calls it a reconstruction"
    if catalogue.VOLUME not in _shapes(image):
        return ""
    if extremes(image)[0] < 0:
        return "counts are not negative, reconstructions can be"
    return "" if estimated(image.voxels, "poisson").level else "it is a volume without the noise of counts"


def _shapes(image: Image) -> set[str]:
    frames, slices = image.voxels.shape[:2]
    across, down, through = image.spacing
    volume = slices >= VOLUME_SLICES and through <= THICK * min(across, down)
    cine = frames > CINE_FRAMES
    return {shape for shape, is_one in ((catalogue.VOLUME, volume), (catalogue.CINE, cine)) if is_one}


def _dynamic_range_db(image: Image) -> float:
    """Of the display that the voxels are, from black to white; 0 for linear voxels."""
    displayed = modalities.find(image.modality).compressed and np.dtype(image.source.dtype).itemsize == 1
    return BMODE_DYNAMIC_RANGE_DB if displayed else 0.0


def _sentence(*clauses: str) -> str:
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
