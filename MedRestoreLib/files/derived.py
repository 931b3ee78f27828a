"""A restored study written as derived DICOM objects, siblings of the ones it was made from.

Kept: patient, study, frame of reference, geometry, the modality's own SOP class. New: series and instances, whose UIDs
follow from the sources, the voxels and what was done, so that the same work gives the same bytes.
"""

from __future__ import annotations

import copy
import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MedRestoreError, OutputError
from ..image import Image, as_integers
from ..version import __version__
from .dicom_finer import refine
from .dicom_pixels import drop_embedded_overlays
from .dicom_scale import Native, restate
from .headers import frame_groups, is_dicom, items, texts, whole
from .mosaic import mosaic_of
from .quiet import quiet_pydicom

_MAKER = "MedRestore"
_NAME = re.compile(r"IM\d{5}\.dcm")
_SERIES_NUMBER_STEP = 1000
_STORAGE = "1.2.840.10008.5.1.4.1.1"
# Classes whose Image Type admits no SECONDARY: nuclear medicine, PET, and the enhanced ones (PS3.3 C.8.4.9.1.1,
# C.8.9.4.1.1, C.8.16.1.2, C.8.24.3).
_PRIMARY_ONLY = tuple(f"{_STORAGE}.{kind}" for kind in ("20", "128", "128.1", "130", "2.1", "2.2", "4.1", "4.4", "6.2"))
# Elements that describe the source's pixels or its creation, and would be untrue of the derived object.
_STALE = (
    "ColorSpace",
    "DigitalSignaturesSequence",
    "IconImageSequence",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "InstanceCreatorUID",
    "LargestImagePixelValue",
    "LargestPixelValueInSeries",
    "MACParametersSequence",
    "SmallestImagePixelValue",
    "SmallestPixelValueInSeries",
)
# What was done, by CID 7203 of PS3.16.
_SMOOTHED, _RESAMPLED = ("113087", "Smoothing"), ("113085", "Spatial resampling")
_FAR = 4.0  # times their own range: values so far from zero share their bits among themselves
_FRAME_TYPES = (
    "CTImageFrameTypeSequence",
    "MRImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "USImageDescriptionSequence",
)
_PALETTE = tuple(
    f"{prefix}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for prefix, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)


@dataclass(frozen=True)
class _Coding:
    """How values become stored numbers: ``stored = (values - intercept) / slope``, rounded, within ``bits``."""

    dtype: np.dtype
    bits: int
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def limits(self) -> tuple[int, int]:
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.dtype.kind == "i" else (0, 2 * half - 1)

    def encode(self, values: np.ndarray) -> np.ndarray:
        if self.dtype.kind == "f":
            return values.astype(self.dtype)
        stored = np.rint((values - self.intercept) / self.slope)
        return np.clip(stored, *self.limits).astype(self.dtype)

    def holds(self, values: np.ndarray) -> bool:
        """Whether decoding gives ``values`` back, as exactly as float32 can tell."""
        decoded = self.encode(values).astype(np.float64) * self.slope + self.intercept
        return bool(np.all(np.abs(decoded - values) <= 2.0**-22 * np.abs(values)))


def is_ours(path: Path) -> bool:
    """Whether a file is one that ``write`` put into a folder."""
    return bool(_NAME.fullmatch(path.name)) and path.is_file() and is_derived(path)


def is_derived(path: Path) -> bool:
    """Whether MedRestore made the DICOM object in a file."""
    from pydicom import dcmread

    if not is_dicom(path):
        return False
    with quiet_pydicom():
        header = dcmread(path, force=True, stop_before_pixels=True)
        equipment = header.get("ContributingEquipmentSequence")
        return bool(equipment) and equipment[-1].get("Manufacturer") == _MAKER


def write(image: Image, path: Path, *, derivation: str, label: str) -> None:
    """Write one object to ``path`` (a name ending in .dcm) or one for each source header into a new folder.

    An untouched image keeps its very stored numbers and rescale. Other values are stored with a rescale slope whose
    step is 1/65535 of their range (1/32767 for signed types), far below any noise; the range includes zero unless zero
    is far from it. Ultrasound and colour stay 8-bit or 16-bit without rescale, as their SOP classes demand.

    A study with a whole factor more rows and columns than its source (``Image.enlarged``) fills the same place.

    The study must have been read from DICOM; ``formats`` sees to that.

    Raises:
        OutputError: the source's headers are unfit for it.
    """
    headers = image.source.headers
    if any("SOPClassUID" not in header or "SOPInstanceUID" not in header for header in headers):
        raise OutputError("the DICOM source does not say what it is (SOP UIDs); choose .nrrd or .nii.gz.")
    with quiet_pydicom():
        factor = _factor(image, headers[0])
        planes, own = _planes(image, headers, factor)
        codings = _codings(image, headers, planes, own)
        stored = np.stack([coding.encode(plane) for coding, plane in zip(codings, planes, strict=True)])
        done = "Denoised" if factor == 1 else "Enlarged"
        text = (derivation or f"{done} by MedRestore").encode("ascii", "replace").decode()
        seed = [*(str(header.get("SOPInstanceUID", "")) for header in headers), text, label, __version__]
        seed.append(hashlib.sha256(np.ascontiguousarray(stored).data).hexdigest())
        per_file = len(stored) // len(headers)
        if not path.suffix:
            path.mkdir()
        for index, header in enumerate(headers):
            mine = slice(index * per_file, (index + 1) * per_file)
            try:
                dataset = copy.deepcopy(header)
                _set_identity(dataset, header, seed, text, label, _SMOOTHED if factor == 1 else _RESAMPLED)
                if factor != 1:
                    refine(dataset, factor)
                _set_pixels(dataset, stored[mine], codings[mine], own[mine], image.unit)
                _save(dataset, path if path.suffix else path / f"IM{index + 1:05d}.dcm")
            except (OSError, MedRestoreError):
                raise
            except Exception as error:  # whatever an unusual header provokes in pydicom
                raise OutputError(
                    f"the source's DICOM header cannot be written ({type(error).__name__}); choose .nrrd or .nii.gz."
                ) from error


def _factor(image: Image, header: Any) -> int:
    """How many times as many rows and columns as the source has; 1 where that is no whole number."""
    rows, columns = image.voxels.shape[2:]
    factor = rows // header.Rows
    enlarged = factor > 1 and (rows, columns) == (factor * header.Rows, factor * header.Columns)
    return factor if enlarged and mosaic_of(header) is None else 1


def _planes(image: Image, headers: Sequence[Any], factor: int) -> tuple[np.ndarray, list[_Coding]]:
    """The image's planes ``(planes, rows, columns[, components])`` as the files have them, and the source's codings."""
    native = image.source.native
    if image.colour is not None:
        values = as_integers(image.stored(), np.dtype(image.source.dtype))
    else:
        values = image.with_padding()
        values = values if image.remainder is None else values.astype(np.float64) + image.remainder
    mosaic = mosaic_of(headers[0])
    if mosaic is not None and values.shape[1:4] == (mosaic.slices, mosaic.rows, mosaic.columns):
        values = mosaic.folded(values)[:, None]
    planes = values.reshape(-1, *values.shape[2:])
    size = (factor * headers[0].Rows, factor * headers[0].Columns)
    if not isinstance(native, Native) or planes.shape[:3] != (len(native.order), *size):
        raise OutputError("the study no longer has the shape of its DICOM source; choose .nrrd or .nii.gz.")
    files = np.argsort(native.order, kind="stable")
    header = headers[0]
    bits = whole(header, "BitsStored", whole(header, "BitsAllocated", 16))
    kind = "i" if whole(header, "PixelRepresentation") else "u"
    dtype = np.dtype(f"{kind}{max(1, whole(header, 'BitsAllocated', 16) // 8)}")
    scales = zip(native.scale.slope[files], native.scale.intercept[files], strict=True)
    return planes[files], [_Coding(dtype, bits, float(a), float(b)) for a, b in scales]


def _codings(image: Image, headers: Sequence[Any], planes: np.ndarray, own: list[_Coding]) -> list[_Coding]:
    """The source's own coding of each plane where it holds all values, else one new coding for all."""
    dtype = own[0].dtype
    if image.colour is not None or (np.dtype(image.source.dtype).kind == "f" and _is_float(headers[0])):
        stored = np.dtype(image.source.dtype)
        return [_Coding(stored, 8 * stored.itemsize)] * len(planes)
    if dtype.itemsize == 1 and image.modality == "US":
        return own
    if all(coding.holds(plane) for coding, plane in zip(own, planes, strict=True)):
        return own
    dtype = np.dtype(f"{dtype.kind}2")
    if len({(coding.slope, coding.intercept) for coding in own}) > 1:  # as PET: planes that differ in brightness a lot
        return [_new_coding(dtype, float(plane.min()), float(plane.max())) for plane in planes]
    return [_new_coding(dtype, float(planes.min()), float(planes.max()))] * len(planes)


def _new_coding(dtype: np.dtype, low: float, high: float) -> _Coding:
    """Sixteen bits spread over the range of the values; zero stays exactly zero unless it is far from all of them.

    Slope and intercept have few decimal digits, so that DICOM's decimal strings hold them exactly.
    """
    least, greatest = min(low, 0.0), max(high, 0.0)
    if high > low and greatest - least > _FAR * (high - low):
        least, greatest = low, high
    elif dtype.kind == "i":
        return _Coding(dtype, 16, _round_up(max(high / 32767, -low / 32768)))
    slope = _round_up((greatest - least) / 65534)
    below = 32768 if dtype.kind == "i" else 0  # the least stored number, negated
    return _Coding(dtype, 16, slope, float(f"{(np.floor(least / slope) + below) * slope:.10g}"))


def _round_up(value: float) -> float:
    """The next number of four significant decimal digits; 1 for 0."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** (np.floor(np.log10(value)) - 3)
    return float(f"{np.ceil(value / unit) * unit:.4g}")


def _is_float(header: Any) -> bool:
    return "BitsAllocated" in header and int(header.BitsAllocated) >= 32 and "PixelRepresentation" not in header


def _set_identity(dataset: Any, source: Any, seed: Sequence[str], text: str, label: str, done: tuple[str, str]) -> None:
    """Whose child this object is, what was done to it, and by what."""
    from pydicom.dataset import Dataset

    reference = Dataset()
    reference.ReferencedSOPClassUID = source.SOPClassUID
    reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
    reference.PurposeOfReferenceCodeSequence = [
        _code("121322", "Source image for image processing operation"),
    ]
    dataset.SourceImageSequence = [reference]
    kinds = [str(value) for value in np.ravel(source.get("ImageType") or [])]
    second = "PRIMARY" if source.SOPClassUID in _PRIMARY_ONLY else "SECONDARY"
    dataset.ImageType = ["DERIVED", second, *kinds[2:]]
    for frame in [*items(dataset, "SharedFunctionalGroupsSequence"), *frame_groups(dataset)]:
        for name in _FRAME_TYPES:
            for one in items(frame, name):
                one.FrameType = ["DERIVED", *texts(one, "FrameType")[1:]]
    dataset.SeriesInstanceUID = _uid(*seed)
    dataset.SOPInstanceUID = _uid(*seed, str(source.SOPInstanceUID))
    dataset.SeriesNumber = str(int(source.get("SeriesNumber") or 0) + _SERIES_NUMBER_STEP)
    suffix = f" (MedRestore {label})"[:64]
    dataset.SeriesDescription = (str(source.get("SeriesDescription") or "")[: 64 - len(suffix)] + suffix).strip()
    before = str(source.get("DerivationDescription") or "")
    dataset.DerivationDescription = (f"{before}; {text}" if before else text)[:1024]
    dataset.DerivationCodeSequence = [*(source.get("DerivationCodeSequence") or []), _code(*done)]
    equipment = Dataset()
    equipment.Manufacturer = equipment.ManufacturerModelName = _MAKER
    equipment.SoftwareVersions = __version__
    equipment.ContributionDescription = text[:1024]
    equipment.PurposeOfReferenceCodeSequence = [_code("109103", "Modifying Equipment")]
    dataset.ContributingEquipmentSequence = [*(source.get("ContributingEquipmentSequence") or []), equipment]
    for name in _STALE:
        if name in dataset:
            delattr(dataset, name)


def _set_pixels(
    dataset: Any, stored: np.ndarray, codings: Sequence[_Coding], own: Sequence[_Coding], unit: str
) -> None:
    """Pixels, how they are stored, and how they become values."""
    coding = codings[0]
    dataset.BitsAllocated = 8 * coding.dtype.itemsize
    if coding.dtype.kind == "f":
        name = "FloatPixelData" if coding.dtype.itemsize == 4 else "DoubleFloatPixelData"
        setattr(dataset, name, stored.astype(coding.dtype.newbyteorder("<")).tobytes())
        return
    dataset.BitsStored, dataset.HighBit = coding.bits, coding.bits - 1
    dataset.PixelRepresentation = int(coding.dtype.kind == "i")
    colour = stored.ndim == 4
    dataset.SamplesPerPixel = stored.shape[3] if colour else 1
    if colour:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    elif dataset.PhotometricInterpretation == "PALETTE COLOR":
        dataset.PhotometricInterpretation = "MONOCHROME2"
    elif "PlanarConfiguration" in dataset:
        del dataset.PlanarConfiguration
    for name in _PALETTE:
        if name in dataset:
            delattr(dataset, name)
    pixels = stored.astype(coding.dtype.newbyteorder("<"), copy=False).tobytes()
    dataset.add_new("PixelData", "OB" if coding.dtype.itemsize == 1 else "OW", pixels + b"\0" * (len(pixels) % 2))
    drop_embedded_overlays(dataset)
    if [(c.slope, c.intercept) for c in codings] != [(c.slope, c.intercept) for c in own]:
        factors = np.array([new.slope / old.slope for new, old in zip(codings, own, strict=True)])
        offsets = np.array([(new.intercept - old.intercept) / old.slope for new, old in zip(codings, own, strict=True)])
        restate(dataset, factors, offsets, "SS" if coding.dtype.kind == "i" else "US", coding.limits, unit)


def _code(value: str, meaning: str, scheme: str = "DCM") -> Any:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _uid(*seed: str) -> str:
    """A UID that follows from ``seed``: a name-based UUID under the root that DICOM gives to UUIDs (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, chr(0).join(seed)).int}"


def _save(dataset: Any, path: Path) -> None:
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.preamble = bytes(128)
    dcmwrite(path, dataset, enforce_file_format=True)
