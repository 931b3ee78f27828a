"""The series of a folder: found, put together where they were torn apart, divided where they hold several things."""

from __future__ import annotations

import filecmp
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UnsupportedImage
from .complex_series import paired
from .headers import is_dicom, read_header, text, whole
from .quiet import quiet_pydicom
from .stacks import LABELS, Slice, arrange, parts_of
from .stacks import slices_of as slices_of_header

_TAGS = (
    "AcquisitionDate",
    "BitsAllocated",
    "Columns",
    "ComplexImageComponent",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "InstanceNumber",
    "Modality",
    "NumberOfFrames",
    "PatientID",
    "PatientName",
    "PerFrameFunctionalGroupsSequence",
    "PixelSpacing",
    "Rows",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "SeriesDate",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SharedFunctionalGroupsSequence",
    "StudyDate",
    "StudyInstanceUID",
    *LABELS,
)
_LONGEST_DESCRIPTION = 40


@dataclass(frozen=True)
class Series:
    """One series of a folder, or a part of one that holds several things.

    Attributes:
        uid: Series Instance UID; behind a "/" the name of the part, where the series has parts. ``read`` takes it.
        modality: as DICOM says it.
        images: number of images, each frame of a multi-frame file counted.
        rows, columns: size of an image.
        number: Series Number, None when absent.
        files: its files.
        part: what sets a part apart from the others ("phase", "64x64"); "" for a whole series.
        frames: which frames of its one file a part holds; None: all.
        description: Series Description, at most 40 characters; "" when absent, or when it holds the patient's name.
        date: of the series, YYYY-MM-DD; "" when absent.
        parts: of complex numbers, magnitude and phase or real and imaginary part: the two series that it is made of,
            which can be chosen by their own UIDs, too. Empty for others.
    """

    uid: str
    modality: str
    images: int
    rows: int
    columns: int
    number: int | None
    files: tuple[Path, ...]
    part: str = ""
    frames: tuple[int, ...] | None = None
    description: str = ""
    date: str = ""
    parts: tuple[Series, ...] = ()


def why_unreadable(path: Path) -> str:
    """Why there is no file to read at ``path``, as the end of a sentence that begins with it; "" if there is one."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "is a link to nowhere" if path.is_symlink() else "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not stat.S_ISREG(mode):
        folder = "is a link to a folder" if path.is_symlink() else "is a folder"
        return folder if stat.S_ISDIR(mode) else "is no file but a pipe, a socket or a device"
    try:
        path.open("rb").close()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def list_series(folder: str | Path, *, recursive: bool = True) -> list[Series]:
    """The series of images in a folder, and in its subfolders unless not ``recursive``, by series number.

    A series that holds several things (water and fat, images of several sizes) is listed in its parts; magnitude and
    phase, or real and imaginary part, of one acquisition are listed as one. Copies are listed once. What cannot be read
    is passed over; ``unreadable`` lists it.

    Raises:
        UnsupportedImage: the folder does not exist, holds no DICOM image, or a damaged one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UnsupportedImage(f"{folder} is not a folder.")
    series = series_of(path for path in _files(folder, recursive) if not why_unreadable(path))
    if not series:
        skipped = unreadable(folder, recursive=recursive)
        also = f" ({len(skipped)} could not be read: {skipped[0][0].name} {skipped[0][1]})" if skipped else ""
        raise UnsupportedImage(f"{folder} holds no DICOM image{also}; for other formats give the file itself.")
    return series


def series_of(paths: Iterable[Path]) -> list[Series]:
    """The series that these files make, by series number; what is no DICOM image is passed over.

    Raises:
        UnsupportedImage: a DICOM file is empty or damaged.
    """
    found: dict[str, list[tuple[Path, Any]]] = defaultdict(list)
    with quiet_pydicom():
        for path in paths:
            if path.suffix.lower() == ".dcm" and not path.stat().st_size:
                raise UnsupportedImage(f"{path} is empty; fetch it again, or remove it.")
            header: Any = read_header(path, _TAGS) if is_dicom(path) else {}
            if "Rows" in header and "SeriesInstanceUID" in header:
                found[str(header.SeriesInstanceUID)].append((path, header))
        series = [one for uid, members in _joined(found).items() for one in _divided(uid, _without_copies(members))]
        series = paired(series, {path: header for members in found.values() for path, header in members})
    return sorted(series, key=lambda one: (one.number is None, one.number or 0, one.uid))


