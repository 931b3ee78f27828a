"""Noisy views of held-out patients, the same every time: what networks and methods are measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.recipe import Recipe

from . import GREY, Patient, Source
from .degradations import MODELS, degrade


@dataclass(frozen=True)
class View:
    """One noisy view of a held-out patient, all ``(rows, columns)``.

    Attributes:
        patient: its id within the source.
        noise: the noise model's name with the level.
        level: of the noise, in its model's unit.
        clean: float32, the target.
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
    def of(
        cls, patient: Patient, number: int, model: str, level: float, rng: np.random.Generator, **arguments: Any
    ) -> View:
        """View ``number`` of a patient, degraded by the noise model of that name; ``arguments`` are the model's."""
        smooth = None if patient.smooth is None else patient.smooth[number]
        degraded = degrade(model, patient.clean[number], level, rng, smooth, **arguments)
        counted = None if patient.overlays is None else ~patient.overlays[number]
        noise = f"{model} {level:g}"
        return cls(patient.id, noise, level, degraded["clean"], degraded["noisy"], patient.lesions[number], counted)


def for_validation(source: Source, recipe: Recipe, patients: int) -> Iterator[View]:
    """One view of each of the first validation patients, at each level that the recipe is validated on.

    Views alternate: the first of one patient, the second of the next. A network that is taught to leave a share of the
    speckle is validated on such targets.
    """
    left = {name: value for name, value in recipe.degradation.arguments.items() if name in ("kept", "kept_at_edges")}
    every = MODELS[recipe.degradation.model].validated
    wanted = recipe.validation.levels or [level for _, level in every]
    for turn, id in enumerate(source.patients("validation")[:patients]):
        patient = source.patient(id)
        for model, level in every:
            if level in wanted:
                rng = np.random.default_rng((id, round(level / MODELS[model].unit * GREY)))
                arguments = left if model == "bmode" else {}
                yield View.of(patient, turn % len(patient.clean), model, level, rng, **arguments)


def of_split(source: Source, split: str, patients: int, model: str, levels: Sequence[float]) -> Iterator[View]:
    """Every view of a split's first patients at each level; the noise is the same for every method."""
    for id in source.patients(split)[:patients]:
        patient = source.patient(id)
        for number in range(len(patient.clean)):
            for level in levels:
                rng = np.random.default_rng((id, number, round(10 * level / MODELS[model].unit * GREY)))
                yield View.of(patient, number, model, level, rng)
