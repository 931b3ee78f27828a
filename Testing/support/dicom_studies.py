"""Small DICOM studies, and changes to them, for the tests of reading and writing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedRestoreLib.errors import UnsupportedImage
from MedRestoreLib.files.studies import read
from MedRestoreLib.image import Image

OBLIQUE = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
OBLIQUE[:, 2] *= np.sign(np.linalg.det(OBLIQUE))


def brain(slices: int = 6) -> Image:
    voxels = np.random.default_rng(0).integers(0, 1000, (slices, 8, 10)).astype(np.uint16)
    return Image.from_array(
        voxels, spacing=(0.9, 1.1, 2.5), origin=(-10 / 3, 20.0, 31.5), direction=OBLIQUE.ravel(), modality="MR"
    )


def bone_scan() -> Image:
    return Image.from_array(
        np.random.default_rng(0).poisson(6.0, (2, 1, 32, 16)).astype(np.uint16), spacing=(2.2, 2.2, 1.0), modality="NM"
    )


def edit(path: Path, change: Callable[[Any], None]) -> Path:
    """Rewrite a DICOM file with its dataset changed."""
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path)
        change(dataset)
        dataset.save_as(path)
    return path


def message_of(path: Path, **options: Any) -> str:
    with pytest.raises(UnsupportedImage) as error:
        read(path, **options)
    text = str(error.value)
    assert "\n" not in text
    for identity in ("Phantom", "PHANTOM"):
        assert identity not in text
    return text
