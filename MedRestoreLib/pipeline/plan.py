"""What will be done to a study: recommended, edited by a person or a script, and checked before any work starts."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from .. import weights
from ..errors import InvalidPlan, UnknownNoise, UnsupportedImage
from ..image import Image
from ..methods import catalogue
from ..methods.catalogue import Method
from ..noise import IDS, Estimate, model
from . import device as devices

# The noise of an acquisition, by modality: counting, magnitude of a complex signal, coherent scatter.
NOISE_OF_MODALITY = {"NM": "poisson", "PT": "gaussian", "MR": "rician", "US": "speckle"}

# 8-bit B-mode frames show log-compressed envelopes; scanners use 50-60 dB, which the file does not say.
BMODE_DYNAMIC_RANGE_DB = 60.0

# An MR study with this many slices, not much thicker than wide, is restored as a volume: better there than slice by
# slice (Resources/benchmarks).
VOLUME_SLICES = 8
THICK = 2.0

# Above this many frames the quicker despeckler is recommended.
CINE_FRAMES = 8


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that ``restore`` will do. ``recommend`` makes one; ``dataclasses.replace`` edits it.

    Attributes:
        method: id of a method in ``methods()``.
        noise: "gaussian", "poisson", "rician" or "speckle".
        level: noise level in the model's unit: Gaussian σ in the study's unit, Poisson counts per unit (1 for raw
            counts), Rician σ in percent of the maximum, speckle relative σ.
        strength: 0 (leave as it is) to 1 (the full method); a blend in the study's unit.
        dimensions: 2 (slice by slice) or 3.
        mask: None, or bool ``(slices, rows, columns)``: restore inside only; the edge is feathered inwards.
        device: "auto", "cpu", "cuda" or "mps".
        memory_gb: working memory of one tile, or None for the device's default.
        options: the method's own parameters, for experts.
        estimate: what the level rests on; None when a person gave it. Its own level is None where the study does not
            tell and the method does not ask: then ``level`` is a usual one.
        reason: why this method and noise model, in one sentence.
    """

    method: str
    noise: str
    level: float
    strength: float = 1.0
    dimensions: int = 2
    mask: np.ndarray | None = field(default=None, repr=False)
    device: str = "auto"
    memory_gb: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    estimate: Estimate | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the mask becomes the number of voxels in it."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["mask"] = None if self.mask is None else int(self.mask.sum())
        values["options"] = dict(self.options)
        values["estimate"] = None if self.estimate is None else asdict(self.estimate)
        return values


def estimate_noise(image: Image, noise: str = "auto") -> tuple[str, Estimate]:
    """The noise model and its level as read off the study.

    Args:
        image: the noisy study.
        noise: a model's id, or "auto" for the one its modality has.

    Returns:
        The model's id and an ``Estimate``, whose level is None where the study does not tell.

    Raises:
        UnknownNoise: no such model.
        UnsupportedImage: the study is constant or holds values that are not finite.
    """
    check_image(image)
    noise = _noise_of(image)[0] if noise == "auto" else noise
    return noise, _model(noise).estimate(image.voxels)


def add_noise(image: Image, noise: str, level: float, seed: int = 0) -> Image:
    """A noisy copy of a clean study, for tests, training and tables: the same code everywhere.

    Raises:
        UnknownNoise: no such model.
        InvalidPlan: the level is not within the model's limits.
    """
    cls = _model(noise)
    check_level(noise, level)
    return image.with_voxels(cls.add(image.voxels, float(level), np.random.default_rng(seed)))


