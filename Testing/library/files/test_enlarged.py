"""An enlarged study is written in its new place and size, exactly, in every format, and read again the same."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import OutputError
from MedRestoreLib.files.dicom_finer import refine
from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image
from Testing.support.dicom_objects import AXIAL, dicom, enhanced, item, mosaics, save, series

KEEP_ALL = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
GEOMETRY = ("spacing", "origin", "direction")
OBLIQUE = [0.6, 0.8, 0, 0, 0, -1]


def head(shape: tuple[int, ...], dtype: type = np.int16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 200, shape).astype(dtype)


def assert_same_place(found: Image, wanted: Image, tolerance: float = 1e-6) -> None:
    assert found.voxels.shape == wanted.voxels.shape
    assert found.spacing_known == wanted.spacing_known
    if not wanted.spacing_known:  # DICOM and pictures then know the shape of a pixel alone
        assert found.spacing[0] / found.spacing[1] == pytest.approx(wanted.spacing[0] / wanted.spacing[1])
        return
    for name in GEOMETRY:
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=tolerance, err_msg=name)
    np.testing.assert_allclose(found.frame_times, wanted.frame_times, atol=1e-3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(KEEP_ALL),
    again=st.sampled_from(KEEP_ALL),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(2, 6), st.integers(2, 6)),
    factor=st.integers(2, 4),
    spacing=st.tuples(*[st.floats(0.1, 4)] * 3),
    origin=st.tuples(*[st.floats(-100, 100)] * 3),
)
def test_formats_that_keep_all_keep_the_new_place_too(tmp_path, suffix, again, shape, factor, spacing, origin):
    """Whatever the study was read from, whose header is said again."""
    times = tuple(40.0 * k for k in range(shape[0])) if shape[0] > 1 else ()
    first = Image.from_array(head(shape), spacing=spacing, origin=origin, frame_times=times, modality="US")
    study = read(write(first, tmp_path / f"study{suffix}"))
    fine = study.enlarged(factor)
    found = read(write(fine, tmp_path / f"fine{again}"))
    nifti = 2e-5 if ".nii" in suffix + again else 1e-6  # positions are 32-bit floats there
    assert_same_place(found, fine, nifti)
    np.testing.assert_array_equal(found.voxels, fine.voxels)


def test_what_a_nifti_header_says_beyond_the_place_is_said_again(tmp_path):
    import nibabel

    made = nibabel.Nifti1Image(head((6, 5, 4)), np.diag([-0.5, -0.4, 2.0, 1.0]))
    made.set_sform(made.affine, 4)  # MNI 152
    made.set_qform(made.affine, 4)
    made.header["descrip"] = b"phantom"
    made.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"a comment"))
    nibabel.save(made, tmp_path / "in.nii.gz")
    study = read(tmp_path / "in.nii.gz")
    out = write(study.enlarged(2), tmp_path / "out.nii.gz")
    found = nibabel.load(out)
    assert found.shape == (12, 10, 4)
    assert bytes(found.header["descrip"]).rstrip(b"\0") == b"phantom"
    assert found.header.extensions[0].get_content() == b"a comment"
    np.testing.assert_allclose(found.header.get_zooms(), (0.25, 0.2, 2.0), rtol=1e-6)
    np.testing.assert_allclose(found.affine[:3, 3], (0.125, 0.1, 0), atol=1e-6)
    assert_same_place(read(out), study.enlarged(2), 1e-6)


def test_pictures_and_videos_are_larger(tmp_path):
    colour = Image.from_array(head((5, 16, 24, 3), np.uint8), axes="fyxc", frame_times=[40.0 * k for k in range(5)])
    colour = replace(colour, spacing_known=False)
    one = replace(colour, voxels=colour.voxels[:1], colour=colour.colour[:1], frame_times=())
    picture = read(write(one.enlarged(3), tmp_path / "one.png"))
    assert picture.voxels.shape == (1, 1, 48, 72)
    np.testing.assert_array_equal(picture.stored(), one.enlarged(3).stored())
    film = read(write(colour.enlarged(2), tmp_path / "cine.mp4"))
    assert film.voxels.shape == (5, 1, 32, 48)
    np.testing.assert_allclose(film.frame_times, colour.frame_times, atol=1)


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("factor", [2, 3])
def test_a_series_lies_where_it_lay_for_pydicom_and_simpleitk(factor, orientation, tmp_path):
    import SimpleITK as sitk
    from pydicom import dcmread

    def place(dataset, index):
        normal = np.cross(orientation[:3], orientation[3:])
        dataset.ImageOrientationPatient = orientation
        dataset.ImagePositionPatient = [float(v) for v in np.array([-31.7, 12.25, 80.5]) + 2.5 * index * normal]

    study = read(series(tmp_path / "in", head((4, 7, 9)), place))
    fine = study.enlarged(factor)
    out = write(fine, tmp_path / "out", derivation="enlarged")
    found = read(out)
    assert_same_place(found, fine)
    np.testing.assert_allclose(found.voxels, fine.voxels, atol=np.ptp(fine.voxels) / 60000)
    files = sorted(out.iterdir())
    for path, header in zip(files, study.source.headers, strict=True):
        new = dcmread(path)
        assert (new.Rows, new.Columns) == (7 * factor, 9 * factor)
        np.testing.assert_allclose(new.PixelSpacing, np.array([1.1, 0.9]) / factor, atol=1e-9)
        assert new.SliceThickness == header.SliceThickness
        assert new.SOPInstanceUID != header.SOPInstanceUID
        assert [(c.CodeValue, c.CodingSchemeDesignator, c.CodeMeaning) for c in new.DerivationCodeSequence] == [
            ("113085", "DCM", "Spatial resampling")
        ]
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(out)))
    itk = reader.Execute()
    np.testing.assert_allclose(itk.GetOrigin(), fine.origin, atol=1e-6)
    np.testing.assert_allclose(itk.GetSpacing(), fine.spacing, atol=1e-6)
    np.testing.assert_allclose(itk.GetDirection(), fine.direction, atol=1e-6)


@pytest.mark.parametrize("own", ["position", "position and measures", "shared position"])
def test_an_enhanced_object_lies_where_it_lay_however_its_frames_share(own, tmp_path):
    made = enhanced(head((3, 6, 8)), [{"depth": 2.5 * k} for k in range(3)])
    if own == "position and measures":
        measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        del made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
        for frame in made.PerFrameFunctionalGroupsSequence:
            frame.PixelMeasuresSequence = [item(PixelSpacing=measures.PixelSpacing, SliceThickness=2.5)]
    if own == "shared position":
        made = enhanced(head((1, 6, 8)), [{"depth": 5.0}])
        frame = made.PerFrameFunctionalGroupsSequence[0]
        made.SharedFunctionalGroupsSequence[0].PlanePositionSequence = frame.PlanePositionSequence
        del frame.PlanePositionSequence
    study = read(save(made, tmp_path / "in.dcm"))
    fine = study.enlarged(2)
    assert_same_place(read(write(fine, tmp_path / "out.dcm")), fine)


def region(**values):
    usual = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": 4,
        "RegionLocationMinY0": 2,
        "RegionLocationMaxX1": 19,
        "RegionLocationMaxY1": 13,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02,
        "PhysicalDeltaY": 0.03,
        "ReferencePixelX0": 8,
        "ReferencePixelY0": 0,
        "ReferencePixelPhysicalValueX": 0.5,
        "ReferencePixelPhysicalValueY": 1.0,
    }
    return item(**{**usual, **values})


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_ultrasound_regions_cover_the_same_echoes_with_the_same_lengths(factor, tmp_path):
    made = dicom("US", head((3, 16, 24), np.uint8), SequenceOfUltrasoundRegions=[region()], FrameTime=40.0)
    study = read(save(made, tmp_path / "in.dcm"))
    fine = study.enlarged(factor)
    out = write(fine, tmp_path / "out.dcm")
    found = read(out)
    assert found.voxels.shape == fine.voxels.shape
    assert found.frame_times == fine.frame_times
    np.testing.assert_allclose(found.spacing[:2], (0.2 / factor, 0.3 / factor), atol=1e-9)
    np.testing.assert_array_equal(found.stored(), np.clip(np.rint(fine.voxels), 0, 255))
    old, new = (image.source.headers[0].SequenceOfUltrasoundRegions[0] for image in (study, found))
    for axis in "XY":
        # Edges of the region, and the length at its middle, as both headers have them.
        first, last = new[f"RegionLocationMin{axis}0"].value, new[f"RegionLocationMax{axis}1"].value
        assert first == factor * old[f"RegionLocationMin{axis}0"].value
        assert last + 1 == factor * (old[f"RegionLocationMax{axis}1"].value + 1)
        middle = 5.25  # of the region, in its coarse pixels from its first edge
        lengths = [
            one[f"ReferencePixelPhysicalValue{axis}"].value
            + one[f"PhysicalDelta{axis}"].value * (middle * scale - 0.5 - one[f"ReferencePixel{axis}0"].value)
            for one, scale in ((old, 1), (new, factor))
        ]
        assert lengths[0] == pytest.approx(lengths[1], abs=1e-12)


def test_overlays_of_the_coarse_grid_go_and_shutters_cover_the_same(tmp_path):
    made = dicom("MR", head((8, 10)), PixelSpacing=[1, 1], ImagePositionPatient=[0, 0, 0])
    made.ImageOrientationPatient = AXIAL
    made.add_new(0x60000010, "US", 8)
    made.add_new(0x60000011, "US", 10)
    made.add_new(0x60003000, "OW", bytes(10))
    made.ShutterShape = "RECTANGULAR"
    made.ShutterLeftVerticalEdge, made.ShutterRightVerticalEdge = 2, 9
    made.ShutterUpperHorizontalEdge, made.ShutterLowerHorizontalEdge = 1, 7
    refine(made, 2)
    assert not [element for element in made if element.tag.group == 0x6000]
    assert (made.ShutterLeftVerticalEdge, made.ShutterRightVerticalEdge) == (3, 18)
    assert (made.ShutterUpperHorizontalEdge, made.ShutterLowerHorizontalEdge) == (1, 14)


def test_a_mosaic_is_refused_with_a_cure(tmp_path):
    study = read(mosaics(tmp_path / "in"))
    with pytest.raises(OutputError, match=r"choose \.nrrd"):
        write(study.enlarged(2), tmp_path / "out")


REAL = ("mri/t1w_dicom", "ultrasound/dicom/US1_J2KR.dcm", "ultrasound/dicom/cine_30_frames_ybr.dcm")


@pytest.mark.parametrize("name", REAL)
def test_real_studies_are_valid_and_in_their_place(name, data_folder, tmp_path):
    study = read(data_folder / name)
    fine = study.enlarged(2)
    out = write(fine, tmp_path / ("out.dcm" if name.endswith(".dcm") else "out"))
    assert_same_place(read(out), fine)
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is absent: install Debian's dicom3tools")
    before, after = (_errors(path) for path in (data_folder / name, out))
    assert after <= before


def _errors(path: Path) -> set[str]:
    file = path if path.is_file() else sorted(path.iterdir())[0]
    done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, errors="replace")
    return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}
