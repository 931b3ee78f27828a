"""How good a network is on a split: the numbers that validation watches. ``score`` is the one that must grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from MedRestoreLib.metrics import segmentation
from MedRestoreLib.metrics.fidelity import psnr
from MedRestoreLib.noise.poisson import peak_counts

from . import build
from .data import Source
from .degradations import GREY, MODELS
from .recipe import Recipe, RecipeError

Score = Callable[[nn.Module, Source, Recipe, int], dict[str, float]]

LEVELS = (50.0, 30.0, 20.0, 10.0)  # 26, 72, 163 and 650 counts at the peak
TILE = 128  # pixels: how the level network looks at a view


def restoration(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """Mean PSNR (peak 1) of whole views at each of four levels, and the mean of these."""
    found: dict[float, list[float]] = {level: [] for level in LEVELS}
    for clean, noisy, _, level in validation_views(source, recipe, patients):
        found[level].append(psnr(run(network, recipe, noisy, level), clean, data_range=1.0))
    means = {f"{peak_counts(level):.0f}": float(np.mean(values)) for level, values in found.items()}
    return {"score": float(np.mean(list(means.values()))), **means}


def level(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """Root mean squared error of the level told, negative."""
    views = validation_views(source, recipe, patients)
    errors = [told_level(network, recipe, noisy) - level for _, noisy, _, level in views]
    return {"score": -float(np.sqrt(np.mean(np.square(errors))))}


def outline(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """Intersection over union of all outlined lesions with the true ones, all views and levels pooled."""
    restorer = build.trained(Path(recipe.restorer)) if recipe.restorer else None
    pairs = []
    for clean, noisy, lesions, level in validation_views(source, recipe, patients):
        shown = {"clean": clean, "noisy": noisy}
        if restorer:
            shown["restored"] = run(restorer[1], restorer[0], noisy, level)
        outlined = run(network, recipe, shown[recipe.network.inputs[0]], level) > 0
        pairs.append(np.stack([outlined.ravel(), lesions.ravel()]))
    return {"score": segmentation.iou(*np.concatenate(pairs, axis=1))}


def presence(network: nn.Module, source: Source, recipe: Recipe, patients: int) -> dict[str, float]:
    """How often a tile with a lesion is told apart from one without (area under the ROC curve; 0.5 is chance)."""
    told: dict[bool, list[float]] = {True: [], False: []}
    for _, noisy, lesions, level in validation_views(source, recipe, patients):
        for part, mask in zip(tiles(noisy), tiles(lesions), strict=True):
            told[bool(mask.any())].append(float(run(network, recipe, part, level)))
    if not (told[True] and told[False]):
        return {"score": 0.5}
    above = np.subtract.outer(told[True], told[False])
    return {"score": float(np.mean(above > 0) + np.mean(above == 0) / 2)}


def validation_views(
    source: Source, recipe: Recipe, patients: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """(clean, noisy, lesions, level) of whole views, the same noise every time.

    One view of each patient, the first of one, the second of the next.
    """
    model = MODELS[recipe.degradation.model]
    for turn, id in enumerate(source.patients("validation")[:patients]):
        patient = source.patient(id)
        view = turn % len(patient.clean)
        for level in LEVELS:
            spoilt = model(patient.clean[view], level, np.random.default_rng((id, int(level))))
            yield patient.clean[view], spoilt["noisy"], patient.lesions[view], level


def run(network: nn.Module, recipe: Recipe, image: np.ndarray, level: float) -> np.ndarray:
    """The network's output for one image ``(rows, columns)``: of that shape, or whatever it tells of an image."""
    device = next(network.parameters()).device
    tensor = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None].to(device)
    sigma = torch.full((1,), level / GREY, device=device)
    with torch.inference_mode():
        output = network.eval()(*(sigma if name == "level" else tensor for name in recipe.network.inputs))
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


SCORES: dict[str, Score] = {"psnr": restoration, "level": level, "outline": outline, "presence": presence}


def find(name: str) -> Score:
    """The score of that name. Raises RecipeError."""
    if name not in SCORES:
        raise RecipeError(f"there is no score '{name}'; there are {', '.join(SCORES)}.")
    return SCORES[name]
