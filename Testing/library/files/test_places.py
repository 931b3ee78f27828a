"""Where studies may lie and results may go: what is no readable file is passed over, named, and never waited for."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import numpy as np
import pytest

from MedRestoreLib.errors import OutputError, UnsupportedImage
from MedRestoreLib.files.atomic import PARTIAL, staged
from MedRestoreLib.files.studies import check_writable, list_series, read, unreadable, why_unreadable, write
from MedRestoreLib.image import Image
from Testing.support.dicom_objects import dicom, head, save, series
from Testing.support.dicom_studies import message_of

IMAGE = Image.from_array(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.fixture
def oddities(tmp_path: Path) -> dict[str, Path]:
    """A folder with a sound series, and things in it that no one can read."""
    if os.name != "posix":
        pytest.skip("pipes and sockets lie in folders of POSIX systems")
    folder = series(tmp_path / "study", head())
    found = {"pipe": folder / "pipe.dcm", "socket": folder / "socket.dcm"}
    os.mkfifo(found["pipe"])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(found["socket"]))
    for name, target in (("nowhere", "absent"), ("loop", "loop.dcm"), ("device", "/dev/zero")):
        found[name] = folder / f"{name}.dcm"
        found[name].symlink_to(target)
    (folder / "below").mkdir()
    (folder / "below" / "up").symlink_to(folder, target_is_directory=True)
    return found


WORDS = {"pipe": "pipe", "socket": "socket", "nowhere": "nowhere", "loop": "cannot be read", "device": "device"}


def test_what_is_no_file_is_passed_over_and_listed(oddities: dict[str, Path]) -> None:
    folder = oddities["pipe"].parent
    assert read(folder).voxels.shape == (1, 6, 20, 16)
    assert [one.images for one in list_series(folder)] == [6]
    listed = dict(unreadable(folder))
    for name, path in oddities.items():
        assert WORDS[name] in listed[path]
    assert set(listed) == {*oddities.values(), folder / "below" / "up"}


@pytest.mark.parametrize("name", WORDS)
def test_what_is_no_file_is_refused_by_name_and_not_waited_for(name: str, oddities: dict[str, Path]) -> None:
    path = oddities[name]
    assert WORDS[name] in message_of(path)
    image = path.with_suffix(".nrrd")
    path.rename(image)
    if name != "loop":
        assert WORDS[name] in message_of(image)


def test_a_folder_of_nothing_readable_says_what_it_holds(oddities: dict[str, Path]) -> None:
    alone = oddities["pipe"].parent.parent / "alone"
    alone.mkdir()
    oddities["pipe"].rename(alone / "pipe.dcm")
    assert "pipe.dcm is no file but a pipe" in message_of(alone)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the super-user may read everything")
def test_files_and_folders_without_permission_are_listed(tmp_path: Path) -> None:
    folder = series(tmp_path / "study", head())
    for path in (folder / "0001.dcm", folder / "shut"):
        path.mkdir() if path.name == "shut" else None
        path.chmod(0)
    assert {path.name for path, _ in unreadable(folder)} == {"0001.dcm", "shut"}
    assert "ermission" in why_unreadable(folder / "0001.dcm")
    (folder / "shut").chmod(0o700)


@pytest.mark.parametrize("length", [240, 250, 300])
def test_a_name_that_is_too_long_is_one_line(length: int, tmp_path: Path) -> None:
    path = tmp_path / f"{'a' * length}.nii.gz"
    if length == 240:
        check_writable(path)
        write(IMAGE, path)
        return
    for attempt in (check_writable, lambda path: write(IMAGE, path)):
        with pytest.raises(OutputError, match="too long"):
            attempt(path)
    with pytest.raises(UnsupportedImage):
        read(path)
    assert not list(tmp_path.iterdir())


def test_names_that_cannot_be_printed_are_named_in_print(tmp_path: Path) -> None:
    path = tmp_path / "a\nb\x1b[31m\udcff.nrrd"
    try:
        path.write_bytes(b"no NRRD")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system has no such names")
    with pytest.raises(UnsupportedImage) as error:
        read(path)
    assert str(error.value).isprintable()
    assert read(write(IMAGE, tmp_path / "c\udcff.nrrd")).voxels.shape == (1, 2, 3, 4)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(mask: int, tmp_path: Path) -> None:
    folder = series(tmp_path / "in", head(3))
    former = os.umask(mask)
    try:
        single, out = write(IMAGE, tmp_path / "a.nhdr"), write(read(folder), tmp_path / "out")
    finally:
        os.umask(former)
    for path in (single, tmp_path / "a.raw.gz", *out.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE(out.stat().st_mode) == 0o777 & ~mask


def test_header_and_data_appear_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    write(IMAGE, tmp_path / "a.nhdr")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, "fsync", full)  # some file systems tell only now that there is no room
    for name in ("a.nhdr", "b.nhdr", "b.nii.gz"):
        with pytest.raises(OutputError, match="full"):
            write(Image.from_array(np.ones((2, 3, 4), np.uint8)), tmp_path / name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nothing_is_left_when_a_writer_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with staged(tmp_path / "a") as staging:
            staging.path.write_bytes(b"half")
            assert staging.path.parent.name.startswith(PARTIAL)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())


BAD_SPACINGS = (b"0\\0 ", b"NaN\\NaN ", b"-0.5\\-0.5", b"0.2\\0\\0.2 ", b"0,625\\0,625 ", b"0.625 ")


@pytest.mark.parametrize("raw", BAD_SPACINGS)
def test_a_dicom_spacing_that_cannot_be_is_named_where_images_have_places(raw: bytes, tmp_path: Path) -> None:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    def change(dataset, index: int) -> None:
        del dataset.PixelSpacing
        dataset[0x00280030] = RawDataElement(Tag(0x00280030), "DS", len(raw), raw, 0, False, True)

    folder = series(tmp_path, head(3), change)
    assert "Pixel Spacing (0028,0030)" in message_of(folder)
    assert "Pixel Spacing (0028,0030)" in message_of(folder / "0001.dcm")


def test_a_dicom_spacing_that_is_missing_is_unknown(tmp_path: Path) -> None:
    image = read(series(tmp_path / "in", head(3), lambda dataset, index: delattr(dataset, "PixelSpacing")))
    assert not image.spacing_known
    assert image.spacing[2] == 2.5
    back = read(write(image.with_voxels(image.voxels / 2), tmp_path / "out"))
    assert not back.spacing_known
    still = save(dicom("US", head(1)[0].astype(np.uint8), PixelSpacing=[0, 0]), tmp_path / "still.dcm")
    assert not read(still).spacing_known


def test_a_stack_of_unknown_thickness_has_an_unknown_spacing(tmp_path: Path) -> None:
    values = {"ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"], "FrameIncrementPointer": 0x00540080}
    dataset = dicom("NM", head(4), PixelSpacing=[4, 4], **values)
    dataset.SliceVector = [1, 2, 3, 4]
    assert not read(save(dataset, tmp_path / "a.dcm")).spacing_known
    dataset.SliceThickness = "4"
    assert read(save(dataset, tmp_path / "b.dcm")).spacing_known


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("RescaleSlope", b"abc ", "Rescale Slope (0028,1053)"),
        ("RescaleSlope", b"0 ", "Rescale Slope (0028,1053)"),
        ("ImagePositionPatient", b"0\\0 ", "Image Position (Patient) (0020,0032)"),
        ("ImageOrientationPatient", b"1\\0\\0\\0\\x\\0 ", "Image Orientation (Patient) (0020,0037)"),
        ("NumberOfFrames", b"two ", "Number of Frames (0028,0008)"),
    ],
)
def test_a_damaged_attribute_is_named(name: str, raw: bytes, words: str, tmp_path: Path) -> None:
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    def change(dataset, index: int) -> None:
        if name in dataset:
            del dataset[name]
        tag = tag_for_keyword(name)
        dataset[tag] = RawDataElement(Tag(tag), dictionary_VR(tag), len(raw), raw, 0, False, True)

    assert words in message_of(series(tmp_path, head(3), change))


def test_a_deflated_object_is_read_and_a_bomb_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zlib

    from pydicom.uid import DeflatedExplicitVRLittleEndian

    from MedRestoreLib.files import payload

    dataset = dicom("NM", head(1)[0])
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(dataset, tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(path).stored()[0, 0], head(1)[0])
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + packer.compress(bytes(10**7)) + packer.flush())
    monkeypatch.setattr(payload, "_SMALL", 5e6)
    with pytest.raises(UnsupportedImage, match="inflates") as error:
        read(path)
    assert error.value.field == "memory_gb"
    with pytest.raises(UnsupportedImage, match="holds no image"):  # it may be as large as that, and is all zeros
        read(path, memory_gb=0.1)
