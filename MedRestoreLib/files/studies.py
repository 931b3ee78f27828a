"""Studies in and out of files: DICOM, NRRD, NIfTI, MetaImage, pictures and video.

``read`` gives an Image, ``write`` puts one back. Nothing half-written is left: a study is written under a temporary
name beside its place and takes the place in one step.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError, UnsupportedImage
from ..image import Image, Source, as_integers
from . import dicom
from .atomic import PARTIAL, write_bytes
from .dicom import Series, list_series
from .quiet import quiet_decoders

__all__ = [
    "IMAGES",
    "WRITTEN",
    "Series",
    "check_format",
    "check_writable",
    "list_series",
    "read",
    "suffix_of",
    "write",
    "write_text",
]

_NRRD = (".nrrd", ".nhdr")
_NIFTI = (".nii", ".nii.gz")
_META = (".mha", ".mhd")
_PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
_VIDEOS = (".mp4", ".mov", ".avi", ".mpeg", ".mpg", ".mkv", ".m4v", ".wmv", ".webm")
WRITTEN = (".dcm", *_NRRD, *_NIFTI, ".mha", ".png", ".mp4")
IMAGES = (*_NRRD, *_NIFTI, *_META, *_PICTURES, *_VIDEOS)
_OURS = ("modality", "unit", "frame_times")


def read(path: str | Path, *, series: str | None = None, replace_nan: float | None = None) -> Image:
    """The study in a file or a DICOM folder.

    Args:
        path: DICOM file or folder, NRRD, NHDR, NIfTI, MHA, MHD, PNG, TIFF, JPEG, BMP or a video. One DICOM file is
            read alone, even when it is a slice of a series.
        series: which series of a folder that holds several: its number in ``list_series``, from 1, or its UID.
        replace_nan: value for voxels that are NaN or infinite; None refuses such studies.

    Raises:
        UnsupportedImage: the study is absent, damaged, of another kind, or holds values that are not numbers.
    """
    path = Path(path)
    try:
        image = _read(path, series)
    except OSError as error:
        raise UnsupportedImage(f"{path} cannot be read ({error.strerror or type(error).__name__}).") from error
    return _finite(image, path, replace_nan)


def write(image: Image, path: str | Path, *, derivation: str = "", label: str = "restored") -> Path:
    """Write a study; the suffix of ``path`` says how.

    ``.nrrd``, ``.nhdr``, ``.nii``, ``.nii.gz`` and ``.mha`` keep everything: geometry, frames, colour, and voxels in
    their stored type, or float32 where restored values do not fit it. NIfTI holds geometry as 32-bit floats, so
    positions there are exact to 1e-7 of their size. ``.png`` (one picture) and ``.mp4`` (8-bit frames, lossy) round
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
    path = Path(path)
    check_writable(path)
    check_format(image, path)
    suffix = suffix_of(path)
    partial = path.with_name(f"{PARTIAL}{uuid.uuid4().hex[:12]}{suffix}")
    moves = [(partial, path)]
    try:
        if suffix in _NRRD:
            data = partial.with_suffix(".raw.gz") if suffix == ".nhdr" else None
            if data is not None:
                moves.insert(0, (data, path.with_suffix(".raw.gz")))
            _write_nrrd(image, partial, data, path)
        elif suffix in ("", ".dcm"):
            from .derived import write_derived

            write_derived(image, partial, derivation, label)
        elif suffix == ".mp4":
            _write_video(image, partial)
        else:
            _write_itk(image, partial)
        for written, target in moves:
            _put(written, target)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        for written, _ in moves:
            _remove(written)
    return path


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file (UTF-8) in one step; OutputError when that cannot be done."""
    return write_bytes(Path(path), text.encode())


def check_writable(path: str | Path, source: str | Path | None = None) -> None:
    """Raise OutputError unless a file or folder can be put at ``path`` without touching the study at ``source``."""
    path = Path(path)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"the folder {folder} does not exist; create it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {folder} is not writable; choose another.")
    if path.suffix and path.is_dir():
        raise OutputError(f"{path} is a folder; give a file name.")
    if not path.suffix and path.is_file():
        raise OutputError(f"{path} is a file; give a folder for a DICOM series, or a name with a suffix.")
    if source is not None:
        output, origin = path.resolve(), Path(source).resolve()
        if output == origin or output in origin.parents:
            raise OutputError(f"writing to {path} would overwrite the study that is read; choose another name.")
    if path.is_dir() and any(path.iterdir()) and not _is_our_series(path):
        raise OutputError(f"the folder {path} is not empty; give a new one.")


def check_format(image: Image, path: str | Path) -> None:
    """Raise OutputError unless the format of ``path`` can hold a study like ``image``, and the disk has room for it."""
    path, suffix = Path(path), suffix_of(Path(path))
    frames, slices = image.voxels.shape[:2]
    headers = len(image.source.headers)
    dtype = np.dtype(image.source.dtype)
    if suffix and suffix not in WRITTEN:
        raise OutputError(f"{path.name}: cannot write '{suffix}'; choose {', '.join(WRITTEN)} or a folder.")
    if suffix in ("", ".dcm") and not headers:
        raise OutputError("only a study read from DICOM is written as DICOM; choose .nrrd or .nii.gz.")
    if suffix == ".dcm" and headers > 1:
        raise OutputError(f"this study is a series of {headers} DICOM files; give a folder, not a .dcm file.")
    if suffix == ".png" and frames * slices > 1:
        raise OutputError(
            f"a .png holds one picture, this study has {frames * slices}; choose .nrrd, or .mp4 for a cine."
        )
    if suffix == ".png" and (dtype.kind not in "iub" or image.source.slope != 1.0):
        raise OutputError("a .png holds whole numbers and this study has fractions; choose .nrrd.")
    if suffix == ".mp4" and (slices > 1 or dtype != np.uint8):
        raise OutputError("an .mp4 holds 8-bit pictures over time and this study is something else; choose .nrrd.")
    if shutil.disk_usage(path.absolute().parent).free < image.voxels.size * dtype.itemsize:
        raise _disk_full(path)


def _is_our_series(folder: Path) -> bool:
    """Whether a folder holds nothing but a series that MedRestore wrote, which may be written again."""
    from .derived import is_ours

    return all(is_ours(entry) for entry in folder.iterdir())


def _read(path: Path, series: str | None) -> Image:
    if path.is_dir():
        return dicom.read_folder(path, series)
    if not path.is_file():
        raise UnsupportedImage(f"{path} does not exist.")
    if not path.stat().st_size:
        raise UnsupportedImage(f"{path} is empty.")
    if dicom.is_dicom(path):
        return dicom.read_files([path])
    if suffix_of(path) in _VIDEOS:
        return _read_video(path)
    if suffix_of(path) in (*_NRRD, *_NIFTI, *_META, *_PICTURES):
        return _read_itk(path)
    raise UnsupportedImage(f"{path} is not a study that MedRestore reads (DICOM, NRRD, NIfTI, MHA, picture, video).")


def suffix_of(path: Path) -> str:
    """Lower-case suffix, ``.nii.gz`` as one; "" when the name has none."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def _finite(image: Image, path: Path, replace_nan: float | None) -> Image:
    good = np.isfinite(image.voxels)
    if good.all():
        return image
    count = int(good.size - np.count_nonzero(good))
    if replace_nan is None:
        raise UnsupportedImage(
            f"{path} holds {count} voxels that are NaN or infinite; set them to a number with --replace-nan VALUE."
        )
    colour = None if image.colour is None else np.where(good[..., None], image.colour, 0.0)
    return dataclasses.replace(image, voxels=np.where(good, image.voxels, np.float32(replace_nan)), colour=colour)


