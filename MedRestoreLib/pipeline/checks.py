"""What is refused before any work, each in one line that says what to do and which field would cure it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import modalities, weights
from ..errors import InvalidPlan, UnknownNoise, UnsupportedImage
from ..image import Image
from ..methods import catalogue
from ..methods.row import Method
from ..noise import IDS, Noise, model
from . import device as devices
from . import domains, series
from .adaptation import check_adapt

if TYPE_CHECKING:
    from .plan import Plan


def check(image: Image, plan: Plan) -> None:
    """Raise the error that ``restore`` would meet, before any work.

    Raises:
        UnsupportedImage, InvalidPlan, UnknownNoise, WeightsMissing: what is wrong and what to do.
    """
    check_image(image)
    method = find_method(plan.method)
    check_factor(plan.factor, method)
    check_fit(image, plan.noise, method)
    check_level(plan.noise, plan.level)
    check_physics(image, plan.noise, plan.level)
    if not (is_number(plan.strength) and 0 <= plan.strength <= 1):
        raise InvalidPlan(f"strength must be between 0 and 1, got {plan.strength}.", field="strength")
    if plan.dimensions not in method.dimensions:
        able = " or ".join(map(str, method.dimensions))
        raise InvalidPlan(f"{plan.method} works in {able} dimensions.", field="dimensions")
    check_options(method, plan.options)
    _check_size(image, plan, method)
    if plan.mask is not None:
        as_mask(plan.mask, image)
    if plan.together:
        _check_together(image, method)
    if plan.adapt:
        check_adapt(method, model(plan.noise), not plan.careful)
    if plan.memory_gb is not None and not (is_number(plan.memory_gb) and plan.memory_gb > 0):
        raise InvalidPlan(f"memory must be a positive number of gigabytes, got {plan.memory_gb}.", field="memory_gb")
    for name in method.networks(plan.factor):
        weights.find(name).contents()
    devices.check_name(plan.device)
    devices.check_precision(plan.precision)


def can_be_together(image: Image, method: Method) -> bool:
    """Whether the method can restore the study's frames together: see ``series`` and ``clips``."""
    return len(image.voxels) >= series.LEAST_FRAMES and is_for_frames(method)


def _check_together(image: Image, method: Method) -> None:
    if can_be_together(image, method):
        return
    if len(image.voxels) < series.LEAST_FRAMES:
        raise InvalidPlan(
            f"{series.LEAST_FRAMES} frames are needed to restore them together, the study has {len(image.voxels)}.",
            field="together",
        )
    able = _ids(row for row in catalogue.METHODS if is_for_frames(row))
    raise InvalidPlan(f"{method.id} restores every frame for itself; methods that need not: {able}.", field="together")


def is_for_frames(method: Method) -> bool:
    """Whether frames may help each other with this method: mixed before it, or sharing detail after it."""
    return rotates(method) or method.across != ""


def rotates(method: Method) -> bool:
    """Whether the method takes mixtures of frames, as ``series`` makes them."""
    return domains.find(method.domain).rotates and not method.learned


def _check_size(image: Image, plan: Plan, method: Method) -> None:
    """Raise UnsupportedImage for an image that is smaller than the method's patch."""
    sides = image.voxels.shape[-plan.dimensions :]
    if min(sides) >= method.patch:
        return
    small = f"the image is {' x '.join(map(str, sides))}, smaller than the {method.patch} that {plan.method} needs"
    fit = [
        row.id
        for row in catalogue.making(plan.factor)
        if plan.noise in row.noises and row.patch <= min(image.voxels.shape[-min(row.dimensions) :])
    ]
    if not fit:
        raise UnsupportedImage(f"{small}; no method takes one so small.")
    raise UnsupportedImage(f"{small}; choose one that takes it, such as {fit[-1]}.", field="method")


def check_image(image: Image) -> None:
    """Raise UnsupportedImage for a study that no method can take."""
    if image.modality == modalities.LABELS:
        raise UnsupportedImage("the study holds labels, not measurements; choose the image that they were drawn on.")
    low, high = extremes(image)  # both are numbers only if every voxel is
    if not (math.isfinite(low) and math.isfinite(high)):
        count = int(np.count_nonzero(~np.isfinite(image.voxels)))
        raise UnsupportedImage(
            f"{count} voxels are not numbers (NaN or infinite); replace them first.", field="replace_nan"
        )
    if low == high:
        raise UnsupportedImage(f"every voxel has the same value ({low:g}): there is nothing to restore.")


def check_fit(image: Image, noise: str, method: Method) -> None:
    """Raise InvalidPlan or UnknownNoise unless the method is meant for the study's modality and this noise model."""
    find_noise(noise)
    alike = [row for row in catalogue.METHODS if bool(row.factors) == bool(method.factors)]
    if method.factors and model(modalities.find(image.modality).noise).counted:
        raise InvalidPlan("a larger picture holds no more counts: counts are not enlarged.", field="factor")
    if _known(image.modality) not in method.modalities:
        fit = _ids(row for row in alike if _known(image.modality) in row.modalities) or "those that do not enlarge"
        raise InvalidPlan(
            f"{method.id} is not meant for {image.modality} studies; choose one of {fit}.", field="method"
        )
    if noise not in method.noises:
        raise InvalidPlan(
            f"{method.id} does not handle {noise} noise, only {', '.join(method.noises)}; "
            f"methods that do: {_ids(row for row in alike if noise in row.noises)}.",
            field="method",
        )


