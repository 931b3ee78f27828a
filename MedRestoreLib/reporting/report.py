"""What is handed over with a restored study: what was done, what it gained, and what a person should look at.

The report's words stand here, with the values that they describe: page, figures and panel only set them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..evidence.adaptation import Adaptation
from ..evidence.enlargement import Enlargement
from ..evidence.findings import Audit
from ..evidence.gain import Gain
from ..evidence.totals import Totals
from ..evidence.trust import Trusted
from ..evidence.verdict import Verdict, judge, judge_enlargement
from ..files.atomic import write_bytes

CAUTION = "For research use only. Not for diagnosis."
SURER = (
    "Two acquisitions as frames of one study, or the images before masking, interpolation and filters, would make it "
    "sure; or give the level."
)


@dataclass(frozen=True)
class Study:
    """What was restored.

    Attributes:
        modality: DICOM code.
        unit: of a voxel, "" when unknown.
        size: ``(frames, slices, rows, columns)``.
        spacing_mm: of columns, rows and slices; None where it is unknown.
        sha256: of the voxels, float32, before.
    """

    modality: str
    unit: str
    size: tuple[int, ...]
    spacing_mm: tuple[float, ...] | None
    sha256: str


@dataclass(frozen=True)
class Level:
    """The noise, and where its level is from.

    Attributes:
        model, title: the noise model's id and name.
        level, unit: as ``Plan.level``.
        estimated: the level was estimated from the study; False where a person gave it.
        assumed: the estimation failed, and a low default level stands in.
        careful: no level was given and none is sure: it is rather too low than too high.
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
    careful: bool = False

    @property
    def source(self) -> str:
        """Where the level is from."""
        if self.assumed:
            return "a careful default, as it could not be estimated"
        if self.careful:
            return f"a careful one, estimated with confidence {100 * (self.confidence or 0):.0f} %"
        if self.estimated:
            return f"estimated from the study with confidence {100 * (self.confidence or 0):.0f} %"
        return "given by the user"

    @property
    def summary(self) -> str:
        """Noise, level and source in one line."""
        unit = self.unit.split(" (")[0]
        return f"{self.title} noise, level {self.level:.3g} ({unit}), {self.source}"

    @property
    def caution(self) -> str:
        """The note that an uncertain level needs; "" for one that is sure."""
        if not self.careful:
            return ""
        what = "could not be estimated" if self.assumed else "is uncertain"
        return f"A careful restoration: the noise level {what}, so a low one is used. {SURER}"


@dataclass(frozen=True)
class Provenance:
    """What made the result.

    Attributes:
        software: MedRestore with its version.
        method, citation: title and source of the method.
        weights: names and SHA-256 of the networks' weights; None for methods without.
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
    totals_factors: tuple[float | None, ...]
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
        cautions: why the result is to be used with care whatever the other evidence says, as parts of a sentence.
        trust: the map of trust in numbers; None where none was made.
        enlargement: how an enlarged study agrees with what was measured; None where the grid was kept.
        adaptation: whether a network that was adapted to the study is better there; None where none was.
    """

    study: Study
    plan: Mapping[str, Any]
    noise: Level
    gain: Gain | None
    audit: Audit | None
    totals: Totals
    provenance: Provenance
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    trust: Trusted | None = None
    enlargement: Enlargement | None = None
    adaptation: Adaptation | None = None

    @property
    def judgement(self) -> Verdict:
        """What the evidence says in all: a word of ``evidence.verdict.WORDS`` and a sentence."""
        if self.enlargement is not None:
            return judge_enlargement(self.enlargement, self.provenance.weights is not None, self.cautions)
        return judge(self.gain, self.audit, self.cautions)

    @property
    def verdict(self) -> str:
        """The judgement as it is shown: ``Gain: at full strength the error is expected to fall by 8.1 dB ...``."""
        return str(self.judgement)

    @property
    def flags(self) -> tuple[str, ...]:
        """Titles of the findings that a person should look at."""
        return () if self.audit is None else tuple(self.audit.findings[name].title for name in self.audit.flags)

    @property
    def expected_gain(self) -> str:
        """The verdict's word, and the gain where one is relied on."""
        if self.gain is None or not self.gain.reliable:
            return self.judgement.word
        return f"{self.judgement.word}, {self.gain.gain_db:.1f} dB ({self.gain.estimator})"

    @property
    def headline(self) -> str:
        """Method and gain in one line."""
        return f"{self.provenance.method}: {self.expected_gain}"

    @property
    def derivation(self) -> str:
        """What was done, in one line, for a derived file's description."""
        if self.enlargement is not None:
            return (
                f"{self.plan['method']}, enlarged {self.enlargement.factor} times in rows and columns, "
                f"strength {self.plan['strength']:g}; enlarged is not measured"
            )
        sharpen = self.plan["options"].get("sharpen", 0)
        return (
            f"{self.plan['method']}, {self.noise.model} noise, level {self.noise.level:.4g}, "
            f"strength {self.plan['strength']:g}{f', deblurred (sharpen {sharpen:g})' if sharpen else ''}"
            f"{', frames together' if self.plan.get('together') else ''}"
            f"{', network adapted to the study' if self.adaptation is not None and self.adaptation.kept else ''}"
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """From ``to_dict``, also as kept in a JSON file. Numbers that were not finite are None.

        Raises:
            KeyError: a part is missing.
        """
        gain, audit = values["gain"], values["audit"]
        return cls(
            study=_typed(Study, values["study"]),
            plan=values["plan"],
            noise=_typed(Level, values["noise"]),
            gain=None if gain is None else Gain.from_dict(gain),
            audit=None if audit is None else Audit.from_dict(audit),
            totals=Totals.from_dict(values["totals"]),
            provenance=_typed(Provenance, values["provenance"]),
            notes=tuple(values["notes"]),
            cautions=tuple(values.get("cautions", ())),  # former reports have none
            trust=Trusted(**values["trust"]) if values.get("trust") else None,
            enlargement=Enlargement.from_dict(values["enlargement"]) if values.get("enlargement") else None,
            adaptation=Adaptation.from_dict(values["adaptation"]) if values.get("adaptation") else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that are not finite become None."""
        return _plain(
            {
                "word": self.judgement.word,
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
                "cautions": self.cautions,
                "trust": None if self.trust is None else asdict(self.trust),
                "enlargement": None if self.enlargement is None else self.enlargement.to_dict(),
                "adaptation": None if self.adaptation is None else self.adaptation.to_dict(),
                "caution": CAUTION,
            }
        )

    def write(self, path: str | Path, figures: Iterable[str | Path] = ()) -> Path:
        """Write the report as ``.json`` or as one self-contained ``.html`` page.

        Args:
            figures: PNG files, and WebP films of cines, to show on the page.

        Raises:
            OutputError: another suffix, or the place is not writable.
        """
        from . import page  # which sets what stands here

        path = Path(path)
        if path.suffix.lower() == ".json":
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        elif path.suffix.lower() in (".html", ".htm"):
            text = page.single(self, figures)
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
    from . import page

    studies = [(title, r if isinstance(r, Report) else Report.from_dict(r), figures) for title, r, figures in rows]
    return write_bytes(Path(path), page.summary(studies).encode())


def _typed(cls: type, values: Mapping[str, Any]) -> Any:
    """A dataclass of plain fields from its JSON, whose lists become tuples."""
    found = {field.name: values[field.name] for field in fields(cls)}
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})


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
