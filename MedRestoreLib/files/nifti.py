"""NIfTI-1 and NIfTI-2, read and written so that both transforms and every other field of a header come back.

Format: https://nifti.nimh.nih.gov; headers are nibabel's. Space there is RAS and may be in metres or microns, Image's
is LPS in mm. The Image's geometry is the sform where there is one, else the qform, else pixdim alone. Of a pair the
voxels lie in an ``.img`` beside the ``.hdr``; ANALYZE, which came before, is read as SPM reads it.
"""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import modalities
from ..errors import UnsupportedImage
from ..image import Image, Source
from .pairs import is_planar
from .payload import Budget, demand_possible, fill, rest
from .placing import UNKNOWN, geometry_of

_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_SIZES = {348: 1, 540: 2}  # bytes of the header: version
_SPACE = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # code of the unit: mm; files that state none mean mm
_TIME = {8: 1000.0, 16: 1.0, 24: 0.001}  # ms
_SECONDS, _MILLIMETRES = 8, 2
_COLOURS = {2003: 3, 2004: 4}  # intents RGB and RGBA vector: components
_LABELS = 1002  # intent
_NOT_SCALARS = {
    1004: "matrices",
    1005: "symmetric matrices",
    1006: "displacements",
    1007: "vectors",
    1008: "points",
    1009: "triangles",
    1010: "quaternions",
}
_LONGEST_EXTENSION = 1 << 26
_LARGEST = 32767  # dimension in NIfTI-1


@dataclass(frozen=True)
class Native:
    """A header as read, in nibabel's class, its extensions as bytes, and the Image attributes that came of it."""

    header: Any
    extensions: bytes
    shape: tuple[int, ...]
    geometry: dict[str, Any]


