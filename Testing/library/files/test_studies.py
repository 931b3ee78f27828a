"""Studies survive reading and writing: voxels exactly, geometry to 1e-6, and a failed write leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import MedRestoreError, OutputError, UnsupportedImage
from MedRestoreLib.files.atomic import PARTIAL
from MedRestoreLib.files.studies import check_format, check_space, check_writable, list_series, read, write, write_text
from MedRestoreLib.image import Image, Source

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rotation(seed: int, left_handed: bool) -> np.ndarray:
    """Row-major direction of a random orthonormal frame."""
    axes, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    if (np.linalg.det(axes) < 0) != left_handed:
        axes[:, 0] *= -1
    return axes.ravel()


@st.composite
def studies(draw: st.DrawFn) -> Image:
    """Images of every stored type, with odd shapes, oblique and left-handed axes, frames and colour."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    frames, colour = draw(st.sampled_from([1, 1, 3])), draw(st.sampled_from([0, 0, 3, 4]))
    dtype = np.dtype(draw(st.sampled_from(("uint8", "uint16") if colour else DTYPES)))
    shape = (frames, *(draw(st.integers(2, 6)) for _ in range(3)), *([colour] if colour else []))
    if dtype.kind == "f":
        array = rng.normal(scale=1e3, size=shape).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        array = rng.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True)
    return Image.from_array(
        array,
        axes="fzyxc" if colour else "fzyx",
        spacing=tuple(draw(st.floats(0.01, 20.0)) for _ in range(3)),
        origin=tuple(draw(st.floats(-500.0, 500.0)) for _ in range(3)),
        direction=rotation(seed, draw(st.booleans())),
        frame_times=tuple(40.0 * k for k in range(frames)) if frames > 1 else (),
    )


