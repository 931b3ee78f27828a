"""DICOM is read as what it is, in the right place and unit, and written as a proper derived sibling of its source."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import OutputError, UnsupportedImage
from MedRestoreLib.files import PARTIAL, list_series, read, write
from MedRestoreLib.image import Image
from training.simulate.dicom import as_mr, as_nm, as_us

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# Reading: place, order, unit ------------------------------------------------------------------------------------------


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


def test_mixed_slices_are_refused(tmp_path: Path) -> None:
    def other_size(dataset: Any) -> None:
        dataset.Rows, dataset.Columns = dataset.Columns, dataset.Rows

    def other_direction(dataset: Any) -> None:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, 1]

    def nowhere(dataset: Any) -> None:
        del dataset.ImagePositionPatient

    for name, change, words in (
        ("a", other_size, "different sizes"),
        ("b", other_direction, "parallel"),
        ("c", nowhere, "1 of the 6 images"),
    ):
        folder = as_mr(brain(), tmp_path / name)
        edit(folder / "0002.dcm", change)
        assert words in message_of(folder)


def test_several_series_are_listed_and_chosen(tmp_path: Path) -> None:
    as_mr(brain(4), tmp_path / "first")
    as_mr(brain(6), tmp_path / "second")
    for path in (tmp_path / "second").iterdir():
        edit(path, lambda dataset: setattr(dataset, "SeriesNumber", "7"))
    (tmp_path / "notes.txt").write_text("not DICOM")
    found = list_series(tmp_path)
    assert [(one.modality, one.images, one.rows, one.columns, one.number) for one in found] == [
        ("MR", 4, 8, 10, 1),
        ("MR", 6, 8, 10, 7),
    ]
    text = message_of(tmp_path)
    assert "--series N" in text
    assert "2: MR 8x10, 6 images, series number 7" in text
    assert read(tmp_path, series="2").voxels.shape[1] == 6
    assert read(tmp_path, series=found[0].uid).voxels.shape[1] == 4
    assert "no series '3'" in message_of(tmp_path, series="3")


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


# Reading: how numbers are stored --------------------------------------------------------------------------------------


@few
@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4"]),
    unused=st.integers(0, 4),
    slope=st.sampled_from(["1", "0.1", "2.5", "1e-3"]),
    intercept=st.sampled_from(["0", "-1024", "0.25"]),
    seed=st.integers(0, 1000),
)
def test_every_stored_type_round_trips(
    dtype: str, unused: int, slope: str, intercept: str, seed: int, tmp_path: Path
) -> None:
    bits = 8 * np.dtype(dtype).itemsize - unused
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype[0] == "i" else (0, (1 << bits) - 1)
    stored = np.random.default_rng(seed).integers(low, high, (8, 10), endpoint=True).astype(dtype)
    stored[0, :2] = low, high
    path = as_nm(Image.from_array(np.ones((8, 10), np.uint16)), tmp_path / "stored.dcm")

    def change(dataset: Any) -> None:
        dataset.PixelRepresentation = int(dtype[0] == "i")
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * stored.itemsize, bits, bits - 1
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.PixelData = stored.astype(f"<{dtype}").tobytes()

    image = read(edit(path, change))
    exact = stored.astype(np.float64) * float(slope) + float(intercept)
    np.testing.assert_allclose(image.voxels[0, 0], exact, rtol=1e-6, atol=abs(float(intercept)) * 1e-6)
    assert (image.source.slope, image.source.intercept) == (float(slope), float(intercept))
    assert (image.unit == "counts") == (slope == "1" and intercept == "0")
    from pydicom import dcmread
    from pydicom.pixels import pixel_array

    derived = dcmread(write(image, tmp_path / "derived.dcm"))
    np.testing.assert_array_equal(pixel_array(derived), stored)
    assert (derived.BitsStored, derived.RescaleSlope, derived.RescaleIntercept) == (
        bits,
        float(slope),
        float(intercept),
    )


def test_slopes_that_differ_from_slice_to_slice_are_applied_and_kept(tmp_path: Path) -> None:
    image = brain(3)
    folder = as_mr(image, tmp_path / "pet")
    for index, path in enumerate(sorted(folder.iterdir())):
        edit(path, lambda dataset, index=index: setattr(dataset, "RescaleSlope", str(0.5 + index)))
    back = read(folder)
    slopes = np.array([0.5, 1.5, 2.5], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_array_equal(back.voxels, image.voxels * slopes)
    np.testing.assert_array_equal(read(write(back, tmp_path / "untouched")).voxels, back.voxels)


PACKAGED = {  # a compressed file of pydicom and the same picture uncompressed; how far JPEG may take a value away
    "MR_small_RLE.dcm": ("MR_small.dcm", 0),
    "MR_small_jp2klossless.dcm": ("MR_small.dcm", 0),
    "MR_small_jpeg_ls_lossless.dcm": ("MR_small.dcm", 0),
    "MR_small_bigendian.dcm": ("MR_small.dcm", 0),
    "MR_small_implicit.dcm": ("MR_small.dcm", 0),
    "SC_rgb_jpeg_gdcm.dcm": ("SC_rgb_rle.dcm", 0),
    "SC_rgb_jls_lossy_line.dcm": ("SC_rgb_rle.dcm", 2),
    "SC_rgb_dcmtk_+eb+cr.dcm": ("SC_rgb_rle.dcm", 2),
    "SC_rgb_dcmtk_+eb+cy+s4.dcm": ("SC_rgb_rle.dcm", 6),
    "SC_ybr_full_422_uncompressed.dcm": ("SC_rgb_rle.dcm", 6),
    "SC_rgb_small_odd_big_endian.dcm": ("SC_rgb_small_odd.dcm", 0),
}


def packaged(name: str) -> Path:
    import pydicom.data

    return Path(pydicom.data.__file__).parent / "test_files" / name


@pytest.mark.parametrize("name", PACKAGED)
def test_compressed_and_plain_pictures_agree(name: str) -> None:
    plain, tolerance = PACKAGED[name]
    stored, expected = read(packaged(name)).stored(), read(packaged(plain)).stored()
    assert stored.dtype == expected.dtype
    np.testing.assert_allclose(stored.astype(int), expected.astype(int), atol=tolerance)


def test_a_palette_becomes_colour_and_colour_stays_colour(tmp_path: Path) -> None:
    image = read(packaged("examples_palette.dcm"))
    assert image.colour is not None
    assert image.source.dtype == "uint8"
    back = read(write(image, tmp_path / "rgb.dcm"))
    np.testing.assert_array_equal(back.stored(), image.stored())
    assert back.source.headers[0].PhotometricInterpretation == "RGB"
    assert "RedPaletteColorLookupTableData" not in back.source.headers[0]


# Reading: bad files ---------------------------------------------------------------------------------------------------


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = as_nm(bone_scan(), tmp_path / "whole.dcm").read_bytes()
    for length in (140, 300, len(whole) // 2, len(whole) - 10):
        path = tmp_path / f"cut{length}.dcm"
        path.write_bytes(whole[:length])
        message_of(path)
    assert "truncated" in message_of(path)
    assert "truncated" in message_of(packaged("MR_truncated.dcm"))


def test_what_holds_no_image_is_refused_by_its_kind() -> None:
    assert "RT Plan Storage" in message_of(packaged("rtplan.dcm"))
    assert "RT Dose Storage" in message_of(packaged("rtdose.dcm"))


def test_undecodable_syntaxes_are_named(tmp_path: Path) -> None:
    assert "JPEG Extended" in message_of(packaged("JPGExtended.dcm"))
    path = as_us(Image.from_array(np.ones((2, 8, 8), np.uint8), axes="fyx"), tmp_path / "video.dcm")
    whole = path.read_bytes()
    # A video inside DICOM: the same file that says it is MPEG-4, whose UID has another length.
    syntax, mpeg = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.102\0"
    at = whole.index(syntax)
    group = int.from_bytes(whole[140:144], "little") + len(mpeg) - len(syntax)
    changed = whole[: at - 2] + len(mpeg).to_bytes(2, "little") + mpeg + whole[at + len(syntax) :]
    path.write_bytes(changed[:140] + group.to_bytes(4, "little") + changed[144:])
    assert "MPEG-4" in message_of(path)


def test_nothing_is_printed_about_a_patient(
    data_folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(data_folder / "nuclear" / "quality_control" / "Jaszack.dcm")  # values too long for their type
        write(image, tmp_path / "out.dcm")
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


# Writing --------------------------------------------------------------------------------------------------------------

REAL = (
    "nuclear/bone_scan_whole_body.dcm",
    "nuclear/quality_control/Jaszack.dcm",
    "ultrasound/dicom/US1_J2KR.dcm",
    "ultrasound/dicom/cine_30_frames_ybr.dcm",
    "mri/t1w_dicom",
)


@pytest.mark.parametrize("name", REAL)
def test_an_untouched_study_is_written_as_it_was(name: str, data_folder: Path, tmp_path: Path) -> None:
    image = read(data_folder / name)
    back = read(write(image, tmp_path / Path(name).name))
    np.testing.assert_array_equal(back.stored(), image.stored())
    for attribute in ("spacing", "origin", "direction", "frame_times", "modality", "unit"):
        assert getattr(back, attribute) == getattr(image, attribute)


def test_derived_objects_say_what_they_are(data_folder: Path, tmp_path: Path) -> None:
    image = read(data_folder / "mri" / "t1w_dicom")
    out = write(image.with_voxels(image.voxels * 0.9), tmp_path / "out", derivation="BM3D, Rician noise", label="bm3d")
    derived = read(out).source.headers
    assert len(derived) == len(image.source.headers) == len(list(out.iterdir()))
    assert len({header.SOPInstanceUID for header in derived}) == len(derived)
    for new, old in zip(derived, image.source.headers, strict=True):
        assert list(new.ImageType[:2]) == ["DERIVED", "SECONDARY"]
        for kept in ("SOPClassUID", "StudyInstanceUID", "FrameOfReferenceUID", "PatientName", "ImagePositionPatient"):
            assert new[kept].value == old[kept].value
        assert new.SeriesInstanceUID != old.SeriesInstanceUID
        assert new.SOPInstanceUID != old.SOPInstanceUID == new.SourceImageSequence[0].ReferencedSOPInstanceUID
        assert new.SourceImageSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        assert new.SeriesNumber == old.SeriesNumber + 1000
        assert new.SeriesDescription == f"{old.SeriesDescription} (MedRestore bm3d)"
        assert new.DerivationDescription == "BM3D, Rician noise"
        assert new.DerivationCodeSequence[-1].CodeValue == "113087"
        equipment = new.ContributingEquipmentSequence[-1]
        assert equipment.Manufacturer == "MedRestore"
        assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109103"


def test_long_texts_fit_their_elements(tmp_path: Path) -> None:
    path = as_nm(bone_scan(), tmp_path / "in.dcm")
    edit(path, lambda dataset: setattr(dataset, "SeriesDescription", "x" * 64))
    out = write(read(path), tmp_path / "out.dcm", derivation="σ" * 3000, label="y" * 80)
    header = read(out).source.headers[0]
    assert len(header.SeriesDescription) <= 64
    assert len(header.DerivationDescription) <= 1024


@pytest.mark.parametrize("modality", ["NM", "MR"])
def test_restored_values_are_quantised_far_below_noise_and_itk_reads_the_same(modality: str, tmp_path: Path) -> None:
    import SimpleITK as sitk

    image = read(as_nm(bone_scan(), tmp_path / "in.dcm") if modality == "NM" else as_mr(brain(), tmp_path / "in"))
    for low in (0.0, -100.0):
        restored = image.with_voxels(image.voxels * np.float32(0.731) + np.float32(low))
        out = write(restored, tmp_path / (f"out{low}.dcm" if modality == "NM" else f"out{int(low)}"))
        back = read(out)
        step = np.ptp(np.append(restored.voxels, 0)) / 65000
        np.testing.assert_allclose(back.voxels, restored.voxels, atol=0.51 * step)
        assert back.unit == image.unit
        files = [out] if out.is_file() else sorted(out.iterdir())
        theirs = np.concatenate([sitk.GetArrayFromImage(sitk.ReadImage(str(file))) for file in files])
        np.testing.assert_allclose(theirs.squeeze(), back.voxels.squeeze(), rtol=1e-6, atol=1e-4)


def test_zero_counts_stay_exactly_zero_and_totals_hold(data_folder: Path, tmp_path: Path) -> None:
    image = read(data_folder / "nuclear" / "bone_scan_whole_body.dcm")
    restored = image.with_voxels(image.voxels * np.float32(0.987))
    back = read(write(restored, tmp_path / "out.dcm"))
    np.testing.assert_array_equal(back.voxels == 0, restored.voxels == 0)
    assert back.voxels.sum(dtype=np.float64) == pytest.approx(restored.voxels.sum(dtype=np.float64), rel=1e-5)


def test_real_world_values_agree_with_the_rescale(tmp_path: Path) -> None:
    image = read(as_nm(bone_scan(), tmp_path / "in.dcm"))
    header = read(write(image.with_voxels(image.voxels * 0.7), tmp_path / "out.dcm")).source.headers[0]
    mapping = header.RealWorldValueMappingSequence[0]
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (
        header.RescaleSlope,
        header.RescaleIntercept,
    )
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "{counts}"


@pytest.mark.parametrize("colour", [False, True])
def test_ultrasound_stays_eight_bit(colour: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (3, 9, 7, 3) if colour else (3, 9, 7), endpoint=True).astype(np.uint8)
    image = read(as_us(Image.from_array(frames, axes="fyxc" if colour else "fyx"), tmp_path / "in.dcm"))
    restored = image.with_voxels(image.voxels * np.float32(1.4) - 20)
    header = read(write(restored, tmp_path / "out.dcm")).source.headers[0]
    assert (header.BitsAllocated, header.SamplesPerPixel) == (8, 3 if colour else 1)
    assert "RescaleSlope" not in header


def test_the_same_work_gives_the_same_bytes_and_other_work_other_uids(tmp_path: Path) -> None:
    image = read(as_nm(bone_scan(), tmp_path / "in.dcm"))
    first, again, other, removed = (tmp_path / f"{name}.dcm" for name in ("first", "again", "other", "removed"))
    write(image, first, derivation="a")
    write(image, again, derivation="a")
    write(image, other, derivation="b")
    write(image.with_voxels(image.voxels * 0.1), removed, derivation="a")
    assert first.read_bytes() == again.read_bytes()
    series = {read(path).source.headers[0].SeriesInstanceUID for path in (first, other, removed)}
    assert len(series) == 3


def test_dicom_needs_a_dicom_source_of_the_same_shape(tmp_path: Path) -> None:
    series = read(as_mr(brain(), tmp_path / "in"))
    with pytest.raises(OutputError, match="give a folder"):
        write(series, tmp_path / "out.dcm")
    cropped = Image.from_array(series.voxels[0, :, :4], source=series.source)
    with pytest.raises(OutputError, match="shape"):
        write(cropped, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 64 KiB; skips where the test may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs the super-user on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_part_of_a_series(small_disk: Path, tmp_path: Path) -> None:
    image = read(as_mr(brain(40), tmp_path / "in"))
    with pytest.raises(OutputError, match="full"):
        write(image, small_disk / "out")
    assert not list(small_disk.iterdir())
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))


# What the validator may say of a derived object: rescale is an extension of the SOP class in NM and MR, as documented.
EXTENSION = re.compile(r"Rescale (Slope|Intercept|Type)|Standard Extended SOP Class|Modality LUT Module")


def faults(path: Path) -> set[str]:
    """What dciodvfy finds wrong in a file."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is absent: install Debian's dicom3tools to check derived objects against the standard")
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace")
    return {line for line in (done.stdout + done.stderr).splitlines() if re.match("Error|Warning", line)}


