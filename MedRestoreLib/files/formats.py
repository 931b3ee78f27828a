"""The table of formats. A new format is one row here and one file that reads or writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError
from ..image import Image
from . import derived, dicom, interfile, kspace, metaimage, nifti, nrrd, pictures, video
from .payload import Budget


@dataclass(frozen=True)
class Format:
    """One way of storing a study.

    Attributes:
        name: what people call it.
        suffixes: lower case, with the dot; "" is a folder.
        read: reads the file at a path; raises UnsupportedImage.
        write: writes an image to a path, and any further file beside it. None: the format is only read.
        refuses: why the format cannot hold an image, and what to do; "" if it can.
        companion: the file that ``write`` puts beside a path, None for none.
        explained: ``write`` also takes ``derivation`` and ``label``.
        keeps_all: ``write`` keeps whatever an Image holds, but for a phase.
        complex: it keeps that, too.
        becomes: the suffix that a batch writes restored studies with; "" for their own.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Budget], Image]
    write: Callable[..., None] | None = None
    refuses: Callable[[Image], str] = lambda image: ""
    companion: Callable[[Path], Path | None] = lambda path: None
    explained: bool = False
    keeps_all: bool = False
    complex: bool = False
    becomes: str = ""


def _refused_by_series(image: Image) -> str:
    if image.source.headers:
        return ""
    return "only a study read from DICOM is written as DICOM; choose .nrrd or .nii.gz."


def _refused_by_dicom_file(image: Image) -> str:
    files = len(image.source.headers)
    if files > 1:
        return f"this study is a series of {files} DICOM files; give a folder, not a .dcm file."
    return _refused_by_series(image)


def _read_header(path: Path, budget: Budget) -> Image:
    return (interfile if interfile.is_interfile(path) else nifti).read(path, budget)


_KEEPS_ALL = ".nrrd"  # the format for what another one cannot hold

FORMATS = (
    Format("DICOM", (".dcm",), dicom.read_file, derived.write, _refused_by_dicom_file, explained=True),
    Format("DICOM series", ("",), dicom.read_folder, derived.write, _refused_by_series, explained=True),
    Format("NRRD", (".nrrd", ".nhdr"), nrrd.read, nrrd.write, companion=nrrd.companion, keeps_all=True),
    Format("NIfTI", (".nii", ".nii.gz"), nifti.read, nifti.write, keeps_all=True, complex=True),
    Format("NIfTI pair, ANALYZE or Interfile", (".hdr",), _read_header, becomes=".nii.gz"),
    Format("Interfile", (".hv", ".h33"), interfile.read, becomes=_KEEPS_ALL),
    Format("MetaImage", (".mha",), metaimage.read, metaimage.write, keeps_all=True),
    Format("MetaImage", (".mhd",), metaimage.read, metaimage.write, companion=metaimage.companion, keeps_all=True),
    Format("ISMRMRD", (".h5", ".mrd"), kspace.read, becomes=".nii.gz"),
    Format("picture", (".png",), pictures.read, pictures.write, pictures.refuses),
    Format("picture", (".jpg", ".jpeg", ".bmp"), pictures.read, becomes=".png"),
    Format("TIFF", (".tif", ".tiff"), pictures.read, becomes=_KEEPS_ALL),
    Format("video", (".mp4",), video.read, video.write, video.refuses, becomes=_KEEPS_ALL),
    Format("video", video.OTHERS, video.read, becomes=_KEEPS_ALL),
)
_BY_SUFFIX = {suffix: row for row in FORMATS for suffix in row.suffixes}
WRITTEN = tuple(suffix for suffix, row in _BY_SUFFIX.items() if row.write and suffix)
IMAGES = tuple(suffix for suffix in _BY_SUFFIX if suffix not in ("", ".dcm"))  # DICOM is known by its content


def suffix_of(path: Path) -> str:
    """Lower-case suffix, ``.nii.gz`` as one; "" when the name has none."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def restored_suffix(suffix: str) -> str:
    """The suffix that a batch writes studies with which were read with this one."""
    return _BY_SUFFIX[suffix].becomes or suffix


def removed_suffix(suffix: str) -> str:
    """The suffix for what was removed from a study that is written with this one: it may be negative, or fractions."""
    row = _BY_SUFFIX.get(suffix)
    return suffix if row is not None and row.keeps_all else _KEEPS_ALL


def format_of(path: Path) -> Format | None:
    """The row of a file's suffix; None where there is none."""
    return _BY_SUFFIX.get(suffix_of(path))


def check_format(image: Image, path: str | Path) -> None:
    """Raise OutputError unless the format of ``path`` can hold a study like ``image``."""
    path = Path(path)
    row = format_of(path)
    if row is None or row.write is None:
        raise OutputError(f"{path.name}: cannot write '{suffix_of(path)}'; choose {', '.join(WRITTEN)} or a folder.")
    reason = row.refuses(image)
    if reason:
        raise OutputError(reason)


def written_files(path: Path) -> list[Path]:
    """The files or the folder that writing to ``path`` makes or replaces."""
    row = format_of(path)
    companion = row.companion(path) if row else None
    return [path] if companion is None else [path, companion]
