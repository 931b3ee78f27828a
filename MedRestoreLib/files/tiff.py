"""What a TIFF says of its pages: their order, their distances and times, and what their numbers mean.

Frames and distances are not TIFF's own: ImageJ and OME write them into the description of the first page.
https://imagej.net/ij/developer/source/ij/io/TiffEncoder.java.html; https://docs.openmicroscopy.org/ome-model/
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from ..errors import UnsupportedImage

_DESCRIPTION, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 270, 262, 274, 277
_ACROSS, _DOWN, _PER, _CENTIMETRE = 282, 283, 296, 3
_WHITE_IS_ZERO = 0
_NOT_RGB = {5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab"}
_MM = {"mm": 1.0, "millimeter": 1.0, "cm": 10.0, "um": 1e-3, "µm": 1e-3, "\\u00b5m": 1e-3, "micron": 1e-3, "nm": 1e-6}
_MS = {"s": 1000.0, "sec": 1000.0, "ms": 1.0, "min": 60_000.0}


@dataclass(frozen=True)
class Pages:
    """How the pages of a TIFF fill an image.

    Attributes:
        frames, slices: how many; their product is the number of pages.
        slices_first: successive pages are slices of one frame, not frames of one slice.
        spacing: x, y, z in mm; None where they are unknown.
        step: from a frame to the next in ms; 0 where it is unknown.
        inverted: the least number is white, so that numbers must be turned round.
    """

    frames: int
    slices: int
    slices_first: bool = True
    spacing: tuple[float, float, float] | None = None
    step: float = 0.0
    inverted: bool = False


def pages_of(path: str) -> Pages:
    """What the TIFF at ``path`` says.

    Raises:
        UnsupportedImage: its pages differ in size, lie turned, hold several channels, or colour that is not RGB.
    """
    from PIL import Image as Picture
    from PIL.TiffImagePlugin import TiffImageFile

    with Picture.open(path) as picture:
        assert isinstance(picture, TiffImageFile)
        count, tags, sizes = getattr(picture, "n_frames", 1), picture.tag_v2, set()
        about = {number: tags.get(number) for number in (_PHOTOMETRIC, _ORIENTATION, _SAMPLES, _PER, _ACROSS, _DOWN)}
        text = tags.get(_DESCRIPTION, "")
        for page in range(count):
            picture.seek(page)
            sizes.add(picture.size)
    if len(sizes) > 1:
        raise UnsupportedImage(f"{path} has pages of {len(sizes)} sizes, which make no volume; give one page.")
    if about[_ORIENTATION] not in (None, 1):
        raise UnsupportedImage(f"{path} is stored turned (Orientation {about[_ORIENTATION]}); store it upright.")
    if colour := _NOT_RGB.get(about[_PHOTOMETRIC] or 0):
        raise UnsupportedImage(f"{path} holds colour as {colour}; convert it to RGB.")
    text = text if isinstance(text, str) else ""
    samples = int(about[_SAMPLES] or 1)
    inverted = about[_PHOTOMETRIC] == _WHITE_IS_ZERO
    found = _of_imagej(path, text, count, about) if text.startswith("ImageJ=") else _of_ome(path, text, count, samples)
    if found is None:
        return Pages(1, count, spacing=_in_centimetres(about, count), inverted=inverted)
    frames, slices, slices_first, spacing, step = found
    return Pages(frames, slices, slices_first, spacing, step, inverted)


def _of_imagej(path: str, text: str, count: int, about: dict[int, Any]) -> tuple | None:
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    channels, slices, frames = (int(_number(said.get(name), 1)) for name in ("channels", "slices", "frames"))
    if "slices" not in said and frames == 1 and channels == 1:
        slices = count
    _demand(path, channels, slices * frames * channels, count)
    unit = _MM.get(said.get("unit", "").strip().lower())
    across, down = (_number(about[tag], 0.0) for tag in (_ACROSS, _DOWN))
    spacing = None
    if unit is not None and min(across, down) > 0:
        between = abs(_number(said.get("spacing"), 0.0))
        spacing = _spacing([unit / across, unit / down, unit * between], slices)
    return frames, slices, True, spacing, _MS["s"] * _number(said.get("finterval"), 0.0)


def _of_ome(path: str, text: str, count: int, samples: int) -> tuple | None:
    pixels = re.search(r"<(?:\w+:)?Pixels\s([^>]*)>", text)
    if pixels is None:
        return None
    said = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', pixels[1]))
    slices, channels, frames = (int(_number(said.get(f"Size{axis}"), 1)) for axis in "ZCT")
    channels = max(1, channels // samples)
    _demand(path, channels, slices * frames * channels, count)
    lengths = [
        _number(said.get(f"PhysicalSize{axis}"), 0.0) * _MM.get(said.get(f"PhysicalSize{axis}Unit", "µm"), math.nan)
        for axis in "XYZ"
    ]
    step = _number(said.get("TimeIncrement"), 0.0) * _MS.get(said.get("TimeIncrementUnit", "s"), 0.0)
    order = said.get("DimensionOrder", "XYCZT")
    return frames, slices, order.find("Z") < order.find("T"), _spacing(lengths, slices), step


def _spacing(lengths: list[float], slices: int) -> tuple[float, float, float] | None:
    """x, y, z in mm; None unless all that matter are known. Between the slices of one slice there is no distance."""
    x, y, z = lengths if slices > 1 else (*lengths[:2], 1.0)
    return (x, y, z) if all(0 < length < math.inf for length in (x, y, z)) else None


def _demand(path: str, channels: int, declared: int, count: int) -> None:
    if channels > 1:
        raise UnsupportedImage(f"{path} holds {channels} channels, which are neither colour nor frames; give one.")
    if declared != count:
        raise UnsupportedImage(f"{path} declares {declared} pages in its description and holds {count}.")


def _in_centimetres(about: dict[int, Any], count: int) -> tuple[float, float, float] | None:
    """Spacing of a single page whose resolution is per centimetre: per inch is what printers want."""
    across, down = (_number(about[tag], 0.0) for tag in (_ACROSS, _DOWN))
    if count > 1 or about[_PER] != _CENTIMETRE or min(across, down) <= 0:
        return None
    return 10.0 / across, 10.0 / down, 1.0


def _number(said: Any, default: float) -> float:
    """A finite number, ``default`` for anything else."""
    try:
        found = float(said)
    except (TypeError, ValueError, ZeroDivisionError):
        return default
    return found if math.isfinite(found) else default
