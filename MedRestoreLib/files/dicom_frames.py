"""How the frames of one multi-frame file fill an Image: slices of a volume, frames over time, or both."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from .dicom_geometry import Plane, pixel_shape, pixel_spacing, place, plane_of, thickness
from .dicom_pixels import frame_count
from .headers import damaged, frame_groups, items, length, number, numbers, text, texts, value, whole
from .stacks import Slice, arrange

_PHASE_VECTOR, _SLICE_VECTOR, _TIME_SLICE_VECTOR = 0x00540030, 0x00540080, 0x00540100
_OFFSETS = 0x3004000C  # Grid Frame Offset Vector: where slices lie along the normal
_VOLUMES = ("CT", "MR", "PT")
_OVER_TIME = ("US", "XA", "RF", "ES", "XC", "GM", "IVUS", "OCT")  # multi-frame is a cine unless it says otherwise

Layout = tuple[int, int, np.ndarray, dict[str, Any]]


def layout(header: Any, slices: list[Slice]) -> Layout:
    """Frames, slices, the file's frame for each of the frames x slices planes, and the Image's geometry.

    Args:
        slices: what the file's functional groups say of its frames; fewer for a file without them.
    """
    count = frame_count(header)
    if len(slices) == count and count > 1 and all(one.plane is not None for one in slices):
        return arrange(slices)
    pointer = value(header, "FrameIncrementPointer")
    pointers = [] if pointer is None else [int(tag) for tag in np.ravel(pointer)]
    plane = (slices[0].plane if slices else None) or plane_of(header)
    if count > 1 and _SLICE_VECTOR in pointers:
        return _nuclear_stack(header, pointers, count)
    if count > 1 and _OFFSETS in pointers:
        return _offset_stack(header, plane, count)
    order = np.arange(count)
    if count > 1 and _is_volume(header, plane):
        return 1, count, order, _first_plane(header, plane, stacked=True)
    alone = plane or Plane(pixel_spacing(header), thickness=thickness(header), shape=pixel_shape(header))
    return count, 1, order, {**place([alone])[1], "frame_times": frame_times(header, count, pointers)}


def _is_volume(header: Any, plane: Plane | None) -> bool:
    """Whether frames without a place of their own are slices: their distance is said, and nothing tells of time."""
    if "RECON TOMO" in texts(header, "ImageType"):
        return True
    timed = any(number(header, name) for name in ("FrameTime", "CineRate", "RecommendedDisplayFrameRate"))
    if timed or numbers(header, "FrameTimeVector") or frame_groups(header):
        return False
    step = plane.thickness if plane else thickness(header)
    modality = text(header, "Modality")
    return step is not None and (modality in _VOLUMES or (plane is not None and modality not in _OVER_TIME))


def _first_plane(header: Any, plane: Plane | None, stacked: bool) -> dict[str, Any]:
    # A negative spacing stacks the slices against the normal of the first one (PS3.3 C.8.4.15).
    reverse = (length(header, "SpacingBetweenSlices") or 1.0) < 0
    plane = plane or Plane(pixel_spacing(header), thickness=thickness(header))
    return place([plane], reverse=reverse, stacked=stacked)[1]


def _offset_stack(header: Any, plane: Plane | None, count: int) -> Layout:
    offsets = np.array(numbers(header, "GridFrameOffsetVector", count))
    if plane is None or len(offsets) != count:
        raise damaged("GridFrameOffsetVector")
    first = np.array(plane.position)
    planes = [
        Plane(plane.spacing, tuple(first + offset * plane.normal), plane.orientation, plane.thickness)
        for offset in offsets
    ]
    order, geometry = place(planes)
    return 1, count, order, geometry


def _vectors(header: Any, pointers: list[int], count: int) -> dict[int, np.ndarray]:
    """What the frames of a nuclear study are numbered with, by tag; each has one number for each frame."""
    vectors = {}
    for tag in pointers:
        if tag >> 16 == 0x0054 and tag in header:
            values = np.ravel(header[tag].value)
            if len(values) != count:
                from pydicom.datadict import keyword_for_tag

                raise damaged(keyword_for_tag(tag))
            vectors[tag] = values.astype(int)
    return vectors


def _nuclear_stack(header: Any, pointers: list[int], count: int) -> Layout:
    """Frames of a reconstructed SPECT study, gated or not: its vectors say which slice and which time each frame is."""
    vectors = _vectors(header, pointers, count)
    if _SLICE_VECTOR not in vectors:
        raise damaged("SliceVector")
    slice_of = vectors.pop(_SLICE_VECTOR)
    times, frame_of = np.unique(np.stack([*vectors.values(), np.ones_like(slice_of)]), axis=1, return_inverse=True)
    frames, slices = times.shape[1], len(np.unique(slice_of))
    order = np.lexsort((slice_of, frame_of.ravel()))
    if frames * slices != len(order):
        raise UnsupportedImage(f"{len(order)} frames do not fill {frames} times of {slices} slices.")
    detector = (items(header, "DetectorInformationSequence") or [header])[0]
    where = detector if numbers(detector, "ImagePositionPatient") else header
    spacing, step = pixel_spacing(header), thickness(header)
    position = numbers(where, "ImagePositionPatient", 3)
    orientation = numbers(where, "ImageOrientationPatient", 6)
    plane = Plane(spacing, position, orientation, step) if position and orientation else Plane(spacing, thickness=step)
    geometry = _first_plane(header, plane, stacked=slices > 1)
    return frames, slices, order, {**geometry, "frame_times": _gated_times(header, frames)}


def _gated_times(header: Any, frames: int) -> tuple[float, ...]:
    """Start of each time slot of a gated study, ms; () when it does not say."""
    for item in items(header, "GatedInformationSequence"):
        for data in items(item, "DataInformationSequence"):
            step = number(data, "FrameTime")
            if frames > 1 and step and step > 0:
                return tuple(step * frame for frame in range(frames))
    return ()


def frame_times(header: Any, count: int, pointers: list[int]) -> tuple[float, ...]:
    """Start of each frame in ms, from cine or the phases of a dynamic nuclear study; () when it does not say."""
    if count == 1:
        return ()
    steps = numbers(header, "FrameTimeVector")
    if len(steps) == count - 1:  # of the first frame some do not speak
        steps = (0.0, *steps)
    if len(steps) == count and np.isfinite(steps).all() and min(steps) >= 0:
        return tuple(np.cumsum(steps))
    if steps:
        raise damaged("FrameTimeVector")
    if items(header, "PhaseInformationSequence"):
        return _phase_times(header, count, pointers)
    step = number(header, "FrameTime") or 0.0
    rate = number(header, "CineRate") or number(header, "RecommendedDisplayFrameRate") or 0.0
    step = step or (1000.0 / rate if rate > 0 else 0.0)
    return tuple(step * frame for frame in range(count)) if step > 0 else ()


def _phase_times(header: Any, count: int, pointers: list[int]) -> tuple[float, ...]:
    """Times of a dynamic nuclear study, ms: a phase begins after its delay, frames follow with pauses between them."""
    starts: list[list[float]] = []
    clock = 0.0
    for phase in items(header, "PhaseInformationSequence"):
        clock += number(phase, "PhaseDelay") or 0.0
        duration, pause = number(phase, "ActualFrameDuration") or 0.0, number(phase, "PauseBetweenFrames") or 0.0
        frames = whole(phase, "NumberOfFramesInPhase")
        if duration <= 0 or pause < 0 or not 0 < frames <= count:
            return ()
        starts.append([clock + k * (duration + pause) for k in range(frames)])
        clock = starts[-1][-1] + duration
    in_turn = [time for phase_starts in starts for time in phase_starts]
    if len(in_turn) == count:
        return tuple(in_turn)
    vectors = _vectors(header, pointers, count)
    if _TIME_SLICE_VECTOR not in vectors:
        return ()
    phase_of = vectors.get(_PHASE_VECTOR, np.ones(count, int))
    try:
        return tuple(starts[p - 1][t - 1] for p, t in zip(phase_of, vectors[_TIME_SLICE_VECTOR], strict=True))
    except IndexError:
        return ()
