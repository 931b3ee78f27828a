"""Complex numbers in files: NIfTI, and BIDS' pairs of magnitude and phase."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest

import MedRestoreLib as mr


def numbers(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(9, 8, 3)) + 1j * rng.normal(size=(9, 8, 3))).astype(np.complex64)


def saved(values: np.ndarray, path) -> None:
    image = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_nifti_comes_back_as_it_was(tmp_path, dtype):
    saved(numbers().astype(dtype), tmp_path / "c.nii.gz")
    image = mr.read(tmp_path / "c.nii.gz")
    assert image.modality == "MR"
    np.testing.assert_allclose(image.voxels[0], np.abs(numbers()).T, rtol=1e-6)
    mr.write(image, tmp_path / "again.nii")
    again = nibabel.load(tmp_path / "again.nii")
    assert again.get_data_dtype() == np.complex64
    np.testing.assert_allclose(np.asarray(again.dataobj), numbers(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.affine, nibabel.load(tmp_path / "c.nii.gz").affine)


def test_formats_without_complex_numbers_get_the_magnitude(tmp_path):
    saved(numbers(), tmp_path / "c.nii.gz")
    image = mr.read(tmp_path / "c.nii.gz")
    mr.write(image, tmp_path / "m.nrrd")
    again = mr.read(tmp_path / "m.nrrd")
    assert again.phase is None
    np.testing.assert_array_equal(again.voxels, image.voxels)


@pytest.mark.parametrize(
    "stored", [lambda p: p.astype(np.float32), lambda p: np.rint((p + np.pi) / (2 * np.pi) * 4095).astype(np.int16)]
)
def test_bids_magnitude_is_read_with_the_phase_beside_it(tmp_path, stored):
    angles = np.linspace(-np.pi, np.pi, 9 * 8 * 3).reshape(9, 8, 3)
    saved(np.abs(numbers()), tmp_path / "sub-01_part-mag_bold.nii.gz")
    saved(stored(angles), tmp_path / "sub-01_part-phase_bold.nii.gz")
    image = mr.read(tmp_path / "sub-01_part-mag_bold.nii.gz")
    turned = np.exp(1j * image.phase[0].T) / np.exp(1j * angles)
    np.testing.assert_allclose(turned, turned.flat[0], atol=2e-3)  # the zero of a stored phase is anybody's
    mr.write(image, tmp_path / "out.nii.gz")  # a magnitude was given, and comes back
    np.testing.assert_array_equal(mr.read(tmp_path / "out.nii.gz").voxels, image.voxels)


def test_a_phase_that_does_not_fit_is_left_alone(tmp_path):
    saved(np.abs(numbers()), tmp_path / "sub-01_part-mag_bold.nii.gz")
    saved(np.zeros((9, 8, 2), np.float32), tmp_path / "sub-01_part-phase_bold.nii.gz")
    assert mr.read(tmp_path / "sub-01_part-mag_bold.nii.gz").phase is None


def test_phase_alone_is_still_refused(tmp_path):
    saved(np.angle(numbers()), tmp_path / "x.nii.gz")
    (tmp_path / "x.json").write_text(json.dumps({"ImageType": ["ORIGINAL", "PRIMARY", "P"]}))
    with pytest.raises(mr.UnsupportedImage, match="phase"):
        mr.read(tmp_path / "x.nii.gz")
