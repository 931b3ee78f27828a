"""Complex numbers in files: NIfTI, BIDS' pairs of magnitude and phase, and those of DICOM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import MedRestoreLib as mr
from Testing.support.dicom_objects import enhanced, item, save, series


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


def waves() -> np.ndarray:
    """Complex numbers of a magnitude from 200 to 900 whose phase turns, ``(slices, rows, columns)``."""
    z, y, x = np.mgrid[:4, :24, :20]
    return (200 + 30 * x + 5 * y) * np.exp(1j * (0.9 * x + 0.5 * y + z))


def magnitude_and_phase(folder: Path, numbers: np.ndarray, other: dict[str, Any], turn: float = 1.0) -> Path:
    """As Siemens writes them: a turn of the phase is 8192, stored by halves from 0 to 4095."""
    phase = np.rint(turn * np.angle(numbers) / (2 * np.pi) * 4095 + 2047.5).astype(np.uint16)
    kinds = {kind: {"ImageType": ["ORIGINAL", "PRIMARY", kind, "ND"]} for kind in "MP"}
    series(folder, np.rint(np.abs(numbers)).astype(np.uint16), **kinds["M"])
    return series(folder, phase, RescaleSlope=2, RescaleIntercept=-4096, **{**kinds["P"], **other})


@pytest.mark.parametrize("other", [{}, {"SeriesInstanceUID": "1.2.3.5", "SeriesNumber": 2}], ids=["one series", "two"])
def test_magnitude_and_phase_of_dicom_are_read_as_complex_numbers(tmp_path, other):
    folder = magnitude_and_phase(tmp_path / "in", waves(), other)
    (listed,) = mr.list_series(folder)
    assert (listed.part, listed.images) == ("magnitude and phase", 8)
    image = mr.read(folder)
    found = image.voxels[0] * np.exp(1j * image.phase[0])
    np.testing.assert_allclose(np.abs(found - waves()) / np.abs(waves()), 0, atol=0.004)
    again = mr.read(mr.write(image, tmp_path / "out"))
    np.testing.assert_array_equal(again.voxels, image.voxels)
    assert "M" in again.source.headers[0].ImageType


@pytest.mark.parametrize("of_one", [True, False], ids=["enhanced", "classic"])
def test_real_and_imaginary_parts_of_dicom_make_complex_numbers_and_come_back_as_a_magnitude(tmp_path, of_one):
    parts = [np.rint(part).astype(np.int16) for part in (waves().real, waves().imag)]
    if of_one:
        names = ("REAL", "IMAGINARY")
        about = [
            {
                "depth": 2.5 * z,
                "MRImageFrameTypeSequence": item(ComplexImageComponent=name, FrameType=["ORIGINAL", "PRIMARY"]),
            }
            for name in names
            for z in range(4)
        ]
        place = save(enhanced(np.concatenate(parts), about), tmp_path / "in.dcm")
        target = tmp_path / "out.dcm"
    else:
        place, target = tmp_path / "in", tmp_path / "out"
        for name, part in zip("RI", parts, strict=True):
            series(place, part, ImageType=["ORIGINAL", "PRIMARY", name])
    image = mr.read(place)
    np.testing.assert_allclose(image.voxels[0] * np.exp(1j * image.phase[0]), waves(), atol=0.8)
    again = mr.read(mr.write(image, target))
    np.testing.assert_allclose(again.voxels, image.voxels, atol=0.5)


def test_parts_of_dicom_that_make_no_complex_numbers_say_why(tmp_path):
    half = magnitude_and_phase(tmp_path / "half", waves(), {}, turn=0.7)
    with pytest.raises(mr.UnsupportedImage, match=r"fill no turn.*choose the magnitude alone") as caught:
        mr.read(half)
    assert caught.value.field == "series"
    chosen = mr.list_series(half)[0].parts[0].uid
    np.testing.assert_allclose(mr.read(half, series=chosen).voxels[0], np.abs(waves()), atol=0.51)
    for name, part in zip("RI", (waves().real, waves().imag), strict=True):
        series(tmp_path / "offset", (part + 1000).astype(np.int16), ImageType=["ORIGINAL", "PRIMARY", name])
    with pytest.raises(mr.UnsupportedImage, match="real part has no value below 0"):
        mr.read(tmp_path / "offset")


@pytest.mark.parametrize(
    "other",
    [{"StudyInstanceUID": "1.2.9"}, {"EchoTime": 5.0}, {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}],
    ids=["another study", "another echo", "another direction"],
)
def test_a_phase_of_another_acquisition_is_no_partner(tmp_path, other):
    folder = magnitude_and_phase(tmp_path / "in", waves(), {"SeriesInstanceUID": "1.2.3.5", **other})
    assert [one.parts for one in mr.list_series(folder)] == [(), ()]
    image = mr.read(folder, series="1.2.3.4")
    assert image.phase is None
