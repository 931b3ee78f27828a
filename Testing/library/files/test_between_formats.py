"""A study read from one format and written in another lies where it lay, has its lengths, and keeps its values."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr

SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
lengths = st.floats(0.3, 5.0)


@st.composite
def affines(draw) -> np.ndarray:
    """Voxels to RAS, mm: axes along those of the patient in any order, or turned by any angle."""
    seed = draw(st.integers(0, 10_000))
    random = np.random.default_rng(seed)
    if draw(st.booleans()):
        axes = np.eye(3)[random.permutation(3)] * random.choice([-1, 1], 3)
    else:
        axes = np.linalg.qr(random.normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = axes * [draw(lengths) for _ in range(3)]
    affine[:3, 3] = random.uniform(-200, 200, 3)
    return affine


def corners(image: mr.Image) -> np.ndarray:
    """Where eight corner voxels lie, LPS, mm."""
    vectors = np.reshape(image.direction, (3, 3)) * image.spacing
    last = np.array(image.voxels.shape[:0:-1]) - 1
    return np.array([vectors @ (last * corner) + image.origin for corner in np.ndindex(2, 2, 2)])


@settings(max_examples=60, deadline=None)
@given(
    affine=affines(),
    shape=st.sampled_from([(4, 5), (4, 5, 1), (4, 5, 6), (4, 5, 6, 3), (4, 1, 6)]),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "float32", "float64"]),
    suffix=st.sampled_from(SUFFIXES),
)
def test_a_study_is_the_same_in_every_format_that_holds_all(affine, shape, dtype, suffix) -> None:
    voxels = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.nii"
        made = nib.Nifti1Image(voxels, affine)
        made.header.set_xyzt_units("mm", "sec")
        nib.save(made, source)
        image = mr.read(source)
        out = mr.write(image, Path(folder) / f"out{suffix}")
        again = mr.read(out)
        theirs = None if "nii" in suffix else sitk.ReadImage(str(out))  # which cannot read flat NIfTI that lies askew
    assert again.voxels.shape == image.voxels.shape
    np.testing.assert_array_equal(again.voxels, image.voxels)
    np.testing.assert_allclose(corners(again), corners(image), atol=1e-3)
    np.testing.assert_allclose(again.spacing, image.spacing, rtol=1e-5)
    if theirs is not None and theirs.GetDimension() == 3:
        place = theirs.TransformIndexToPhysicalPoint([size - 1 for size in theirs.GetSize()])
        np.testing.assert_allclose(place, corners(image)[-1], atol=1e-3)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_flat_image_that_lies_flat_stays_flat(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"source{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 4), np.float32)), str(source))
    out = mr.write(mr.read(source), tmp_path / f"out{suffix}")
    assert sitk.ReadImage(str(out)).GetSize() == (4, 5)


def test_a_header_with_a_data_file_becomes_one(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 5, 4), np.int16)), str(tmp_path / "in.mhd"))
    mr.write(mr.read(tmp_path / "in.mhd"), tmp_path / "out.mhd")
    assert {path.name for path in tmp_path.iterdir()} == {"in.mhd", "in.raw", "out.mhd", "out.zraw"}
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.mhd"))).all()
