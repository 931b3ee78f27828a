"""What a restored node says about itself: attributes, one line of description, and the whole report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import slicer

from ..methods import catalogue
from ..modalities import UNKNOWN
from .hierarchy import INSTANCES, METHOD, MODALITY, kin
from .results import PART

REPORT = "MedRestore.report"
SOURCES = "DICOM.derivedFromInstanceUIDs"


@dataclass(frozen=True)
class Provenance:
    """How a node was made: its attributes, its description, the method's name, and the report as JSON."""

    attributes: Mapping[str, str]
    description: str
    method: str
    report: str

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Provenance:
        """From ``Report.to_dict()``."""
        plan, noise, study = report["plan"], report["noise"], report["study"]
        attributes = {
            METHOD: plan["method"],
            "MedRestore.noise": noise["model"],
            "MedRestore.level": repr(noise["level"]),
            "MedRestore.strength": repr(plan["strength"]),
            "MedRestore.version": report["provenance"]["software"].removeprefix("MedRestore "),
            "MedRestore.inputSHA256": study["sha256"],
            MODALITY: study["modality"] if study["modality"] != UNKNOWN else "",
        }
        return cls(
            attributes,
            f"{report['derivation']}; {report['verdict']}",
            catalogue.find(plan["method"]).title,
            json.dumps(report, ensure_ascii=False),
        )

    def label(self, node: slicer.vtkMRMLNode, sources: Iterable[slicer.vtkMRMLNode], part: str) -> None:
        """Give a node the attributes and the description, but not the report; ``part`` is RESTORED or REMOVED.

        It never claims the sources' DICOM files as its own: it names them as what it is derived from.
        """
        instances = dict.fromkeys(uid for source in sources for uid in _instances(source).split())
        derived = {INSTANCES: "", SOURCES: " ".join(instances), PART: part}
        for name, value in {**self.attributes, **derived}.items():
            node.SetAttribute(name, value or None)
        node.SetDescription(self.description)


def report_of(node: slicer.vtkMRMLNode) -> dict[str, Any] | None:
    """The report of a restored volume or sequence, as ``Report.to_dict()`` gave it; None for any other node.

    A restored sequence keeps it, not the volume that shows its frames: that volume's attributes change with the frame.
    """
    text = next(filter(None, (n.GetAttribute(REPORT) for n in kin(node))), None)
    return None if text is None else json.loads(text)


def _instances(node: slicer.vtkMRMLNode) -> str:
    """The instance UIDs of the DICOM files that a volume's voxels stem from, separated by spaces; "" without any."""
    return node.GetAttribute(INSTANCES) or node.GetAttribute(SOURCES) or ""
