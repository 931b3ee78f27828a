"""How totals and region means changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..progress import stop_if_asked
from .sampling import REGIONS, brightness_regions, sample_planes

SAMPLE = 1_000_000  # voxels whose regions' means are compared; sums are of all


@dataclass(frozen=True)
class Change:
    """A number before and after; ``percent`` is None where the number before is zero."""

    before: float
    after: float

    @property
    def percent(self) -> float | None:
        return 100.0 * (self.after - self.before) / abs(self.before) if self.before else None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Change:
        """From ``to_dict``."""
        return cls(values["before"], values["after"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"before": self.before, "after": self.after, "percent": self.percent}


@dataclass(frozen=True)
class Totals:
    """Sums and means before and after, nothing clipped.

    Attributes:
        unit: of a voxel, "" when unknown.
        total: sum over the whole study.
        frames: sum of each frame.
        regions: mean of each brightness region that is not empty, by the names in ``REGIONS``.
        sizes: of those regions, in ``size_unit``: cm² for single slices and ml for volumes, or pixels and voxels.
    """

    unit: str
    total: Change
    frames: tuple[Change, ...]
    regions: dict[str, Change]
    sizes: dict[str, float]
    size_unit: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Totals:
        """From ``to_dict``."""
        regions = values["regions"]
        return cls(
            values["unit"],
            Change.from_dict(values["total"]),
            tuple(Change.from_dict(frame) for frame in values["frames"]),
            {name: Change.from_dict(mean) for name, mean in regions.items()},
            {name: mean["size"] for name, mean in regions.items()},
            values["size_unit"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "unit": self.unit,
            "total": self.total.to_dict(),
            "frames": [frame.to_dict() for frame in self.frames],
            "size_unit": self.size_unit,
            "regions": {name: {"size": self.sizes[name], **mean.to_dict()} for name, mean in self.regions.items()},
        }


def totals(before: np.ndarray, after: np.ndarray, *, spacing: tuple[float, float, float] | None, unit: str) -> Totals:
    """How sums and region means changed from ``before`` to ``after``.

    Args:
        before, after: ``(frames, slices, rows, columns)`` in ``unit``.
        spacing: of the columns, rows and slices, mm; None where it is unknown.
    """
    sums = [[float(f.sum(dtype=np.float64)) for f in study] for study in (before, after)]
    old, new = sample_planes(before, SAMPLE), sample_planes(after, SAMPLE)
    labels = brightness_regions(new)
    stop_if_asked()
    volume = before.shape[1] > 1
    if spacing is None:
        voxel, size_unit = 1.0, "voxels" if volume else "pixels"
    else:
        voxel, size_unit = (float(np.prod(spacing)) / 1000, "ml") if volume else (spacing[0] * spacing[1] / 100, "cm²")
    regions, sizes = {}, {}
    for number, name in enumerate(REGIONS):
        inside = labels == number
        if inside.any():
            regions[name] = Change(*(float(study[inside].mean(dtype=np.float64)) for study in (old, new)))
            sizes[name] = float(inside.mean() * before[0].size * voxel)
    frames = tuple(Change(*pair) for pair in zip(*sums, strict=True))
    return Totals(unit, Change(sum(sums[0]), sum(sums[1])), frames, regions, sizes, size_unit)
