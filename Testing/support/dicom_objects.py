"""DICOM objects of many kinds, built attribute by attribute for the tests of reading and writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "enhanced MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "US": "1.2.840.10008.5.1.4.1.1.3.1",
    "US volume": "1.2.840.10008.5.1.4.1.1.6.2",
}
AXIAL = [1, 0, 0, 0, 1, 0]


def item(**values: Any) -> Any:
    """A dataset of these attributes."""
    from pydicom.dataset import Dataset

    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def dicom(kind: str, stored: np.ndarray, **values: Any) -> Any:
    """A dataset that holds ``stored``, ``([frames,] rows, columns)``; ``values`` add to its header or replace it."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    modality = kind.split()[-1] if kind.startswith("enhanced") else kind.split()[0]
    made = item(
        SOPClassUID=CLASSES[kind],
        SOPInstanceUID=generate_uid(),
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4",
        Modality=modality,
        PatientName="Phantom^Test",
        PatientID="PHANTOM",
        SeriesNumber=1,
        InstanceNumber=1,
        ImageType=["ORIGINAL", "PRIMARY"],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=stored.shape[-2],
        Columns=stored.shape[-1],
        BitsAllocated=8 * stored.itemsize,
        BitsStored=8 * stored.itemsize,
        HighBit=8 * stored.itemsize - 1,
        PixelRepresentation=int(stored.dtype.kind == "i"),
    )
    if stored.ndim == 3:
        made.NumberOfFrames = len(stored)
    data = np.ascontiguousarray(stored).tobytes()
    made.add_new("PixelData", "OB" if stored.itemsize == 1 else "OW", data + b"\0" * (len(data) % 2))
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name, value in values.items():
        setattr(made, name, value)
    return made


def save(dataset: Any, path: Path) -> Path:
    """Write a dataset, whatever it holds."""
    import warnings

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(path, enforce_file_format=True)
    return path


def series(
    folder: Path, volume: np.ndarray, change: Callable[[Any, int], None] = lambda dataset, index: None, **values: Any
) -> Path:
    """A volume ``(slices, rows, columns)`` as MR slices 2.5 mm apart; ``change`` edits the dataset of each slice."""
    for index, plane in enumerate(volume):
        placed = {
            "InstanceNumber": index + 1,
            "PixelSpacing": [1.1, 0.9],
            "SliceThickness": 2.5,
            "ImagePositionPatient": [0, 0, 2.5 * index],
            "ImageOrientationPatient": AXIAL,
        }
        dataset = dicom("MR", plane, **{**placed, **values})
        change(dataset, index)
        save(dataset, folder / f"{len(list(folder.glob('*'))) if folder.exists() else 0:04d}.dcm")
    return folder


def enhanced(stored: np.ndarray, frames: list[dict[str, Any]], kind: str = "enhanced MR", **values: Any) -> Any:
    """An enhanced object: ``frames`` gives for each frame its depth in mm and any functional groups by name."""
    groups = []
    for frame in frames:
        named = {name: [one] for name, one in frame.items() if name != "depth"}
        position = item(ImagePositionPatient=[0, 0, frame["depth"]])
        groups.append(item(PlanePositionSequence=[position], **named))
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[1.1, 0.9], SliceThickness=2.5)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)],
    )
    return dicom(
        kind,
        stored,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=groups,
        **values,
    )


def mapping(slope: float, unit: str, first: int = 0, last: int = 65535, kind: str = "US") -> Any:
    """An item of a Real World Value Mapping."""
    code = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    made = item(
        LUTLabel="TEST",
        LUTExplanation="x",
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=0.0,
        MeasurementUnitsCodeSequence=[code],
    )
    made.add_new("RealWorldValueFirstValueMapped", kind, first)
    made.add_new("RealWorldValueLastValueMapped", kind, last)
    return made


def head(slices: int = 6, rows: int = 20, columns: int = 16, seed: int = 0) -> np.ndarray:
    """Positive whole numbers, uint16."""
    return np.random.default_rng(seed).integers(1, 1000, (slices, rows, columns)).astype(np.uint16)


def mosaics(folder: Path, count: int = 1) -> Path:
    """Real headers of Siemens mosaics, 7 x 7 tiles for 48 slices, that nibabel's tests ship; with pixels of ours."""
    import gzip
    import io

    import nibabel
    from pydicom import dcmread

    packed = Path(nibabel.__file__).parent / "nicom" / "tests" / "data" / "siemens_dwi_1000.dcm.gz"
    folder.mkdir(parents=True)
    for index in range(count):
        dataset = dcmread(io.BytesIO(gzip.decompress(packed.read_bytes())))
        tiles = np.random.default_rng(index).integers(1, 4000, (49, 128, 128)).astype(np.uint16)
        tiles[48] = 0
        dataset.PixelData = tiles.reshape(7, 7, 128, 128).swapaxes(1, 2).tobytes()
        dataset.InstanceNumber, dataset.AcquisitionTime = index + 1, f"{120000 + 2 * index}"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{index + 1}"
        save(dataset, folder / f"{index}.dcm")
    return folder