def recommend(image: Image, **edits: Any) -> Plan:
    """The plan for this study; ``edits`` are the fields of ``Plan`` that are already decided ("auto" leaves them open).

    Raises:
        MedRestoreError: the study or an edit is unfit; the message says what to do.

    >>> clean = Image.from_array(np.add.outer(np.arange(64.0), np.arange(64.0)), modality="MR")
    >>> plan = recommend(add_noise(clean, "rician", 5.0), level=5.0)
    >>> plan.method, plan.noise
    ('bm3d', 'rician')
    """
    edits = decided(edits)
    check_image(image)
    noise, why_noise = (edits["noise"], "the noise model was given") if "noise" in edits else _noise_of(image)
    if "noise" not in edits and "method" in edits:
        method = find_method(edits["method"])
        if noise not in method.noises:  # the method was asked for: take the physics it is made for
            noise, why_noise = method.noises[0], f"{method.title} is made for {method.noises[0]} noise"
    cls = _model(noise)
    method, why_method = (edits["method"], "the method was given") if "method" in edits else _method_of(image, noise)
    estimate = None
    if "level" not in edits:
        estimate = cls.estimate(image.voxels)
        if not estimate.level and not (estimate.level is None and find_method(method).blind):
            found = "no noise was found" if estimate.level == 0 else f"the {noise} noise level cannot be told"
            raise UnknownNoise(f"{found}: {estimate.reason} Give a level (--level).")
        edits["level"] = float(estimate.level or _any_level(noise, image))
    if "mask" in edits:
        edits["mask"] = as_mask(edits["mask"], image)
    row = find_method(method)
    options = dict(edits.pop("options", {}))
    if "compressed" in row.options and "compressed" not in options:
        options["compressed"] = BMODE_DYNAMIC_RANGE_DB if _is_bmode(image) else 0.0
    plan = Plan(
        **{
            "dimensions": row.dimensions[0],
            "estimate": estimate,
            "reason": f"{why_noise[0].upper()}{why_noise[1:]}; {why_method}.",
            **edits,
            "method": method,
            "noise": noise,
            "options": options,
        }
    )
    check(image, plan)
    return plan


def recognise(image: Image, **edits: Any) -> dict[str, Any]:
    """What can be said about a study before a person decides anything, as plain values for a panel.

    As ``recommend``, but a level that cannot be told is None, with the reason, and not an error.

    Returns:
        "method", "noise", "level" (None when it cannot be told), "start" (a level to start from: that, or a usual
        one), "estimate" (None when the level was given), "reason".

    Raises:
        MedRestoreError: the study or an edit is unfit; the message says what to do.
    """
    edits = decided(edits)
    check_image(image)
    noise, estimate = edits.get("noise") or _noise_of(image)[0], None
    if "level" not in edits:
        estimate = _model(noise).estimate(image.voxels)
        edits["level"] = estimate.level or _any_level(noise, image)
    plan = recommend(image, **edits)
    return {
        "method": plan.method,
        "noise": plan.noise,
        "level": plan.level if estimate is None else estimate.level or None,
        "start": plan.level,
        "estimate": None if estimate is None else asdict(estimate),
        "reason": plan.reason,
    }


def edited(plan: Plan, image: Image, **edits: Any) -> Plan:
    """The plan with some fields changed, checked against the study.

    Options and dimensions belong to a method, a level and its estimate to a noise model: where the method or the model
    changes, what belonged to the former one is recommended anew.
    """
    edits = decided(edits)
    if edits.get("method", plan.method) != plan.method or edits.get("noise", plan.noise) != plan.noise:
        kept = ["method", "noise", "strength", "mask", "device", "memory_gb"]
        kept += ["options", "dimensions"] if edits.get("method", plan.method) == plan.method else []
        told = plan.estimate is None or plan.estimate.level is not None  # else the level only stands in for one
        same_level = edits.get("noise", plan.noise) == plan.noise and "level" not in edits and told
        kept += ["level", "estimate"] if same_level else []
        return recommend(image, **{name: getattr(plan, name) for name in kept} | edits)
    if "mask" in edits:
        edits["mask"] = as_mask(edits["mask"], image)
    if "level" in edits:
        edits.setdefault("estimate", None)
    plan = replace(plan, **edits)
    check(image, plan)
    return plan


