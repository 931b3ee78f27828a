"""Where DICOM images lie in space: the plane of one image, and the stack that planes make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from .headers import damaged, group, items, length, number, numbers

# Neighbouring slices may differ in distance by what scanners round away: 1 % of it, or 0.01 mm.
_RELATIVE, _ABSOLUTE = 0.01, 0.01
SAME = 1e-3  # mm, or cosines: two images that differ by less lie in the same place, or have the same direction
_SPATIAL, _CENTIMETRES = 1, 3  # ultrasound region format "2D" and unit "cm", PS3.3 C.8.5.5
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True)
class Plane:
    """One image plane, mm, LPS.

    ``spacing`` is between rows and between columns, ``thickness`` the distance to the next slice where there is no
    next slice; None where they are unknown. ``shape`` is the height and width of a pixel in units of their own.
    """

    spacing: tuple[float, float] | None = None
    position: tuple[float, ...] = (0.0, 0.0, 0.0)
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    thickness: float | None = None
    shape: tuple[float, float] = (1.0, 1.0)

    @property
    def normal(self) -> np.ndarray:
        """Unit vector of row x column direction."""
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        size = np.linalg.norm(normal)
        if not size > 0.99:
            raise UnsupportedImage(
                "the image orientation is not two perpendicular directions; resample the study first."
            )
        return normal / size


def place(planes: Sequence[Plane], reverse: bool = False, stacked: bool = False) -> tuple[np.ndarray, dict[str, Any]]:
    """Order of the planes along their normal, and the spacing, origin and direction of the stack they make.

    Args:
        planes: parallel planes in any order; one plane takes its thickness as spacing.
        reverse: the third axis runs against the normal (row x column direction) of the planes.
        stacked: the one plane is the first of several slices, so that its thickness must be known.

    Raises:
        UnsupportedImage: planes are missing, repeated, unevenly spaced, not parallel or shifted sideways.
    """
    orientation = np.array([plane.orientation for plane in planes])
    positions = np.array([plane.position for plane in planes])
    known = all(plane.spacing is not None for plane in planes)
    spacing = np.array([plane.spacing or plane.shape for plane in planes])
    if np.ptp(orientation, axis=0).max() > SAME:
        raise UnsupportedImage("the images do not lie parallel (a scout, or several views); give one file at a time.")
    if np.ptp(spacing, axis=0).max() > 1e-3 * spacing.max():
        raise UnsupportedImage("the images differ in pixel spacing; give one file at a time.")
    # DICOM rounds direction cosines; what follows makes them perpendicular unit vectors again.
    normal = planes[0].normal
    row = orientation[0, :3] / np.linalg.norm(orientation[0, :3])
    column = np.cross(normal, row)
    depth = positions @ normal
    order = np.argsort(depth, kind="stable")
    step = planes[0].thickness
    if len(planes) > 1:
        _demand_even(depth[order])
        _demand_straight(positions[order], normal)
        step = (depth.max() - depth.min()) / (len(planes) - 1)
    known = known and not (stacked and step is None)
    third = -normal if reverse else normal
    geometry = {
        "spacing": (float(spacing[0, 1]), float(spacing[0, 0]), float(step or 1.0)),
        "spacing_known": known,
        "origin": tuple(positions[order[0]]),
        "direction": tuple(np.stack([row, column, third], axis=1).ravel() + 0.0),  # + 0.0: no negative zeros
    }
    return order, geometry


def _demand_even(depth: np.ndarray) -> None:
    """Raise unless ascending positions are evenly spaced."""
    gaps = np.diff(depth)
    if gaps.min() < SAME:
        twice = depth[int(np.argmin(gaps))]
        raise UnsupportedImage(f"several images lie at the same position ({twice:.2f} mm), so they are no volume.")
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
    if sideways > max(1e-2 * float(np.linalg.norm(travel)), _ABSOLUTE):
        raise UnsupportedImage(
            f"the slices are shifted sideways by {sideways:.2f} mm over the stack (tilted gantry?); resample it first."
        )


def plane_of(header: Any) -> Plane | None:
    """Where the one image of a header lies; None when it does not say."""
    position = numbers(header, "ImagePositionPatient", 3)
    orientation = numbers(header, "ImageOrientationPatient", 6)
    if not position or not orientation:
        return None
    return Plane(_placed_spacing(header), position, orientation, thickness(header))


def frame_plane(header: Any, frame: Any) -> Plane | None:
    """Where one frame of an enhanced object lies, in the patient or in an ultrasound volume; None if it is not said."""
    for suffix, ends in (("", "Patient"), ("Volume", "Volume")):
        position = group(header, frame, f"PlanePosition{suffix}Sequence")
        orientation = group(header, frame, f"PlaneOrientation{suffix}Sequence")
        if position is None or orientation is None:
            continue
        measures = group(header, frame, "PixelMeasuresSequence")
        where = numbers(position, f"ImagePosition{ends}", 3)
        turned = numbers(orientation, f"ImageOrientation{ends}", 6)
        if where and turned:
            if measures is None:
                return Plane(None, where, turned)
            return Plane(_placed_spacing(measures), where, turned, thickness(measures))
    return None


def thickness(header: Any) -> float | None:
    """Distance to the next slice where there is no next slice, mm."""
    step = length(header, "SpacingBetweenSlices") or length(header, "SliceThickness")
    return None if step is None else abs(step)


def pixel_spacing(header: Any) -> tuple[float, float] | None:
    """Distance between rows and between columns, mm; None when it is not said, or cannot be."""
    for name in _SPACINGS:
        spacing = numbers(header, name)
        if len(spacing) == 2 and np.isfinite(spacing).all() and min(spacing) > 0:
            return spacing[0], spacing[1]
    return _ultrasound_spacing(header)


def pixel_shape(header: Any) -> tuple[float, float]:
    """Height and width of a pixel where no lengths are known, the height 1."""
    ratio = numbers(header, "PixelAspectRatio")
    if len(ratio) != 2 or not np.isfinite(ratio).all() or min(ratio) <= 0:
        return 1.0, 1.0
    return 1.0, ratio[1] / ratio[0]


def _placed_spacing(header: Any) -> tuple[float, float] | None:
    """Pixel spacing of an image that lies in space: there a spacing that cannot be is an error."""
    spacing = pixel_spacing(header)
    if spacing is None and numbers(header, "PixelSpacing"):
        raise damaged("PixelSpacing")
    return spacing


def _ultrasound_spacing(header: Any) -> tuple[float, float] | None:
    """Spacing of the 2-D regions of an ultrasound image; None when there is none, or they disagree."""
    found = set()
    for region in items(header, "SequenceOfUltrasoundRegions"):
        units = number(region, "PhysicalUnitsXDirection"), number(region, "PhysicalUnitsYDirection")
        if number(region, "RegionSpatialFormat") != _SPATIAL or units != (_CENTIMETRES, _CENTIMETRES):
            continue
        # A region that reaches beyond the picture was calibrated before somebody resized it.
        right, bottom = number(region, "RegionLocationMaxX1"), number(region, "RegionLocationMaxY1")
        if (right or 0) > header.Columns or (bottom or 0) > header.Rows:
            return None
        deltas = length(region, "PhysicalDeltaY"), length(region, "PhysicalDeltaX")
        if deltas[0] is not None and deltas[1] is not None:
            found.add((abs(deltas[0]) * 10.0, abs(deltas[1]) * 10.0))
    return found.pop() if len(found) == 1 else None
