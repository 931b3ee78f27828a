"""The door: ``read`` gives the Image of a study on disk, ``write`` puts one back.

What formats there are stands in ``formats``. A study is written into a temporary folder beside its place and takes the
place when it is whole, so nothing half-written is ever left.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np

from ..errors import MedRestoreError, OutputError, UnsupportedImage
from ..image import Image
from . import dicom
from .atomic import cannot_write, disk_full, staged, write_bytes
from .formats import IMAGES, WRITTEN, check_format, format_of, suffix_of, written_files
from .headers import is_dicom
from .parts import parts
from .payload import Budget
from .series import Series, list_series, unreadable, why_unreadable
from .sidecar import heeded

__all__ = [
    "IMAGES",
    "WRITTEN",
    "Series",
    "check_format",
    "check_space",
    "check_writable",
    "list_series",
    "read",
    "suffix_of",
    "unreadable",
    "why_unreadable",
    "write",
    "write_text",
]


def read(
    path: str | Path | Series,
    *,
    series: str | None = None,
    replace_nan: float | None = None,
    memory_gb: float | None = None,
) -> Image:
    """The study in a file or a DICOM folder.

    Args:
        path: DICOM file or folder, NRRD, NHDR, NIfTI, ANALYZE, Interfile, MHA, MHD, PNG, TIFF, JPEG, BMP or a
            video; or one of ``list_series``. One DICOM file is read alone, even when it is a slice of a series.
        series: which series of a folder that holds several: its number in ``list_series``, from 1, or its UID.
        replace_nan: value for voxels that are NaN or infinite; None refuses such studies.
        memory_gb: memory that the voxels may take, if more than 2 GB and more than 50 times the size of the file.

    Raises:
        UnsupportedImage: the study is absent, damaged, of another kind, or holds values that are not numbers.
        MissingPackage: the package that decodes it is not installed.
    """
    listed, path = (path, path.files[0].parent) if isinstance(path, Series) else (None, Path(path))
    try:
        budget = Budget(memory_gb)
        image = _read(path, series, budget) if listed is None else dicom.read_series(listed, budget)
    except MedRestoreError:
        raise
    except MemoryError as error:
        raise UnsupportedImage(f"{path} needs more memory than there is; close other programs.") from error
    except OSError as error:
        raise UnsupportedImage(f"{path} cannot be read ({error.strerror or type(error).__name__}).") from error
    except Exception as error:  # whatever a damaged file provokes; its text may hold what a header says of a patient
        raise UnsupportedImage(f"{path} is damaged, or of an unusual kind ({type(error).__name__}).") from error
    return _finite(image, path, replace_nan)


def write(image: Image, path: str | Path, *, derivation: str = "", label: str = "restored") -> Path:
    """Write a study; the suffix of ``path`` says how.

    ``.nrrd``, ``.nhdr``, ``.nii``, ``.nii.gz``, ``.mha`` and ``.mhd`` keep everything: geometry, frames, colour, and
    voxels in their stored type, or float32 where restored values do not fit it. NIfTI holds geometry as 32-bit floats,
    so positions there are exact to 1e-7 of their size. Complex numbers stay so in NIfTI alone; elsewhere their
    magnitude is written. ``.png`` (one picture) and ``.mp4`` (8-bit frames, lossy) round
    to whole numbers. ``.dcm`` writes one derived DICOM object and a path without suffix a folder of them; both need
    a study that was read from DICOM.

    Args:
        derivation: what was done, for DICOM's Derivation Description.
        label: what the result is called behind the series description, such as the method or "removed".

    Returns:
        The path.

    Raises:
        OutputError: the place is not writable, the disk is full, or the format cannot hold this study.
    """
    write_hashed(image, Path(path), derivation=derivation, label=label)
    return Path(path)


def write_hashed(image: Image, path: Path, *, derivation: str = "", label: str = "restored") -> dict[str, str]:
    """As ``write``; gives SHA-256 of every file as it was before it took its name, by its path from the folder."""
    check_writable(path)
    check_format(image, path)
    check_space(image, path)
    row = format_of(path)
    assert row is not None
    assert row.write is not None
    image = image if row.complex else image.magnitude()
    about = {"derivation": derivation, "label": label} if row.explained else {}
    try:
        with staged(path) as staging:
            row.write(image, staging.path, **about)
    except MedRestoreError:
        raise
    except Exception as error:
        raise OutputError(f"{path} cannot be written ({type(error).__name__}); choose .nrrd.") from error
    return staging.hashes


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file (UTF-8) in one step; OutputError when that cannot be done."""
    return write_bytes(Path(path), text.encode())