@pytest.mark.parametrize("name", REAL)
def test_a_validator_finds_no_new_fault_in_real_studies(name: str, data_folder: Path, tmp_path: Path) -> None:
    source = data_folder / name
    image = read(source)
    out = write(image.with_voxels(image.voxels * np.float32(0.9)), tmp_path / Path(name).name, derivation="BM3D")
    new = faults(out if out.is_file() else min(out.iterdir())) - faults(
        source if source.is_file() else min(source.iterdir())
    )
    assert not [line for line in new if not EXTENSION.search(line)]


def test_a_validator_finds_no_error_in_simulated_studies_and_their_restorations(tmp_path: Path) -> None:
    cine = Image.from_array(np.ones((3, 9, 7, 3), np.uint8), axes="fyxc", frame_times=(0, 20, 40))
    sources = [
        as_nm(bone_scan(), tmp_path / "nm.dcm"),
        as_us(cine, tmp_path / "us.dcm"),
        as_mr(brain(), tmp_path / "mr"),
    ]
    for source in sources:
        image = read(source)
        out = write(image.with_voxels(image.voxels * np.float32(0.9)), tmp_path / f"restored_{source.name}")
        for path in (source, out):
            found = faults(path if path.is_file() else min(path.iterdir()))
            assert not [line for line in found if not EXTENSION.search(line)]
