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

    >>> to_plain({"level": np.float32(4), "estimate": Estimate(5.0, 0.9, "read off air"), "memory_gb": None})
    {'level': 4.0, 'estimate': {'level': 5.0, 'confidence': 0.9, 'reason': 'read off air'}}
    """
    values = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in (vars(fields) if isinstance(fields, Plan) else fields).items()
        if value is not None and name != "mask"
    }
    if isinstance(values.get("estimate"), Estimate):
        values["estimate"] = values["estimate"].to_dict()
    for name in _SHAPES.keys() & values.keys():
        values[name] = values[name].to_list()
    if "ranking" in values:
        values["ranking"] = [one if isinstance(one, Mapping) else asdict(one) for one in values["ranking"]]
    if "options" in values:
        values["options"] = {name: np.asarray(value).tolist() for name, value in values["options"].items()}
    return values


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