def read(path: Path, budget: Budget) -> Image:
    """The image of a ``.nii`` or ``.nii.gz`` file, or of a pair whose ``.hdr`` is given.

    Raises:
        UnsupportedImage: damaged, truncated, or its voxels are no single numbers and no colours.
    """
    half = path.suffix.lower() == ".hdr"
    voxels = image_of(path) if half else path
    with path.open("rb") as file, voxels.open("rb") as other:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream: Any = gzip.GzipFile(fileobj=file) if packed else file
        header = _header(path, stream, half)
        sizes, dtype, components = _voxel_type(path, header)
        count = math.prod(sizes) * components * dtype.itemsize
        demand_possible(voxels, voxels.stat().st_size, count, "gzip" if packed else "raw")
        budget.demand(voxels, sizes, dtype.itemsize, components)
        if half:
            extensions, stream = file.read(_LONGEST_EXTENSION)[4:], other
            stream.seek(_offset(path, header))
        else:
            extensions = _extensions(path, header, stream)
        raw = fill(stream, count, voxels)
        _demand_no_more(voxels, stream, max(1, count // max(1, sizes[3])))
    x, y, z, t = sizes
    stored = raw.view(dtype)
    if header["datatype"] in (128, 2304):  # colour of interleaved bytes
        array, axes = stored.reshape(t, z, y, x, components), "fzyxc"
    elif components > 1:
        array, axes = stored.reshape(components, t, z, y, x), "cfzyx"
    else:
        array, axes = _scaled(path, header, stored).reshape(t, z, y, x), "fzyx"
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    planar = {"dimension": "2"} if header["dim"][0] == 2 else {}
    if _is_analyze(header):
        source = Source(format=".hdr", dtype=str(array.dtype), metadata=planar)
        return Image.from_array(array, axes=axes, source=source, **_analyze_geometry(path, header))
    geometry = {**_geometry(path, header), "frame_times": _frame_times(header, t)}
    native = Native(header, extensions, (t, z, y, x), geometry)
    labels = {"modality": modalities.LABELS} if header["intent_code"] == _LABELS else {}
    labels |= {"modality": "MR"} if dtype.kind == "c" else {}  # nothing else is kept as complex numbers
    source = Source(
        format=".hdr" if half else ".nii.gz" if path.name.lower().endswith(".gz") else ".nii",
        dtype=str(array.dtype),
        metadata=planar,
        native=native,
    )
    return Image.from_array(array, axes=axes, source=source, **labels, **geometry)


def write(image: Image, path: Path) -> None:
    """Write ``.nii`` or ``.nii.gz``; what a NIfTI source said beyond the Image is said again."""
    stored = image.stored()
    stored = stored.astype(np.uint8) if stored.dtype == bool else stored
    native = image.source.native if isinstance(image.source.native, Native) else None
    if native is not None and native.shape[:2] == image.voxels.shape[:2]:
        header, extensions = _again(image, native), native.extensions
    else:
        header, extensions = _new_header(image), b""
    voxels = _set_type(header, stored)
    offset = header.sizeof_hdr + 4 + len(extensions)
    header["vox_offset"] = offset
    header["magic"] = b"n+1" if header.sizeof_hdr == 348 else b"n+2\0\r\n\x1a\n"
    flag = b"\1\0\0\0" if extensions else b"\0\0\0\0"
    with path.open("wb") as file:
        packed = path.name.lower().endswith(".gz")
        stream: Any = gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0) if packed else file
        stream.write(header.binaryblock + flag + extensions)
        stream.write(np.ascontiguousarray(voxels).data)
        if packed:
            stream.close()


def _damaged(path: Path, field: str) -> UnsupportedImage:
    return UnsupportedImage(f"the NIfTI header of {path} is damaged: {field} is out of range; fetch it again.")


def image_of(header: Path) -> Path:
    """The ``.img`` of a pair.

    Raises:
        UnsupportedImage: it is absent.
    """
    found = next((path for suffix in (".img", ".IMG") if (path := header.with_suffix(suffix)).is_file()), None)
    if found is None:
        raise UnsupportedImage(f"{header} is the header of a pair; put its .img beside it.")
    return found


def _header(path: Path, stream: Any, half: bool) -> Any:
    from nibabel import Nifti1Header, Nifti2Header, Spm2AnalyzeImage

    block = fill(stream, 348, path).tobytes()
    size = next((size for size in _SIZES for order in "<>" if struct.unpack(f"{order}i", block[:4])[0] == size), 0)
    if not size:
        known = "NIfTI, ANALYZE or Interfile header" if half else "NIfTI file"
        raise UnsupportedImage(f"{path} is no {known}, or it is damaged: sizeof_hdr is not 348 or 540.")
    block += fill(stream, size - 348, path).tobytes() if size > 348 else b""
    header: Any = (Nifti1Header if size == 348 else Nifti2Header)(block, check=False)
    magic = bytes(header["magic"])[:3]
    if half and size == 348 and magic not in (b"ni1", b"n+1"):
        header = Spm2AnalyzeImage.header_class(block, check=False)
    elif magic in (b"ni1", b"ni2") and not half:
        raise UnsupportedImage(f"{path} is the header of a pair; call it .hdr, beside its .img.")
    elif magic not in ((b"ni1", b"ni2") if half else (b"n+1", b"n+2")):
        raise _damaged(path, "magic")
    if not 1 <= header["dim"][0] <= 7:
        raise _damaged(path, "dim[0]")
    return header


def _is_analyze(header: Any) -> bool:
    return "magic" not in header.keys()  # noqa: SIM118 (nibabel's headers are no mappings)


def _analyze_geometry(path: Path, header: Any) -> dict[str, Any]:
    """ANALYZE states no axes: they are those of SPM, x to the left, unless SPM's ``.mat`` lies beside and says more."""
    from nibabel import Spm2AnalyzeImage

    with np.errstate(invalid="ignore"):  # a signalling NaN
        lengths = np.array(header["pixdim"][1:4], np.float64)
    lengths[header["dim"][0] :] = 1.0
    if not (np.isfinite(lengths).all() and lengths.min() > 0):
        return dict(UNKNOWN)
    affine = Spm2AnalyzeImage.from_filename(path).affine
    return geometry_of(_TO_LPS @ affine[:3, :3], _TO_LPS @ affine[:3, 3])


def _voxel_type(path: Path, header: Any) -> tuple[list[int], np.dtype, int]:
    """Sizes along x, y, z and time, the type of one component, and how many there are."""
    count = int(header["dim"][0])
    dims = [int(size) for size in header["dim"][1 : count + 1]]
    if min(dims) < 1:
        raise _damaged(path, f"dim[{1 + int(np.argmin(dims))}]")
    dims += [1] * (7 - count)
    intent = 0 if _is_analyze(header) else int(header["intent_code"])
    if intent in _NOT_SCALARS and max(dims[3], dims[4]) > 1:
        raise UnsupportedImage(f"{path} holds {_NOT_SCALARS[intent]}, which are neither colour nor frames.")
    components = dims[4]
    if max(dims[5:]) > 1 or (components > 1 and _COLOURS.get(intent) != components):
        raise UnsupportedImage(f"{path} holds {components} components a voxel, which are neither colour nor frames.")
    try:
        dtype = header.get_data_dtype()
    except Exception as error:
        raise _damaged(path, "datatype") from error
    if dtype.kind == "V" and len(dtype.names or ()) in (3, 4) and components == 1:
        return dims[:4], np.dtype(np.uint8), len(dtype.names)
    if dtype.kind == "c" and dtype.itemsize <= 16 and components == 1:
        return dims[:4], dtype, components
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnsupportedImage(f"{path} holds voxels of type {dtype}, which are not supported; convert it to float.")
    return dims[:4], dtype, components


def _extensions(path: Path, header: Any, stream: Any) -> bytes:
    """What lies between header and voxels, behind the four bytes that announce it; leaves ``stream`` at the voxels."""
    offset, least = _offset(path, header), header.sizeof_hdr + 4
    if 0 < offset < least:
        raise _damaged(path, "vox_offset")
    between = fill(stream, max(offset, least) - header.sizeof_hdr, path).tobytes()
    return between[4:] if between[0] else b""


def _offset(path: Path, header: Any) -> int:
    """Where the voxels begin in their file; 0 where that is left open."""
    offset = float(header["vox_offset"])
    if not 0 <= offset <= header.sizeof_hdr + 4 + _LONGEST_EXTENSION or offset != int(offset):
        raise _damaged(path, "vox_offset")
    return int(offset)


def _demand_no_more(path: Path, stream: Any, volume: int) -> None:
    """Raise where another whole volume follows: then the header says less than the file holds."""
    if rest(stream, path, volume) == volume and volume > 1:
        raise UnsupportedImage(f"{path} holds more volumes than its header declares (dim); correct the header.")


def _scaled(path: Path, header: Any, stored: np.ndarray) -> np.ndarray:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if _is_analyze(header) and not np.isfinite(intercept):
        intercept = 0.0
    if slope == 0 or not np.isfinite(slope):
        if np.isinf(slope):
            raise _damaged(path, "scl_slope")
        return stored
    if not np.isfinite(intercept):
        raise _damaged(path, "scl_inter")
    if (slope, intercept) == (1.0, 0.0):
        return stored
    if stored.dtype.kind == "c":
        return stored * slope + intercept
    exact = np.float32 if stored.dtype.itemsize <= 2 else np.float64
    return (stored.astype(np.float64) * slope + intercept).astype(exact)


def _geometry(path: Path, header: Any) -> dict[str, Any]:
    unit = int(header["xyzt_units"]) & 7
    sheared = None
    for form in (header.get_sform, header.get_qform):
        try:
            affine, code = form(coded=True)
        except Exception as error:  # nibabel raises several types at quaternions that are none
            raise _damaged(path, "the qform") from error
        if not code or affine is None:
            continue
        if unit not in _SPACE:
            return dict(UNKNOWN)
        affine = np.array(affine, np.float64)
        if header["dim"][0] == 2 and not np.linalg.norm(affine[:3, 2]) > 0:
            affine[:3, 2] = np.cross(affine[:3, 0], affine[:3, 1])
            affine[:3, 2] /= np.linalg.norm(affine[:3, 2]) or 1.0
        try:
            geometry = geometry_of(_TO_LPS @ affine[:3, :3] * _SPACE[unit], _TO_LPS @ affine[:3, 3] * _SPACE[unit])
            zooms = tuple(float(zoom) * _SPACE[unit] for zoom in header["pixdim"][1:4])
            # The same lengths stand in pixdim with fewer roundings.
            return {**geometry, "spacing": zooms} if np.allclose(zooms, geometry["spacing"], rtol=1e-4) else geometry
        except UnsupportedImage as error:  # a registration may shear the sform and leave the qform
            sheared = UnsupportedImage(f"{path}: {error}")
    if sheared is not None:
        raise sheared
    lengths = np.array(header["pixdim"][1:4], np.float64)
    lengths[header["dim"][0] :] = 1.0
    stated = unit != 0 or (lengths != 1).any()
    if not (np.isfinite(lengths).all() and lengths.min() > 0 and unit in _SPACE and stated):
        return dict(UNKNOWN)
    return geometry_of(_TO_LPS * lengths * _SPACE[unit], np.zeros(3))


def _frame_times(header: Any, frames: int) -> tuple[float, ...]:
    """Milliseconds; () where the unit of time or the step is not stated."""
    unit = _TIME.get(int(header["xyzt_units"]) & 56)
    step, start = float(header["pixdim"][4]), float(header["toffset"])
    if frames == 1 or unit is None or not (np.isfinite(step) and step > 0):
        return ()
    start = start if np.isfinite(start) else 0.0
    return tuple(unit * (start + step * frame) for frame in range(frames))


def _again(image: Image, native: Native) -> Any:
    """The source's header, with the geometry and the time of ``image`` where they are no longer the source's."""
    header = native.header.as_byteswapped("<") if native.header.endianness == ">" else native.header.copy()
    header["dim"][1:3] = image.voxels.shape[:1:-1]  # more than in the source where the study was enlarged
    if any(getattr(image, name) != native.geometry[name] for name in native.geometry if name != "frame_times"):
        _place(header, image)
    if image.frame_times != native.geometry["frame_times"]:
        _time(header, image)
    return header


def _new_header(image: Image) -> Any:
    from nibabel import Nifti1Header, Nifti2Header

    frames, slices, rows, columns = image.voxels.shape
    header = (Nifti2Header if max(image.voxels.shape) > _LARGEST else Nifti1Header)(endianness="<")
    sizes = [columns, rows] if is_planar(image) else [columns, rows, slices] + ([frames] if frames > 1 else [])
    header["dim"] = [len(sizes), *sizes, *[1] * (7 - len(sizes))]
    header["pixdim"] = [1.0, *image.spacing, *[1.0] * 4]
    if image.spacing_known:
        header["xyzt_units"] = _MILLIMETRES
        _place(header, image)
    _time(header, image)
    return header


def _place(header: Any, image: Image) -> None:
    affine = np.eye(4)
    affine[:3, :3] = _TO_LPS @ np.reshape(image.direction, (3, 3)) * image.spacing
    affine[:3, 3] = _TO_LPS @ image.origin
    header["xyzt_units"] = (int(header["xyzt_units"]) & ~7) | _MILLIMETRES
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)


