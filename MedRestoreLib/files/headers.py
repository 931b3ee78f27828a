"""DICOM headers read so that a damaged attribute is named, and no value of it is shown."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from .payload import Budget

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_SUFFIXES = {".dcm", ".dicom", ".ima", ""}


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its magic bytes, or for old files without them by a plausible first element."""
    with path.open("rb") as stream:
        start = stream.read(132)
    if start[128:132] == b"DICM":
        return True
    return path.suffix.lower() in _SUFFIXES and len(start) >= 8 and start[:2] in (b"\x08\x00", b"\x00\x08", b"\x02\x00")


def read_header(path: Path, tags: Iterable[str] = (), budget: Budget | None = None) -> Any:
    """The dataset of a file without its pixels; with ``tags`` those attributes alone."""
    from pydicom import dcmread

    _demand_inflatable(path, budget or Budget())
    try:
        return dcmread(path, force=is_dicom(path), stop_before_pixels=True, specific_tags=list(tags) or None)
    except OSError:
        raise
    except Exception as error:
        raise UnsupportedImage(f"{path} is not a DICOM file, or its header is damaged.") from error


def _demand_inflatable(path: Path, budget: Budget) -> None:
    """Raise where a deflated dataset inflates to more than may be taken: pydicom inflates the whole of it."""
    with path.open("rb") as stream:
        start = stream.read(2048)
        if start[128:132] != b"DICM" or _DEFLATED not in start:
            return
        (length,) = struct.unpack_from("<I", start, 140)  # of the file meta group, behind its own element
        stream.seek(144 + length)
        inflater, left = zlib.decompressobj(-zlib.MAX_WBITS), budget.allowed(path)
        try:
            while not inflater.eof and (data := inflater.unconsumed_tail or stream.read(1 << 16)):
                left -= len(inflater.decompress(data, 1 << 22))
                if left < 0:
                    raise UnsupportedImage(f"{path} inflates to more than is allowed.", field="memory_gb")
        except zlib.error as error:
            raise UnsupportedImage(f"{path} is not a DICOM file, or its header is damaged.") from error


def damaged(name: str) -> UnsupportedImage:
    """The error for an attribute whose value cannot be what it says."""
    from pydicom.datadict import dictionary_description, tag_for_keyword

    tag = tag_for_keyword(name) or 0
    return UnsupportedImage(
        f"the DICOM attribute {dictionary_description(tag)} ({tag >> 16:04x},{tag & 0xFFFF:04x}) is damaged; "
        "correct it, or export the study again."
    )


def value(header: Any, name: str) -> Any:
    """The value of an attribute, None when it is absent or empty."""
    try:
        found = header.get(name)
    except Exception as error:  # pydicom converts values when they are asked for
        raise damaged(name) from error
    return None if found is None or (hasattr(found, "__len__") and len(found) == 0) else found


def text(header: Any, name: str) -> str:
    """An attribute as text, "" when it is absent."""
    found = value(header, name)
    return "" if found is None else str(found)


def texts(header: Any, name: str) -> tuple[str, ...]:
    """The values of an attribute as texts."""
    found = value(header, name)
    return () if found is None else tuple(str(one) for one in ([found] if isinstance(found, str) else found))


def numbers(header: Any, name: str, count: int = 0) -> tuple[float, ...]:
    """The numbers of an attribute, () when it is absent; with ``count`` it must have as many, all finite."""
    found = value(header, name)
    if found is None:
        return ()
    try:
        values = tuple(float(one) for one in np.ravel(found))
    except (TypeError, ValueError) as error:
        raise damaged(name) from error
    if count and (len(values) != count or not np.isfinite(values).all()):
        raise damaged(name)
    return values


def number(header: Any, name: str) -> float | None:
    """One finite number, None when the attribute is absent."""
    values = numbers(header, name)
    if len(values) > 1 or not np.isfinite(values).all():
        raise damaged(name)
    return values[0] if values else None


def length(header: Any, name: str) -> float | None:
    """A length that can be one: finite and not 0; its sign is kept. None for anything else."""
    values = numbers(header, name)
    return values[0] if len(values) == 1 and np.isfinite(values[0]) and values[0] != 0 else None


def whole(header: Any, name: str, default: int = 0) -> int:
    """A whole number, ``default`` when the attribute is absent."""
    found = number(header, name)
    if found is None:
        return default
    if found != int(found):
        raise damaged(name)
    return int(found)


def items(header: Any, name: str) -> list[Any]:
    """The items of a sequence, [] when it is absent."""
    found = value(header, name)
    if isinstance(found, str | bytes):
        raise damaged(name)
    return [] if found is None else list(found)


def group(header: Any, frame: Any, name: str) -> Any:
    """A functional group of one frame, or the one that all frames share, or None."""
    shared = items(header, "SharedFunctionalGroupsSequence") or [{}]
    found = items(frame, name) or items(shared[0], name)
    return found[0] if found else None


def frame_groups(header: Any) -> list[Any]:
    """The functional groups of each frame of an enhanced object, [] for other objects."""
    return items(header, "PerFrameFunctionalGroupsSequence")
