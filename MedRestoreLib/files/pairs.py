"""What NRRD and MetaImage hold beside voxels and geometry: key/value pairs, the user's and ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

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


def fits_plane(image: Image) -> bool:
    """Whether a 2-D file that stores vectors in its plane alone holds all of the image: its place and thickness too."""
    if not is_planar(image):
        return False
    axes, flat = np.reshape(image.direction, (3, 3)), np.eye(3)
    flat[:2, :2] = axes[:2, :2]
    flat[2, 2] = np.sign(np.linalg.det(axes[:2, :2])) or 1.0  # as it is read again
    known = image.spacing_known
    return np.allclose(axes, flat, atol=1e-12) and image.origin[2] == 0 and (not known or image.spacing[2] == 1)
