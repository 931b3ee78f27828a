"""Validation scores: how good a network is on the validation split. The weights with the greatest one are kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from MedRestoreLib.metrics import segmentation
from MedRestoreLib.metrics.fidelity import psnr

from .. import build
from ..build import Trained
from ..data import GREY, Source
from ..data.clips import Clips
from ..data.neighbours import Neighbours
from ..data.pilots import SHOWN, Pilots
from ..data.registration import register
from ..data.slices import Slices
from ..data.views import for_validation
from ..losses.fusion import FusionLoss
from ..losses.pixel import PoissonLikelihood
from ..recipe import RecipeError

Score = Callable[[Trained, Source, int], dict[str, float]]  # (network, source, patients) → "score" and its parts

EVEN = 1e-3  # standard deviations: rounding of the mean of an even image
LEAST_COUNTS = 0.01  # added to expected counts: a rate of zero forbids every count
TILE = 128  # pixels: side of the tiles that networks of a whole patch, such as the level network, see of a view


def restoration(network: Trained, source: Source, patients: int) -> dict[str, float]:
    """Mean PSNR (peak 1, dB) of whole views for each noise, and the mean of these."""
    found: dict[str, list[float]] = {}
    for view in for_validation(source, network.recipe, patients):
        value = psnr(network(view.noisy, view.level), view.clean, data_range=1.0, mask=view.counted)
        found.setdefault(view.noise, []).append(value)
    means = {noise: float(np.mean(values)) for noise, values in found.items()}
    return {"score": float(np.mean(list(means.values()))), **means}


def likelihood(network: Trained, source: Source, patients: int) -> dict[str, float]:
    """How well the restored rates predict the counts of whole views: their mean deviance for each noise, dB, negative.

    Unlike PSNR, which the brightest places decide, it weighs an error by the counts of its place.
    """
    loss = PoissonLikelihood(floor=LEAST_COUNTS)
    found: dict[str, list[float]] = {}
    for view in for_validation(source, network.recipe, patients):
        restored, clean = (
            torch.from_numpy(image)[None, None] for image in (network(view.noisy, view.level), view.clean)
        )
        batch = {"clean": clean, "level": torch.tensor([view.level / GREY])}
        found.setdefault(view.noise, []).append(float(loss.per_sample(restored, batch)))
    means = {noise: -10 * float(np.log10(np.mean(values))) for noise, values in found.items()}
    return {"score": float(np.mean(list(means.values()))), **means}


def level(network: Trained, source: Source, patients: int) -> dict[str, float]:
    """Root mean squared error of the estimated level, negative."""
    views = for_validation(source, network.recipe, patients)
    errors = [estimated_level(network, view.noisy) - view.level for view in views]
    return {"score": -float(np.sqrt(np.mean(np.square(errors))))}


def lesions(network: Trained, source: Source, patients: int) -> dict[str, float]:
    """Intersection over union of segmented and true lesions, all views and levels pooled."""
    recipe = network.recipe
    restorer = build.trained(recipe.restorer) if recipe.restorer else None
    pairs = []
    for view in for_validation(source, recipe, patients):
        inputs = {"clean": view.clean, "noisy": view.noisy}
        if restorer:
            inputs["restored"] = restorer(view.noisy, view.level)
        segmented = network(inputs[recipe.network.inputs[0]], view.level) > 0
        pairs.append(np.stack([segmented.ravel(), view.lesions.ravel()]))
    return {"score": segmentation.iou(*np.concatenate(pairs, axis=1))}


def structures(network: Trained, source: Source, patients: int) -> dict[str, float]:
    """Mean Dice of the structures in frames without added noise."""
    found = []
    for id in source.patients("validation")[:patients]:
        patient = source.patient(id)
        for frame, truth in zip(patient.clean, patient.structures, strict=True):
            outlined = network(frame, 0.0).argmax(axis=0)
            found += [segmentation.dice(outlined == one, truth == one) for one in np.unique(truth[truth > 0])]
    return {"score": float(np.mean(found))}


def presence(network: Trained, source: Source, patients: int) -> dict[str, float]:
    """Area under the ROC curve of telling tiles with a lesion from tiles without one; 0.5 is chance."""
    logits: dict[bool, list[float]] = {True: [], False: []}
    for view in for_validation(source, network.recipe, patients):
        for part, mask in zip(tiles(view.noisy), tiles(view.lesions), strict=True):
            logits[bool(mask.any())].append(float(network(part, view.level)))
    if not (logits[True] and logits[False]):
        return {"score": 0.5}
    above = np.subtract.outer(logits[True], logits[False])
    return {"score": float(np.mean(above > 0) + np.mean(above == 0) / 2)}


def label(network: Trained, source: Source, patients: int) -> dict[str, float]:
    """Recall of each class on whole clean views, and their mean (balanced accuracy); 1 / classes is chance."""
    right: dict[int, list[bool]] = {}
    for id in source.patients("validation")[:patients]:
        patient = source.patient(id)
        for view in patient.clean:
            predicted = int(network(view, 0.0).argmax())
            right.setdefault(patient.label, []).append(predicted == patient.label)
    recalls = {f"class {of}": float(np.mean(answers)) for of, answers in sorted(right.items())}
    return {"score": float(np.mean(list(recalls.values()))), **recalls}


def fusion(network: Trained, source: Clips, patients: int) -> dict[str, float]:
    """What the middle windows of the first validation clips lack of the fusion loss's quality, negative."""
    loss = FusionLoss(**network.recipe.losses[0].arguments)
    lost = []
    for id in source.patients("validation")[:patients]:
        _, bursts = source.bursts(id)
        frames = np.ascontiguousarray(bursts[0][: source.frames])
        if source.registered:
            frames = register(frames, frames[(source.frames - 1) // 2]).frames
        window = torch.from_numpy(frames)[None]
        with torch.inference_mode():
            lost.append(float(loss(network.network.eval()(window), {"clean": window})))
    return {"score": -float(np.mean(lost))}


def neighbours(network: Trained, source: Neighbours, patients: int) -> dict[str, float]:
    """Mean PSNR (peak 1, dB) of refined frames, and that of the same frames enlarged alone."""
    found: dict[str, list[float]] = {"refined": [], "alone": []}
    for id in source.patients("validation")[:patients]:
        for stack, true, tissue in list(source.enlarged(id))[::2]:
            with torch.inference_mode():
                refined = network.network.eval()(torch.from_numpy(stack)[None])[0, 0].numpy()
            for name, image in (("refined", refined), ("alone", stack[0])):
                found[name].append(psnr(image, true, data_range=1.0, mask=tissue))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    return {"score": means["refined"], **means}


def refined(network: Trained, source: Pilots | Slices, patients: int) -> dict[str, float]:
    """Mean gain over the pilot in dB where there is something to see, images of the validation split."""
    gains = []
    for number in range(min(patients, source.counts["validation"])):
        stacks, clean = source.held_out(number)
        with torch.inference_mode():
            restored = network.network.eval()(torch.from_numpy(stacks), torch.ones(len(stacks)))[:, 0].numpy()
        shown = clean > min(SHOWN, float(clean.mean())) - EVEN
        pilots = stacks[:, 3 * network.network.around + 1]
        errors = [np.square(image - clean)[shown].mean() for image in (pilots, restored)]
        gains.append(10 * np.log10(errors[0] / errors[1]))
    return {"score": float(np.mean(gains)), "least": float(np.min(gains))}


def estimated_level(network: Trained, noisy: np.ndarray) -> float:
    """The expected level under a level network's classes: the mean over a view's tiles, weighted by their brightness.

    The network was trained on patches of bone, while most of a whole view is air: dark tiles hardly count.
    """
    weights, levels = [], []
    for part in tiles(noisy):
        logits = network(part, 0.0).astype(np.float64)
        share = np.exp(logits - logits.max())
        levels.append(float(share @ np.arange(1, len(share) + 1) / share.sum()))
        weights.append(max(float(part.mean()), 0.0))
    return float(np.average(levels, weights=weights)) if sum(weights) > 0 else float(np.mean(levels))


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
    "likelihood": likelihood,
    "level": level,
    "lesions": lesions,
    "structures": structures,
    "presence": presence,
    "label": label,
    "fusion": fusion,
    "neighbours": neighbours,
    "refined": refined,
}


def find(name: str) -> Score:
    """The score of that name. Raises RecipeError."""
    if name not in SCORES:
        raise RecipeError(f"there is no score '{name}'; there are {', '.join(SCORES)}.")
    return SCORES[name]
