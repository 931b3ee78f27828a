"""NRRD read and written as 3D Slicer, ITK and Teem do: volumes, colour, and cine as Slicer's ``.seq.nrrd``.

Format: https://teem.sourceforge.net/nrrd/format.html; frames: Slicer's developer guide, "Volume sequence file format".
The same image always gives the same bytes.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..image import Image, Source
from .nrrd_header import TYPES, Header, Native
from .pairs import attributes_of, fits_plane, pairs_of, users_pairs
from .payload import Budget, demand_possible, read_voxels

_TYPES = {code: names[-2] if len(names) > 1 else names[0] for code, names in TYPES.items()}
_COLOUR = {3: "RGB-color", 4: "RGBA-color"}
_COLOUR_KINDS = ("RGB-color", "RGBA-color", "3-color", "4-color")
_FRAME_KINDS = ("list", "time")


def read(path: Path, budget: Budget) -> Image:
    """The image of an ``.nrrd`` or ``.nhdr`` file.

    Raises:
        UnsupportedImage: damaged, truncated, or its voxels are no single numbers and no colours.
    """
    with path.open("rb") as stream:
        header = Header(path, stream)
    axes, dtype = header.axes(), header.dtype
    components = header.sizes[axes.index("c")] if "c" in axes else 1
    shape = [size for size, axis in zip(header.sizes, axes, strict=True) if axis != "c"]
    count = math.prod(header.sizes) * dtype.itemsize
    demand_possible(path, sum(file.stat().st_size for file in header.data_files()), count, header.encoding)
    budget.demand(path, shape, dtype.itemsize, components)
    array = _voxels(header, count).view(dtype)
    array = array.astype(dtype.newbyteorder("="), copy=False).reshape(header.sizes[::-1])
    metadata = {key: value for key, value in users_pairs(header.pairs).items() if not key.startswith("axis ")}
    source = Source(
        format=path.suffix.lower(),
        dtype=str(array.dtype),
        metadata={**metadata, "dimension": "3" if "z" in axes else "2"},
        native=header.native(axes),
    )
    frames = header.sizes[axes.index("f")] if "f" in axes else 1
    unit = header.fields.get("sample units", "").strip('"')
    attributes = {
        "frame_times": header.frame_times(axes),
        **header.geometry(axes),
        **attributes_of({"unit": unit, **header.pairs}, frames),
    }
    return Image.from_array(array, axes=axes[::-1], source=source, **attributes)


def write(image: Image, path: Path) -> None:
    """Write ``image`` to ``path``; of an ``.nhdr`` the voxels go beside it, into a ``.raw.gz`` of the same name."""
    stored = image.stored()
    stored = stored.astype(np.uint8) if stored.dtype == bool else stored
    data = companion(path)
    header = _header(image, stored) + (f"data file: {data.name}\n" if data else "\n")
    with path.open("wb") as stream:
        stream.write(header.encode())
        if data is None:
            _write_voxels(stored, stream)
    if data is not None:
        with data.open("wb") as stream:
            _write_voxels(stored, stream)


def companion(path: Path) -> Path | None:
    """Where the voxels of a header that is written to ``path`` go; None for a file that holds its own."""
    return path.with_suffix(".raw.gz") if path.suffix.lower() == ".nhdr" else None


def _voxels(header: Header, count: int) -> np.ndarray:
    files = header.data_files()
    if count % len(files):
        raise header.damaged("data file")
    pieces = []
    for file in files:
        with file.open("rb") as stream:
            stream.seek(header.end if file == header.path else 0)
            for _ in range(header.whole("line skip", 0)):
                stream.readline(1 << 20)
            skip, share = header.whole("byte skip", 0), count // len(files)
            if skip < -1 or (skip == -1 and header.encoding != "raw"):
                raise header.damaged("byte skip")
            if skip == -1:
                stream.seek(max(stream.tell(), file.stat().st_size - share))
            elif header.encoding in ("raw", "hex", "text"):
                stream.seek(skip, 1)
                skip = 0
            extra = max(skip, 0)
            if extra > 1 << 20:
                raise header.damaged("byte skip")
            pieces.append(read_voxels(stream, share + extra, file, header.encoding, header.dtype)[extra:])
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _write_voxels(stored: np.ndarray, stream: BinaryIO) -> None:
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=1, mtime=0) as compressed:
        compressed.write(np.ascontiguousarray(stored, stored.dtype.newbyteorder("<")).data)


def _header(image: Image, stored: np.ndarray) -> str:
    frames, slices, rows, columns = stored.shape[:4]
    space = 2 if fits_plane(image) else 3
    vectors = np.reshape(image.direction, (3, 3))[:space, :space] * np.array(image.spacing)[:space]
    axes, sizes = "xyz"[:space], [columns, rows, slices][:space]
    directions = [_vector(vectors[:, k]) for k in range(space)]
    kinds = ["domain"] * space
    native = image.source.native if isinstance(image.source.native, Native) else Native({}, {})
    if stored.ndim == 5:
        axes, sizes, directions = f"c{axes}", [stored.shape[4], *sizes], ["none", *directions]
        kinds = [_kind(native, "c", _COLOUR_KINDS, _COLOUR[stored.shape[4]]), *kinds]
    pairs = pairs_of(image)
    if frames > 1:
        axes, sizes, directions = f"{axes}f", [*sizes, frames], [*directions, "none"]
        kinds.append(_kind(native, "f", _FRAME_KINDS, "list"))
        pairs |= _index(image, native, len(sizes) - 1)
    lines = [
        "NRRD0005",
        f"type: {_TYPES[stored.dtype.str[1:]]}",
        f"dimension: {len(sizes)}",
        "space dimension: 2" if space == 2 else "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(directions)}",
        f"kinds: {' '.join(kinds)}",
        *(["endian: little"] if stored.dtype.itemsize > 1 else []),
        "encoding: gzip",
        f"space origin: {_vector(image.origin[:space])}",
        *_native_lines(native, axes, space),
        *(f"{key}:={_escaped(value)}" for key, value in sorted(pairs.items())),
    ]
    return "\n".join(lines) + "\n"


def _kind(native: Native, axis: str, allowed: tuple[str, ...], default: str) -> str:
    kind = native.axes.get(axis, {}).get("kinds", "")
    return kind if kind in allowed else default


def _index(image: Image, native: Native, axis: int) -> dict[str, str]:
    """The pairs by which Slicer knows what its frames are numbered with."""
    if image.frame_times:
        values = " ".join(map(repr, image.frame_times))
        index = {"type": "numeric", "unit": "ms", "values": values}
    else:
        index = native.index
    return {f"axis {axis} index {key}": value for key, value in index.items()}


def _native_lines(native: Native, axes: str, space: int) -> list[str]:
    """Fields of the source that say more than an Image holds."""
    lines = [f"{name}: {value}" for name, value in native.fields.items()]
    empty = {"thicknesses": "nan", "centers": "???", "labels": '""', "units": '""'}
    for name, none in empty.items():
        values = [native.axes.get(axis, {}).get(name, none) for axis in axes]
        if name == "units":  # lengths are written in mm, times in ms
            values = [value if axis == "c" else none for axis, value in zip(axes, values, strict=True)]
        if set(values) != {none}:
            lines.append(f"{name}: {' '.join(values)}")
    if native.measurement_frame is not None and space == 3:
        vectors = " ".join(_vector(column) for column in native.measurement_frame.T)
        lines.append(f"measurement frame: {vectors}")
    return lines


def _vector(values: Iterable[float]) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