def unreadable(folder: Path, *, recursive: bool = True) -> list[tuple[Path, str]]:
    """What a search of ``folder`` passes over: pipes, devices, links to nowhere or to folders, what one may not read.

    Returns:
        Paths, and why each is passed over.
    """
    reasons = ((path, why_unreadable(path)) for path in _files(folder, recursive, refused=True))
    return [(path, reason) for path, reason in reasons if reason]


def _files(folder: Path, recursive: bool, refused: bool = False) -> Iterator[Path]:
    """Everything below a folder that is no folder and not hidden; with ``refused`` also folders not entered."""
    shut: list[Path] = []
    for here, below, names in os.walk(folder, onerror=lambda error: shut.append(Path(error.filename))):
        below[:] = sorted(name for name in below if not name.startswith(".")) if recursive else []
        yield from (Path(here) / name for name in sorted(names) if not name.startswith("."))
        if refused:  # links to folders are not followed: they may lead in circles
            yield from (path for name in below if (path := Path(here) / name).is_symlink())
    if refused:
        yield from shut


def describe(series: Series) -> str:
    """A series in words that name no patient."""
    called = f" '{series.description}'" if series.description else ""
    date = f", {series.date}" if series.date else ""
    number = "" if series.number is None else f", series number {series.number}"
    images = "1 image" if series.images == 1 else f"{series.images} images"
    part = f", {series.part}" if series.part else ""
    return f"{series.modality}{called} {series.rows}x{series.columns}, {images}{number}{part}{date}"


def _description(header: Any) -> str:
    """What the series is called, unless that says who the patient is."""
    said = " ".join("".join(one if one.isprintable() else " " for one in text(header, "SeriesDescription")).split())
    identity = re.split(r"[\^=\s]+", f"{text(header, 'PatientName')} {text(header, 'PatientID')}".casefold())
    if any(len(word) > 2 and word in said.casefold() for word in identity):
        return ""
    return said if len(said) <= _LONGEST_DESCRIPTION else f"{said[: _LONGEST_DESCRIPTION - 1]}…"


def _date(header: Any) -> str:
    for name in ("SeriesDate", "AcquisitionDate", "StudyDate"):
        if match := re.fullmatch(r"(\d{4})(\d\d)(\d\d)", text(header, name)):
            return "-".join(match.groups())
    return ""


def choose(found: Sequence[Series], series: str | None, place: Path) -> Series:
    """The one series, or the one that ``series`` names by its number in the list, from 1, or by its UID.

    Raises:
        UnsupportedImage: there are several, or none of that name.
    """
    if series is None and len(found) == 1:
        return found[0]
    for index, one in enumerate(found, 1):
        if series in (str(index), one.uid):
            return one
        for part in one.parts:
            if series == part.uid:
                return part
    lines = "; ".join(f"{index}: {describe(one)}" for index, one in enumerate(found, 1))
    problem = "holds several series" if series is None else f"has no series '{series}'"
    raise UnsupportedImage(f"{place} {problem}; choose one by its number ({lines}).", field="series")