def _read_itk(path: Path) -> Image:
    import SimpleITK as sitk

    try:
        with quiet_decoders():
            image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise UnsupportedImage(f"{path} has oblique axes that are not perpendicular; resample it first.") from error
        raise UnsupportedImage(f"{path} is damaged, or not a {suffix_of(path)} image.") from error
    array = sitk.GetArrayFromImage(image)
    dimension, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if dimension not in (2, 3, 4):
        raise UnsupportedImage(f"{path} has {dimension} dimensions; images have 2, 3 or 4 (the last is time).")
    pairs = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    axes = {2: "yx", 3: "zyx", 4: "fzyx"}[dimension]
    if components > 1:
        listed = pairs.get("NRRD_kinds[pixel]") == "list"
        if not listed and components not in (3, 4):
            raise UnsupportedImage(f"{path} has {components} components a voxel, which are neither colour nor frames.")
        axes += "f" if listed and dimension < 4 else "c"
    metadata = {key: value for key, value in pairs.items() if suffix_of(path) in _NRRD and _is_pair(key)}
    source = Source(
        format=suffix_of(path), dtype=str(array.dtype), metadata={**metadata, "dimension": str(min(dimension, 3))}
    )
    loaded = Image.from_array(array, axes=axes, source=source, **_geometry(image))
    times = _frame_times(pairs, image.GetSpacing()[3] if dimension == 4 else 0.0, loaded.voxels.shape[0])
    modality, unit = pairs.get("modality", "OT"), pairs.get("unit", "")
    return dataclasses.replace(loaded, frame_times=times, modality=modality, unit=unit)


