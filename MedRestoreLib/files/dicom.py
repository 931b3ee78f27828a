"""DICOM files and folders read as Images.

Slices are placed by their position in the patient, never by file name or instance number. Headers of the read image
stay in ``Image.source.headers`` so that ``derived.py`` can write the restored study as its sibling.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import modalities
from ..errors import UnsupportedImage
from ..image import Image, Source
from .complex_numbers import with_imaginary, with_phase
from .complex_series import MAGNITUDE_AND_PHASE, paired
from .dicom_frames import layout
from .dicom_geometry import Plane, pixel_spacing, place
from .dicom_pixels import padding_of, read_pixels
from .dicom_scale import Native, Scale, scale_of
from .headers import frame_groups, read_header, text, whole
from .mosaic import mosaic_of
from .payload import Budget
from .quiet import quiet_pydicom
from .series import Series, choose, list_series, naming, parts_of_file, slices_of
from .sidecar import not_magnitude
from .stacks import Slice, arrange, name_magnitude, parts_of

_PARTS_OF_COMPLEX = ("phase", "real part", "imaginary part")


def read_folder(folder: Path, budget: Budget, series: str | None = None) -> Image:
    """One series of a folder; ``series`` is its place in ``list_series`` (from 1) or its UID there."""
    return read_series(choose(list_series(folder), series, folder), budget)


def read_series(series: Series, budget: Budget) -> Image:
    """The image of a series that ``list_series`` found."""
    if series.parts:
        return _complex(series, budget)
    if len(series.files) == 1:
        return read_file(series.files[0], budget, chosen=series)
    return _read_series(series.files, budget)


def _complex(series: Series, budget: Budget) -> Image:
    """The complex image of two parts."""
    first, second = (
        read_file(part.files[0], budget, chosen=part, of_complex=True)
        if len(part.files) == 1
        else _read_series(part.files, budget, of_complex=True)
        for part in series.parts
    )
    try:
        if series.part == MAGNITUDE_AND_PHASE:
            return with_phase(first, second)
        for header in first.source.headers:
            name_magnitude(header)
        return with_imaginary(first, second)
    except UnsupportedImage as error:
        message = f"{series.files[0].parent}: {error}"
        if series.part != MAGNITUDE_AND_PHASE:
            raise UnsupportedImage(message) from error
        message = f"{message} Or choose the magnitude alone, '{series.parts[0].uid}'."
        raise UnsupportedImage(message, field="series") from error


def read_file(
    path: Path, budget: Budget, series: str | None = None, chosen: Series | None = None, of_complex: bool = False
) -> Image:
    """The image of one file, or one part of it where it holds several things; ``of_complex``: of complex numbers."""
    with quiet_pydicom():
        header = _image_header(path, budget)
        slices = slices_of(path, header)
        if chosen is None:
            found = paired(parts_of_file(path, header, slices), {path: header})
            chosen = choose(found, series if len(found) > 1 or found[0].parts else None, path)
        if chosen.parts:
            return _complex(chosen, budget)
        with naming(path):
            if not of_complex:
                _demand_values(path, slices[0] if chosen.frames is None else slices[chosen.frames[0]])
            return _read_file(path, header, slices, chosen.frames, budget)


def _read_file(path: Path, header: Any, slices: list[Slice], frames: tuple[int, ...] | None, budget: Budget) -> Image:
    stored = read_pixels(path, header, budget)
    if frames is not None:
        stored = stored[list(frames)]
        _restrict(header, frames)
        slices = slices_of(path, header)
    frame_count, slice_count, order, geometry = layout(header, slices)
    stored = stored if np.array_equal(order, np.arange(len(order))) else stored[order]
    scale = scale_of([header], order, stored)
    stored = stored.reshape(frame_count, slice_count, *stored.shape[1:])
    return _unfolded(_image(stored, [header], Native(order, scale), geometry))


def _restrict(header: Any, frames: tuple[int, ...]) -> None:
    """Make a header what it would be if the file held these frames alone."""
    groups = frame_groups(header)
    header.PerFrameFunctionalGroupsSequence = [groups[k] for k in frames]
    header.NumberOfFrames = len(frames)


def _read_series(files: Sequence[Path], budget: Budget, of_complex: bool = False) -> Image:
    with quiet_pydicom():
        headers = [_image_header(path, budget) for path in files]
        slices = [slices_of(path, header, k)[0] for k, (path, header) in enumerate(zip(files, headers, strict=True))]
        if not of_complex:
            _demand_values(files[0], slices[0])
        parts = parts_of(slices, text(headers[0], "Modality"))
        if len(parts) > 1:
            raise UnsupportedImage(f"{files[0].parent} holds images that make no single volume; give one file.")
        frames, slice_count, order, geometry = arrange(slices)
        if not geometry:  # views without a place in space
            plane = Plane(pixel_spacing(headers[0]))
            geometry = place([plane])[1]
        headers = [headers[k] for k in order]
        first = headers[0]
        budget.demand(files, (len(files), whole(first, "Rows"), whole(first, "Columns")), 2)
        planes = []
        for k, header in zip(order, headers, strict=True):
            with naming(files[k]):
                planes.append(read_pixels(files[k], header, budget))
        kinds = {plane.dtype for plane in planes}
        if len(kinds) > 1:
            raise UnsupportedImage(
                f"{files[0].parent} mixes pixel types ({', '.join(map(str, kinds))}); give one file."
            )
        stored = np.concatenate(planes)
        with naming(files[0]):
            scale = scale_of(headers, np.zeros(len(headers), int), stored)
        stored = stored.reshape(frames, slice_count, *stored.shape[1:])
        return _unfolded(_image(stored, headers, Native(np.arange(len(headers)), scale), geometry))


def _image_header(path: Path, budget: Budget) -> Any:
    header = read_header(path, budget=budget)
    if "Rows" not in header or "Columns" not in header or "DoseGridScaling" in header:
        uid = header.get("SOPClassUID")
        raise UnsupportedImage(f"{path} holds no image ({uid.name if uid else 'no DICOM object'}).")
    return header


def _demand_values(path: Path, one: Slice) -> None:
    """Raise where voxels are no values that may be averaged."""
    if one.component in _PARTS_OF_COMPLEX:
        raise UnsupportedImage(not_magnitude(path, one.component))


def _image(stored: np.ndarray, headers: list[Any], native: Native, geometry: dict[str, Any]) -> Image:
    """Stored numbers ``(frames, slices, rows, columns[, components])`` as values."""
    slope, intercept = native.scale.slope, native.scale.intercept
    uniform = np.ptp(slope) == 0 and np.ptp(intercept) == 0
    source = Source(
        format=".dcm",
        dtype=str(stored.dtype) if uniform else "float32",
        slope=float(slope[0]) if uniform else 1.0,
        intercept=float(intercept[0]) if uniform else 0.0,
        headers=tuple(headers),
        native=native,
    )
    modality = text(headers[0], "Modality") or "OT"
    attributes = {
        **geometry,
        "modality": modalities.find(modality).code if modality in modalities.RETIRED else modality,
        "unit": native.scale.unit,
        "source": source,
    }
    if stored.ndim == 5:
        if stored.dtype.itemsize > 2:
            raise UnsupportedImage("colour of more than 16 bits a component is not supported; convert it first.")
        return Image.from_array(stored, axes="fzyxc", **attributes)
    image = Image.from_array(_values(stored, native.scale), **attributes)
    padded = padding_of(headers[0], stored)
    return image if padded is None else _without_padding(image, padded)


def _unfolded(image: Image) -> Image:
    """Mosaics as the volumes that they are."""
    header = image.source.headers[0]
    mosaic = mosaic_of(header)
    return image if mosaic is None else mosaic.unfolded(image, header)


def _values(stored: np.ndarray, scale: Scale) -> np.ndarray:
    a, b = (values.reshape(*stored.shape[:2], 1, 1) for values in (scale.slope, scale.intercept))
    if np.all(a == 1) and np.all(b == 0):
        return stored
    values, recovered = np.empty(stored.shape, np.float32), True
    for plane in np.ndindex(stored.shape[:2]):
        values[plane] = stored[plane] * a[plane] + b[plane]
        recovered &= np.array_equal(np.rint((values[plane].astype(np.float64) - b[plane]) / a[plane]), stored[plane])
    return values if recovered else stored * a + b


def _without_padding(image: Image, padded: np.ndarray) -> Image:
    """Padding set aside, so that it is neither filtered nor counted as noise."""
    from dataclasses import replace

    padding = np.where(padded, image.voxels, np.float32(np.nan))
    smallest = image.voxels[~padded].min()
    return replace(image, voxels=np.where(padded, smallest, image.voxels), padding=padding)