def is_meant_for(image: Image, noise: str, method: Method) -> bool:
    """Whether the method is meant for the study's modality and this noise model."""
    return _known(image.modality) in method.modalities and noise in method.noises


def _known(modality: str) -> str:
    """A modality that methods are made for; the unknown one where none is."""
    return modality if any(modality in row.modalities for row in catalogue.METHODS) else modalities.UNKNOWN


def check_factor(factor: int, method: Method | None) -> None:
    """Raise InvalidPlan unless ``factor`` is a whole number of 1 or more by which the method (None: any) enlarges."""
    if not (is_number(factor) and not isinstance(factor, bool) and factor >= 1 and factor == int(factor)):
        raise InvalidPlan(f"a study is enlarged by a whole factor such as 2, not by {factor}.", field="factor")
    if method is not None and not method.makes(factor):
        if method.factors:
            able = ", ".join(map(str, method.factors))
            keep = " (1 keeps the grid)" if factor == 1 else ""
            raise InvalidPlan(f"{method.id} enlarges by a factor of {able}, not by {factor:g}{keep}.", field="factor")
        raise InvalidPlan(
            f"{method.id} does not enlarge; methods that do: {_ids(catalogue.making(factor)) or 'none by so much'}.",
            field="factor",
        )
    if not catalogue.making(factor):
        factors = sorted({able for row in catalogue.METHODS for able in row.factors})
        raise InvalidPlan(
            f"no method enlarges {factor:g} times; choose {', '.join(map(str, factors))}.", field="factor"
        )


def check_level(noise: str, level: float) -> None:
    """Raise InvalidPlan unless ``level`` is a number within the model's limits."""
    found = find_noise(noise)
    low, high = found.limits
    if not is_number(level) or not level > 0:
        raise InvalidPlan(f"the noise level must be a number above 0 ({found.unit}), got {level}.", field="level")
    if not low <= level <= high:
        raise InvalidPlan(
            f"a {noise} level of {level:g} is out of range: expected {low:g} to {high:g} ({found.unit}).",
            field="level",
        )


def check_physics(image: Image, noise: str, level: float) -> None:
    """Raise InvalidPlan for voxels that cannot have this noise, or not at this level."""
    found, (low, high) = find_noise(noise), extremes(image)
    if why := found.unfit(low, high):
        raise InvalidPlan(f"{why}; choose Gaussian noise.", field="noise")
    if why := found.level_unfit(level, low, high):
        raise InvalidPlan(why, field="level")


def check_options(method: Method, given: Mapping[str, Any]) -> None:
    """Raise InvalidPlan unless the method has these options and takes these values.

    To know, the method must be imported: without torch, where nothing can be restored, nothing is checked.
    """
    if given and devices.has_torch():
        method.parsed(given)


def find_method(id: str) -> Method:
    """The catalogue's row, or InvalidPlan with the nearest name."""
    try:
        return catalogue.find(id)
    except KeyError:
        ids = [row.id for row in catalogue.METHODS]
        nearest = difflib.get_close_matches(str(id).lower(), ids, n=1, cutoff=0.4)
        hint = f"did you mean '{nearest[0]}'? " if nearest else ""
        raise InvalidPlan(f"there is no method '{id}'; {hint}Known: {', '.join(ids)}.", field="method") from None


def find_noise(id: str) -> type[Noise]:
    """The noise model, or UnknownNoise with the known names."""
    try:
        return model(id)
    except KeyError:
        raise UnknownNoise(f"there is no noise model '{id}'; known: {', '.join(IDS)}.", field="noise") from None


def as_mask(mask: Any, image: Image) -> np.ndarray:
    """A mask on the study's grid.

    Args:
        mask: an Image, or an array ``(rows, columns)`` or ``(slices, rows, columns)``; what is not zero is inside.

    Returns:
        Bool ``(slices, rows, columns)``.

    Raises:
        InvalidPlan: it lies on another grid, or is empty.
    """
    if isinstance(mask, Image):
        if not mask.same_grid(image):
            raise InvalidPlan(
                "the mask does not lie on the study's grid; resample it to the study first.", field="mask"
            )
        mask = mask.voxels[0]
    mask = np.asarray(mask) != 0
    mask = mask[None] if mask.ndim == 2 else mask
    if mask.shape != image.voxels.shape[1:]:
        raise InvalidPlan(f"the mask has shape {mask.shape}, the study {image.voxels.shape[1:]}.", field="mask")
    if not mask.any():
        raise InvalidPlan("the mask is empty: nothing would be restored.", field="mask")
    return mask


def extremes(image: Image) -> tuple[float, float]:
    """The lowest and the highest voxel; NaN if one is."""
    return float(image.voxels.min()), float(image.voxels.max())


def is_number(value: Any) -> bool:
    """Whether it is a finite number, Python's or NumPy's."""
    return isinstance(value, (int, float, np.floating, np.integer)) and math.isfinite(value)


def _ids(rows: Iterable[Method]) -> str:
    return ", ".join(row.id for row in rows)
