"""Where DICOM images lie in space and time: planes put in order, or the reason why they are no evenly spaced stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UnsupportedImage

# Neighbouring slices may differ in distance by what scanners round away: 1 % of it, or 0.01 mm.
_RELATIVE, _ABSOLUTE = 0.01, 0.01
_SPATIAL, _CENTIMETRES = 1, 3  # ultrasound region format "2D" and unit "cm", PS3.3 C.8.5.5
_SLICE_VECTOR = 0x00540080


@dataclass(frozen=True)
class Plane:
    """One image plane: spacing between rows and between columns, position, orientation, thickness; mm, LPS."""

    spacing: tuple[float, float] = (1.0, 1.0)
    position: tuple[float, ...] = (0.0, 0.0, 0.0)
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    thickness: float = 1.0


def place(planes: Sequence[Plane], reverse: bool = False) -> tuple[np.ndarray, dict[str, Any]]:
    """Order of the planes along their normal, and the spacing, origin and direction of the stack they make.

    Args:
        planes: parallel planes in any order; one plane takes its thickness as spacing.
        reverse: the third axis runs against the normal (row x column direction) of the planes.

    Raises:
        UnsupportedImage: planes are missing, repeated, unevenly spaced, not parallel or shifted sideways.
    """
    orientation = np.array([plane.orientation for plane in planes])
    positions = np.array([plane.position for plane in planes])
    spacing = np.array([plane.spacing for plane in planes])
    if np.ptp(orientation, axis=0).max() > 1e-3:
        raise UnsupportedImage("the images do not lie parallel (a scout, or several views); give one file at a time.")
    if np.ptp(spacing, axis=0).max() > 1e-3 * spacing.max():
        raise UnsupportedImage("the images differ in pixel spacing; give one file at a time.")
    # DICOM rounds direction cosines; what follows makes them perpendicular unit vectors again.
    row, column = orientation[0, :3], orientation[0, 3:]
    normal = np.cross(row, column)
    if not np.linalg.norm(normal) > 0.99:
        raise UnsupportedImage("the image orientation is not two perpendicular directions; resample the study first.")
    normal /= np.linalg.norm(normal)
    row = row / np.linalg.norm(row)
    column = np.cross(normal, row)
    depth = positions @ normal
    order = np.argsort(depth, kind="stable")
    if len(planes) > 1:
        _demand_even(depth[order])
        _demand_straight(positions[order], normal)
    step = (depth.max() - depth.min()) / (len(planes) - 1) if len(planes) > 1 else planes[0].thickness
    third = -normal if reverse else normal
    geometry = {
        "spacing": (float(spacing[0, 1]), float(spacing[0, 0]), float(step)),
        "origin": tuple(positions[order[0]]),
        "direction": tuple(np.stack([row, column, third], axis=1).ravel() + 0.0),  # + 0.0: no negative zeros
    }
    return order, geometry


def _demand_even(depth: np.ndarray) -> None:
    """Raise unless ascending positions are evenly spaced."""
    gaps = np.diff(depth)
    if gaps.min() < 1e-3:
        twice = depth[int(np.argmin(gaps))]
        raise UnsupportedImage(
            f"several images lie at the same position ({twice:.2f} mm), so they are no single volume; "
            "choose the files of one time, echo or repetition."
        )
    step = float(np.median(gaps) if len(gaps) > 2 else gaps.min())
    tolerance = max(_RELATIVE * step, _ABSOLUTE)
    wide = np.flatnonzero(np.abs(gaps - step) > tolerance)
    if not len(wide):
        return
    first = int(wide[0])
    between = f"between positions {depth[first]:.2f} and {depth[first + 1]:.2f} mm"
    also = f" (and at {len(wide) - 1} more places)" if len(wide) > 1 else ""
    multiples = gaps[wide] / step
    if np.all(np.abs(multiples - np.rint(multiples)) * step <= tolerance * multiples) and multiples.min() > 1:
        missing = int(np.rint(multiples[0])) - 1
        count = "1 slice seems" if missing == 1 else f"{missing} slices seem"
        raise UnsupportedImage(f"{count} to be missing {between}{also}; add the missing files, or give fewer slices.")
    raise UnsupportedImage(
        f"the slices are unevenly spaced: {gaps[first]:.2f} mm {between}, {step:.2f} mm elsewhere{also}; "
        "resample the study first."
    )


def _demand_straight(positions: np.ndarray, normal: np.ndarray) -> None:
    """Raise when slices are shifted against each other, as by a tilted gantry."""
    travel = positions[-1] - positions[0]
    sideways = np.linalg.norm(travel - (travel @ normal) * normal)
    if sideways > max(1e-2 * np.linalg.norm(travel), _ABSOLUTE):
        raise UnsupportedImage(
            f"the slices are shifted sideways by {sideways:.2f} mm over the stack (tilted gantry?); resample it first."
        )


def layout(header: Any) -> tuple[int, int, np.ndarray, dict[str, Any]]:
    """How the frames of one file fill an Image.

    Returns:
        frames, slices, the file's frame for each of the frames x slices planes, and the Image's geometry.
    """
    count = int(header.get("NumberOfFrames") or 1)
    order = np.arange(count)
    planes = _functional_planes(header, count)
    if planes and len({plane.position for plane in planes}) > 1:
        order, geometry = place(planes)
        return 1, count, order, geometry
    pointer = header.get("FrameIncrementPointer")
    pointers = [pointer] if isinstance(pointer, int) else list(pointer or ())
    if count > 1 and _SLICE_VECTOR in pointers:
        return _nuclear_stack(header, pointers)
    plane = planes[0] if planes else plane_of(header)
    geometry = {**place([plane or Plane(_in_plane_spacing(header))])[1], "frame_times": _frame_times(header, count)}
    return count, 1, order, geometry


def _nuclear_stack(header: Any, pointers: list[int]) -> tuple[int, int, np.ndarray, dict[str, Any]]:
    """Frames of a reconstructed SPECT study, gated or not: its vectors say which slice and which time each frame is."""
    vectors = {tag: np.ravel(header[tag].value) for tag in pointers if tag in header}
    slice_of = vectors.pop(_SLICE_VECTOR)
    times, frame_of = np.unique(np.stack([*vectors.values(), np.ones_like(slice_of)]), axis=1, return_inverse=True)
    frames, slices = times.shape[1], len(np.unique(slice_of))
    order = np.lexsort((slice_of, frame_of))
    if frames * slices != len(order):
        raise UnsupportedImage(f"{len(order)} frames do not fill {frames} times of {slices} slices.")
    detector = (header.get("DetectorInformationSequence") or [header])[0]
    where = detector if detector.get("ImagePositionPatient") else header
    thickness = _thickness(header)
    if not where.get("ImagePositionPatient") or not where.get("ImageOrientationPatient"):
        plane = Plane(_in_plane_spacing(header), thickness=thickness)
    else:
        orientation = tuple(map(float, where.ImageOrientationPatient))
        plane = Plane(_in_plane_spacing(header), tuple(map(float, where.ImagePositionPatient)), orientation, thickness)
    # A negative spacing stacks the slices against the normal of the first one (PS3.3 C.8.4.15).
    return frames, slices, order, place([plane], reverse=float(header.get("SpacingBetweenSlices") or 1.0) < 0)[1]


def _functional_planes(header: Any, count: int) -> list[Plane]:
    """Planes of an enhanced multi-frame object, in the file's order; [] for other objects."""
    frames = header.get("PerFrameFunctionalGroupsSequence") or ()
    if len(frames) != count:
        return []
    planes = []
    for frame in frames:
        position = group(header, frame, "PlanePositionSequence")
        orientation = group(header, frame, "PlaneOrientationSequence")
        measures = group(header, frame, "PixelMeasuresSequence")
        if position is None or orientation is None or measures is None:
            return []
        planes.append(
            Plane(
                _in_plane_spacing(measures),
                tuple(map(float, position.ImagePositionPatient)),
                tuple(map(float, orientation.ImageOrientationPatient)),
                _thickness(measures),
            )
        )
    return planes


