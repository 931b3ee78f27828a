"""NRRD headers: their fields, where their voxels lie, and what each axis is.

Format: https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import UnsupportedImage
from .detached import beside, names
from .placing import UNKNOWN, geometry_of

TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_CODES = {name: code for code, names in TYPES.items() for name in names}
ENCODINGS = {
    "raw": "raw",
    "gz": "gzip",
    "gzip": "gzip",
    "bz2": "bzip2",
    "bzip2": "bzip2",
    "hex": "hex",
    **dict.fromkeys(("txt", "text", "ascii"), "text"),
}
_ALIASES = {
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
    "byteskip": "byte skip",
    "centerings": "centers",
    "datafile": "data file",
    "lineskip": "line skip",
    "oldmax": "old max",
    "oldmin": "old min",
    "sampleunits": "sample units",
}
# Signs that turn the named space into left-posterior-superior; other spaces are taken as that, as ITK does.
_SPACES = {
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
}
_LENGTHS = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001, "micron": 0.001}
_TIMES = {"ms": 1.0, "s": 1000.0, "sec": 1000.0}
_SPATIAL, _FRAMES = ("domain", "space"), ("list", "time", "point")
_COLOURS = {"rgb-color": 3, "rgba-color": 4, "3-color": 3, "4-color": 4}
_LONGEST_HEADER = 1 << 22
# Fields of the whole image, and of each axis, that say more than an Image holds.
_WHOLE, _PER_AXIS = ("content", "old max", "old min", "sample units"), ("thicknesses", "centers", "labels", "units")


@dataclass(frozen=True)
class Native:
    """What an NRRD header says beyond an Image: fields by name, and by axis ("x", "y", "z", "f", "c")."""

    fields: dict[str, str]
    axes: dict[str, dict[str, str]]
    measurement_frame: np.ndarray | None = None  # columns are its axes, LPS
    index: dict[str, str] = field(default_factory=dict)  # Slicer's pairs "axis k index ..." of the frames


class Header:
    """The fields and pairs of one NRRD file; every getter raises UnsupportedImage naming the field that is damaged."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self.fields: dict[str, str] = {}
        self.pairs: dict[str, str] = {}
        self.lists: list[str] = []
        if not stream.readline(16).startswith(b"NRRD000"):
            raise UnsupportedImage(f"{path} is damaged, or no NRRD file: it does not begin with NRRD000.")
        while stream.tell() < _LONGEST_HEADER:
            line = stream.readline(_LONGEST_HEADER).decode("utf-8", "replace")
            text = line.strip("\r\n")
            if not line or not text:
                break
            self._take(text)
            if self.fields.get("data file", "").upper().startswith("LIST"):
                self.lists = stream.read(_LONGEST_HEADER).decode("utf-8", "replace").split("\n")
                break
        self.end = stream.tell()
        self.dimension = self.whole("dimension", 0)
        self.sizes = [int(n) for n in self.numbers("sizes")]
        if not 1 <= self.dimension <= 16 or len(self.sizes) != self.dimension or min(self.sizes) < 1:
            raise self.damaged("sizes")

    def _take(self, text: str) -> None:
        if text.startswith("#"):
            return
        name, colon, value = text.partition(":")
        if not colon:
            raise self.damaged(text[:20])
        if value.startswith("="):
            self.pairs[name] = value[1:].replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")
        else:
            key = name.strip().lower()
            self.fields[_ALIASES.get(key, key)] = value.strip()

    def damaged(self, name: str) -> UnsupportedImage:
        return UnsupportedImage(f"the NRRD header of {self.path} is damaged: '{name}' is missing or out of range.")

    def whole(self, name: str, default: int) -> int:
        try:
            return int(self.fields.get(name, default))
        except ValueError as error:
            raise self.damaged(name) from error

    def numbers(self, name: str) -> list[float]:
        try:
            return [float(part) for part in self.fields.get(name, "").split()]
        except ValueError as error:
            raise self.damaged(name) from error

    def vectors(self, name: str, length: int) -> list[np.ndarray | None]:
        """Vectors of the form (a,b,c), None for "none"."""
        found: list[np.ndarray | None] = []
        for part in self.fields.get(name, "").replace(" ", "").replace(")", ") ").replace("none", "none ").split():
            try:
                vector = None if part == "none" else np.array([float(n) for n in part.strip("()").split(",")])
            except ValueError as error:
                raise self.damaged(name) from error
            if vector is not None and len(vector) != length:
                raise self.damaged(name)
            found.append(vector)
        return found

    def quoted(self, name: str) -> list[str]:
        """Strings in double quotes, one for each axis."""
        return self.fields.get(name, "").split('"')[1::2]

    @property
    def dtype(self) -> np.dtype:
        code = _CODES.get(self.fields.get("type", "").lower())
        endian = self.fields.get("endian", "little").lower()
        if code is None:
            raise self.damaged("type")
        if endian not in ("little", "big"):
            raise self.damaged("endian")
        return np.dtype(code).newbyteorder("<" if endian == "little" else ">")

    @property
    def encoding(self) -> str:
        name = self.fields.get("encoding", "").lower()
        if name not in ENCODINGS:
            raise self.damaged("encoding")
        return ENCODINGS[name]

    def data_files(self) -> list[Path]:
        """The files that hold the voxels; the file itself when they follow the header."""
        said = self.fields.get("data file", "")
        if not said:
            return [self.path]
        try:
            found = names(said, self.lists)
        except ValueError as error:
            raise self.damaged("data file") from error
        if not found:
            raise self.damaged("data file")
        return [beside(self.path, name) for name in found]

    def axes(self) -> str:
        """What each axis of the file is, fastest first: "x", "y", "z", "f" for frames, "c" for colour."""
        kinds = [kind.lower() for kind in self.fields.get("kinds", "").split()] or ["???"] * self.dimension
        directions = self.vectors("space directions", self._space())
        if len(kinds) != self.dimension or (directions and len(directions) != self.dimension):
            raise self.damaged("kinds" if len(kinds) != self.dimension else "space directions")
        axes, left = "", iter("xyz")
        for number, (kind, size) in enumerate(zip(kinds, self.sizes, strict=True)):
            spatial = directions[number] is not None if directions else kind in (*_SPATIAL, "???", "none")
            axis = next(left, "f") if spatial and kind not in _FRAMES else self._other_axis(kind, size, number)
            axes += axis
        if not {"x", "y"} <= set(axes) or len(set(axes)) != len(axes):
            raise UnsupportedImage(f"{self.path} has {self.dimension} axes of kinds that make no image with frames.")
        return axes

    def _other_axis(self, kind: str, size: int, number: int) -> str:
        if kind in _FRAMES or (kind in ("???", "none") and number == self.dimension - 1):
            return "f"
        undeclared = kind in ("???", "none") and size in (3, 4) and self.dtype == np.uint8
        if _COLOURS.get(kind) == size or undeclared:
            return "c"
        held = (
            f"voxels of kind '{kind}' with {size} components" if kind not in ("???", "none") else f"{size} components"
        )
        raise UnsupportedImage(f"{self.path} holds {held}, which are neither colour nor frames.")

    def _space(self) -> int:
        if "space" in self.fields:
            return 4 if self.fields["space"].lower().endswith(("time", "t")) else 3
        return self.whole("space dimension", 3)

    def geometry(self, axes: str) -> dict[str, Any]:
        """Spacing, origin and direction as Image takes them."""
        unit = self._unit()
        space = self._space()
        if unit is None or space not in (2, 3):
            return dict(UNKNOWN)
        vectors, origin, signs = np.eye(3), np.zeros(3), self._signs()
        if directions := self.vectors("space directions", space):
            for column, axis in enumerate("xyz"):
                if axis in axes:
                    vectors[:, column] = 0.0
                    vectors[:space, column] = directions[axes.index(axis)]
            corner = self.vectors("space origin", space)
            origin[:space] = corner[0] if corner and corner[0] is not None else 0.0
            if "z" not in axes:
                vectors[:, 2] = np.cross(vectors[:, 0], vectors[:, 1])
                length = np.linalg.norm(vectors[:, 2])
                vectors[:, 2] /= length if np.isfinite(length) and length > 0 else 1.0
            return geometry_of(signs[:, None] * vectors * unit, signs * origin * unit)
        lengths, corner_of = self.numbers("spacings"), self.numbers("axis mins")
        for name, values in (("spacings", lengths), ("axis mins", corner_of)):
            if values and len(values) != self.dimension:
                raise self.damaged(name)
        lengths = lengths or self._lengths_between_ends(corner_of)
        if not lengths:
            return dict(UNKNOWN)
        for column, axis in enumerate("xyz"):
            if axis in axes:
                vectors[column, column] = lengths[axes.index(axis)]
                least = corner_of[axes.index(axis)] if corner_of else 0.0
                origin[column] = least if np.isfinite(least) else 0.0
        return dict(UNKNOWN) if np.diag(vectors).min() <= 0 else geometry_of(vectors * unit, origin * unit)

    def _lengths_between_ends(self, least: list[float]) -> list[float]:
        """Spacing of each axis from its ends: of its cells where they are cells, else of its nodes; [] without ends."""
        greatest = self.numbers("axis maxs")
        if not least or len(greatest) != self.dimension:
            return []
        kinds = self.fields.get("centers", "").lower().split() or ["cell"] * self.dimension
        steps = [
            size - 1 if kind == "node" and size > 1 else size for kind, size in zip(kinds, self.sizes, strict=False)
        ]
        return [(high - low) / step for low, high, step in zip(least, greatest, steps, strict=False)]

    def _unit(self) -> float | None:
        """mm of a unit of space; None where it is no length."""
        units = {unit.lower() for unit in self.quoted("space units")} or {""}
        if "units" in self.fields and "space directions" not in self.fields:
            units = {unit.lower() for unit in self.quoted("units")} - set(_TIMES) or {""}
        return _LENGTHS.get(units.pop()) if len(units) == 1 else None

    def _signs(self) -> np.ndarray:
        return np.array(_SPACES.get(self.fields.get("space", "").lower(), (1, 1, 1)), np.float64)

    def frame_times(self, axes: str) -> tuple[float, ...]:
        """Start of each frame in ms, from the index that Slicer writes or an even step; () where they do not say."""
        if "f" not in axes:
            return ()
        at = axes.index("f")
        frames = self.sizes[at]
        unit = _TIMES.get(self.pairs.get(f"axis {at} index unit", "").lower())
        try:
            times = (
                tuple(unit * float(n) for n in self.pairs.get(f"axis {at} index values", "").split()) if unit else ()
            )
        except ValueError:
            times = ()
        if len(times) == frames:
            return times
        units, steps = self.quoted("units"), self.numbers("spacings")
        unit = _TIMES.get(units[at].lower()) if len(units) == self.dimension else None
        if unit and len(steps) == self.dimension and np.isfinite(steps[at]) and steps[at] > 0:
            return tuple(unit * steps[at] * frame for frame in range(frames))
        return ()

    def native(self, axes: str) -> Native:
        """What goes back into an NRRD file."""
        per_axis: dict[str, dict[str, str]] = {axis: {} for axis in axes}
        for name in _PER_AXIS:
            quoted = name in ("labels", "units")
            values = [f'"{v}"' for v in self.quoted(name)] if quoted else self.fields.get(name, "").split()
            if len(values) == self.dimension:
                for axis, value in zip(axes, values, strict=True):
                    per_axis[axis][name] = value
        for axis, kind in zip(axes, self.fields.get("kinds", "").split(), strict=False):
            per_axis[axis]["kinds"] = kind
        frame = self.vectors("measurement frame", self._space())
        columns = None
        if len(frame) == 3 and self._space() == 3 and all(vector is not None for vector in frame):
            columns = self._signs()[:, None] * np.stack(frame, axis=1)  # type: ignore[arg-type]
        index = {}
        if "f" in axes:
            start = f"axis {axes.index('f')} index "
            index = {key.removeprefix(start): value for key, value in self.pairs.items() if key.startswith(start)}
        return Native({name: self.fields[name] for name in _WHOLE if name in self.fields}, per_axis, columns, index)
