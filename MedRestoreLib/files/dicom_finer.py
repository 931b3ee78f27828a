"""A DICOM header on a grid with more rows and columns: every attribute that counts in pixels, or says how long one is.

The field of view stays: the edges of the finer pixels coincide with those of the coarser ones (PS3.3 C.7.6.2, C.8.5.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .dicom_geometry import pixel_spacing
from .headers import frame_groups, group, items, number, numbers

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "ObjectPixelSpacingInCenterOfBeam")
_OVERLAYS = range(0x6000, 0x6020, 2)  # groups
# Of pixels that there are no more.
_STALE = ("ReferencedOverlaySequence",)


def refine(dataset: Any, factor: int) -> None:
    """Make a header that of an image with ``factor`` times as many rows and columns, in place."""
    _move(dataset, factor)
    dataset.Rows, dataset.Columns = factor * int(dataset.Rows), factor * int(dataset.Columns)
    for one in (dataset, *_measures(dataset)):
        for name in _SPACINGS:
            if values := numbers(one, name):
                setattr(one, name, _decimals(value / factor for value in values))
    for region in items(dataset, "SequenceOfUltrasoundRegions"):
        _refine_region(region, factor)
    for aperture in (dataset, *items(dataset, "FrameDisplayShutterSequence")):
        _refine_aperture(aperture, factor)
    for element in [e for e in dataset if e.tag.group in _OVERLAYS]:
        del dataset[element.tag]
    for name in _STALE:
        if name in dataset:
            delattr(dataset, name)


def _move(dataset: Any, factor: int) -> None:
    """Put each image's position, the middle of its first pixel, into the middle of the finer one."""
    if position := numbers(dataset, "ImagePositionPatient", 3):
        orientation = numbers(dataset, "ImageOrientationPatient", 6)
        dataset.ImagePositionPatient = _moved(position, orientation, pixel_spacing(dataset), factor)
    # What frames share is moved once. Each is moved by its own orientation and spacing, or by those that they share.
    frames = [*items(dataset, "SharedFunctionalGroupsSequence"), *frame_groups(dataset)]
    for frame in frames:
        for suffix, ends in (("", "Patient"), ("Volume", "Volume")):
            for place in items(frame, f"PlanePosition{suffix}Sequence"):
                turned = group(dataset, frame, f"PlaneOrientation{suffix}Sequence")
                measures = group(dataset, frame, "PixelMeasuresSequence")
                position = numbers(place, f"ImagePosition{ends}", 3)
                if position and turned is not None and measures is not None:
                    orientation = numbers(turned, f"ImageOrientation{ends}", 6)
                    moved = _moved(position, orientation, pixel_spacing(measures), factor)
                    setattr(place, f"ImagePosition{ends}", moved)


def _moved(
    position: tuple[float, ...], orientation: tuple[float, ...], spacing: tuple[float, float] | None, factor: int
) -> list[Any]:
    if not orientation or spacing is None:
        return _decimals(position)
    across, down = np.reshape(orientation, (2, 3))
    shift = (1 / factor - 1) / 2 * (spacing[1] * across + spacing[0] * down)
    return _decimals(np.array(position) + shift)


def _measures(dataset: Any) -> Iterator[Any]:
    for frame in (*items(dataset, "SharedFunctionalGroupsSequence"), *frame_groups(dataset)):
        yield from items(frame, "PixelMeasuresSequence")


def _refine_region(region: Any, factor: int) -> None:
    """An ultrasound region: where it lies, what a pixel of it is long, and the pixel that its values count from."""
    for axis in ("X", "Y"):
        for name, last in ((f"RegionLocationMin{axis}0", 0), (f"RegionLocationMax{axis}1", factor - 1)):
            if (at := number(region, name)) is not None:
                setattr(region, name, factor * int(at) + last)
        for name in (f"TMLinePosition{axis}0", f"TMLinePosition{axis}1", f"DopplerSampleVolume{axis}Position"):
            if (at := number(region, name)) is not None:
                setattr(region, name, factor * int(at) + factor // 2)
        delta = number(region, f"PhysicalDelta{axis}")
        if delta is not None:
            setattr(region, f"PhysicalDelta{axis}", delta / factor)
        if (at := number(region, f"ReferencePixel{axis}0")) is not None:
            setattr(region, f"ReferencePixel{axis}0", factor * int(at))
            value = number(region, f"ReferencePixelPhysicalValue{axis}")
            if value is not None and delta is not None:  # the finer pixel's middle lies before the coarser one's
                setattr(region, f"ReferencePixelPhysicalValue{axis}", value + delta * (1 / factor - 1) / 2)


def _refine_aperture(dataset: Any, factor: int) -> None:
    """Shutters and collimators, whose edges are counted in rows and columns from 1."""
    for kind in ("Shutter", "Collimator"):
        for edge, last in (
            ("LeftVertical", False),
            ("RightVertical", True),
            ("UpperHorizontal", False),
            ("LowerHorizontal", True),
        ):
            if (at := number(dataset, f"{kind}{edge}Edge")) is not None:
                setattr(dataset, f"{kind}{edge}Edge", factor * int(at) if last else factor * (int(at) - 1) + 1)
        for name in (f"CenterOfCircular{kind}", f"VerticesOfThePolygonal{kind}"):
            if found := numbers(dataset, name):
                setattr(dataset, name, [round(factor * (value - 0.5) + 0.5) for value in found])
        if (radius := number(dataset, f"RadiusOfCircular{kind}")) is not None:
            setattr(dataset, f"RadiusOfCircular{kind}", factor * int(radius))


def _decimals(values: Any) -> list[Any]:
    """Decimal strings of at most 16 characters, which hold lengths to better than a nanometre."""
    from pydicom.valuerep import DSfloat

    return [DSfloat(float(value), auto_format=True) for value in values]