def _is_pair(key: str) -> bool:
    """Whether a metadata key is the user's, not ITK's or ours."""
    return not key.startswith(("ITK_", "NRRD_", "axis ")) and key not in _OURS


def _geometry(image: Any) -> dict[str, Any]:
    dimension = image.GetDimension()
    direction = np.eye(3)
    space = min(dimension, 3)
    direction[:space, :space] = np.reshape(image.GetDirection(), (dimension, dimension))[:space, :space]
    if space == 2:
        direction[2, 2] = np.sign(np.linalg.det(direction[:2, :2])) or 1.0  # a right-handed normal
    return {
        "spacing": (*image.GetSpacing()[:space], 1.0)[:3],
        "origin": (*image.GetOrigin()[:space], 0.0)[:3],
        "direction": direction.ravel(),
    }


def _frame_times(pairs: dict[str, str], step: float, frames: int) -> tuple[float, ...]:
    """Milliseconds, from our own key or from NIfTI's repetition time (seconds, once its unit of time is stated)."""
    times = tuple(map(float, pairs.get("frame_times", "").split()))
    if len(times) == frames:
        return times
    timed = int(pairs.get("xyzt_units") or 0) & 0b111000
    return tuple(1000.0 * step * frame for frame in range(frames)) if timed and frames > 1 else ()


def _metadata(image: Image) -> dict[str, str]:
    """Key/value pairs to write: those that were read, and what we know of modality, unit and time."""
    pairs = {key: value for key, value in image.source.metadata.items() if key != "dimension"}
    times = " ".join(map(repr, image.frame_times))
    known = {"modality": "" if image.modality == "OT" else image.modality, "unit": image.unit, "frame_times": times}
    return pairs | {key: value for key, value in known.items() if value}


def _is_planar(image: Image) -> bool:
    """Whether the image was read from a 2-D file and is still one."""
    return image.source.metadata.get("dimension") == "2" and image.voxels.shape[:2] == (1, 1)


def _write_nrrd(image: Image, path: Path, data: Path | None, target: Path) -> None:
    from .nrrd import write_nrrd

    name = target.with_suffix(".raw.gz").name if data else ""
    write_nrrd(image, path, _metadata(image), planar=_is_planar(image), data=data, data_name=name)