def group(header: Any, frame: Any, name: str) -> Any:
    """A functional group of one frame, or the one all frames share, or None."""
    shared = header.get("SharedFunctionalGroupsSequence") or [{}]
    sequence = frame.get(name) or shared[0].get(name)
    return sequence[0] if sequence else None


def plane_of(header: Any) -> Plane | None:
    """Where the one image of a header lies; None when it does not say."""
    if not header.get("ImagePositionPatient") or not header.get("ImageOrientationPatient"):
        return None
    return Plane(
        _in_plane_spacing(header),
        tuple(map(float, header.ImagePositionPatient)),
        tuple(map(float, header.ImageOrientationPatient)),
        _thickness(header),
    )


def _thickness(header: Any) -> float:
    """Distance to the next slice where there is no next slice, mm; 1 when unknown."""
    return abs(float(header.get("SpacingBetweenSlices") or header.get("SliceThickness") or 0.0)) or 1.0


def _in_plane_spacing(header: Any) -> tuple[float, float]:
    """Distance between rows and between columns, mm; 1 when unknown."""
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        spacing = header.get(name)
        if spacing and min(map(float, spacing)) > 0:
            return float(spacing[0]), float(spacing[1])
    return _ultrasound_spacing(header) or (1.0, 1.0)


def _ultrasound_spacing(header: Any) -> tuple[float, float] | None:
    """Spacing of the 2-D regions of an ultrasound image; None when there is none, or they disagree."""
    found = set()
    for region in header.get("SequenceOfUltrasoundRegions") or ():
        units = region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection")
        if region.get("RegionSpatialFormat") != _SPATIAL or units != (_CENTIMETRES, _CENTIMETRES):
            continue
        # A region that reaches beyond the picture was calibrated before somebody resized it.
        if region.RegionLocationMaxX1 > header.Columns or region.RegionLocationMaxY1 > header.Rows:
            return None
        found.add((abs(float(region.PhysicalDeltaY)) * 10.0, abs(float(region.PhysicalDeltaX)) * 10.0))
    return found.pop() if len(found) == 1 and min(next(iter(found))) > 0 else None


def _frame_times(header: Any, count: int) -> tuple[float, ...]:
    """Start of each frame in ms, from cine or the phases of a dynamic nuclear study; () when it does not say."""
    if count == 1:
        return ()
    steps = header.get("FrameTimeVector")
    if steps is not None and len(steps) == count:
        return tuple(np.cumsum(np.array(steps, float)))
    step = float(header.get("FrameTime") or 0.0)
    rate = float(header.get("CineRate") or header.get("RecommendedDisplayFrameRate") or 0.0)
    step = step or (1000.0 / rate if rate > 0 else 0.0)
    if step > 0:
        return tuple(step * frame for frame in range(count))
    phases = header.get("PhaseInformationSequence") or ()
    durations = [float(phase.ActualFrameDuration) for phase in phases for _ in range(int(phase.NumberOfFramesInPhase))]
    return tuple(np.cumsum([0.0, *durations[:-1]])) if len(durations) == count else ()
