"""DICOM files and folders read as Images.

Slices are placed by their position in the patient, never by file name or instance number. Headers of the read image
stay in ``Image.source.headers`` so that ``derived.py`` can write the restored study as its sibling.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from ..image import Image, Source
from .dicom_geometry import group, layout, place, plane_of
from .quiet import quiet_decoders, quiet_pydicom

# What pydicom and its plugins raise on damaged or unusual files.
DAMAGE = (
    AssertionError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)

# Units (0054,1001) and UCUM codes of a real world value mapping, as people write them.
UCUM = {"{counts}": "counts", "Bq/ml": "Bq/ml", "g/ml": "g/ml", "[hnsf'U]": "HU"}
_UNITS = UCUM | {"CNTS": "counts", "BQML": "Bq/ml", "GML": "g/ml", "HU": "HU"}

_SUFFIXES = {".dcm", ".dicom", ".ima", ""}
_TRANSFORM = "PixelValueTransformationSequence"


@dataclass(frozen=True)
class Series:
    """One series of a folder. ``images`` counts frames; ``number`` is the Series Number, None when absent."""

    uid: str
    modality: str
    images: int
    rows: int
    columns: int
    number: int | None
    files: tuple[Path, ...]


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its magic bytes, or for old files without them by a plausible first element."""
    with path.open("rb") as stream:
        start = stream.read(132)
    if start[128:132] == b"DICM":
        return True
    return path.suffix.lower() in _SUFFIXES and len(start) >= 8 and start[:2] in (b"\x08\x00", b"\x00\x08", b"\x02\x00")


