"""DICOM is read as what it is, in the right place and unit, and written as a proper derived sibling of its source."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedRestoreLib.files.atomic import PARTIAL
from MedRestoreLib.files.studies import list_series, read, write
from MedRestoreLib.image import Image
from Testing.support.dicom_studies import OBLIQUE, bone_scan, brain, edit, message_of
from training.simulate.dicom import as_mr, as_nm, as_us


def test_a_series_lies_where_itk_puts_it(data_folder: Path) -> None:
    import SimpleITK as sitk

    folder = data_folder / "mri" / "t1w_dicom"
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    theirs, ours = reader.Execute(), read(folder)
    np.testing.assert_array_equal(ours.voxels[0], sitk.GetArrayFromImage(theirs))
    np.testing.assert_allclose(ours.spacing, theirs.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(ours.origin, theirs.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(ours.direction, theirs.GetDirection(), atol=1e-6)
    assert ours.modality == "MR"


def test_slices_are_sorted_by_position_whatever_their_names_and_numbers(tmp_path: Path) -> None:
    from pydicom import dcmread

    image = brain()
    folder = as_mr(image, tmp_path / "study")
    rng = np.random.default_rng(1)
    for path, place in zip(sorted(folder.iterdir()), rng.permutation(6), strict=True):
        edit(path, lambda dataset, place=place: setattr(dataset, "InstanceNumber", str(place + 1)))
        path.rename(folder / f"shuffled{place}")
    back = read(folder)
    np.testing.assert_array_equal(back.voxels, image.voxels)
    np.testing.assert_allclose(back.direction, image.direction, atol=1e-6)
    np.testing.assert_allclose(back.origin, image.origin, atol=1e-6)
    np.testing.assert_allclose(back.spacing, image.spacing, atol=1e-6)
    depth = [np.dot(header.ImagePositionPatient, OBLIQUE[:, 2]) for header in back.source.headers]
    assert depth == sorted(depth)
    assert "PixelData" not in back.source.headers[0]
    assert "PixelData" in dcmread(folder / "shuffled0")


def test_one_file_of_a_series_is_read_alone(tmp_path: Path) -> None:
    image = brain()
    one = read(as_mr(image, tmp_path / "study") / "0003.dcm")
    np.testing.assert_array_equal(one.voxels[0, 0], image.voxels[0, 2])
    assert one.spacing[2] == pytest.approx(2.5)


@pytest.mark.parametrize(("absent", "words"), [([3], "1 slice seems"), ([2, 3], "2 slices seem")])
def test_missing_slices_are_named(absent: list[int], words: str, tmp_path: Path) -> None:
    flat = Image.from_array(np.ones((8, 4, 4), np.uint16), spacing=(1, 1, 1.5), origin=(0, 0, 30), modality="MR")
    folder = as_mr(flat, tmp_path / "study")
    for index in absent:
        (folder / f"{index + 1:04d}.dcm").unlink()
    text = message_of(folder)
    first, last = 30 + 1.5 * (absent[0] - 1), 30 + 1.5 * (absent[-1] + 1)
    assert f"{words} to be missing between positions {first:.2f} and {last:.2f} mm" in text


def move(path: Path, shift: tuple[float, float, float]) -> None:
    def change(dataset: Any) -> None:
        dataset.ImagePositionPatient = [float(p) + s for p, s in zip(dataset.ImagePositionPatient, shift, strict=True)]

    edit(path, change)


@pytest.mark.parametrize(
    ("shift", "words"),
    [((0, 0, 0.4), "unevenly spaced"), ((0, 0, 1.5), "same position")],
)
def test_uneven_and_repeated_slices_are_refused(shift: tuple, words: str, tmp_path: Path) -> None:
    flat = Image.from_array(np.ones((8, 4, 4), np.uint16), spacing=(1, 1, 1.5), modality="MR")
    folder = as_mr(flat, tmp_path / "study")
    move(folder / "0004.dcm", shift)
    assert words in message_of(folder)


def test_positions_rounded_by_a_scanner_are_accepted(tmp_path: Path) -> None:
    flat = Image.from_array(np.ones((9, 4, 4), np.uint16), spacing=(1, 1, 2 / 3), modality="MR")
    folder = as_mr(flat, tmp_path / "study")
    for path in folder.iterdir():
        edit(path, lambda d: setattr(d, "ImagePositionPatient", [round(float(p), 2) for p in d.ImagePositionPatient]))
    assert read(folder).spacing[2] == pytest.approx(2 / 3, abs=2e-3)


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    folder = as_mr(Image.from_array(np.ones((4, 4, 4), np.uint16), modality="MR"), tmp_path / "study")
    for index, path in enumerate(sorted(folder.iterdir())):
        move(path, (0, 0.3 * index, 0))
    assert "shifted sideways" in message_of(folder)


def test_images_that_are_no_single_volume_are_parts_to_choose_from(tmp_path: Path) -> None:
    def other_size(dataset: Any) -> None:
        dataset.Rows, dataset.Columns = dataset.Columns, dataset.Rows

    def other_direction(dataset: Any) -> None:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, 1]

    def nowhere(dataset: Any) -> None:
        del dataset.ImagePositionPatient

    for name, change, words in (
        ("a", other_size, "10x8"),
        ("b", other_direction, "coronal"),
        ("c", nowhere, "without a position"),
    ):
        folder = as_mr(brain(), tmp_path / name)
        edit(folder / "0002.dcm", change)
        text = message_of(folder)
        assert "holds several series" in text
        assert words in text
        assert sorted(one.images for one in list_series(folder)) == [1, 5]


def test_several_series_are_listed_and_chosen(tmp_path: Path) -> None:
    as_mr(brain(4), tmp_path / "first")
    as_mr(brain(6), tmp_path / "second")

    def told_apart(dataset: Any) -> None:
        dataset.SeriesNumber, dataset.SeriesDescription, dataset.SeriesDate = "7", "t1_mprage\n sag ", "20240531"

    for path in (tmp_path / "second").iterdir():
        edit(path, told_apart)
    (tmp_path / "notes.txt").write_text("not DICOM")
    shutil.copytree(tmp_path / "first", tmp_path / f"{PARTIAL}left by a crash")
    found = list_series(tmp_path)
    assert [(one.modality, one.images, one.rows, one.columns, one.number) for one in found] == [
        ("MR", 4, 8, 10, 1),
        ("MR", 6, 8, 10, 7),
    ]
    text = message_of(tmp_path)
    assert "choose one by its number" in text
    assert "2: MR 't1_mprage sag' 8x10, 6 images, series number 7, 2024-05-31" in text
    assert read(tmp_path, series="2").voxels.shape[1] == 6
    assert read(tmp_path, series=found[0].uid).voxels.shape[1] == 4
    assert "no series '3'" in message_of(tmp_path, series="3")


@pytest.mark.parametrize("description", ["T1 for DOE", "doe^jane", "head 4711-A", "Jane's knee"])
def test_a_description_that_says_who_the_patient_is_stays_unsaid(description: str, tmp_path: Path) -> None:
    def personal(dataset: Any) -> None:
        dataset.SeriesDescription, dataset.PatientName, dataset.PatientID = description, "Doe^Jane", "4711-A"

    for path in as_mr(brain(4), tmp_path / "a").iterdir():
        edit(path, personal)
    as_mr(brain(6), tmp_path / "b")
    assert {one.description for one in list_series(tmp_path / "a")} == {""}
    text = message_of(tmp_path).casefold()
    assert not any(word in text.replace(str(tmp_path).casefold(), "") for word in ("doe", "jane", "4711"))


def test_the_real_bone_scan_keeps_its_counts(data_folder: Path) -> None:
    image = read(data_folder / "nuclear" / "bone_scan_whole_body.dcm")
    assert image.voxels.shape == (1, 1, 1024, 256)
    assert (image.modality, image.unit) == ("NM", "counts")
    assert image.spacing[:2] == (2.26, 2.26)
    assert (image.voxels.min(), image.voxels.max()) == (0, 278)
    assert image.voxels.sum() == pytest.approx(int(image.source.headers[0].CountsAccumulated), rel=0.2)


def test_a_reconstructed_spect_study_is_a_volume_where_itk_puts_it(data_folder: Path) -> None:
    import SimpleITK as sitk

    path = data_folder / "nuclear" / "quality_control" / "Jaszack.dcm"
    theirs, ours = sitk.ReadImage(str(path)), read(path)
    assert ours.voxels.shape == (1, 45, 128, 128)
    np.testing.assert_allclose(ours.spacing, theirs.GetSpacing())
    np.testing.assert_allclose(ours.direction, theirs.GetDirection())  # left-handed: slices run against the normal
    np.testing.assert_allclose(ours.origin, theirs.GetOrigin())
    assert np.linalg.det(np.reshape(ours.direction, (3, 3))) == pytest.approx(-1)


def test_gated_spect_splits_into_times_and_slices(tmp_path: Path) -> None:
    image = Image.from_array(np.arange(6 * 4 * 4, dtype=np.uint16).reshape(6, 1, 4, 4), modality="NM")
    path = as_nm(Image.from_array(image.voxels[:2, :1].astype(np.uint16)), tmp_path / "gated.dcm")

    def gate(dataset: Any) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]
        dataset.NumberOfFrames = 6
        dataset.FrameIncrementPointer = [0x00540070, 0x00540080]
        dataset.TimeSlotVector, dataset.SliceVector = [1, 2, 1, 2, 1, 2], [3, 3, 2, 2, 1, 1]
        dataset.PixelData = np.arange(6 * 4 * 4, dtype="<u2").tobytes()
        dataset.SpacingBetweenSlices = "3"

    gated = read(edit(path, gate))
    assert gated.voxels.shape == (2, 3, 4, 4)
    assert gated.spacing[2] == 3
    first_of_frame = gated.voxels[:, :, 0, 0] / 16
    np.testing.assert_array_equal(first_of_frame, [[4, 2, 0], [5, 3, 1]])
    again = read(write(gated, tmp_path / "again.dcm"))
    np.testing.assert_array_equal(again.voxels, gated.voxels)


def test_planar_views_are_frames(tmp_path: Path) -> None:
    image = bone_scan()
    back = read(as_nm(image, tmp_path / "scan.dcm"))
    np.testing.assert_array_equal(back.stored(), image.stored())
    assert (back.unit, back.spacing[:2]) == ("counts", (2.2, 2.2))


def test_the_real_ultrasound_cine_is_colour_frames_over_time(data_folder: Path) -> None:
    image = read(data_folder / "ultrasound" / "dicom" / "cine_30_frames_ybr.dcm")
    assert image.voxels.shape == (30, 1, 240, 320)
    assert image.colour is not None
    assert image.frame_times[:2] == (0.0, 33.333)
    # Its calibrated region reaches beyond the picture: it was resized after calibration, so the scale is unknown.
    assert image.spacing == (1.0, 1.0, 1.0)
    # The sector is grey: red, green and blue agree but for what JPEG does to chroma.
    assert np.abs(image.stored()[..., 0].astype(int) - image.stored()[..., 2]).mean() < 3


def test_ultrasound_spacing_comes_from_its_regions(tmp_path: Path) -> None:
    cine = Image.from_array(np.ones((3, 9, 7), np.uint8), axes="fyx", spacing=(0.3, 0.4, 1), frame_times=(0, 20, 40))
    back = read(as_us(cine, tmp_path / "cine.dcm"))
    np.testing.assert_allclose(back.spacing, (0.3, 0.4, 1.0))
    assert back.frame_times == (0.0, 20.0, 40.0)


def test_frame_time_vectors_give_uneven_times(tmp_path: Path) -> None:
    path = as_us(Image.from_array(np.ones((3, 4, 4), np.uint8), axes="fyx"), tmp_path / "cine.dcm")
    edit(path, lambda dataset: setattr(dataset, "FrameTimeVector", ["0", "10", "25"]))
    assert read(path).frame_times == (0.0, 10.0, 35.0)


def test_phases_of_a_dynamic_nuclear_study_give_its_times(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset

    def change(dataset: Any) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION"]
        dataset.PhaseInformationSequence = [Dataset(), Dataset()]
        for phase, duration in zip(dataset.PhaseInformationSequence, (500, 2000), strict=True):
            phase.ActualFrameDuration, phase.NumberOfFramesInPhase = duration, 1

    assert read(edit(as_nm(bone_scan(), tmp_path / "dynamic.dcm"), change)).frame_times == (0.0, 500.0)


def as_enhanced(image: Image, path: Path) -> Path:
    """A volume as one enhanced multi-frame file, its frames in reversed order, each with its own rescale slope."""
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    def item(**values: Any) -> Dataset:
        dataset = Dataset()
        for name, value in values.items():
            setattr(dataset, name, value)
        return dataset

    slices = sorted(as_mr(image, path.with_suffix("")).iterdir())[::-1]
    headers = [dcmread(file) for file in slices]
    dataset = headers[0]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    dataset.NumberOfFrames = len(headers)
    measures = item(PixelSpacing=dataset.PixelSpacing, SliceThickness=dataset.SliceThickness)
    orientation = item(ImageOrientationPatient=dataset.ImageOrientationPatient)
    dataset.SharedFunctionalGroupsSequence = [
        item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=header.ImagePositionPatient)],
            PixelValueTransformationSequence=[
                item(RescaleSlope=str(1 + k), RescaleIntercept="-5", RescaleType="US"),
            ],
        )
        for k, header in enumerate(headers)
    ]
    dataset.PixelData = b"".join(header.PixelData for header in headers)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, name)
    dataset.save_as(path)
    return path


def test_enhanced_multi_frame_is_a_volume_with_its_own_scale_for_each_frame(tmp_path: Path) -> None:
    image = brain(4)
    back = read(as_enhanced(image, tmp_path / "enhanced.dcm"))
    slopes = np.array([4, 3, 2, 1], np.float32).reshape(1, 4, 1, 1)
    np.testing.assert_array_equal(back.voxels, image.voxels * slopes - 5)
    np.testing.assert_allclose(back.direction, image.direction, atol=1e-6)
    np.testing.assert_allclose(back.spacing, image.spacing, atol=1e-6)
    np.testing.assert_allclose(back.origin, image.origin, atol=1e-6)
    untouched = read(write(back, tmp_path / "untouched.dcm"))
    np.testing.assert_array_equal(untouched.voxels, back.voxels)
    restored = back.with_voxels(back.voxels * np.float32(0.77))
    again = read(write(restored, tmp_path / "restored.dcm"))
    np.testing.assert_allclose(again.voxels, restored.voxels, atol=np.ptp(restored.voxels) / 65000)
