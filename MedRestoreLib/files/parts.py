"""Which files a study on the disk consists of: the data files that a header names, the objects of a series."""

from __future__ import annotations

import re
from pathlib import Path

from .detached import names
from .headers import is_dicom
from .series import why_unreadable

_HEADERS = (".nhdr", ".nrrd", ".mhd", ".mha", ".hv", ".h33")
_HALVES = (".img", ".IMG", ".mat")  # beside an .hdr
_LONGEST_HEADER = 1 << 22
_DATA_FILE = re.compile(
    rb"^(?:data ?file|ElementDataFile|!?\s*name of data file)\s*(?::=|[:=])\s*(.*?)\s*$", re.IGNORECASE | re.MULTILINE
)


def parts(path: Path) -> list[Path]:
    """Every file that reading the study at ``path`` reads: itself, its data files, or the DICOM files of a folder.

    It looks for names alone, so that it also tells of a damaged study. What is absent is left out.
    """
    if path.is_dir():
        return [file for file in sorted(path.rglob("*")) if not why_unreadable(file) and is_dicom(file)]
    if why_unreadable(path):
        return []
    if path.suffix.lower() == ".hdr":
        beside = (path.with_suffix(suffix) for suffix in _HALVES)
        return list(dict.fromkeys([path, *_named(path), *(file for file in beside if not why_unreadable(file))]))
    return [path, *_named(path)] if path.suffix.lower() in _HEADERS else [path]


def _named(path: Path) -> list[Path]:
    named = [path.parent / name for name in _data_files(path)]
    return [file for file in named if not why_unreadable(file)]


def _data_files(path: Path) -> list[str]:
    """The names of data files that an NRRD, MetaImage or Interfile header gives."""
    with path.open("rb") as stream:
        text = stream.read(_LONGEST_HEADER)
    if text.startswith(b"NRRD"):  # an empty line ends the header; after "LIST" there is none
        text = re.split(rb"\r?\n\r?\n", text, maxsplit=1)[0]
    match = _DATA_FILE.search(text)
    if match is None:
        return []
    said, below = (part.decode("utf-8", "replace") for part in (match[1], text[match.end() :]))
    try:
        return [name for name in names(said, below.splitlines()) if "\0" not in name]
    except ValueError:
        return []
