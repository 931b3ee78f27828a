"""MetaImage (.mha, and .mhd with its data file), as ITK writes it.

Format: https://itk.org/Wiki/ITK/MetaIO/Documentation. Each row of TransformMatrix is the direction of one image axis.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from ..image import Image, Source
from .detached import beside, names
from .pairs import attributes_of, fits_plane, pairs_of, users_pairs
from .payload import Budget, demand_possible, read_voxels
from .placing import UNKNOWN, geometry_of

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_NAMES = {code: name for name, code in reversed(_TYPES.items())}
_LONGEST_HEADER = 1 << 20
_LENGTHS = {"": 1.0, "?": 1.0, "mm": 1.0, "cm": 10.0, "um": 0.001}  # mm of a unit of distance
_MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_NM": "NM", "MET_MOD_US": "US"}
_SLOPE, _INTERCEPT = "ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"
_STANDARD = {
    "AnatomicalOrientation",
    "BinaryData",
    "BinaryDataByteOrderMSB",
    "CenterOfRotation",
    "Comment",
    "CompressedData",
    "CompressedDataSize",
    "CompressionLevel",
    "DimSize",
    "DistanceUnits",
    "ElementByteOrderMSB",
    "ElementDataFile",
    "ElementMax",
    "ElementMin",
    "ElementNumberOfChannels",
    "ElementSize",
    "ElementSpacing",
    "ElementToIntensityFunctionOffset",
    "ElementToIntensityFunctionSlope",
    "ElementType",
    "HeaderSize",
    "ID",
    "Modality",
    "NDims",
    "Name",
    "ObjectSubType",
    "ObjectType",
    "Offset",
    "Orientation",
    "Origin",
    "ParentID",
    "Position",
    "Rotation",
    "TransformMatrix",
}


def read(path: Path, budget: Budget) -> Image:
    """The image of a ``.mha`` or ``.mhd`` file.

    Raises:
        UnsupportedImage: damaged, truncated, or its voxels are vectors.
    """
    with path.open("rb") as stream:
        fields = _fields(path, stream)
        at = stream.tell()
        files = _data_files(path, fields, stream)
    sizes = _numbers(path, fields, "DimSize", int)
    if len(sizes) not in (2, 3, 4) or min(sizes) < 1 or _whole(path, fields, "NDims", len(sizes)) != len(sizes):
        raise _damaged(path, "DimSize")
    if fields.get("ElementType") not in _TYPES:
        raise _damaged(path, "ElementType")
    big = any(fields.get(key, "").lower() == "true" for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
    dtype = np.dtype(_TYPES[fields["ElementType"]]).newbyteorder(">" if big else "<")
    components = _whole(path, fields, "ElementNumberOfChannels", 1)
    if components != 1 and not (components in (3, 4) and dtype.kind == "u" and dtype.itemsize <= 2):
        raise UnsupportedImage(f"{path} holds {components} components a voxel, which are neither colour nor frames.")
    count = math.prod(sizes) * components * dtype.itemsize
    demand_possible(path, sum(file.stat().st_size for file in files), count, _encoding(fields))
    budget.demand(path, sizes, dtype.itemsize, components)
    array = _voxels(path, fields, files, at, count, dtype).view(dtype).astype(dtype.newbyteorder("="), copy=False)
    array = _scaled(path, fields, array)
    axes = {2: "yx", 3: "zyx", 4: "fzyx"}[len(sizes)]
    array = array.reshape(*sizes[::-1], components) if components > 1 else array.reshape(sizes[::-1])
    source = Source(
        format=path.suffix.lower(),
        dtype=str(array.dtype),
        metadata={
            **users_pairs({key: value for key, value in fields.items() if key not in _STANDARD}),
            "dimension": str(min(len(sizes), 3)),
        },
    )
    frames = sizes[3] if len(sizes) == 4 else 1
    modality = {"modality": _MODALITIES.get(fields.get("Modality", ""), "")}
    attributes = {**_geometry(path, fields, len(sizes)), **attributes_of({**modality, **fields}, frames)}
    return Image.from_array(array, axes=axes + ("c" if components > 1 else ""), source=source, **attributes)


def write(image: Image, path: Path) -> None:
    """Write a ``.mha`` file, its voxels compressed; of an ``.mhd`` they go beside it, into a ``.zraw``."""
    stored = image.stored()
    stored = stored.astype(np.uint8) if stored.dtype == bool else stored
    frames, slices, rows, columns = stored.shape[:4]
    sizes = [columns, rows] if fits_plane(image) else [columns, rows, slices, *([frames] if frames > 1 else [])]
    dimension = len(sizes)
    space = min(dimension, 3)
    axes = np.eye(dimension)
    axes[:space, :space] = np.reshape(image.direction, (3, 3))[:space, :space].T
    steps = np.diff(image.frame_times)
    data = companion(path)
    packed = zlib.compress(np.ascontiguousarray(stored, stored.dtype.newbyteorder("<")).data, 1)
    lines = {
        "ObjectType": "Image",
        "NDims": dimension,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": len(packed),
        "TransformMatrix": _text(axes.ravel()),
        "Offset": _text((*image.origin[:space], *[0.0] * (dimension - space))),
        "CenterOfRotation": _text([0.0] * dimension),
        "ElementSpacing": _text((*image.spacing[:space], float(steps[0]) / 1000.0 if len(steps) else 1.0)[:dimension]),
        "DimSize": " ".join(map(str, sizes)),
        **({"ElementNumberOfChannels": stored.shape[4]} if stored.ndim == 5 else {}),
        "ElementType": _NAMES[stored.dtype.str[1:]],
        **{key: value.replace("\n", " ") for key, value in sorted(pairs_of(image).items())},
        "ElementDataFile": data.name if data else "LOCAL",
    }
    header = "".join(f"{key} = {value}\n" for key, value in lines.items()).encode()
    path.write_bytes(header if data else header + packed)
    if data:
        data.write_bytes(packed)


def companion(path: Path) -> Path | None:
    """Where the voxels of a header that is written to ``path`` go; None for a file that holds its own."""
    return path.with_suffix(".zraw") if path.suffix.lower() == ".mhd" else None


def _text(values: Any) -> str:
    return " ".join(repr(float(value)) for value in values)


def _damaged(path: Path, field: str) -> UnsupportedImage:
    return UnsupportedImage(f"the MetaImage header of {path} is damaged: {field} is missing or out of range.")


def _fields(path: Path, stream: Any) -> dict[str, str]:
    """The header's pairs; leaves ``stream`` behind the header, which ElementDataFile ends."""
    fields: dict[str, str] = {}
    while stream.tell() < _LONGEST_HEADER:
        line = stream.readline(_LONGEST_HEADER)
        key, equals, value = line.decode("utf-8", "replace").partition("=")
        if not line or not equals:
            break
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return fields
    raise UnsupportedImage(f"{path} is no MetaImage, or its header is damaged: it does not end in ElementDataFile.")


