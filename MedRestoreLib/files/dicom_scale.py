"""What stored numbers of DICOM mean, and how every scale in a header stays true when other numbers are stored.

Values come from the scale that states a unit: Rescale Slope with its type, else a Real World Value Mapping, else
Rescale Slope as it is. A derived object keeps all of them: where stored numbers n stand for former numbers k n + c,
each linear scale is composed with that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import modalities
from ..errors import UnsupportedImage
from .headers import damaged, frame_groups, group, items, number, text, value

# Units (0054,1001) and UCUM codes of a real world value mapping, as people write them.
UCUM = {"{counts}": "counts", "Bq/ml": "Bq/ml", "g/ml": "g/ml", "[hnsf'U]": "HU"}
_UNITS = UCUM | {"CNTS": "counts", "BQML": "Bq/ml", "GML": "g/ml", "HU": "HU"}
_NO_UNIT = ("", "1", "no units", "{no units}", "ratio")
TRANSFORM = "PixelValueTransformationSequence"
MAPPING = "RealWorldValueMappingSequence"
_PER_FRAME = "PerFrameFunctionalGroupsSequence"
_PHILIPS = "Philips MR Imaging DD 001"  # (2005,xx0D) and (2005,xx0E): scale intercept and slope
_PHILIPS_ORIGINAL = "Philips MR Imaging DD 005"  # (2005,xx09) and (2005,xx0A): copies of the rescale


@dataclass(frozen=True)
class Scale:
    """``value = slope * stored + intercept`` of each plane, in the order of the image's planes, and the unit."""

    slope: np.ndarray
    intercept: np.ndarray
    unit: str


@dataclass(frozen=True)
class Native:
    """What writing a derived object must know of reading: the file's frame of each plane, and each plane's scale."""

    order: np.ndarray
    scale: Scale


def scale_of(headers: Sequence[Any], order: np.ndarray, stored: np.ndarray) -> Scale:
    """The scale of the planes of an image.

    Args:
        headers: one for each plane, or the one of a multi-frame file.
        order: the file's frame of each plane.
        stored: numbers as stored, ``(planes, ...)``.
    """
    whole: list[tuple[Any, Any]] = [(header, {}) for header in headers]
    if len(headers) == 1:
        frames = frame_groups(headers[0])
        whole = [(headers[0], frames[k] if k < len(frames) else {}) for k in order]
    rescales = [_rescale(header, frame) for header, frame in whole]
    slope, intercept = (np.array(values, float) for values in list(zip(*rescales, strict=True))[:2])
    header = headers[0]
    said = {text(header, "Units"), rescales[0][2]} & set(_UNITS)
    if said:
        return Scale(slope, intercept, _UNITS[text(header, "Units") if text(header, "Units") in said else said.pop()])
    if stored.ndim == 3:
        mapped = [_mapping(*one, plane) for one, plane in zip(whole, stored, strict=True)]
        if all(mapped) and len({one[2] for one in mapped if one}) == 1:
            a, b, unit = zip(*(one for one in mapped if one), strict=True)
            return Scale(np.array(a), np.array(b), unit[0])
    acquired = modalities.find(text(header, "Modality")).unit
    raw = bool(np.all(slope == 1) and np.all(intercept == 0))
    if raw and any(_is_table(item) for item in items(whole[0][1], MAPPING) or _shared_mapping(header)):
        raise UnsupportedImage(
            "values are what a table says (Real World Value LUT Data, 0040,9212); convert them to plain values first."
        )
    sure = raw if acquired == "counts" else "RescaleSlope" in header
    return Scale(slope, intercept, acquired if sure else "")


def _rescale(header: Any, frame: Any) -> tuple[float, float, str]:
    home = group(header, frame, TRANSFORM) or header
    slope, intercept = number(home, "RescaleSlope"), number(home, "RescaleIntercept")
    if slope == 0:
        raise damaged("RescaleSlope")
    return 1.0 if slope is None else slope, intercept or 0.0, text(home, "RescaleType")


def _mapping(header: Any, frame: Any, stored: np.ndarray) -> tuple[float, float, str] | None:
    """The linear real world value mapping that states a unit and covers the stored numbers; None without one."""
    low, high = float(stored.min()), float(stored.max())
    for item in items(frame, MAPPING) or _shared_mapping(header):
        slope, intercept = number(item, "RealWorldValueSlope"), number(item, "RealWorldValueIntercept")
        unit = _unit_of(item)
        if not slope or intercept is None or unit in _NO_UNIT:
            continue
        first, last = _ends(item)
        if (first is None or first <= low) and (last is None or last >= high):
            return slope, intercept, unit
    return None