def list_series(folder: str | Path, *, recursive: bool = True) -> list[Series]:
    """The series of images in a folder, and in its subfolders unless not ``recursive``, by series number.

    Raises:
        UnsupportedImage: the folder does not exist or holds no DICOM image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UnsupportedImage(f"{folder} is not a folder.")
    found: dict[str, list[tuple[Path, Any]]] = defaultdict(list)
    tags = ["SeriesInstanceUID", "SeriesNumber", "Modality", "Rows", "Columns", "NumberOfFrames"]
    with quiet_pydicom():
        for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if hidden or not path.is_file():
                continue
            if path.suffix.lower() == ".dcm" and not path.stat().st_size:
                raise UnsupportedImage(f"{path} is empty; fetch it again, or remove it.")
            header = _header(path, specific_tags=tags) if is_dicom(path) else {}
            if "Rows" in header and "SeriesInstanceUID" in header:
                found[str(header.SeriesInstanceUID)].append((path, header))
        try:
            series = [_series(uid, members) for uid, members in found.items()]
        except DAMAGE as error:
            raise UnsupportedImage(f"{folder} holds a damaged DICOM header ({type(error).__name__}).") from error
    if not series:
        raise UnsupportedImage(f"{folder} holds no DICOM image; for other formats give the file itself.")
    return sorted(series, key=lambda one: (one.number is None, one.number or 0, one.uid))


def read_file(path: Path) -> Image:
    """The image of one file."""
    return read_files([path])


def read_folder(folder: Path, series: str | None = None) -> Image:
    """One series of a folder; ``series`` is its place in ``list_series`` (from 1) or its SeriesInstanceUID."""
    found = list_series(folder)
    chosen = [one for index, one in enumerate(found, 1) if series in (str(index), one.uid)]
    if series is None and len(found) == 1:
        chosen = found
    if not chosen:
        lines = "; ".join(f"{index}: {describe(one)}" for index, one in enumerate(found, 1))
        problem = "holds several series" if series is None else f"has no series '{series}'"
        raise UnsupportedImage(f"{folder} {problem}; choose one by its number ({lines}).", field="series")
    return read_files(chosen[0].files)


def describe(series: Series) -> str:
    """A series in words that identify no patient."""
    number = "" if series.number is None else f", series number {series.number}"
    images = "1 image" if series.images == 1 else f"{series.images} images"
    return f"{series.modality} {series.rows}x{series.columns}, {images}{number}"


def read_files(files: Sequence[Path]) -> Image:
    """The image that these DICOM files make: one file, or the slices of one series in any order.

    Raises:
        UnsupportedImage: damaged, without pixels, not decodable, or not one evenly spaced stack.
    """
    with quiet_pydicom():
        headers = [_header(path) for path in files]
        for path, header in zip(files, headers, strict=True):
            if "Rows" not in header or "Columns" not in header or "DoseGridScaling" in header:
                raise UnsupportedImage(f"{path} holds no image ({_what(header)}).")
        try:
            if len(files) > 1:
                return _read_series(files, headers)
            frames, slices, order, geometry = layout(headers[0])
            stored = _pixels(files[0], headers[0])
            stored = stored if np.array_equal(order, np.arange(len(order))) else stored[order]
            stored = stored.reshape(frames, slices, *stored.shape[1:])
            return _image(stored, headers, *rescale(headers[0], order), geometry)
        except UnsupportedImage:
            raise
        except DAMAGE as error:
            raise UnsupportedImage(f"{files[0]} has a damaged DICOM header ({type(error).__name__}).") from error


def _read_series(files: Sequence[Path], headers: list[Any]) -> Image:
    if any(int(header.get("NumberOfFrames") or 1) > 1 for header in headers):
        raise UnsupportedImage(
            f"the series holds {len(files)} multi-frame files; give one of them, such as {files[0]}."
        )
    for what, key in (
        ("sizes", lambda h: f"{h.Rows}x{h.Columns}"),
        ("pixel types", lambda h: f"{h.BitsAllocated} bit, {h.SamplesPerPixel} samples"),
    ):
        kinds = sorted({key(header) for header in headers})
        if len(kinds) > 1:
            raise UnsupportedImage(f"the series mixes images of different {what} ({', '.join(kinds)}); give one file.")
    planes = [plane_of(header) for header in headers]
    without = sum(plane is None for plane in planes)
    if without:
        raise UnsupportedImage(
            f"{without} of the {len(files)} images of the series have no position in space; give one file at a time."
        )
    order, geometry = place(planes)
    headers = [headers[k] for k in order]
    stored = np.concatenate([_pixels(files[k], header) for k, header in zip(order, headers, strict=True)])
    pairs = [rescale(header, np.arange(1)) for header in headers]
    slope, intercept = (np.concatenate(values) for values in zip(*pairs, strict=True))
    return _image(stored[None], headers, slope, intercept, geometry)


def _image(stored: np.ndarray, headers: list[Any], slope: np.ndarray, intercept: np.ndarray, geometry: dict) -> Image:
    """Stored numbers ``(frames, slices, rows, columns[, components])`` with one slope and intercept a plane."""
    header = headers[0]
    uniform = np.ptp(slope) == 0 and np.ptp(intercept) == 0
    source = Source(
        format=".dcm",
        dtype=str(stored.dtype) if uniform else "float32",
        slope=float(slope[0]) if uniform else 1.0,
        intercept=float(intercept[0]) if uniform else 0.0,
        headers=tuple(headers),
    )
    modality = str(header.get("Modality") or "OT")
    attributes = {
        **geometry,
        "modality": "NM" if modality == "ST" else modality,  # ST: SPECT, a retired code
        "unit": _unit(header, identity=bool(np.all(slope == 1) and np.all(intercept == 0))),
        "source": source,
    }
    if stored.ndim == 5:
        if stored.dtype.itemsize > 2:
            raise UnsupportedImage("colour of more than 16 bits a component is not supported; convert it first.")
        return Image.from_array(stored, axes="fzyxc", **attributes)
    a, b = (values.reshape(*stored.shape[:2], 1, 1) for values in (slope, intercept))
    if np.all(a == 1) and np.all(b == 0):
        return Image.from_array(stored, **attributes)
    values, recovered = np.empty(stored.shape, np.float32), True
    for plane in np.ndindex(stored.shape[:2]):
        values[plane] = stored[plane] * a[plane] + b[plane]
        recovered &= np.array_equal(np.rint((values[plane].astype(np.float64) - b[plane]) / a[plane]), stored[plane])
    return Image.from_array(values if recovered else stored * a + b, **attributes)


def _header(path: Path, **options: Any) -> Any:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        return dcmread(path, force=is_dicom(path), stop_before_pixels=True, **options)
    except InvalidDicomError as error:
        raise UnsupportedImage(f"{path} is not a DICOM file.") from error
    except DAMAGE as error:
        raise UnsupportedImage(f"{path} is not a DICOM file, or its header is damaged.") from error


def _pixels(path: Path, header: Any) -> np.ndarray:
    """Stored numbers ``(frames, rows, columns)`` of one file; colour as RGB in a fourth axis."""
    from pydicom import dcmread
    from pydicom.pixels import apply_color_lut, pixel_array

    syntax = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    if "ModalityLUTSequence" in header:
        raise UnsupportedImage(f"{path} maps its values through a lookup table; convert it to plain values first.")
    if syntax is not None and syntax.is_compressed:
        _need_decoder(path, syntax)
    try:
        dataset = dcmread(path, force=True)
        if syntax is None:
            dataset.file_meta = _guess_syntax(dataset)
        with quiet_decoders():
            stored = pixel_array(dataset)
        if _has_palette(header):
            stored = apply_color_lut(stored, dataset)
            stored = (stored >> 8).astype(np.uint8) if stored.dtype == np.uint16 else stored  # screens show 8 bits
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        size = int(header.get("NumberOfFrames") or 1), header.Rows, header.Columns
        components = stored.size // int(np.prod(size))
        return stored.reshape(*size, components) if components > 1 else stored.reshape(size)
    except DAMAGE as error:
        if syntax is not None and syntax.is_compressed:
            raise UnsupportedImage(
                f"the pixels of {path} ({syntax.name}) are damaged, or of a kind that the installed decoders "
                "(gdcm, pillow) cannot read; export it uncompressed."
            ) from error
        raise UnsupportedImage(f"the pixels of {path} are missing, truncated or damaged.") from error


def _need_decoder(path: Path, syntax: Any) -> None:
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise UnsupportedImage(
            f"{path} is compressed as {syntax.name}, which cannot be decoded; export it uncompressed."
        ) from error
    if not decoder.is_available:
        needs = " or ".join(decoder.missing_dependencies)
        raise UnsupportedImage(f"{path} is compressed as {syntax.name}; install one of its decoders: {needs}.")


def _has_palette(header: Any) -> bool:
    # In nuclear medicine a palette only says how counts are shown (PS3.3 C.8.4.8.1.1): the counts are what we want.
    return header.PhotometricInterpretation == "PALETTE COLOR" and header.get("Modality") not in ("NM", "PT", "ST")


def _guess_syntax(dataset: Any) -> Any:
    """File meta for a file that lacks it, from how pydicom managed to read it."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    meta = FileMetaDataset()
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return meta


