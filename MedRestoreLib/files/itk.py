"""Files that SimpleITK reads and writes: NIfTI, MetaImage and pictures; NRRD is only read with it."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError, UnsupportedImage
from ..image import Image, Source, as_integers
from .quiet import quiet_decoders

_NRRD = (".nrrd", ".nhdr")
_OURS = ("modality", "unit", "frame_times")


def read(path: Path) -> Image:
    import SimpleITK as sitk

    try:
        with quiet_decoders():
            image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise UnsupportedImage(f"{path} has oblique axes that are not perpendicular; resample it first.") from error
        raise UnsupportedImage(f"{path} is damaged, or not a {_suffix(path)} image.") from error
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
    metadata = {key: value for key, value in pairs.items() if _suffix(path) in _NRRD and _is_pair(key)}
    source = Source(
        format=_suffix(path), dtype=str(array.dtype), metadata={**metadata, "dimension": str(min(dimension, 3))}
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


def metadata_of(image: Image) -> dict[str, str]:
    """Key/value pairs to write: those that were read, and what we know of modality, unit and time."""
    pairs = {key: value for key, value in image.source.metadata.items() if key != "dimension"}
    times = " ".join(map(repr, image.frame_times))
    known = {"modality": "" if image.modality == "OT" else image.modality, "unit": image.unit, "frame_times": times}
    return pairs | {key: value for key, value in known.items() if value}


def is_planar(image: Image) -> bool:
    """Whether the image was read from a 2-D file and is still one."""
    return image.source.metadata.get("dimension") == "2" and image.voxels.shape[:2] == (1, 1)


def write(image: Image, path: Path) -> None:
    """Write a volume, frames or colour with their geometry."""
    stored = image.stored()
    stored = stored.astype(np.uint8) if stored.dtype == bool else stored
    volume = _volume(stored, planar=is_planar(image))
    dimension = volume.GetDimension()
    space = min(dimension, 3)
    direction = np.eye(dimension)
    direction[:space, :space] = np.reshape(image.direction, (3, 3))[:space, :space]
    steps = np.diff(image.frame_times)
    step = (float(steps[0]) / 1000.0 if len(steps) else 1.0) or 1.0
    volume.SetSpacing((*image.spacing, step)[:dimension])
    volume.SetOrigin((*image.origin, 0.0)[:dimension])
    volume.SetDirection(direction.ravel().tolist())
    if path.suffix == ".mha":
        for key, value in metadata_of(image).items():
            volume.SetMetaData(key, value)
    _save(volume, stored.nbytes, path)


def write_picture(image: Image, path: Path) -> None:
    """Write the one slice of an image as a picture of 8 or 16 bits."""
    stored = _picture(image)
    _save(_volume(stored, planar=True), stored.nbytes, path)


def _volume(stored: np.ndarray, planar: bool) -> Any:
    import SimpleITK as sitk

    drop = (0, 1) if planar else (0,) if stored.shape[0] == 1 else ()
    return sitk.GetImageFromArray(np.squeeze(stored, axis=drop), isVector=stored.ndim == 5)


def _save(volume: Any, size: int, path: Path) -> None:
    import SimpleITK as sitk

    if shutil.disk_usage(path.parent).free < size:  # ITK does not notice every failed write
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        sitk.WriteImage(volume, str(path), useCompression=path.suffix != ".nii")
    except RuntimeError as error:
        raise OutputError(f"a {path.suffix} file cannot hold this study; choose .nrrd.") from error


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


def _suffix(path: Path) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()
