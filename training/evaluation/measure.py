"""``python -m training evaluate``: from the names of methods to results on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import build
from ..data import Source
from ..recipe import RecipeError
from ..tables.results import Result, method_name
from . import baselines, estimators, evaluate, frames, thinning
from .baselines import Restorer

GAUSSIAN = "gaussian"  # at its best width, an oracle
ORACLES = {GAUSSIAN: evaluate.best_gaussian, "known_noise": evaluate.known_noise}
REAL = "as_is"  # the protocol of real frames, to which no noise is added


def restoration(names: list[str], source: Source, protocol: str, patients: int) -> Iterator[Result]:
    """PSNR and SSIM of each method on the test split: baselines, folders of trainings, weights that ship."""
    for name in names:
        if name in ORACLES:
            values = ORACLES[name](source, protocol, patients)
            yield Result("restoration", protocol, name, values, about=_about(source, patients))
        else:
            method, seed, restore, about = _restorer(name, protocol)
            values = evaluate.fidelities(restore, source, protocol, patients, _levels(name, protocol))
            yield Result("restoration", protocol, method, values, seed, {**about, **_about(source, patients)})


def lesions(names: list[str], source: Source, protocol: str, patients: int, segmenter: Path) -> Iterator[Result]:
    """Lesions outlined by a trained segmenter after each method."""
    recipe = build.learned(segmenter).recipe
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
            method, seed, about = _learned(name)
            tell = evaluate.level_network(name)
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


def real_frames(names: list[str], source: Source, patients: int) -> Iterator[Result]:
    """Contrast, speckle and edges of real frames before and after each method."""
    for name in names:
        method, seed, about = _learned(name) if Path(name).is_dir() else (name, 0, {})
        values = frames.measure(frames.restorer(name), source, patients)
        yield Result("frames", REAL, method, values, seed, {**about, **_about(source, patients)})


def _restorer(name: str, protocol: str) -> tuple[str, int, Restorer, dict[str, Any]]:
    """(method, seed, restorer, about the training) of a baseline or of a training's folder."""
    known = baselines.PROTOCOLS.get(protocol, {"noisy": baselines.noisy})
    if name in known:
        return name, 0, known[name], {}
    if protocol == REAL:
        restore = frames.restorer(name)
        method, seed, about = _learned(name) if Path(name).is_dir() else (name, 0, {})
        return method, seed, lambda frame, _: restore(frame, frames.level(frame)), about
    if not build.is_learned(name):
        raise RecipeError(
            f"'{name}' is neither a folder of a training, nor weights that ship, nor one of "
            f"{', '.join([*known, *ORACLES])}."
        )
    method, seed, about = _learned(name)
    return method, seed, evaluate.restorer(name), about


def _levels(name: str, protocol: str) -> tuple[float, ...]:
    """Of the protocol's levels those that a training is for; all for baselines."""
    every = evaluate.LEVELS[protocol]
    if not build.is_learned(name):
        return every
    low, *_, high = build.learned(name).recipe.degradation.levels
    return tuple(level for level in every if low <= level <= high) or every


def _learned(name: str) -> tuple[str, int, dict[str, Any]]:
    recipe, _, about = build.learned(name)
    return method_name(recipe.name), recipe.seed, about


def _about(source: Source, patients: int) -> dict[str, Any]:
    return {"data": source.key, "split": "test", "patients": min(patients, len(source.patients("test")))}
