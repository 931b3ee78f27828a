"""Derived DICOM: says what it is, keeps the numbers, and satisfies a validator."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import OutputError
from MedRestoreLib.files.atomic import PARTIAL
from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image
from Testing.support.dicom_objects import CLASSES, series
from Testing.support.dicom_studies import bone_scan, brain, edit
from training.simulate.dicom import as_mr, as_nm, as_us

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


def test_a_series_takes_an_empty_folder_or_its_own_place_and_no_other(tmp_path: Path) -> None:
    image = read(as_mr(brain(), tmp_path / "in"))
    out = tmp_path / "out"
    out.mkdir()
    write(image, out)
    halved = image.with_voxels(image.voxels * np.float32(0.5))
    np.testing.assert_allclose(read(write(halved, out)).voxels, halved.voxels, atol=0.02)
    assert len(list(out.iterdir())) == 6
    (out / "notes.txt").write_text("mine")
    for taken in (out, tmp_path / "in"):
        before = sorted((path.name, path.read_bytes()) for path in taken.iterdir())
        with pytest.raises(OutputError, match="not empty"):
            write(image, taken)
        assert sorted((path.name, path.read_bytes()) for path in taken.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


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


@settings(max_examples=25, deadline=None)
@given(
    offset=st.floats(-2000, 2000),
    step=st.floats(1e-3, 1e3),
    spread=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3),
    signed=st.booleans(),
)
def test_no_plane_is_stored_more_coarsely_than_its_source(offset, step, spread, signed) -> None:
    """Values far from zero, and planes that differ a hundredfold in brightness, keep their steps."""
    random = np.random.default_rng(0)
    volume = random.integers(0, 250, (3, 8, 8)).astype(np.int16 if signed else np.uint16)

    def scaled(dataset: Any, index: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{step * spread[index]:.8g}", f"{offset:.8g}"

    with tempfile.TemporaryDirectory() as folder:
        image = read(series(Path(folder) / "in", volume, scaled, Modality="CT", SOPClassUID=CLASSES["CT"]))
        restored = image.with_voxels(image.voxels * np.float32(0.9))
        back = read(write(restored, Path(folder) / "out"))
    worst = np.abs(back.voxels - restored.voxels.astype(np.float64)).max((0, 2, 3))
    rounding = 4e-7 * np.abs(restored.voxels).max()  # of float32
    assert (worst <= step * np.array(spread) / 2 + rounding).all()
