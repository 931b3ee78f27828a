"""A plan, and edits to one, as plain values for JSON and back. A mask travels as a file beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..noise import Estimate, NoiseCurve, NoiseMap, Spectrum
from ..pipeline.choice import Candidate
from ..pipeline.plan import Plan

_SHAPES: dict[str, Any] = {"spectrum": Spectrum, "noise_map": NoiseMap, "noise_curve": NoiseCurve}


def to_plain(fields: Plan | Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a plan as JSON can hold them, without the mask and without those that are None.

    Those that are plain already, as of a plan that a worker recommended, stay as they are.

    >>> to_plain({"level": np.float32(4), "estimate": Estimate(5.0, 0.9, "read off air"), "memory_gb": None})
    {'level': 4.0, 'estimate': {'level': 5.0, 'confidence': 0.9, 'reason': 'read off air'}}
    """
    given = vars(fields) if isinstance(fields, Plan) else fields
    values = {name: _plain(value) for name, value in given.items() if value is not None and name != "mask"}
    if "options" in values:
        values["options"] = {name: np.asarray(value).tolist() for name, value in values["options"].items()}
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Estimate):
        return value.to_dict()
    if isinstance(value, Spectrum | NoiseMap | NoiseCurve):
        return value.to_list()
    if isinstance(value, Candidate):
        return asdict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def from_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that ``to_plain`` made plain; ``Plan(**fields)`` is the plan again."""
    fields = dict(values)
    if fields.get("estimate") is not None:
        fields["estimate"] = Estimate(**fields["estimate"])
    for name, kind in _SHAPES.items():
        if fields.get(name) is not None:
            fields[name] = kind.from_list(fields[name])
    if "ranking" in fields:
        fields["ranking"] = tuple(Candidate(**candidate) for candidate in fields["ranking"])
    return fields
