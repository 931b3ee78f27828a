"""Pictures and video: whole or refused, grey stays grey, and nothing is called a millimetre that is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedRestoreLib.errors import UnsupportedImage
from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (40, 48)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (40, 48, 3)).astype(np.uint8)


def picture(path: Path, array: np.ndarray, mode: str | None = None, **options) -> Path:
    from PIL import Image as Picture

    Picture.fromarray(array, mode).save(path, **options)
    return path


def stack(path: Path, **options) -> Path:
    from PIL import Image as Picture

    pages = [Picture.fromarray(GREY + k) for k in range(4)]
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)
    return path


def video(path: Path, codec: str) -> Path:
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 20.0, (48, 40))
    for _ in range(12):
        writer.write(RNG.integers(0, 256, (40, 48, 3)).astype(np.uint8))
    writer.release()
    return path


def message_of(path: Path) -> str:
    with pytest.raises(UnsupportedImage) as error:
        read(path)
    assert path.name in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_lossless_pictures_are_read_as_pillow_reads_them(suffix: str, tmp_path: Path) -> None:
    for array in (GREY, COLOUR):
        image = read(picture(tmp_path / f"a{suffix}", array))
        np.testing.assert_array_equal(image.stored()[0, 0], array)
        assert not image.spacing_known


@pytest.mark.parametrize("array", [GREY, COLOUR])
def test_jpeg_is_read_as_pillow_reads_it(array: np.ndarray, tmp_path: Path) -> None:
    from PIL import Image as Picture

    path = picture(tmp_path / "a.jpg", array)
    with Picture.open(path) as theirs:
        np.testing.assert_allclose(read(path).stored()[0, 0].astype(int), np.asarray(theirs).astype(int), atol=1)


@pytest.mark.parametrize("opaque", [True, False])
def test_grey_with_alpha_is_read(opaque: bool, tmp_path: Path) -> None:
    alpha = np.full_like(GREY, 255) if opaque else GREY // 2
    image = read(picture(tmp_path / "a.png", np.dstack([GREY, alpha]), "LA"))
    np.testing.assert_allclose(image.voxels[0, 0], GREY, atol=1e-4)
    assert (image.colour is None) == opaque
    back = read(write(image, tmp_path / "b.png"))
    np.testing.assert_array_equal(back.stored(), image.stored())


def test_a_tiff_stack_is_slices_and_its_resolution_in_inches_is_no_anatomy(tmp_path: Path) -> None:
    image = read(stack(tmp_path / "a.tif", dpi=(72, 72)))
    assert image.voxels.shape == (1, 4, 40, 48)
    assert (image.spacing[:2], image.spacing_known) == ((1.0, 1.0), False)
    metric = read(picture(tmp_path / "b.tif", GREY, resolution_unit=3, x_resolution=25.0, y_resolution=20.0))
    np.testing.assert_allclose(metric.spacing[:2], (0.4, 0.5))
    assert metric.spacing_known


CUT = {
    "a.png": lambda path: picture(path, COLOUR),
    "a.jpg": lambda path: picture(path, COLOUR),
    "progressive.jpg": lambda path: picture(path, COLOUR, progressive=True),
    "a.bmp": lambda path: picture(path, COLOUR),
    "a.tif": stack,
    "packed.tif": lambda path: stack(path, compression="tiff_lzw"),
    "a.avi": lambda path: video(path, "MJPG"),
    "a.mp4": lambda path: video(path, "mp4v"),
    "a.mov": lambda path: video(path, "mp4v"),
    "a.mkv": lambda path: video(path, "mp4v"),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_file_is_refused(name: str, tmp_path: Path) -> None:
    data = CUT[name](tmp_path / name).read_bytes()
    assert read(tmp_path / name).voxels.size
    for part in (0.05, 0.4, 0.67, 0.95):
        cut = tmp_path / f"cut{part}{Path(name).suffix}"
        cut.write_bytes(data[: int(part * len(data))])
        message_of(cut)


def test_corrupt_jpeg_data_are_refused(tmp_path: Path) -> None:
    data = bytearray(picture(tmp_path / "a.jpg", GREY).read_bytes())
    data[700:740] = bytes(range(1, 41))
    (tmp_path / "bad.jpg").write_bytes(data)
    assert "damaged" in message_of(tmp_path / "bad.jpg")


def test_a_corrupt_png_is_refused(tmp_path: Path) -> None:
    data = bytearray(picture(tmp_path / "a.png", GREY).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.png").write_bytes(data)
    assert "damaged" in message_of(tmp_path / "bad.png")


def test_a_picture_that_declares_too_much_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes(30000 * 4))
    head = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    with pytest.raises(UnsupportedImage, match="GB") as error:
        read(path)
    assert error.value.field == "memory_gb"


@pytest.mark.parametrize("codec", ["MJPG", "mp4v"])
def test_frames_of_a_video_have_times_and_no_spacing(codec: str, tmp_path: Path) -> None:
    image = read(video(tmp_path / ("a.avi" if codec == "MJPG" else "a.mp4"), codec))
    assert image.voxels.shape == (12, 1, 40, 48)
    np.testing.assert_allclose(image.frame_times, 50.0 * np.arange(12), atol=1.0)
    assert not image.spacing_known


def test_a_still_written_as_png_needs_no_temporary_names(tmp_path: Path) -> None:
    write(Image.from_array(GREY), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
