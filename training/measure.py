"""``python -m training evaluate``: from the names of methods to results on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import baselines, build, estimators, evaluate, thinning
from .baselines import Restorer
from .data import Source
from .recipe import RecipeError
from .tables.results import Result, method_name

GAUSSIAN = "gaussian"  # at its best width, an oracle


def restoration(names: list[str], source: Source, protocol: str, patients: int) -> Iterator[Result]:
    """PSNR and SSIM of each method on the test split; ``names`` are baselines or folders of trainings."""
    for name in names:
        if name == GAUSSIAN:
            values = evaluate.best_gaussian(source, protocol, patients)
            yield Result("restoration", protocol, name, values, about=_about(source, patients))
        else:
            method, seed, restore, about = _restorer(name, protocol)
            values = evaluate.fidelities(restore, source, protocol, patients)
            yield Result("restoration", protocol, method, values, seed, {**about, **_about(source, patients)})


def lesions(names: list[str], source: Source, protocol: str, patients: int, segmenter: Path) -> Iterator[Result]:
    """Lesions outlined by a trained segmenter after each method."""
    recipe = build.trained(segmenter)[0]
    outline = evaluate.restorer(segmenter)
    for name in names:
        method, seed, restore, about = _restorer(name, protocol)
        values = evaluate.lesions(restore, outline, source, protocol, patients)
        told = f"{method}, {method_name(recipe.name)}"
        yield Result("lesions", protocol, told, values, seed, {**about, **_about(source, patients)})


def levels(names: list[str], source: Source, patients: int) -> Iterator[Result]:
    """Noise levels told by estimators (by name) and level networks (by folder)."""
    for name in names:
        if name in estimators.ESTIMATORS:
            method, seed, tell, about = name, 0, evaluate.calibrated(name, source, patients), {}
        else:
            method, seed, about = _training(Path(name))
            tell = evaluate.level_network(Path(name))
        values = evaluate.levels_told(tell, source, patients)
        yield Result("levels", "p_peak", method, values, seed, {**about, **_about(source, patients)})


def thinned(names: list[str]) -> Iterator[Result]:
    """The real scan thinned and restored."""
    for name in names:
        if name == GAUSSIAN:
            yield Result("thinning", "p_thin", name, thinning.best_gaussian())
        else:
            method, seed, restore, about = _restorer(name, "p_peak")
            yield Result("thinning", "p_thin", method, thinning.measure(thinning.of_views(restore)), seed, about)


def _restorer(name: str, protocol: str) -> tuple[str, int, Restorer, dict[str, Any]]:
    """(method, seed, restorer, about the training) of a baseline or of a training's folder."""
    known = baselines.PROTOCOLS[protocol]
    if name in known:
        return name, 0, known[name], {}
    if not Path(name).is_dir():
        raise RecipeError(f"'{name}' is neither a folder of a training nor one of {', '.join([*known, GAUSSIAN])}.")
    return *_training(Path(name))[:2], evaluate.restorer(Path(name)), _training(Path(name))[2]


def _training(folder: Path) -> tuple[str, int, dict[str, Any]]:
    recipe, _, saved = build.trained(folder)
    progress = saved["progress"]
    about = {
        "recipe": recipe.name,
        "steps": progress["step"],
        "minutes": progress["spent"] / 60,
        "trained_on": saved["data"],
    }
    return method_name(recipe.name), recipe.seed, about


def _about(source: Source, patients: int) -> dict[str, Any]:
    return {"data": source.key, "split": "test", "patients": min(patients, len(source.patients("test")))}