def _numbers(path: Path, fields: dict[str, str], key: str, kind: type) -> list[Any]:
    try:
        return [kind(part) for part in fields[key].split()]
    except (KeyError, ValueError) as error:
        raise _damaged(path, key) from error


def _whole(path: Path, fields: dict[str, str], key: str, default: int) -> int:
    return _numbers(path, {key: fields.get(key, str(default))}, key, int)[0]


def _data_files(path: Path, fields: dict[str, str], stream: Any) -> list[Path]:
    """The files that hold the voxels; a list of them stands behind the header."""
    said = fields["ElementDataFile"]
    if said.lower() == "local":
        return [path]
    try:
        below = stream.read(_LONGEST_HEADER).decode("utf-8", "replace").splitlines()
        found = names(said, below)
    except ValueError as error:
        raise _damaged(path, "ElementDataFile") from error
    if not found:
        raise _damaged(path, "ElementDataFile")
    return [beside(path, name) for name in found]


def _encoding(fields: dict[str, str]) -> str:
    if fields.get("BinaryData", "True").lower() == "false":
        return "text"
    return "zlib" if fields.get("CompressedData", "False").lower() == "true" else "raw"


def _voxels(path: Path, fields: dict[str, str], files: list[Path], at: int, count: int, dtype: np.dtype) -> np.ndarray:
    skip = _whole(path, fields, "HeaderSize", 0)
    share, rest = divmod(count, len(files))
    if rest:
        raise _damaged(path, "ElementDataFile")
    pieces = []
    for data in files:
        with data.open("rb") as stream:
            start = max(skip, 0) + (at if data is path else 0)
            stream.seek(max(0, data.stat().st_size - share) if skip == -1 else start)
            pieces.append(read_voxels(stream, share, data, _encoding(fields), dtype))
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _scaled(path: Path, fields: dict[str, str], stored: np.ndarray) -> np.ndarray:
    """Intensities, where the header has a function for them."""
    told = {_SLOPE: "1", _INTERCEPT: "0", **fields}
    slope, intercept = (_numbers(path, told, key, float) for key in (_SLOPE, _INTERCEPT))
    if (slope, intercept) == ([1.0], [0.0]):
        return stored
    if len(slope) != 1 or not (np.isfinite(slope[0]) and slope[0] != 0):
        raise _damaged(path, _SLOPE)
    if len(intercept) != 1 or not np.isfinite(intercept[0]):
        raise _damaged(path, _INTERCEPT)
    exact = np.float32 if stored.dtype.itemsize <= 2 else np.float64
    return (stored.astype(np.float64) * slope[0] + intercept[0]).astype(exact)


def _geometry(path: Path, fields: dict[str, str], dimension: int) -> dict[str, Any]:
    if "ElementSpacing" not in fields and "ElementSize" not in fields:
        return dict(UNKNOWN)
    lengths = _numbers(path, fields, "ElementSpacing" if "ElementSpacing" in fields else "ElementSize", float)
    matrix = next((key for key in ("TransformMatrix", "Rotation", "Orientation") if key in fields), None)
    axes = np.eye(dimension).ravel() if matrix is None else np.array(_numbers(path, fields, matrix, float))
    corner = next((key for key in ("Offset", "Position", "Origin") if key in fields), None)
    origin = [0.0] * dimension if corner is None else _numbers(path, fields, corner, float)
    for key, values, expected in (
        ("ElementSpacing", lengths, dimension),
        (matrix, axes, dimension**2),
        (corner, origin, dimension),
    ):
        if len(values) != expected:
            raise _damaged(path, str(key))
    unit = _LENGTHS.get(fields.get("DistanceUnits", "").lower())
    if unit is None:
        raise _damaged(path, "DistanceUnits")
    space = min(dimension, 3)
    vectors = np.eye(3)
    vectors[:space, :space] = np.reshape(axes, (dimension, dimension))[:space, :space].T * lengths[:space]
    if space == 2:
        vectors[2, 2] = np.sign(np.linalg.det(vectors[:2, :2])) or 1.0  # a right-handed normal
    if min(lengths[:space]) <= 0:
        return dict(UNKNOWN)
    if space == 2:
        vectors[2, 2] /= unit  # no length of the file's
    return geometry_of(vectors * unit, np.array([*origin[:space], 0.0][:3]) * unit)
