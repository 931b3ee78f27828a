"""Measured results: one small JSON file for each measure, protocol, method and seed, committed when final."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from MedRestoreLib.files import atomic

from ..recipe import RecipeError

FOLDER = Path(__file__).resolve().parent / "results"

Values = dict[str, dict[str, Any]]  # quantity → condition → case → number, or quantity → condition → number


@dataclass(frozen=True)
class Result:
    """What was measured of one method under one protocol.

    Attributes:
        measure: a key of ``training.evaluation.MEASURES``, or "cine".
        protocol: the noise model, such as "p_peak"; "as_is" and "real" where no noise is added.
        method: a baseline's name, or a recipe's without protocol and seed (see ``method_name``).
        values: quantity (such as "psnr") → condition (level, fraction, "before" or "after") → case (patient, draw,
            clip) → number; without cases where a measure pools them.
        seed: of the training.
        about: the training (steps, minutes, data) and the measurement (data, split, patients).
    """

    measure: str
    protocol: str
    method: str
    values: Values
    seed: int = 0
    about: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path = FOLDER) -> Path:
        """Write the result's file, in place of an earlier one on the same data.

        Raises:
            RecipeError: the folder's file holds a result on other data.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.measure}.{self.protocol}.{self.method}.{self.seed}.json"
        if path.is_file() and _read(path).about.get("data") != self.about.get("data"):
            raise RecipeError(f"{path} holds a result on other data; give another folder with --results.")
        return atomic.write_bytes(path, (json.dumps(_rounded(asdict(self)), indent=1) + "\n").encode())

    def summary(self) -> str:
        """The means over cases, in one line.

        >>> values = {"psnr": {"5": {"0": 40.0, "1": 44.0}, "10": {"0": 36.0}}}
        >>> Result("restoration", "p_peak", "noisy", values).summary()
        'noisy: psnr 42 (5), 36 (10)'
        """
        return f"{self.method}: " + "; ".join(
            f"{name} " + ", ".join(f"{mean(found):.4g} ({at})" for at, found in conditions.items())
            for name, conditions in self.values.items()
        )


def read(folder: Path = FOLDER) -> list[Result]:
    """Every result in a folder."""
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def mean(found: dict[str, float] | float) -> float:
    """Over cases, where there are any."""
    return float(np.mean(list(found.values()))) if isinstance(found, dict) else float(found)


def method_name(recipe: str) -> str:
    """A recipe's name without its protocol and its seed, which a result states apart.

    >>> method_name("emanet_bone+plain+p_lit+seed1")
    'emanet_bone+plain'
    """
    base, *overrides = recipe.split("+")
    return "+".join([base, *(o for o in overrides if not o.startswith(("p_", "seed")))])


def _read(path: Path) -> Result:
    return Result(**json.loads(path.read_text(encoding="utf-8")))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
