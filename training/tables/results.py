"""What was measured: one small JSON file for each method, measure, protocol and seed, committed when final."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from MedRestoreLib.files import atomic

FOLDER = Path(__file__).resolve().parent / "results"

By = dict[str, dict[str, Any]]  # measure → level → patient or value


@dataclass(frozen=True)
class Result:
    """One method under one protocol.

    Attributes:
        measure: "restoration", "lesions", "levels" or "thinning".
        protocol: "p_peak", "p_lit" or "p_thin".
        method: a baseline's name, or a recipe's, without what says protocol and seed.
        seed: of the training.
        values: measure → level → patient → number (or measure → level → number).
        about: of the training: steps, minutes, data; of the measurement: split, patients.
    """

    measure: str
    protocol: str
    method: str
    values: By
    seed: int = 0
    about: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path = FOLDER) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.measure}.{self.protocol}.{self.method}.{self.seed}.json"
        return atomic.write_bytes(path, (json.dumps(_rounded(asdict(self)), indent=1) + "\n").encode())


def read(folder: Path = FOLDER) -> list[Result]:
    """Every result in a folder."""
    return [Result(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]


def method_name(recipe: str) -> str:
    """A recipe's name without what a table says elsewhere: its protocol and its seed.

    >>> method_name("emanet_bone+plain+p_lit+seed1")
    'emanet_bone+plain'
    """
    base, *overrides = recipe.split("+")
    return "+".join([base, *(o for o in overrides if not o.startswith(("p_", "seed")))])


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