def assert_same(read_back: Image, image: Image, tolerance: float = 1e-6) -> None:
    assert read_back.voxels.shape == image.voxels.shape
    assert read_back.stored().dtype == image.stored().dtype
    np.testing.assert_array_equal(read_back.stored(), image.stored())
    np.testing.assert_allclose(read_back.spacing, image.spacing, rtol=tolerance)
    np.testing.assert_allclose(read_back.origin, image.origin, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(read_back.direction, image.direction, atol=tolerance)
    np.testing.assert_allclose(read_back.frame_times, image.frame_times, rtol=tolerance)


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha"])
def test_round_trip_keeps_voxels_and_geometry(suffix: str, tmp_path: Path) -> None:
    @few
    @given(image=studies())
    def check(image: Image) -> None:
        path = write(image, tmp_path / f"study{suffix}")
        assert_same(read(path), image)
        # A second trip changes nothing more: what was read is what is written.
        assert_same(read(write(read(path), tmp_path / f"again{suffix}")), read(path))

    check()
    assert not list(tmp_path.glob(f"{PARTIAL}*"))


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii.gz", ".mha"])
def test_restored_fractions_are_written_as_float32(suffix: str, tmp_path: Path) -> None:
    image = Image.from_array(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    restored = image.with_voxels(image.voxels * np.float32(0.3))
    back = read(write(restored, tmp_path / f"restored{suffix}"))
    assert back.stored().dtype == np.float32
    np.testing.assert_array_equal(back.voxels, restored.voxels)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_modality_unit_and_time_are_kept(suffix: str, tmp_path: Path) -> None:
    voxels = np.ones((3, 2, 4, 5), np.uint16)
    image = Image.from_array(voxels, modality="NM", unit="counts", frame_times=(0.0, 10.5, 100.25))
    back = read(write(image, tmp_path / f"gated{suffix}"))
    assert (back.modality, back.unit, back.frame_times) == ("NM", "counts", (0.0, 10.5, 100.25))


def test_nrrd_keeps_the_users_own_fields(tmp_path: Path) -> None:
    source = Source(format=".nrrd", dtype="uint8", metadata={"protocol": "two\nlines", "back": "a\\b"})
    image = Image.from_array(np.ones((2, 3, 4), np.uint8), source=source)
    once = read(write(image, tmp_path / "a.nrrd"))
    assert once.source.metadata["protocol"] == "two\nlines"
    twice = read(write(once, tmp_path / "b.nrrd"))
    assert twice.source.metadata == once.source.metadata


def test_a_slicer_sequence_is_read_as_frames(tmp_path: Path) -> None:
    frames = np.arange(2 * 3 * 4 * 5, dtype="<i2").reshape(2, 3, 4, 5)
    for name, sizes, directions, kinds, data in (
        ("last", "5 4 3 2", "(1,0,0) (0,1,0) (0,0,2) none", "domain domain domain list", frames),
        ("first", "2 5 4 3", "none (1,0,0) (0,1,0) (0,0,2)", "list domain domain domain", frames.transpose(1, 2, 3, 0)),
    ):
        header = (
            f"NRRD0005\ntype: short\ndimension: 4\nspace: left-posterior-superior\nsizes: {sizes}\n"
            f"space directions: {directions}\nkinds: {kinds}\nendian: little\nencoding: raw\nspace origin: (1,2,3)\n\n"
        )
        path = tmp_path / f"{name}.seq.nrrd"
        path.write_bytes(header.encode() + np.ascontiguousarray(data).tobytes())
        image = read(path)
        np.testing.assert_array_equal(image.stored(), frames)
        assert (image.spacing, image.origin) == ((1.0, 1.0, 2.0), (1.0, 2.0, 3.0))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_two_dimensional_files_stay_two_dimensional(suffix: str, tmp_path: Path) -> None:
    import SimpleITK as sitk

    for direction in ((0.6, -0.8, 0.8, 0.6), (0.6, 0.8, 0.8, -0.6)):
        flat = sitk.GetImageFromArray(np.arange(20, dtype=np.int16).reshape(4, 5))
        flat.SetSpacing((0.5, 0.25))
        if suffix != ".nii.gz":  # NIfTI has no 2-D orientation
            flat.SetDirection(direction)
            flat.SetOrigin((-7.0, 3.0))
        sitk.WriteImage(flat, str(tmp_path / f"flat{suffix}"))
        image = read(tmp_path / f"flat{suffix}")
        assert image.voxels.shape == (1, 1, 4, 5)
        assert np.linalg.det(np.reshape(image.direction, (3, 3))) == pytest.approx(1.0)
        back = sitk.ReadImage(str(write(image, tmp_path / f"back{suffix}")))
        assert back.GetDimension() == 2
        np.testing.assert_allclose(back.GetDirection(), flat.GetDirection(), atol=1e-6)
        np.testing.assert_allclose(back.GetSpacing(), flat.GetSpacing(), rtol=1e-6)
        np.testing.assert_allclose(back.GetOrigin(), flat.GetOrigin(), atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("components", [0, 3, 4])
def test_pictures_round_trip(dtype: str, components: int, tmp_path: Path) -> None:
    shape = (7, 9, components) if components else (7, 9)
    array = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    image = Image.from_array(array, axes="yxc" if components else "yx")
    assert_same(read(write(image, tmp_path / "picture.png")), image)
    restored = read(write(image.with_voxels(image.voxels * np.float32(0.5)), tmp_path / "restored.png"))
    assert restored.stored().dtype == dtype
    assert (restored.colour is None) == (components == 0)


def test_a_cine_becomes_a_video_and_back(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 64), (48, 1))
    frames = np.stack([np.roll(ramp, 4 * k, axis=1) for k in range(6)]).astype(np.uint8)
    image = Image.from_array(frames, axes="fyx", frame_times=tuple(50.0 * k for k in range(6)))
    back = read(write(image, tmp_path / "cine.mp4"))
    assert back.voxels.shape == image.voxels.shape
    assert np.mean(np.abs(back.voxels - image.voxels)) < 10  # the codec is lossy
    np.testing.assert_allclose(back.frame_times, image.frame_times, atol=0.5)


def test_red_stays_red_in_a_video(tmp_path: Path) -> None:
    red = np.zeros((4, 32, 48, 3), np.uint8)
    red[..., 0] = 200
    back = read(write(Image.from_array(red, axes="fyxc"), tmp_path / "red.mp4")).stored()
    assert back[..., 0].mean() > 180
    assert back[..., 2].mean() < 20


def test_real_videos_have_frames_times_and_greyness(data_folder: Path) -> None:
    grey = read(data_folder / "ultrasound" / "cine_lung" / "Vir_whitelung_h1n1.mp4")
    assert grey.voxels.shape == (123, 1, 270, 270)
    assert grey.colour is None
    assert len(grey.frame_times) == 123
    assert grey.frame_times[1] == pytest.approx(40.0, rel=0.5)
    assert read(data_folder / "ultrasound" / "cine_lung" / "Vir_prospective_file2.mp4").colour is not None


def test_real_nifti_round_trips(data_folder: Path, tmp_path: Path) -> None:
    for name in ("t2.nii.gz", "t2s_uncropped.nii.gz"):
        image = read(data_folder / "mri" / "spine" / name)
        for suffix in (".nrrd", ".nii.gz", ".mha"):
            assert_same(read(write(image, tmp_path / f"copy{suffix}")), image)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_the_same_image_gives_the_same_bytes(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.from_array(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    first = write(image, tmp_path / f"a{suffix}").read_bytes()
    monkeypatch.setattr("time.time", lambda: 1e9)  # on another day
    assert write(image, tmp_path / f"b{suffix}").read_bytes() == first


NOT_STUDIES = {
    "empty.nrrd": b"",
    "empty.dcm": b"",
    "text.dcm": b"this is no DICOM file\n" * 20,
    "text.nrrd": b"neither is this\n",
    "text.png": b"nor this\n",
    "notes.txt": b"hello\n",
    "header_only.dcm": bytes(128) + b"DICM",
    "cut.png": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "cut.nrrd": b"NRRD0004\ntype: float\ndimension: 3\nsizes: 4 4 4\nencoding: raw\nendian: little\n\n1234",
    "cut.nii.gz": b"\x1f\x8b\x08\x00" + bytes(30),
    "cut.mp4": b"\x00\x00\x00\x18ftypmp42" + bytes(50),
    "cut.mha": b"ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n12",
}


@pytest.mark.parametrize("name", NOT_STUDIES)
def test_what_is_no_study_is_refused_in_one_line(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(NOT_STUDIES[name])
    with pytest.raises(UnsupportedImage) as error:
        read(path)
    assert capfd.readouterr() == ("", "")
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_absent_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match="does not exist"):
        read(tmp_path / "absent.nrrd")
    with pytest.raises(UnsupportedImage, match="no DICOM image"):
        read(tmp_path)
    with pytest.raises(UnsupportedImage, match="not a folder"):
        list_series(tmp_path / "absent")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted_and_can_be_replaced(bad: float, tmp_path: Path) -> None:
    voxels = np.ones((2, 3, 4), np.float32)
    voxels[0, 0, 0] = voxels[1, 2, 3] = bad
    path = write(Image.from_array(voxels), tmp_path / "holes.nrrd")
    with pytest.raises(UnsupportedImage, match="2 voxels") as error:
        read(path)
    assert error.value.field == "replace_nan"
    mended = read(path, replace_nan=-5.0)
    assert mended.voxels[0, 0, 0, 0] == mended.voxels[0, 1, 2, 3] == -5.0
    assert mended.voxels.sum() == 22 - 10


def test_formats_that_cannot_hold_a_study_say_so(tmp_path: Path) -> None:
    volume = Image.from_array(np.ones((3, 4, 5), np.float32))
    for name, words in (("v.png", "one picture"), ("v.mp4", "8-bit"), ("v.dcm", "DICOM"), ("v.xyz", "cannot write")):
        with pytest.raises(OutputError, match=words):
            check_format(volume, tmp_path / name)
        with pytest.raises(OutputError, match=words):
            write(volume, tmp_path / name)
    with pytest.raises(OutputError, match="fractions"):
        write(Image.from_array(np.ones((4, 5), np.float32)), tmp_path / "f.png")
    with pytest.raises(OutputError, match="DICOM"):
        write(volume, tmp_path / "series")
    assert not list(tmp_path.iterdir())


def test_unwritable_places_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        check_writable(tmp_path / "absent" / "out.nrrd")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="does not exist"):
        check_writable(tmp_path / "file" / "out.nrrd")
    with pytest.raises(OutputError, match="is a file"):
        check_writable(tmp_path / "file")
    (tmp_path / "folder.nrrd").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_writable(tmp_path / "folder.nrrd")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("")
    with pytest.raises(OutputError, match="not empty"):
        write(Image.from_array(np.ones((4, 5))), tmp_path / "full")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the super-user may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="not writable"):
        check_writable(tmp_path / "out.nrrd")
    tmp_path.chmod(0o700)


def test_output_may_not_be_the_input(tmp_path: Path) -> None:
    study = tmp_path / "folder" / "study.nrrd"
    study.parent.mkdir()
    study.write_text("")
    (tmp_path / "link.nrrd").symlink_to(study)
    for output in (study, tmp_path / "folder" / ".." / "folder" / "study.nrrd", tmp_path / "link.nrrd", study.parent):
        with pytest.raises(OutputError, match="overwrite"):
            check_writable(output, study)
    check_writable(study.with_name("other.nrrd"), study)


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii.gz", ".mha"])
def test_a_full_disk_leaves_nothing(suffix: str, tmp_path: Path, small_disk: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32)
    too_big = Image.from_array(noise)
    looks_small = Image.from_array(noise, source=Source(dtype="uint8"))  # what float32 needs shows while writing
    check_format(too_big, small_disk / f"big{suffix}")
    with pytest.raises(OutputError, match="full"):
        check_space(too_big, small_disk / f"big{suffix}")
    for image in (too_big, looks_small):
        with pytest.raises(OutputError, match="full"):
            write(image, small_disk / f"big{suffix}")
        assert not list(small_disk.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 512 KiB; skips where the test may not mount one."""
    import subprocess

    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs the super-user on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_text_is_written_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_text(path, "first σ")
    assert write_text(path, "second σ").read_text(encoding="utf-8") == "second σ"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "absent" / "report.html", "")


def test_a_failed_write_keeps_the_former_file(tmp_path: Path) -> None:
    path = write(Image.from_array(np.ones((4, 5), np.uint8)), tmp_path / "kept.png")
    before = path.read_bytes()
    with pytest.raises(MedRestoreError):
        write(Image.from_array(np.ones((2, 4, 5), np.uint8)), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.png"]


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii.gz", ".mha"])
def test_one_wrong_bit_in_compressed_voxels_is_noticed(suffix: str, tmp_path: Path) -> None:
    """Their check sum stands at their end, behind the last voxel."""
    image = Image.from_array(np.random.default_rng(0).integers(0, 9, (4, 30, 30)).astype(np.uint8))
    path = write(image, tmp_path / f"a{suffix}")
    packed = path if suffix != ".nhdr" else tmp_path / "a.raw.gz"
    data = packed.read_bytes()
    rng = np.random.default_rng(1)
    for place in (*rng.integers(len(data) // 2, len(data), 60), len(data) - 2, len(data) - 6):
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        packed.write_bytes(changed)
        with pytest.raises(UnsupportedImage, match=r"damaged|truncated|more volumes"):
            read(path)
    packed.write_bytes(data[:-3])
    with pytest.raises(UnsupportedImage, match="truncated"):
        read(path)
    packed.write_bytes(data + bytes(100))  # some pad files with zeros
    np.testing.assert_array_equal(read(path).stored(), image.stored())


def test_half_of_a_pair_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "a.hdr").write_bytes(b"\x5c\x01\0\0" + bytes(344))
    with pytest.raises(UnsupportedImage, match="pair"):
        read(tmp_path / "a.hdr")