def check(image: Image, plan: Plan) -> None:
    """Raise the error that ``restore`` would meet, before any work.

    Raises:
        UnsupportedImage, InvalidPlan, UnknownNoise, WeightsMissing: what is wrong and what to do.
    """
    check_image(image)
    method = find_method(plan.method)
    _model(plan.noise)
    modality = image.modality if any(image.modality in m.modalities for m in catalogue.METHODS) else "OT"
    if modality not in method.modalities:
        fit = ", ".join(m.id for m in catalogue.METHODS if modality in m.modalities)
        raise InvalidPlan(f"{plan.method} is not meant for {image.modality} studies; choose one of {fit}.")
    if plan.noise not in method.noises:
        raise InvalidPlan(
            f"{plan.method} does not handle {plan.noise} noise, only {', '.join(method.noises)}; "
            f"methods that do: {', '.join(m.id for m in catalogue.METHODS if plan.noise in m.noises)}."
        )
    check_level(plan.noise, plan.level)
    _check_level_against(image, plan)
    if not (_is_number(plan.strength) and 0 <= plan.strength <= 1):
        raise InvalidPlan(f"strength must be between 0 and 1, got {plan.strength}.")
    if plan.dimensions not in method.dimensions:
        raise InvalidPlan(f"{plan.method} works in {' or '.join(map(str, method.dimensions))} dimensions.")
    strange = set(plan.options) - set(method.options)
    if strange:
        known = ", ".join(method.options) or "none"
        raise InvalidPlan(f"{plan.method} has no option '{min(strange)}'; it has {known}.")
    sides = image.voxels.shape[-plan.dimensions :]
    if min(sides) < method.patch:
        raise UnsupportedImage(
            f"the image is {' x '.join(map(str, sides))}, smaller than the {method.patch} that {plan.method} needs; "
            "use a method with a smaller patch, such as adf."
        )
    if plan.mask is not None:
        as_mask(plan.mask, image)
    if plan.memory_gb is not None and not (_is_number(plan.memory_gb) and plan.memory_gb > 0):
        raise InvalidPlan(f"memory must be a positive number of gigabytes, got {plan.memory_gb}.")
    if method.learned:
        weights.find(method.weights).contents()
    if plan.device not in devices.NAMES:
        raise InvalidPlan(f"device '{plan.device}' is unknown; choose one of {', '.join(devices.NAMES)}.")


