"""Simulated studies as a scanner's DICOM: original, uncompressed, patient ``Phantom^MedRestore``.

For demonstrations and tests. The same image gives the same bytes.
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from MedRestoreLib.image import Image, as_integers

_NM = "1.2.840.10008.5.1.4.1.1.20"
_MR = "1.2.840.10008.5.1.4.1.1.4"
_US_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
_EMPTY = (
    "AccessionNumber",
    "Manufacturer",
    "PatientBirthDate",
    "PatientSex",
    "PatientOrientation",
    "PositionReferenceIndicator",
    "ReferringPhysicianName",
)


def as_nm(image: Image, path: Path) -> Path:
    """Write a planar whole-body study: one frame (anterior) or two (and posterior), voxels are counts."""
    frames = image.voxels.shape[0]
    dataset = _common(image, "NM", _NM, ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"])
    del dataset.PatientPosition  # stated by the code sequences below
    dataset.CountsAccumulated = str(int(np.rint(image.voxels.sum(dtype=np.float64))))
    length, velocity = image.voxels.shape[2] * image.spacing[1], 2.0  # mm and mm/s
    dataset.ScanLength, dataset.ScanVelocity = str(round(length)), str(velocity)
    dataset.ActualFrameDuration = str(round(1000.0 * length / velocity))
    dataset.FrameIncrementPointer = [0x00540010, 0x00540020]
    dataset.NumberOfFrames = frames
    dataset.EnergyWindowVector, dataset.NumberOfEnergyWindows = [1] * frames, 1
    dataset.DetectorVector, dataset.NumberOfDetectors = list(range(1, frames + 1)), frames
    window = _item(EnergyWindowLowerLimit="126", EnergyWindowUpperLimit="154")
    dataset.EnergyWindowInformationSequence = [_item(EnergyWindowRangeSequence=[window])]
    technetium = _code("72454006", "^99m^Technetium")
    dataset.RadiopharmaceuticalInformationSequence = [
        _item(RadionuclideCodeSequence=[technetium], RadiopharmaceuticalStartTime=None)
    ]
    dataset.DetectorInformationSequence = [
        _item(
            CollimatorType="PARA",
            FocalDistance=None,
            ImageOrientationPatient=None,
            ImagePositionPatient=None,
            ViewCodeSequence=[view],
        )
        for view in (_code("255549009", "anterior"), _code("255551008", "posterior"))[:frames]
    ]
    recumbent = _code("102538003", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = [_code("40199007", "supine")]
    dataset.PatientOrientationCodeSequence = [recumbent]
    dataset.PatientGantryRelationshipCodeSequence = [_code("102540008", "headfirst")]
    dataset.PixelSpacing = _decimals(image.spacing[1], image.spacing[0])
    return _save(dataset, as_integers(image.voxels[:, 0], np.dtype("u2")), path)


def as_mr(image: Image, folder: Path) -> Path:
    """Write a slice stack as a series of single slices, rounded to whole numbers, into a new folder."""
    folder.mkdir()
    stored = as_integers(image.voxels[0], np.dtype("u2"))
    axes = np.reshape(image.direction, (3, 3))
    for index, pixels in enumerate(stored):
        dataset = _common(image, "MR", _MR, ["ORIGINAL", "PRIMARY", "OTHER"], instance=index + 1)
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "SP", None
        dataset.MRAcquisitionType = "3D"
        dataset.RepetitionTime, dataset.EchoTime, dataset.FlipAngle = "18", "10", "30"
        dataset.EchoTrainLength = 1
        dataset.ImagePositionPatient = _decimals(*(image.origin + axes[:, 2] * image.spacing[2] * index))
        dataset.ImageOrientationPatient = _decimals(*axes[:, 0], *axes[:, 1])
        dataset.PixelSpacing = _decimals(image.spacing[1], image.spacing[0])
        dataset.SliceThickness, dataset.SpacingBetweenSlices = _decimals(image.spacing[2], image.spacing[2])
        _save(dataset, pixels[None], folder / f"{index + 1:04d}.dcm")
    return folder


def as_us(image: Image, path: Path) -> Path:
    """Write a cine, grey or colour, as 8-bit multi-frame ultrasound."""
    dataset = _common(image, "US", _US_MULTI_FRAME, ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"])
    dataset.NumberOfFrames = image.voxels.shape[0]
    dataset.FrameIncrementPointer = 0x00181063
    dataset.FrameTime = _decimals(image.frame_times[1] - image.frame_times[0] if image.frame_times else 40.0)[0]
    region = _item(RegionSpatialFormat=1, RegionDataType=1, RegionFlags=2)
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = image.voxels.shape[3] - 1, image.voxels.shape[2] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = image.spacing[0] / 10.0, image.spacing[1] / 10.0
    dataset.SequenceOfUltrasoundRegions = [region]
    return _save(dataset, as_integers(image.stored()[:, 0], np.dtype("u1")), path)


def _common(image: Image, modality: str, sop_class: str, kinds: list[str], instance: int = 1) -> Any:
    from pydicom.dataset import Dataset

    content = hashlib.sha256(np.ascontiguousarray(image.voxels).data).hexdigest()
    dataset = Dataset()
    for name in _EMPTY:
        setattr(dataset, name, None)
    dataset.SOPClassUID, dataset.Modality, dataset.ImageType = sop_class, modality, kinds
    dataset.SOPInstanceUID = _uid(content, modality, str(instance))
    dataset.StudyInstanceUID = _uid(content, "study")
    dataset.SeriesInstanceUID = _uid(content, modality, "series")
    dataset.FrameOfReferenceUID = _uid(content, "frame of reference")
    dataset.PatientName, dataset.PatientID = "Phantom^MedRestore", "PHANTOM"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, instance
    dataset.SeriesDescription = "Simulated by MedRestore"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20000101", "000000", "1"
    dataset.BodyPartExamined = {"NM": "WHOLEBODY", "MR": "BRAIN", "US": "ABDOMEN"}[modality]
    dataset.PatientPosition = "HFS"
    return dataset


def _save(dataset: Any, stored: np.ndarray, path: Path) -> Path:
    """``stored`` is ``(frames, rows, columns[, 3])``."""
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    colour = stored.ndim == 4
    bits = 8 * stored.dtype.itemsize
    dataset.Rows, dataset.Columns = stored.shape[1:3]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits, bits - 1, 0
    pixels = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    dataset.add_new("PixelData", "OB" if bits == 8 else "OW", pixels + b"\0" * (len(pixels) % 2))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def _item(**values: Any) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def _code(value: str, meaning: str) -> Any:
    return _item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)


def _decimals(*values: float) -> list[str]:
    """DICOM decimal strings, at most 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _uid(*seed: str) -> str:
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, chr(0).join(seed)).int}"