def _is_table(item: Any) -> bool:
    """Whether a real world value mapping states a unit and is a table."""
    return "RealWorldValueLUTData" in item and _unit_of(item) not in _NO_UNIT


def _shared_mapping(header: Any) -> list[Any]:
    shared = items(header, "SharedFunctionalGroupsSequence")
    return (items(shared[0], MAPPING) if shared else []) or items(header, MAPPING)


def _unit_of(item: Any) -> str:
    codes = items(item, "MeasurementUnitsCodeSequence")
    code = text(codes[0], "CodeValue") if codes else ""
    return UCUM.get(code, code)


def _ends(item: Any) -> tuple[float | None, float | None]:
    """The first and the last stored number that a mapping speaks of."""
    for prefix in ("DoubleFloat", ""):
        first, last = (number(item, f"{prefix}RealWorldValue{which}ValueMapped") for which in ("First", "Last"))
        if first is not None and last is not None:
            return min(first, last), max(first, last)
    return None, None


def restate(
    dataset: Any, factors: np.ndarray, offsets: np.ndarray, kind: str, limits: tuple[int, int], unit: str
) -> None:
    """Keep every scale of a derived object true: its stored numbers n stand for ``factor * n + offset`` of the source.

    Args:
        factors, offsets: one for each frame of the object.
        kind: value representation of stored numbers, "US" or "SS".
        limits: the least and the greatest stored number.
        unit: of the values, "" when unknown.
    """
    frames = frame_groups(dataset)
    for k, frame in enumerate(frames[: len(factors)]):
        _restate(frame, float(factors[k]), float(offsets[k]), kind, limits)
    uniform = np.ptp(factors) == 0 and np.ptp(offsets) == 0
    factor, offset = float(factors[0]), float(offsets[0])
    if uniform:
        _restate(dataset, factor, offset, kind, limits)
    else:
        _forget(dataset)
    _state_rescale(dataset, factors, offsets)
    if unit == "HU" and text(dataset, "RescaleType") == "US":
        dataset.RescaleType = unit
    if not frames and uniform and not _has_unit(dataset, unit):
        _state_mapping(dataset, kind, limits, unit)


def _restate(dataset: Any, factor: float, offset: float, kind: str, limits: tuple[int, int]) -> None:
    """Compose the scales in a dataset, and in the datasets inside it, with ``factor * n + offset``."""
    if "RescaleSlope" in dataset or "RescaleIntercept" in dataset:
        slope, intercept, _ = _rescale(dataset, {})
        _set_rescale(dataset, slope * factor, slope * offset + intercept)
    if "RealWorldValueLUTData" in dataset:
        del dataset.RealWorldValueLUTData
    if (real := number(dataset, "RealWorldValueSlope")) is not None:
        zero = number(dataset, "RealWorldValueIntercept") or 0.0
        dataset.RealWorldValueSlope, dataset.RealWorldValueIntercept = real * factor, real * offset + zero
        _set_ends(dataset, kind, limits)
    _restate_padding(dataset, factor, offset, kind, limits)
    _restate_philips(dataset, factor, offset)
    if MAPPING in dataset:
        linear = [item for item in items(dataset, MAPPING) if "RealWorldValueSlope" in item]
        setattr(dataset, MAPPING, linear)
        if not linear:
            delattr(dataset, MAPPING)
    for element in list(dataset):
        if element.VR == "SQ" and element.value and element.keyword != _PER_FRAME:
            for item in element.value:
                _restate(item, factor, offset, kind, limits)


def _set_rescale(home: Any, slope: float, intercept: float) -> None:
    from pydicom.valuerep import format_number_as_ds

    # Twelve digits are what a decimal string has room for, whatever the exponent.
    home.RescaleSlope = format_number_as_ds(float(f"{slope:.12g}"))
    home.RescaleIntercept = format_number_as_ds(float(f"{intercept:.12g}"))
    home.RescaleType = text(home, "RescaleType") or "US"  # US: unspecified


