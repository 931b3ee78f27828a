"""What an audit found: one finding for each test, and the places of lost and added blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .blobs import Place


@dataclass(frozen=True)
class Finding:
    """One test of the audit.

    Attributes:
        title: what was tested.
        flagged: whether a person should look.
        sentence: the outcome in plain words.
        measures: the numbers behind it, plain values.
    """

    title: str
    flagged: bool
    sentence: str
    measures: Mapping[str, float | int | list[float] | None]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """From ``to_dict``."""
        return cls(values["title"], values["flagged"], values["sentence"], values["measures"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "title": self.title,
            "flagged": self.flagged,
            "sentence": self.sentence,
            "measures": dict(self.measures),
        }


@dataclass(frozen=True)
class Audit:
    """What the residual (before minus after) shows.

    Attributes:
        findings: by name: "variance", "whiteness", "leakage", "unsupported", "bias", and
            "blobs" where such are looked for; empty if nothing could be judged.
        voxels: how many were judged.
        planes: how many were looked at.
        places: blobs that were lost or added, the clearest first.
    """

    findings: Mapping[str, Finding]
    voxels: int
    planes: int
    places: tuple[Place, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the findings that a person should look at."""
        return tuple(name for name, finding in self.findings.items() if finding.flagged)

    @property
    def harm(self) -> str:
        """What was lost or added that is no noise, as a part of a sentence; "" where nothing is known of that.

        That is a blob, or edges that were blurred by more than the noise that was removed from them.
        """
        blobs, leakage = self.findings.get("blobs"), self.findings.get("leakage")
        if blobs is not None and blobs.flagged:
            return blobs.sentence
        if leakage is not None and leakage.flagged and leakage.measures.get("harmful"):
            return leakage.sentence
        return ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Audit:
        """From ``to_dict``."""
        findings = {name: Finding.from_dict(finding) for name, finding in values["findings"].items()}
        places = tuple(Place.from_dict(place) for place in values.get("places", ()))  # former reports have none
        return cls(findings, values["voxels"], values["planes"], places)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        findings = {name: finding.to_dict() for name, finding in self.findings.items()}
        return {
            "voxels": self.voxels,
            "planes": self.planes,
            "flags": list(self.flags),
            "findings": findings,
            "places": [place.to_dict() for place in self.places],
        }
