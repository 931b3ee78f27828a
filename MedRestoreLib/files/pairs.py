"""What NRRD and MetaImage hold beside voxels and geometry: key/value pairs, the user's and ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..image import Image

_OURS = ("modality", "unit", "frame_times", "spacing")
_UNKNOWN = "unknown"


def pairs_of(image: Image) -> dict[str, str]:
    """Pairs to write: those that were read, and what we know of modality, unit and time (ms)."""
    known = {
        "modality": "" if image.modality == "OT" else image.modality,
        "unit": image.unit,
        "frame_times": " ".join(map(repr, image.frame_times)),
        "spacing": "" if image.spacing_known else _UNKNOWN,
    }
    pairs = {key: value for key, value in image.source.metadata.items() if key != "dimension"}
    return pairs | {key: value for key, value in known.items() if value}


def users_pairs(pairs: Mapping[str, str]) -> dict[str, str]:
    """The pairs that are not ours."""
    return {key: value for key, value in pairs.items() if key not in _OURS}


def attributes_of(pairs: Mapping[str, str], frames: int) -> dict[str, Any]:
    """Attributes of an Image that our pairs hold."""
    attributes: dict[str, Any] = {"modality": pairs.get("modality") or "OT", "unit": pairs.get("unit", "")}
    try:
        times = tuple(map(float, pairs.get("frame_times", "").split()))
    except ValueError:
        times = ()
    if frames > 1 and len(times) == frames:
        attributes["frame_times"] = times
    if pairs.get("spacing") == _UNKNOWN:
        attributes["spacing_known"] = False
    return attributes


def is_planar(image: Image) -> bool:
    """Whether the image was read from a 2-D file and is still one."""
    return image.source.metadata.get("dimension") == "2" and image.voxels.shape[:2] == (1, 1)