def _state_rescale(dataset: Any, factors: np.ndarray, offsets: np.ndarray) -> None:
    """Rescale Slope and Intercept where the source has none.

    They are what Slicer, ITK and GDCM honour for every SOP class, also where its definition does not list them (nuclear
    medicine; allowed as a standard extended SOP class).
    """
    from pydicom.dataset import Dataset

    frames = frame_groups(dataset)
    if not frames:
        if "RescaleSlope" not in dataset:
            _set_rescale(dataset, float(factors[0]), float(offsets[0]))
        return
    shared = items(dataset, "SharedFunctionalGroupsSequence") or [Dataset()]
    if TRANSFORM in shared[0] or all(TRANSFORM in frame for frame in frames) or "RescaleSlope" in dataset:
        return
    if np.ptp(factors) == 0 and np.ptp(offsets) == 0:
        home = Dataset()
        _set_rescale(home, float(factors[0]), float(offsets[0]))
        setattr(shared[0], TRANSFORM, [home])
        dataset.SharedFunctionalGroupsSequence = shared
        return
    for frame, factor, offset in zip(frames, factors, offsets, strict=True):
        if TRANSFORM not in frame:
            home = Dataset()
            _set_rescale(home, float(factor), float(offset))
            setattr(frame, TRANSFORM, [home])


def _set_ends(item: Any, kind: str, limits: tuple[int, int]) -> None:
    for name in ("DoubleFloatRealWorldValueFirstValueMapped", "DoubleFloatRealWorldValueLastValueMapped"):
        if name in item:
            delattr(item, name)
    item.add_new("RealWorldValueFirstValueMapped", kind, limits[0])
    item.add_new("RealWorldValueLastValueMapped", kind, limits[1])


def _restate_padding(dataset: Any, factor: float, offset: float, kind: str, limits: tuple[int, int]) -> None:
    for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if (padding := number(dataset, name)) is not None:
            stored = int(np.clip(np.rint((padding - offset) / factor), *limits))
            dataset.add_new(name, kind, stored)


def _restate_philips(dataset: Any, factor: float, offset: float) -> None:
    """Philips' own scale, FP = (stored - intercept) / slope, and its copies of the rescale."""
    for creator, elements in ((_PHILIPS, (0x0D, 0x0E)), (_PHILIPS_ORIGINAL, (0x09, 0x0A))):
        try:
            block = dataset.private_block(0x2005, creator)
            intercept, slope = (float(np.ravel(block[element].value)[0]) for element in elements)
        except (KeyError, AttributeError, TypeError, ValueError, IndexError):
            continue
        if creator == _PHILIPS:
            block[elements[0]].value, block[elements[1]].value = (intercept - offset) / factor, slope / factor
        else:
            block[elements[0]].value = f"{slope * offset + intercept:.10g}"
            block[elements[1]].value = f"{slope * factor:.10g}"


def _forget(dataset: Any) -> None:
    """Remove scales that all frames shared and that are true of none any more."""
    shared = items(dataset, "SharedFunctionalGroupsSequence") or [{}]
    for home in (dataset, shared[0]):
        for name in (MAPPING, TRANSFORM, "PixelPaddingValue", "PixelPaddingRangeLimit"):
            if name in home:
                delattr(home, name)
        for tag in [tag for tag in home.keys() if tag.group == 0x2005]:  # noqa: SIM118
            del home[tag]


def _has_unit(dataset: Any, unit: str) -> bool:
    return any(_unit_of(item) == unit for item in items(dataset, MAPPING)) or text(dataset, "Units") in _UNITS


def _state_mapping(dataset: Any, kind: str, limits: tuple[int, int], unit: str) -> None:
    """A Real World Value Mapping that says what the rescale says, with the unit, in the way the standard provides."""
    from pydicom.dataset import Dataset

    mapping, code = Dataset(), Dataset()
    slope, intercept, _ = _rescale(dataset, {})
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, intercept
    _set_ends(mapping, kind, limits)
    mapping.LUTLabel, mapping.LUTExplanation = "MedRestore", f"Restored values{f' in {unit}' if unit else ''}"
    code.CodeValue = next((ucum for ucum, name in UCUM.items() if name == unit), "1")
    code.CodingSchemeDesignator, code.CodeMeaning = "UCUM", unit or "no units"
    mapping.MeasurementUnitsCodeSequence = [code]
    setattr(dataset, MAPPING, [*(value(dataset, MAPPING) or []), mapping])
