"""Interfile 3.3 and STIR's dialect of it (a header of keys and its data file), as nuclear medicine stores its studies.

Format: Todd-Pokropek, Cradduck, Deconinck, "A file format for the exchange of nuclear medicine image data", Nuclear
Medicine Communications 13 (1992); https://stir.sourceforge.net, "STIR User's Guide", section "Interfile". Keys say how
far pixels lie apart, and not reliably where in the patient, so an image lies along the axes of its own.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from ..image import Image, Source
from .detached import beside
from .payload import Budget, demand_possible, read_voxels
from .placing import UNKNOWN

MAGIC = b"INTERFILE"
_LONGEST_HEADER = 1 << 20
_LINE = re.compile(r"\s*!?\s*(.*?)\s*:=\s*(.*?)\s*$")
_KINDS = {
    "bit": "",
    "float": "f",
    "long float": "f",
    "short float": "f",
    "signed integer": "i",
    "unsigned integer": "u",
}
_MODALITIES = {"nucmed": "NM", "nm": "NM", "pt": "PT", "pet": "PT", "ct": "CT", "mr": "MR", "mri": "MR"}
_SLOPES = ("quantification units", "image scaling factor[1]", "image scaling factor", "data rescale slope")
_PLAIN = ("", "none", "raw")  # ways of coding data that are none
_BLOCK = 2048  # bytes of a "data starting block"


def is_interfile(path: Path) -> bool:
    """Whether a file begins as an Interfile header does."""
    with path.open("rb") as stream:
        return MAGIC in stream.read(64).upper()


def read(path: Path, budget: Budget) -> Image:
    """The image of an Interfile header: slices of a reconstruction, or frames of views, projections or times.

    Raises:
        UnsupportedImage: damaged, truncated, compressed, or of curves, regions or gated slices.
    """
    keys = _keys(path)
    for key in ("data compression", "data encode"):
        if keys.get(key, "").lower() not in _PLAIN:
            raise UnsupportedImage(f"{path} holds data that are coded ({key}: {keys[key]}); export it uncoded.")
    columns, rows = (_whole(path, keys, f"matrix size[{axis}]") for axis in (1, 2))
    frames, slices = _planes(path, keys)
    dtype = _dtype(path, keys)
    data, offset = data_file(path), _offset(path, keys)
    count = frames * slices * rows * columns * dtype.itemsize
    there = max(0, data.stat().st_size - offset)
    demand_possible(data, there, count)
    if there >= count + rows * columns * dtype.itemsize:
        raise UnsupportedImage(f"{data} holds more images than {path.name} declares; correct the header.")
    budget.demand(data, (frames, slices, rows, columns), dtype.itemsize)
    with data.open("rb") as stream:
        stream.seek(offset)
        stored = read_voxels(stream, count, data, "raw", dtype).view(dtype)
    stored = stored.astype(dtype.newbyteorder("="), copy=False)
    array = _scaled(path, keys, stored).reshape(frames, slices, rows, columns)
    modality = _MODALITIES.get(keys.get("imaging modality", "").lower(), "OT")
    raw = modality == "NM" and keys.get("process status", "").lower() != "reconstructed" and array.dtype.kind in "iu"
    return Image.from_array(
        array,
        axes="fzyx",
        source=Source(format=path.suffix.lower(), dtype=str(array.dtype)),
        modality=modality,
        unit="counts" if raw else "",
        frame_times=_frame_times(path, keys, frames),
        **_geometry(path, keys),
    )


def data_file(path: Path) -> Path:
    """The file in which a header's voxels lie.

    Raises:
        UnsupportedImage: the header names none, or one that is absent or lies elsewhere.
    """
    return beside(path, _keys(path).get("name of data file", ""))


def _keys(path: Path) -> dict[str, str]:
    """Keys in lower case without marks and spare blanks; the first of several that are equal."""
    keys: dict[str, str] = {}
    with path.open("rb") as stream:
        text = stream.read(_LONGEST_HEADER).decode("utf-8", "replace")
    for line in text.splitlines():
        if (match := _LINE.match(line.partition(";")[0])) is None:
            continue
        key = re.sub(r"\s*\[\s*(\d+)\s*\]", r"[\1]", re.sub(r"\s+", " ", match[1].lower()))
        if key == "end of interfile":
            break
        keys.setdefault(key, match[2])
    return keys


def _damaged(path: Path, key: str) -> UnsupportedImage:
    return UnsupportedImage(f"the Interfile header of {path} is damaged: '{key}' is missing or out of range.")


def _number(path: Path, keys: dict[str, str], key: str, default: float | None = None) -> float:
    if not keys.get(key) and default is not None:
        return default
    try:
        number = float(keys[key].strip("{} "))
    except (KeyError, ValueError) as error:
        raise _damaged(path, key) from error
    if not math.isfinite(number):
        raise _damaged(path, key)
    return number


def _whole(path: Path, keys: dict[str, str], key: str, default: int | None = None, least: int = 1) -> int:
    number = _number(path, keys, key, default)
    if number != int(number) or number < least:
        raise _damaged(path, key)
    return int(number)


def _planes(path: Path, keys: dict[str, str]) -> tuple[int, int]:
    """How many frames there are, and how many slices a frame has."""
    kind = keys.get("type of data", "").lower()
    if kind in ("curve", "roi") or "gspect" in kind or "gated tomo" in kind:
        raise UnsupportedImage(f"{path} holds data of type '{keys['type of data']}', which are not supported.")
    windows = _whole(path, keys, "number of energy windows", 1)
    times = _whole(path, keys, "number of time frames", 1)
    if keys.get("matrix size[3]"):
        return times * windows, _whole(path, keys, "matrix size[3]")
    each = next((key for key in ("number of images/energy window", "number of slices") if keys.get(key)), "")
    images = windows * _whole(path, keys, each) if each else _whole(path, keys, "total number of images", 1)
    reconstructed = keys.get("process status", "").lower() == "reconstructed"
    if "tomographic" in kind and reconstructed:
        slices = _whole(path, keys, "number of slices", images)
        if images % slices:
            raise _damaged(path, "number of slices")
        return images // slices, slices
    return images, 1


def _dtype(path: Path, keys: dict[str, str]) -> np.dtype:
    said = keys.get("number format", "unsigned integer").lower()
    kind = _KINDS.get(said, "")
    if not kind:
        raise UnsupportedImage(f"{path} holds numbers of the format '{said}', which is not supported.")
    usual = {"long float": 8, "float": 4, "short float": 4}.get(said)
    size = _whole(path, keys, "number of bytes per pixel", usual)
    if size not in ((4, 8) if kind == "f" else (1, 2, 4, 8)):
        raise _damaged(path, "number of bytes per pixel")
    little = "little" in keys.get("imagedata byte order", "bigendian").lower()
    return np.dtype(f"{'<' if little else '>'}{kind}{size}")


def _offset(path: Path, keys: dict[str, str]) -> int:
    for key in ("data offset in bytes", "data offset in bytes[1]"):
        if keys.get(key):
            return _whole(path, keys, key, least=0)
    return _BLOCK * _whole(path, keys, "data starting block", 0, least=0)


def _scaled(path: Path, keys: dict[str, str], stored: np.ndarray) -> np.ndarray:
    """Values, where keys scale them.

    Raises:
        UnsupportedImage: they contradict one another, or scale frames differently.
    """
    slopes = {key: _number(path, keys, key, 1.0) for key in _SLOPES}
    said = {slope for slope in slopes.values() if slope != 1}
    others = {_number(path, keys, key) for key in keys if re.fullmatch(r"image scaling factor\[\d+\]", key)}
    if len(said) > 1 or len(others) > 1:
        raise UnsupportedImage(f"{path} scales its values in several ways; export it again with one scale.")
    slope, intercept = said.pop() if said else 1.0, _number(path, keys, "data rescale offset", 0.0)
    if slope == 0:
        raise _damaged(path, next(key for key, value in slopes.items() if value == 0))
    if (slope, intercept) == (1.0, 0.0):
        return stored
    exact = np.float32 if stored.dtype.itemsize <= 2 else np.float64
    return (stored.astype(np.float64) * slope + intercept).astype(exact)


def _geometry(path: Path, keys: dict[str, str]) -> dict[str, Any]:
    names = [f"scaling factor (mm/pixel)[{axis}]" for axis in (1, 2, 3)]
    across = [abs(_number(path, keys, name, 0.0)) for name in names]
    if not (across[0] and across[1]):
        return dict(UNKNOWN)
    apart = _number(path, keys, "centre-centre slice separation (pixels)", 0.0)
    thick = _number(path, keys, "slice thickness (pixels)", 0.0)
    through = across[2] or abs(apart or thick) * across[0] or 1.0
    return {"spacing": (across[0], across[1], through)}


def _frame_times(path: Path, keys: dict[str, str], frames: int) -> tuple[float, ...]:
    """Milliseconds, where the frames are of one dynamic study with one duration."""
    groups = _number(path, keys, "number of frame groups", 1)
    if frames == 1 or keys.get("type of data", "").lower() != "dynamic" or groups > 1:
        return ()
    duration = _number(path, keys, "image duration (sec)", 0.0)
    pause = _number(path, keys, "pause between images (sec)", 0.0)
    return tuple(1000.0 * (duration + pause) * frame for frame in range(frames)) if duration > 0 else ()