def rescale(header: Any, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept of each plane."""
    frames = header.get("PerFrameFunctionalGroupsSequence") or ()
    items = [group(header, frames[k] if k < len(frames) else {}, _TRANSFORM) or header for k in order]
    slope = np.array([float(item.get("RescaleSlope") or 1.0) for item in items])
    return slope, np.array([float(item.get("RescaleIntercept") or 0.0) for item in items])


def _unit(header: Any, identity: bool) -> str:
    units = header.get("Units")
    for mapping in header.get("RealWorldValueMappingSequence") or ():
        codes = mapping.get("MeasurementUnitsCodeSequence")
        units = units or (codes[0].get("CodeValue") if codes else None)
    units = units or header.get("RescaleType")
    if units in _UNITS:
        return _UNITS[units]
    modality = header.get("Modality")
    if modality in ("NM", "ST") and identity:
        return "counts"
    return "HU" if modality == "CT" and "RescaleSlope" in header else ""


def _series(uid: str, members: list[tuple[Path, Any]]) -> Series:
    header = members[0][1]
    number = header.get("SeriesNumber")
    return Series(
        uid=uid,
        modality=str(header.get("Modality") or "OT"),
        images=sum(int(one.get("NumberOfFrames") or 1) for _, one in members),
        rows=int(header.Rows),
        columns=int(header.Columns),
        number=None if number is None else int(number),
        files=tuple(path for path, _ in members),
    )


def _what(header: Any) -> str:
    """The kind of object, for a message."""
    uid = header.get("SOPClassUID")
    return uid.name if uid else "no DICOM object"