def slices_of(path: Path, header: Any, file: int = 0) -> list[Slice]:
    """The images of a file; a damaged attribute is named with the file."""
    with naming(path):
        return slices_of_header(header, file)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors about a file name it."""
    try:
        yield
    except UnsupportedImage as error:
        if str(path.parent) in str(error):
            raise
        raise UnsupportedImage(f"{path}: {error}", field=error.field) from error


def parts_of_file(path: Path, header: Any, slices: Sequence[Slice]) -> list[Series]:
    """What one file holds: one series, or its parts."""
    uid = text(header, "SeriesInstanceUID")
    modality = text(header, "Modality") or "OT"
    whole_file = Series(
        uid,
        modality,
        max(1, whole(header, "NumberOfFrames", 1)),
        whole(header, "Rows"),
        whole(header, "Columns"),
        whole(header, "SeriesNumber") if text(header, "SeriesNumber") else None,
        (path,),
        description=_description(header),
        date=_date(header),
    )
    parts = parts_of(slices, modality)
    if len(parts) == 1:
        return [whole_file]
    return [
        replace(
            whole_file,
            uid=f"{uid}/{name}",
            images=len(members),
            part=name,
            frames=tuple(sorted(one.frame for one in members)),
        )
        for name, members in parts
    ]


def _without_copies(members: list[tuple[Path, Any]]) -> list[tuple[Path, Any]]:
    """Files without those that repeat another one of the same instance: all its bytes, or its pixels."""
    kept: list[tuple[Path, Any]] = []
    by_uid: dict[str, list[Path]] = defaultdict(list)
    for path, header in members:
        uid = text(header, "SOPInstanceUID")
        if not any(filecmp.cmp(path, other, shallow=False) or _same_pixels(path, other) for other in by_uid[uid]):
            by_uid[uid].append(path)
            kept.append((path, header))
    return kept


def _same_pixels(path: Path, other: Path) -> bool:
    from pydicom import dcmread

    pixels = [dcmread(one, force=True, specific_tags=["PixelData"]).get("PixelData") for one in (path, other)]
    return pixels[0] is not None and pixels[0] == pixels[1]


def _joined(found: dict[str, list[tuple[Path, Any]]]) -> dict[str, list[tuple[Path, Any]]]:
    """Series that some software tore into single slices, each with a UID of its own, put together again.

    They share all but the UID and make one even stack.
    """
    single: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for uid, members in found.items():
        header = members[0][1]
        if len(members) == 1 and whole(header, "NumberOfFrames", 1) == 1 and text(header, "ImagePositionPatient"):
            names = (
                "StudyInstanceUID",
                "Modality",
                "SeriesNumber",
                "SeriesDescription",
                "Rows",
                "Columns",
                "ImageType",
            )
            folder = str(members[0][0].parent)
            single[(folder, *(text(header, name) for name in names))].append(uid)
    joined = dict(found)
    for uids in single.values():
        members = [found[uid][0] for uid in uids]
        if len(uids) > 2 and _make_a_stack(members):
            for uid in uids:
                del joined[uid]
            joined[min(uids)] = members
    return joined


def _make_a_stack(members: list[tuple[Path, Any]]) -> bool:
    slices = [one for index, (path, header) in enumerate(members) for one in slices_of(path, header, index)]
    if len(parts_of(slices, "MR")) > 1:
        return False
    try:
        return arrange(slices)[0] == 1
    except UnsupportedImage:
        return False


def _divided(uid: str, members: list[tuple[Path, Any]]) -> list[Series]:
    """A series, or its parts."""
    if len(members) == 1:
        path, header = members[0]
        return parts_of_file(path, header, slices_of(path, header))
    single = [(path, header) for path, header in members if whole(header, "NumberOfFrames", 1) <= 1]
    multi = [one for one in members if one not in single]
    header = members[0][1]
    whole_series = Series(
        uid,
        text(header, "Modality") or "OT",
        0,
        whole(header, "Rows"),
        whole(header, "Columns"),
        whole(header, "SeriesNumber") if text(header, "SeriesNumber") else None,
        tuple(path for path, _ in members),
        description=_description(header),
        date=_date(header),
    )
    slices = [one for index, (path, header) in enumerate(single) for one in slices_of(path, header, index)]
    parts = parts_of(slices, whole_series.modality) if slices else []
    if len(parts) == 1 and not multi:
        return [replace(whole_series, images=len(members))]
    listed = [
        replace(
            whole_series,
            uid=f"{uid}/{name or 'single images'}",
            images=len(group),
            rows=group[0].shape[0],
            columns=group[0].shape[1],
            files=tuple(single[one.file][0] for one in group),
            part=name or "single images",
        )
        for name, group in parts
    ]
    for path, header in multi:
        for one in parts_of_file(path, header, slices_of(path, header)):
            listed.append(
                replace(
                    one,
                    uid=f"{uid}/{path.name}{'/' + one.part if one.part else ''}",
                    part=" ".join(filter(None, (path.name, one.part))),
                )
            )
    return listed
