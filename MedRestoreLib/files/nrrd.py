"""NRRD written so that 3D Slicer, ITK and Teem read it: volumes, colour, and cine as Slicer's ``.seq.nrrd`` does.

Format: https://teem.sourceforge.net/nrrd/format.html; frames: Slicer's developer guide, "Volume sequence file format".
The same image always gives the same bytes.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from ..image import Image
from .itk import is_planar, metadata_of

_TYPES = {"f4": "float", "f8": "double", "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16"}
_TYPES |= {"i4": "int32", "u4": "uint32", "i8": "int64", "u8": "uint64"}
_COLOUR = {3: "RGB-color", 4: "RGBA-color"}


def write(image: Image, path: Path) -> None:
    """Write ``image`` to ``path``; of an ``.nhdr`` the voxels go beside it, into a ``.raw.gz`` of the same name."""
    stored = image.stored()
    stored = stored.astype(np.uint8) if stored.dtype == bool else stored
    data = path.with_suffix(".raw.gz") if path.suffix.lower() == ".nhdr" else None
    header = _header(image, stored) + (f"data file: {data.name}\n" if data else "\n")
    with path.open("wb") as stream:
        stream.write(header.encode())
        if data is None:
            _write_voxels(stored, stream)
    if data is not None:
        with data.open("wb") as stream:
            _write_voxels(stored, stream)


def _write_voxels(stored: np.ndarray, stream) -> None:
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=1, mtime=0) as compressed:
        compressed.write(np.ascontiguousarray(stored, stored.dtype.newbyteorder("<")).data)


def _header(image: Image, stored: np.ndarray) -> str:
    planar = is_planar(image)
    frames, slices, rows, columns = stored.shape[:4]
    space = 2 if planar else 3
    axes = np.reshape(image.direction, (3, 3))[:space, :space] * np.array(image.spacing)[:space]
    sizes = [columns, rows, slices][:space]
    directions = [_vector(axes[:, k]) for k in range(space)]
    kinds = ["domain"] * space
    if stored.ndim == 5:
        sizes, directions = [stored.shape[4], *sizes], ["none", *directions]
        kinds = [_COLOUR[stored.shape[4]], *kinds]
    if frames > 1:
        sizes, directions, kinds = [*sizes, frames], [*directions, "none"], [*kinds, "list"]
    pairs = metadata_of(image)
    if image.frame_times:
        axis = len(sizes) - 1
        pairs[f"axis {axis} index type"] = "numeric"
        pairs[f"axis {axis} index values"] = " ".join(map(repr, image.frame_times))
    lines = [
        "NRRD0005",
        f"type: {_TYPES[stored.dtype.str[1:]]}",
        f"dimension: {len(sizes)}",
        "space dimension: 2" if planar else "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(directions)}",
        f"kinds: {' '.join(kinds)}",
        *(["endian: little"] if stored.dtype.itemsize > 1 else []),
        "encoding: gzip",
        f"space origin: {_vector(image.origin[:space])}",
        *(f"{key}:={_escaped(value)}" for key, value in sorted(pairs.items())),
    ]
    return "\n".join(lines) + "\n"


def _vector(values) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
