"""What is handed over with a restored study: what was done, what it gained, and what a person should look at."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..evidence.audit import Audit
from ..evidence.gain import Gain, Totals
from ..files.atomic import write_bytes
from . import page


@dataclass(frozen=True)
class Study:
    """What was restored.

    Attributes:
        modality: DICOM code.
        unit: of a voxel, "" when unknown.
        size: ``(frames, slices, rows, columns)``.
        spacing_mm: of columns, rows and slices.
        sha256: of the voxels, float32, before.
    """

    modality: str
    unit: str
    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    sha256: str


@dataclass(frozen=True)
class Level:
    """The noise, and where its level is from.

    Attributes:
        model, title: the noise model's id and name.
        level, unit: as ``Plan.level``.
        estimated: the level was estimated from the study; False where a person gave it.
        assumed: the estimation failed, and a usual level stands in.
        confidence: of the estimate, 0 to 1; None where a person gave the level.
        reason: what the estimate rests on.
    """

    model: str
    title: str
    level: float
    unit: str
    estimated: bool
    assumed: bool
    confidence: float | None
    reason: str


@dataclass(frozen=True)
class Provenance:
    """What made the result.

    Attributes:
        software: MedRestore with its version.
        method, citation: title and source of the method.
        weights: name and SHA-256 of a network's weights; None for methods without.
        device, precision: what it ran on, and in which floating-point format.
        totals_factors: what each frame was multiplied by to keep its total; empty where totals are not kept.
        seconds: of the restoration, without the evidence.
        python, numpy, torch: versions.
    """

    software: str
    method: str
    citation: str
    weights: str | None
    device: str
    precision: str
    totals_factors: tuple[float, ...]
    seconds: float
    python: str
    numpy: str
    torch: str


@dataclass(frozen=True)
class Report:
    """Everything that happened to one study. No name, number or date of a patient is in it.

    Attributes:
        study: what was restored.
        plan: the plan that was run, as plain values (``Plan.to_dict``).
        noise: the noise, and where its level is from.
        gain: the expected gain; None if it was not estimated.
        audit: of what was removed; None if it was not done.
        totals: sums and region means before and after.
        provenance: what made the result.
        notes: sentences for a person: what went differently, and why.
    """

    study: Study
    plan: Mapping[str, Any]
    noise: Level
    gain: Gain | None
    audit: Audit | None
    totals: Totals
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One sentence: what was gained, or why nothing reliable can be said; and what a person should look at."""
        sentence = "The gain was not estimated." if self.gain is None else self.gain.sentence
        if self.audit is None or not self.audit.flags:
            return sentence
        titles = ", ".join(self.audit.findings[name].title.lower() for name in self.audit.flags)
        return f"{sentence.rstrip('.')}; worth a look: {titles}."

    @property
    def derivation(self) -> str:
        """What was done, in one line, for a derived file's description."""
        return (
            f"{self.plan['method']}, {self.noise.model} noise, level {self.noise.level:.4g}, "
            f"strength {self.plan['strength']:g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that are not finite become None."""
        return _plain(
            {
                "verdict": self.verdict,
                "derivation": self.derivation,
                "study": asdict(self.study),
                "plan": self.plan,
                "noise": asdict(self.noise),
                "gain": None if self.gain is None else self.gain.to_dict(),
                "audit": None if self.audit is None else self.audit.to_dict(),
                "totals": self.totals.to_dict(),
                "provenance": asdict(self.provenance),
                "notes": self.notes,
                "caution": page.CAUTION,
            }
        )

    def write(self, path: str | Path, figures: Iterable[str | Path] = ()) -> Path:
        """Write the report as ``.json`` or as one self-contained ``.html`` page.

        Args:
            figures: PNG files, and WebP films of cines, to show on the page.

        Raises:
            OutputError: another suffix, or the place is not writable.
        """
        path = Path(path)
        if path.suffix.lower() == ".json":
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        elif path.suffix.lower() in (".html", ".htm"):
            text = page.single(self.to_dict(), figures)
        else:
            raise OutputError(f"reports are written as .html or .json, not '{path.suffix}'.")
        return write_bytes(path, text.encode())


def write_summary(
    rows: Sequence[tuple[str, Report | Mapping[str, Any], Iterable[str | Path]]], path: str | Path
) -> Path:
    """One HTML page over several studies: a table, then one section for each.

    Args:
        rows: for each study its title, its report (or the report's ``to_dict()``), and files to show as in ``write``.

    Raises:
        OutputError: the place is not writable.
    """
    studies = [(title, r.to_dict() if isinstance(r, Report) else r, list(figures)) for title, r, figures in rows]
    return write_bytes(Path(path), page.summary(studies).encode())


def _plain(value: Any) -> Any:
    """Values that JSON can hold: NumPy numbers become Python's, what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, type(None))) else str(value)