def _write_itk(image: Image, path: Path) -> None:
    import SimpleITK as sitk

    picture = path.suffix == ".png"
    stored = _picture(image) if picture else image.stored()
    stored = stored.astype(np.uint8) if stored.dtype == bool else stored
    planar = picture or _is_planar(image)
    drop = (0, 1) if planar else (0,) if stored.shape[0] == 1 else ()
    volume = sitk.GetImageFromArray(np.squeeze(stored, axis=drop), isVector=stored.ndim == 5)
    dimension = volume.GetDimension()
    space = min(dimension, 3)
    direction = np.eye(dimension)
    direction[:space, :space] = np.reshape(image.direction, (3, 3))[:space, :space]
    steps = np.diff(image.frame_times)
    step = (float(steps[0]) / 1000.0 if len(steps) else 1.0) or 1.0
    if not picture:
        volume.SetSpacing((*image.spacing, step)[:dimension])
        volume.SetOrigin((*image.origin, 0.0)[:dimension])
        volume.SetDirection(direction.ravel().tolist())
    if path.suffix == ".mha":
        for key, value in _metadata(image).items():
            volume.SetMetaData(key, value)
    if shutil.disk_usage(path.parent).free < stored.nbytes:  # ITK does not notice every failed write
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        sitk.WriteImage(volume, str(path), useCompression=path.suffix != ".nii")
    except RuntimeError as error:
        raise OutputError(f"a {suffix_of(path)} file cannot hold this study; choose .nrrd.") from error


def _picture(image: Image) -> np.ndarray:
    """The one picture as whole numbers of 8 or 16 bits."""
    stored = image.stored()
    dtype = np.dtype(image.source.dtype)
    if dtype in (np.uint8, np.uint16):
        return as_integers(stored, dtype) if stored.dtype != dtype else stored
    whole = np.rint(stored.astype(np.float64))
    if whole.min() < 0 or whole.max() > np.iinfo(np.uint16).max:
        raise OutputError("the values of this study do not fit a 16-bit .png; choose .nrrd.")
    return whole.astype(np.uint8 if dtype.itemsize == 1 else np.uint16)


def _read_video(path: Path) -> Image:
    import cv2

    frames = []
    with quiet_decoders():
        capture = cv2.VideoCapture(str(path))
        rate = capture.get(cv2.CAP_PROP_FPS)
        while (frame := capture.read()[1]) is not None:
            frames.append(frame)
        capture.release()
    if not frames:
        raise UnsupportedImage(f"{path} is damaged, or holds no frame that can be decoded.")
    array = np.stack(frames)[..., ::-1]  # OpenCV gives blue first
    grey = bool((array == array[..., :1]).all())
    times = tuple(1000.0 * k / rate for k in range(len(frames))) if rate > 0 and len(frames) > 1 else ()
    source = Source(format=suffix_of(path), dtype="uint8")
    voxels, axes = (array[..., 0], "fyx") if grey else (array, "fyxc")
    return Image.from_array(voxels, axes=axes, frame_times=times, source=source)


def _write_video(image: Image, path: Path) -> None:
    import cv2

    pictures = as_integers(image.stored()[:, 0], np.dtype(np.uint8))
    pictures = np.repeat(pictures[..., None], 3, axis=-1) if pictures.ndim == 3 else pictures[..., 2::-1]
    steps = np.diff(image.frame_times)
    rate = 1000.0 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else 25.0
    if shutil.disk_usage(path.parent).free < pictures.nbytes:  # the encoder does not notice a failed write
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, pictures.shape[2:0:-1])
    if not writer.isOpened():
        raise OutputError("this OpenCV cannot write .mp4; choose .nrrd.")
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture))
    writer.release()


def _put(written: Path, target: Path) -> None:
    """Give what was written its name. A former file goes in the same step, a former folder right after."""
    if not target.is_dir():
        os.replace(written, target)
        return
    former = written.with_name(f"{written.name}-former")
    target.rename(former)
    written.rename(target)
    shutil.rmtree(former)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full(path)
    return OutputError(f"{path} cannot be written ({error.strerror or type(error).__name__}).")


def _disk_full(path: Path) -> OutputError:
    return OutputError(f"the disk of {path.absolute().parent} is full; free some space or choose another folder.")


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial)
    else:
        partial.unlink(missing_ok=True)
