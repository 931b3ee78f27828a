"""What the name of a file and the JSON beside it say that its header cannot: BIDS, and what dcm2niix writes.

Format: https://bids-specification.readthedocs.io, "Magnetic resonance imaging data", entity ``part``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

from ..errors import UnsupportedImage
from ..image import Image
from .series import why_unreadable
from .stacks import COMPONENTS, MAGNITUDE

_ENTITY = re.compile(r"(?:^|_)part-(mag|phase|real|imag)(?:_|\.|$)")
_NAMED = re.compile(r"_(?:ph|phase|phase[12]|phasediff|pha)$")
_PARTS = {"mag": MAGNITUDE, "phase": "phase", "real": "real part", "imag": "imaginary part"}
# What a turn is stored as: radians, also times 1000 (GE); degrees; whole numbers of 10, 12, 13 (signed 12) and 16 bits.
_TURNS = (2 * math.pi, 2000 * math.pi, 360.0, 1023.0, 4095.0, 8190.0, 65535.0)
_CLOSE = 0.005  # of a turn: noise alone reaches as far as that
_LONGEST = 1 << 20  # bytes of a sidecar


def heeded(image: Image, path: Path) -> Image:
    """The image, with the modality that stands beside it if its own is unknown.

    Raises:
        UnsupportedImage: it is a part of complex numbers whose values are no magnitudes.
    """
    place = sidecar_of(path)
    beside = {} if place is None else _read(place)
    part = _part(_stem(path), beside, image)
    if part not in ("", MAGNITUDE):
        raise UnsupportedImage(not_magnitude(path, part))
    modality = beside.get("Modality")
    if image.modality == "OT" and isinstance(modality, str) and re.fullmatch(r"[A-Z]{2}", modality):
        return dataclasses.replace(image, modality=modality)
    return image


def sidecar_of(path: Path) -> Path | None:
    """The JSON beside an image file; None where there is none that can be read."""
    place = path.with_name(f"{_stem(path)}.json")
    return None if why_unreadable(place) else place


def not_magnitude(path: Path, part: str) -> str:
    """The sentence for a part of complex numbers that is no magnitude."""
    why = "its values wrap around" if part == "phase" else "its noise is not that of magnitudes"
    return f"{path} is the {part} of a complex image: {why}; give the magnitude."


def _part(stem: str, beside: dict[str, Any], image: Image) -> str:
    """Which part of complex numbers it is, "" if that is not said.

    A name that ends in "_phase" may mean one of contrast or of the heart: it counts where the values fill a turn.
    """
    if entity := _ENTITY.search(stem):
        return _PARTS[entity[1]]
    kinds = beside.get("ImageType")
    if isinstance(kinds, list):
        found = {COMPONENTS[str(kind).upper()] for kind in kinds[2:] if str(kind).upper() in COMPONENTS}
        if len(found) == 1:
            return found.pop()
    if _NAMED.search(stem.lower()):
        span = float(image.voxels.max()) - float(image.voxels.min())
        return "phase" if any(abs(span - turn) <= _CLOSE * turn for turn in _TURNS) else ""
    return ""


def _stem(path: Path) -> str:
    return path.name[: -len(".nii.gz")] if path.name.lower().endswith(".nii.gz") else path.stem


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; {} where there is none."""
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(_LONGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
