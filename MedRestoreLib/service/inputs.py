"""The studies of a batch: what lies below a folder, and what there is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from ..files import studies as files
from ..files.formats import restored_suffix
from ..files.headers import is_dicom, read_header
from ..files.parts import parts
from ..files.quiet import quiet_pydicom
from ..files.series import series_of, why_unreadable
from ..files.sidecar import sidecar_of
from ..files.studies import Series
from .spread import answers

FILES_A_LOOK = 200
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class Study:
    """One input of a batch.

    Attributes:
        source: what ``files.read`` takes.
        files: every file that holds a part of it.
        folder: where it lies, relative to the batch's source.
        name: what it is called there.
        stem, suffix: what its output is called, if no other output is; without a suffix it is a folder of DICOM.
    """

    source: Path | Series
    files: tuple[Path, ...]
    folder: Path
    name: str
    stem: str
    suffix: str


@dataclass(frozen=True)
class Passed:
    """Something below the source that is passed over, relative to it, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Folder:
    """A folder that is to be looked into.

    Attributes:
        place: where it is.
        below: the same, relative to the batch's source.
        names: of its files, hidden ones left out.
        links: names of links to folders, which are not followed.
    """

    place: Path
    below: Path
    names: tuple[str, ...]
    links: tuple[str, ...] = ()

    def look(self) -> Iterator[Study | Passed]:
        """The studies in it, without those in its folders."""
        for name in self.links:
            yield Passed(self.below / name, "is a link to a folder; give that folder itself")
        candidates = []
        for name in self.names:
            path = self.place / name
            suffix = files.suffix_of(path)
            try:
                if reason := why_unreadable(path):
                    yield Passed(self.below / name, reason)
                elif suffix in files.IMAGES:
                    read = tuple(filter(None, (*parts(path), sidecar_of(path))))
                    yield Study(path, read, self.below, name, name[: -len(suffix)], restored_suffix(suffix))
                elif suffix in _DICOM_SUFFIXES or is_dicom(path):
                    candidates.append(path)
            except OSError as error:
                yield Passed(self.below / name, f"cannot be read ({error.strerror})")
        yield from _dicom_studies(self.below, candidates)


def find(
    source: Path, executor: Executor | None = None, hear: Callable[[], None] = lambda: None
) -> list[Study | Passed]:
    """Every study below ``source``, in the order of its paths: image files, and the DICOM series of each folder.

    A file that looks like a study and is none is a study, too, whose reading fails with the reason. Hidden files and
    folders, and files of other kinds, are left out without a word; links to folders are not followed.

    Args:
        source: a folder.
        executor: looks into the folders; None looks here.
        hear: called several times a second; what it raises ends the search.
    """
    shut: list[OSError] = []
    looks = [partial(_look, several) for several in _together(_folders(source, shut, hear))]
    found = chain.from_iterable(answers(looks, executor, hear))
    passed = [Passed(Path(os.path.relpath(e.filename, source)), f"cannot be read ({e.strerror})") for e in shut]
    return [*found, *passed]


def _folders(source: Path, shut: list[OSError], hear: Callable[[], None]) -> Iterator[Folder]:
    for here, subfolders, names in os.walk(source, onerror=shut.append):
        hear()
        place = Path(here)
        links = sorted(name for name in subfolders if (place / name).is_symlink())
        subfolders[:] = sorted(name for name in subfolders if not name.startswith(".") and name not in links)
        seen = sorted(name for name in names if not name.startswith("."))
        yield Folder(place, place.relative_to(source), tuple(seen), tuple(links))


def _together(folders: Iterable[Folder]) -> Iterator[list[Folder]]:
    """Folders of a few files together, so that a look is worth its way to another process."""
    several: list[Folder] = []
    for folder in folders:
        several.append(folder)
        if sum(len(one.names) for one in several) >= FILES_A_LOOK:
            yield several
            several = []
    if several:
        yield several


def _look(folders: Sequence[Folder]) -> list[Study | Passed]:
    return [found for folder in folders for found in folder.look()]


def _dicom_studies(below: Path, candidates: list[Path]) -> Iterator[Study | Passed]:
    """The series of one folder, and each of its other DICOM files by itself."""
    found = _series(candidates)
    for number, series in enumerate(found, 1):
        if len(series.files) > 1:
            name = f"series-{number}"
            yield Study(series, series.files, below, name, name, "")
        else:
            yield _of_file(series.files[0], below, series)
    listed = {path for series in found for path in series.files}
    for path in candidates:
        if path in listed:
            continue
        if not _is_sound(path):
            yield _of_file(path, below, path)
        elif not _series([path]):  # else it is a copy of one that is listed
            kind = _other_kind(path)
            yield Passed(below / path.name, f"holds no image ({kind})") if kind else _of_file(path, below, path)


def _series(paths: list[Path]) -> list[Series]:
    """The series that these files make; a damaged file does not tear the others apart."""
    try:
        return series_of(paths)
    except Exception:  # reading the file by itself will say what is wrong with it
        sound = [path for path in paths if _is_sound(path)]
    return _series(sound) if len(sound) < len(paths) else [one for path in paths for one in series_of([path])]


def _is_sound(path: Path) -> bool:
    """Whether a file is DICOM whose header can be read."""
    try:
        series_of([path])
        return is_dicom(path)
    except Exception:  # as above
        return False


def _of_file(path: Path, below: Path, source: Path | Series) -> Study:
    stem = path.stem if path.suffix.lower() in _DICOM_SUFFIXES else path.name  # the dots of a UID begin no suffix
    if isinstance(source, Series) and source.frames is not None:  # one of several parts of this file
        part = source.part.removeprefix(path.name).strip()
        stem = f"{stem}-{part.replace(' ', '-').replace('/', '-')}"
    return Study(source, (path,), below, path.name, stem, ".dcm")


def _other_kind(path: Path) -> str:
    """What a DICOM object is that is no image, such as a report; "" for an image that has lost its pixels."""
    from pydicom.uid import UID

    with quiet_pydicom():
        header = read_header(path, ["SOPClassUID"])
        uid = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or UID("")
        return uid.name if uid.type and "Image" not in uid.name else ""
