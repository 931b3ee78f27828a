"""Compressed DICOM pixels by SimpleITK, where pydicom has no decoder for them: inside Slicer, which brings SimpleITK.

ITK has GDCM built in. The package python-gdcm, which pydicom would use, must not be in one process with it.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnsupportedImage

# What says how pixels are stored, and nothing else: ITK would apply a rescale, and no name leaves the original.
_NEEDED = (
    *("SOPClassUID", "SOPInstanceUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PlanarConfiguration"),
    *("PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
)
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def is_there() -> bool:
    """Whether SimpleITK is installed; does not import it."""
    return importlib.util.find_spec("SimpleITK") is not None


def frames_of(dataset: Any) -> np.ndarray:
    """The stored numbers of a compressed data set, ``(frames, rows, columns[, 3])``.

    Raises:
        UnsupportedImage: its colours are stored as luminance and chrominance, which ITK hands over as they are.
        RuntimeError: ITK cannot decode it.
    """
    import SimpleITK

    if dataset.get("PhotometricInterpretation", "").startswith("YBR"):
        raise UnsupportedImage("its colours are stored as luminance and chrominance; export it uncompressed.")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "pixels.dcm")
        _bare(dataset).save_as(path, enforce_file_format=True)
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(path)
        image = reader.Execute()
    array = SimpleITK.GetArrayFromImage(image)
    colours = image.GetNumberOfComponentsPerPixel()
    return array.reshape(-1, dataset.Rows, dataset.Columns, *([colours] if colours > 1 else []))


def _bare(dataset: Any) -> Any:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

    bare = Dataset()
    for name in _NEEDED:
        if name in dataset:
            bare[name] = dataset[name]
    bare.SOPClassUID = _SECONDARY_CAPTURE
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID
    bare.file_meta.MediaStorageSOPInstanceUID = bare.SOPInstanceUID
    return bare
