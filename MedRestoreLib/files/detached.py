"""Data files that NRRD and MetaImage headers name: one, a list below the header, or a pattern with numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import UnsupportedImage

_PATTERN = re.compile(r"[^%]*%0?\d{0,2}[du][^%]*")
_MOST = 1 << 16  # files of a pattern


def names(said: str, below: Iterable[str]) -> list[str]:
    """The names of data files.

    Args:
        said: what the header says: a name, "LIST", or a pattern with its first and last number and the step.
        below: the lines below the header.

    Raises:
        ValueError: the numbers of a pattern cannot be.

    >>> names("slice%03d.raw 8 12 2", [])
    ['slice008.raw', 'slice010.raw', 'slice012.raw']
    """
    first, *rest = said.split() or [""]
    if first.upper() == "LIST":
        return [line.strip() for line in below if line.strip()]
    if len(rest) not in (3, 4) or not _PATTERN.fullmatch(first):
        return [said]
    start, last, step = map(int, rest[:3])
    numbers = range(start, last + (1 if step > 0 else -1), step)
    if not 0 < len(numbers) <= _MOST or min(start, last) < 0:
        raise ValueError(said)
    return [first % number for number in numbers]


def beside(header: Path, name: str) -> Path:
    """The data file that a header names.

    Raises:
        UnsupportedImage: it is absent, or does not lie beside the header or below it.
    """
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    if not name or "\0" in name or PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts:
        raise UnsupportedImage(f"{header} names a data file that does not lie beside it; move it there.")
    path = header.parent / name
    if not path.is_file():
        raise UnsupportedImage(f"{path}, the data file that {header.name} names, is absent; put it beside the header.")
    return path