def check_writable(path: str | Path, source: str | Path | None = None) -> None:
    """Raise OutputError unless a file or folder can be put at ``path`` without touching the study at ``source``."""
    path = Path(path)
    try:
        _check_place(path)
        if source is not None:
            output, origin = path.resolve(), Path(source).resolve()
            written = written_files(output)
            replaced = any(new.exists() and new.samefile(old) for old in parts(origin) for new in written)
            if replaced or output == origin or output in origin.parents:
                raise OutputError(f"writing to {path} would overwrite the study that is read; choose another name.")
        if path.is_dir() and any(path.iterdir()) and not _is_our_series(path):
            raise OutputError(f"the folder {path} is not empty; give a new one.")
    except OSError as error:  # a name that is too long, a loop of links
        raise cannot_write(path, error) from error


def check_space(image: Image, path: str | Path) -> None:
    """Raise OutputError unless the disk of ``path`` has room for a study like ``image``, stored uncompressed."""
    folder = Path(path).absolute().parent
    if shutil.disk_usage(folder).free < image.voxels.size * np.dtype(image.source.dtype).itemsize:
        raise disk_full(folder)


def _check_place(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"the folder {folder} does not exist; create it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {folder} is not writable; choose another.")
    if path.suffix and path.is_dir():
        raise OutputError(f"{path} is a folder; give a file name.")
    if not path.suffix and path.is_file():
        raise OutputError(f"{path} is a file; give a folder for a DICOM series, or a name with a suffix.")


def _is_our_series(folder: Path) -> bool:
    """Whether a folder holds nothing but a series that MedRestore wrote, which may be written again."""
    from .derived import is_ours

    return all(is_ours(entry) for entry in folder.iterdir())


def _read(path: Path, series: str | None, budget: Budget) -> Image:
    if path.is_dir():
        return dicom.read_folder(path, budget, series)
    if reason := why_unreadable(path):
        raise UnsupportedImage(f"{path} {reason}.")
    if not path.stat().st_size:
        raise UnsupportedImage(f"{path} is empty.")
    if is_dicom(path):
        return dicom.read_file(path, budget, series)
    row = format_of(path)
    if suffix_of(path) == ".img":
        raise UnsupportedImage(f"{path} is one of a pair of files; give its header, the .hdr.")
    if row is None or suffix_of(path) not in IMAGES:
        raise UnsupportedImage(
            f"{path} is not a study MedRestore reads (DICOM, NRRD, NIfTI, ANALYZE, Interfile, MHA, picture, video)."
        )
    return heeded(row.read(path, budget), path, lambda other: row.read(other, budget))


def _finite(image: Image, path: Path, replace_nan: float | None) -> Image:
    good = np.isfinite(image.voxels)
    if good.all():
        return image
    count = int(good.size - np.count_nonzero(good))
    if replace_nan is None:
        raise UnsupportedImage(
            f"{path} holds {count} voxels that are NaN or infinite; say which number to put there.",
            field="replace_nan",
        )
    colour = None if image.colour is None else np.where(good[..., None], image.colour, 0.0)
    return dataclasses.replace(image, voxels=np.where(good, image.voxels, np.float32(replace_nan)), colour=colour)
