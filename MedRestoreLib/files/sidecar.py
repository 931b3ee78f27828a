"""What the name of a file and the JSON beside it say that its header cannot: BIDS, and what dcm2niix writes.

Format: https://bids-specification.readthedocs.io, "Magnetic resonance imaging data", entity ``part``.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UnsupportedImage
from ..image import Image
from .complex_numbers import turn_of, with_phase
from .series import why_unreadable
from .stacks import COMPONENTS, MAGNITUDE

_ENTITY = re.compile(r"(?:^|_)part-(mag|phase|real|imag)(?:_|\.|$)")
_NAMED = re.compile(r"_(?:ph|phase|phase[12]|phasediff|pha)$")
_PARTS = {"mag": MAGNITUDE, "phase": "phase", "real": "real part", "imag": "imaginary part"}
_LONGEST = 1 << 20  # bytes of a sidecar


def heeded(image: Image, path: Path, read: Callable[[Path], Image]) -> Image:
    """The image, with the modality that stands beside it if its own is unknown, and the phase if BIDS names one.

    Args:
        image: as read from ``path``.
        read: reads another file of the same format.

    Raises:
        UnsupportedImage: it is a part of complex numbers whose values are no magnitudes.
    """
    place = sidecar_of(path)
    beside = {} if place is None else _read(place)
    part = _part(_stem(path), beside, image)
    if part not in ("", MAGNITUDE):
        raise UnsupportedImage(not_magnitude(path, part))
    if _ENTITY.search(_stem(path)) and image.modality in ("OT", "MR"):
        image = _with_phase_beside(dataclasses.replace(image, modality="MR"), path, read)
    modality = beside.get("Modality")
    if image.modality == "OT" and isinstance(modality, str) and re.fullmatch(r"[A-Z]{2}", modality):
        return dataclasses.replace(image, modality=modality)
    return image


def _with_phase_beside(magnitude: Image, path: Path, read: Callable[[Path], Image]) -> Image:
    """The study with the phase that BIDS puts beside it, in a file of the same name; as it is, where none fits."""
    other = path.with_name(_ENTITY.sub(lambda found: found[0].replace("part-mag", "part-phase"), path.name))
    if why_unreadable(other):
        return magnitude
    try:
        return with_phase(magnitude, read(other))
    except UnsupportedImage:
        return magnitude


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
        return "" if turn_of(image) is None else "phase"
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
