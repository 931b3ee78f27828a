"""How good a network is on a split: the numbers that validation watches. ``score`` is the one that must grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from MedRestoreLib.metrics import segmentation
from MedRestoreLib.metrics.fidelity import psnr

from .. import build
from ..data import Patient, Source
from ..data.degradations import GREY, MODELS, degrade
from ..recipe import Recipe, RecipeError

Score = Callable[[nn.Module, Source, Recipe, int], dict[str, float]]

TILE = 128  # pixels: how the level network looks at a view


def restoration(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """Mean PSNR (peak 1) of whole views with each noise that the recipe's is validated on, and the mean of these."""
    found: dict[str, list[float]] = {}
    for view in validation_views(source, recipe, patients):
        value = psnr(run(network, recipe, view.noisy, view.level), view.clean, data_range=1.0, mask=view.counted)
        found.setdefault(view.noise, []).append(value)
    means = {noise: float(np.mean(values)) for noise, values in found.items()}
    return {"score": float(np.mean(list(means.values()))), **means}


def level(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """Root mean squared error of the level told, negative."""
    views = validation_views(source, recipe, patients)
    errors = [told_level(network, recipe, view.noisy) - view.level for view in views]
    return {"score": -float(np.sqrt(np.mean(np.square(errors))))}


def outline(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """Intersection over union of all outlined lesions with the true ones, all views and levels pooled."""
    restorer = build.learned(recipe.restorer) if recipe.restorer else None
    pairs = []
    for view in validation_views(source, recipe, patients):
        shown = {"clean": view.clean, "noisy": view.noisy}
        if restorer:
            shown["restored"] = run(restorer.network, restorer.recipe, view.noisy, view.level)
        outlined = run(network, recipe, shown[recipe.network.inputs[0]], view.level) > 0
        pairs.append(np.stack([outlined.ravel(), view.lesions.ravel()]))
    return {"score": segmentation.iou(*np.concatenate(pairs, axis=1))}


def presence(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """How often a tile with a lesion is told apart from one without (area under the ROC curve; 0.5 is chance)."""
    told: dict[bool, list[float]] = {True: [], False: []}
    for view in validation_views(source, recipe, patients):
        for part, mask in zip(tiles(view.noisy), tiles(view.lesions), strict=True):
            told[bool(mask.any())].append(float(run(network, recipe, part, view.level)))
    if not (told[True] and told[False]):
        return {"score": 0.5}
    above = np.subtract.outer(told[True], told[False])
    return {"score": float(np.mean(above > 0) + np.mean(above == 0) / 2)}


def label(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """How often each class is told rightly, whole clean views, and the mean over classes; 1 / classes is chance."""
    right: dict[int, list[bool]] = {}
    for id in source.patients("validation")[:patients]:
        patient = source.patient(id)
        for view in patient.clean:
            told = int(run(network, recipe, view, 0.0).argmax())
            right.setdefault(patient.label, []).append(told == patient.label)
    shares = {f"class {of}": float(np.mean(answers)) for of, answers in sorted(right.items())}
    return {"score": float(np.mean(list(shares.values()))), **shares}


@dataclass(frozen=True)
class View:
    """One noisy view of a held-out patient, all ``(rows, columns)``.

    Attributes:
        patient: its id within the source.
        noise: name of what degraded it, with its level.
        level: of the noise, in its model's unit.
        clean: float32, what is to be restored.
        noisy: float32.
        lesions: bool.
        counted: bool, where to measure; None for everywhere.
    """

    patient: int
    noise: str
    level: float
    clean: np.ndarray
    noisy: np.ndarray
    lesions: np.ndarray
    counted: np.ndarray | None

    @classmethod
    def of(cls, patient: Patient, number: int, model: str, level: float, rng: np.random.Generator) -> View:
        """View ``number`` of a patient, degraded."""
        smooth = None if patient.smooth is None else patient.smooth[number]
        degraded = degrade(model, patient.clean[number], level, rng, smooth)
        counted = None if patient.overlays is None else ~patient.overlays[number]
        noise = f"{model} {level:g}"
        return cls(patient.id, noise, level, degraded["clean"], degraded["noisy"], patient.lesions[number], counted)


def validation_views(source: Source, recipe: Recipe, patients: int) -> Iterator[View]:
    """Whole views, the same noise every time.

    One view of each patient, the first of one, the second of the next.
    """
    every = MODELS[recipe.degradation.model].validated
    wanted = recipe.validation.levels or [level for _, level in every]
    for turn, id in enumerate(source.patients("validation")[:patients]):
        patient = source.patient(id)
        for model, level in every:
            if level in wanted:
                rng = np.random.default_rng((id, round(level / MODELS[model].unit * GREY)))
                yield View.of(patient, turn % len(patient.clean), model, level, rng)


def run(network: nn.Module, recipe: Recipe, image: np.ndarray, level: float) -> np.ndarray:
    """The network's output for one image ``(rows, columns)``: of that shape, or whatever it tells of an image.

    ``level`` is in the unit of the recipe's noise.
    """
    device = next(network.parameters()).device
    tensor = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None].to(device)
    told = torch.full((1,), level / MODELS[recipe.degradation.model].unit, device=device)
    with torch.inference_mode():
        output = network.eval()(*(told if name == "level" else tensor for name in recipe.network.inputs))
    return output.float()[0].squeeze(0).cpu().numpy() if output.dim() == 4 else output.float()[0].cpu().numpy()


def told_level(network: nn.Module, recipe: Recipe, noisy: np.ndarray) -> float:
    """The level that a network of level classes reads off a view: the mean over its tiles, weighted by their counts.

    The network was trained on patches where there is bone; a whole view is mostly air.
    """
    weights, told = [], []
    for part in tiles(noisy):
        classes = run(network, recipe, part, 0.0).astype(np.float64)
        share = np.exp(classes - classes.max())
        told.append(float(share @ np.arange(1, len(share) + 1) / share.sum()))
        weights.append(max(float(part.mean()), 0.0))
    return float(np.average(told, weights=weights)) if sum(weights) > 0 else float(np.mean(told))


def tiles(image: np.ndarray) -> list[np.ndarray]:
    """An image cut into squares of at most TILE pixels.

    >>> [part.shape for part in tiles(np.zeros((128, 200)))]
    [(128, 128), (128, 72)]
    """
    return [
        image[row : row + TILE, column : column + TILE]
        for row in range(0, image.shape[0], TILE)
        for column in range(0, image.shape[1], TILE)
    ]


SCORES: dict[str, Score] = {
    "psnr": restoration,
    "level": level,
    "outline": outline,
    "presence": presence,
    "label": label,
}


def find(name: str) -> Score:
    """The score of that name. Raises RecipeError."""
    if name not in SCORES:
        raise RecipeError(f"there is no score '{name}'; there are {', '.join(SCORES)}.")
    return SCORES[name]