def _time(header: Any, image: Image) -> None:
    """One step in seconds, which is all that NIfTI can say; uneven times are left out."""
    steps = np.diff(image.frame_times)
    even = len(steps) > 0 and steps.min() > 0 and np.ptp(steps) <= 0.01 * steps.mean()
    header["xyzt_units"] = (int(header["xyzt_units"]) & 7) | (_SECONDS if even else 0)
    header["pixdim"][4] = steps.mean() / 1000.0 if even else 0.0
    header["toffset"] = image.frame_times[0] / 1000.0 if even else 0.0


def _set_type(header: Any, stored: np.ndarray) -> np.ndarray:
    """Say how voxels are stored; gives them back in the order of the file."""
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    stored = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    if stored.ndim == 4:
        header.set_data_dtype(stored.dtype.newbyteorder("="))
        return stored
    components = stored.shape[4]
    if stored.dtype == np.uint8:
        header["datatype"], header["bitpix"] = {3: (128, 24), 4: (2304, 32)}[components]
        return stored
    header.set_data_dtype(stored.dtype.newbyteorder("="))
    header["dim"][0], header["dim"][4], header["dim"][5] = 5, stored.shape[0], components
    header["dim"][3] = stored.shape[1]
    header["intent_code"] = next(code for code, held in _COLOURS.items() if held == components)
    return np.moveaxis(stored, 4, 0)