def check_image(image: Image) -> None:
    """Raise UnsupportedImage for a study that no method can take."""
    # min and max alone tell: they are NaN or infinite as soon as one voxel is.
    low, high = float(image.voxels.min()), float(image.voxels.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        count = int(np.count_nonzero(~np.isfinite(image.voxels)))
        raise UnsupportedImage(f"{count} voxels are not numbers (NaN or infinite); replace them first (--replace-nan).")
    if low == high:
        raise UnsupportedImage(f"every voxel has the same value ({low:g}): there is nothing to restore.")


def check_level(noise: str, level: float) -> None:
    """Raise InvalidPlan unless ``level`` is a number within the model's limits."""
    cls = _model(noise)
    low, high = cls.limits
    if not _is_number(level) or not level > 0:
        raise InvalidPlan(f"the noise level must be a number above 0 ({cls.unit}), got {level}.")
    if not low <= level <= high:
        raise InvalidPlan(f"a {noise} level of {level:g} is out of range: expected {low:g} to {high:g} ({cls.unit}).")


def find_method(id: str) -> Method:
    """The catalogue's row, or InvalidPlan with the nearest name."""
    try:
        return catalogue.find(id)
    except KeyError:
        ids = [m.id for m in catalogue.METHODS]
        nearest = difflib.get_close_matches(str(id).lower(), ids, n=1, cutoff=0.4)
        hint = f"did you mean '{nearest[0]}'? " if nearest else ""
        raise InvalidPlan(f"there is no method '{id}'; {hint}Known: {', '.join(ids)}.") from None


def as_mask(mask: Any, image: Image) -> np.ndarray:
    """A bool mask ``(slices, rows, columns)`` on the image's grid, from an Image or an array; non-zero is inside."""
    if isinstance(mask, Image):
        if not mask.same_grid(image):
            raise InvalidPlan("the mask does not lie on the study's grid; resample it to the study first.")
        mask = mask.voxels[0]
    mask = np.asarray(mask) != 0
    mask = mask[None] if mask.ndim == 2 else mask
    if mask.shape != image.voxels.shape[1:]:
        raise InvalidPlan(f"the mask has shape {mask.shape}, the study {image.voxels.shape[1:]}.")
    if not mask.any():
        raise InvalidPlan("the mask is empty: nothing would be restored.")
    return mask


def decided(edits: Mapping[str, Any]) -> dict[str, Any]:
    """The edits that decide something ("auto" and None do not), as far as they can be checked without a study.

    Raises:
        InvalidPlan, UnknownNoise: a field, method or noise model that does not exist.
    """
    edits = {name: value for name, value in edits.items() if value is not None and not _is_auto(value)}
    unknown = set(edits) - set(Plan.__dataclass_fields__)
    if unknown:
        raise InvalidPlan(f"a plan has no field '{min(unknown)}'; it has {', '.join(Plan.__dataclass_fields__)}.")
    if "method" in edits:
        find_method(edits["method"])
    if "noise" in edits:
        _model(edits["noise"])
    return edits


def _check_level_against(image: Image, plan: Plan) -> None:
    low, high = float(image.voxels.min()), float(image.voxels.max())
    if low < 0 and plan.noise == "poisson":
        raise InvalidPlan(
            f"the study has negative voxels (down to {low:g}), so they are not counts; "
            "choose Gaussian noise (--noise gaussian)."
        )
    if low < 0 and plan.noise == "rician":
        raise InvalidPlan(
            f"the study has negative voxels (down to {low:g}), so they are not magnitudes; "
            "choose Gaussian noise (--noise gaussian)."
        )
    if plan.noise == "speckle" and high <= 0:
        raise InvalidPlan(
            "the study has no voxel above zero, so it holds no echoes; choose Gaussian noise (--noise gaussian)."
        )
    if plan.noise == "gaussian" and plan.level > high - low:
        raise InvalidPlan(
            f"a Gaussian level of {plan.level:g} exceeds the study's whole range ({high - low:g}); "
            "levels are in the study's own unit."
        )
    if plan.noise == "poisson" and plan.level * high < 0.5:
        raise InvalidPlan(
            f"{plan.level:g} counts per unit means less than one count at the brightest voxel; raw counts have 1."
        )


def _any_level(noise: str, image: Image) -> float:
    """A usual level that no check refuses, where the true one is not known."""
    if noise == "gaussian":
        return float(image.voxels.max() - image.voxels.min()) / 100
    return {"poisson": max(1.0, 1.0 / max(float(image.voxels.max()), 1e-6)), "rician": 1.0, "speckle": 0.1}[noise]


def _noise_of(image: Image) -> tuple[str, str]:
    noise = NOISE_OF_MODALITY.get(image.modality, "gaussian")
    if noise in ("poisson", "rician") and image.voxels.min() < 0:
        return "gaussian", f"{image.modality} voxels below zero are neither counts nor magnitudes"
    return (
        noise,
        f"{noise} noise is what {image.modality} studies have" if noise != "gaussian" else "no better model is known",
    )


def _method_of(image: Image, noise: str) -> tuple[str, str]:
    cine = image.voxels.shape[0] > CINE_FRAMES
    trained = [
        row
        for row in catalogue.METHODS
        if row.learned and noise in row.noises and image.modality in row.modalities and weights.installed(row.weights)
    ]
    if trained:
        quick = [row for row in trained if row.quick and cine]
        row = (quick or trained)[0]
        return row.id, f"{row.title} was trained for it{' and is quick enough for a cine' if quick else ''}"
    if noise != "speckle":
        slices, spacing = image.voxels.shape[1], image.spacing
        if image.modality == "MR" and slices >= VOLUME_SLICES and spacing[2] <= THICK * min(spacing[:2]):
            return "prinlm3d", "PRI-NLM3D makes use of all three dimensions and is quick"
        return "bm3d", "BM3D is the best of the methods without learning for single slices"
    if cine:
        return "srad", "SRAD is quick enough for a cine"
    return "nllr", "NLLR is the most careful despeckler"


def _is_bmode(image: Image) -> bool:
    return image.modality == "US" and np.dtype(image.source.dtype).itemsize == 1


def _model(noise: str):
    try:
        return model(noise)
    except KeyError:
        raise UnknownNoise(f"there is no noise model '{noise}'; known: {', '.join(IDS)}.") from None


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.floating, np.integer)) and math.isfinite(value)
