"""Pictures and video: whole or refused, grey stays grey, and nothing is called a millimetre that is none."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedRestoreLib.errors import OutputError, UnsupportedImage
from MedRestoreLib.files import video as video_files
from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (40, 48)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (40, 48, 3)).astype(np.uint8)


def picture(path: Path, array: np.ndarray, mode: str | None = None, **options) -> Path:
    from PIL import Image as Picture

    Picture.fromarray(array, mode).save(path, **options)
    return path


def stack(path: Path, pages: int = 4, **options) -> Path:
    from PIL import Image as Picture

    pages = [Picture.fromarray(GREY + k) for k in range(pages)]
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


def described(path: Path, text: str, pages: int = 6, **tags: Any) -> Path:
    """A TIFF stack whose first page has a description; page k holds GREY + k."""
    return stack(path, pages, tiffinfo=tiff_tags({270: text, **{int(tag[1:]): value for tag, value in tags.items()}}))


def tiff_tags(values: dict[int, Any]) -> Any:
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in values.items():
        tags[number] = value
    return tags


def test_frames_and_distances_that_imagej_wrote_are_read(tmp_path: Path) -> None:
    text = "ImageJ=1.53\nimages=6\nslices=3\nframes=2\nspacing=2500\nunit=\\u00B5m\nfinterval=0.5\n"
    image = read(described(tmp_path / "a.tif", text, _282=0.004, _283=0.002, _296=1))
    assert image.voxels.shape[:2] == (2, 3)
    np.testing.assert_allclose(image.spacing, (0.25, 0.5, 2.5))
    assert image.spacing_known
    assert image.frame_times == (0.0, 500.0)
    np.testing.assert_array_equal(image.stored()[1, 2], GREY + 5)
    movie = read(described(tmp_path / "b.tif", "ImageJ=1.53\nimages=6\nframes=6\n"))
    assert (movie.voxels.shape[:2], movie.spacing_known, movie.frame_times) == ((6, 1), False, ())


@pytest.mark.parametrize("order", ["XYCZT", "XYCTZ"])
def test_frames_and_distances_of_ome_are_read(order: str, tmp_path: Path) -> None:
    text = (
        f'<OME><Image><Pixels DimensionOrder="{order}" SizeX="48" SizeY="40" SizeZ="3" SizeC="1" SizeT="2" '
        'PhysicalSizeX="250" PhysicalSizeY="0.5" PhysicalSizeYUnit="mm" PhysicalSizeZ="1" PhysicalSizeZUnit="cm" '
        'TimeIncrement="40" TimeIncrementUnit="ms"/></Image></OME>'
    )
    image = read(described(tmp_path / "a.tif", text))
    np.testing.assert_allclose(image.spacing, (0.25, 0.5, 10.0))
    assert image.frame_times == (0.0, 40.0)
    page = {"XYCZT": 4, "XYCTZ": 3}[order]  # of the second frame's second slice
    np.testing.assert_array_equal(image.stored()[1, 1], GREY + page)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ImageJ=1.53\nimages=6\nchannels=2\nslices=3\n", "2 channels"),
        ("ImageJ=1.53\nimages=9\nslices=9\n", "declares 9 pages"),
        ('<OME><Pixels SizeZ="6" SizeC="2" SizeT="1"/></OME>', "2 channels"),
    ],
)
def test_pages_that_are_neither_slices_nor_frames_are_refused(text: str, says: str, tmp_path: Path) -> None:
    assert says in message_of(described(tmp_path / "a.tif", text))


def test_a_tiff_means_its_numbers_as_it_says(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.tif", GREY)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x06\x01\x03\x00\x01\x00\x00\x00")  # Photometric Interpretation
    data[at + 8] = 0  # white is zero
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path).stored()[0, 0], 255 - GREY)
    assert "Orientation 6" in message_of(picture(tmp_path / "b.tif", GREY, tiffinfo=tiff_tags({274: 6})))
    assert "CMYK" in message_of(picture(tmp_path / "c.tif", np.dstack([COLOUR, GREY]), "CMYK"))


def test_pages_of_several_sizes_are_refused(tmp_path: Path) -> None:
    from PIL import Image as Picture

    pages = [Picture.fromarray(GREY), Picture.fromarray(GREY[:20])]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert "2 sizes" in message_of(tmp_path / "a.tif")


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures_lie_as_exif_turns_them(turned: int, suffix: str, tmp_path: Path) -> None:
    from PIL import Image as Picture
    from PIL import ImageOps

    exif = Picture.Exif()
    exif[274] = turned
    path = picture(tmp_path / f"a{suffix}", COLOUR, exif=exif)
    with Picture.open(path) as theirs:
        shown = np.asarray(ImageOps.exif_transpose(theirs)).astype(int)
    np.testing.assert_allclose(read(path).stored()[0, 0].astype(int), shown, atol=1)


def test_an_animation_is_no_picture(tmp_path: Path) -> None:
    from PIL import Image as Picture

    pages = [Picture.fromarray(GREY + k) for k in range(3)]
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:], duration=50)
    assert "animation" in message_of(tmp_path / "a.png")


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


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_sixteen_bits_of_grey_stay_sixteen(suffix: str, tmp_path: Path) -> None:
    import cv2

    frames = np.stack([np.add.outer(np.arange(40), np.arange(48)) * 300 + 7 * k for k in range(5)]).astype(np.uint16)
    path = tmp_path / f"a{suffix}"
    kind = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), 20.0, (48, 40), kind)
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video of 16 bits")
    for frame in frames:
        writer.write(frame)
    writer.release()
    np.testing.assert_array_equal(read(path).stored()[:, 0], frames)


@pytest.mark.parametrize(("tag", "bits"), [(b"I420", 8), (b"Y3\x0b\x0a", 10), (b"\x0cG\0G", 12), (b"b48r", 16)])
def test_the_depth_of_a_video_is_known_by_its_tag(tag: bytes, bits: int) -> None:
    assert video_files._depth(tag) == bits


def with_wide_pixels(path: Path, across: int, down: int) -> Path:
    """An MP4 whose pixels are not square: a box "pasp" at the end of its sample description."""
    data = bytearray(path.read_bytes())
    box = struct.pack(">I4sII", 16, b"pasp", across, down)
    at, end = 0, len(data)
    grown = []
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4v"):
        while data[at + 4 : at + 8] != name:
            at += struct.unpack_from(">I", data, at)[0]
        grown.append(at)
        end = at + struct.unpack_from(">I", data, at)[0]
        at += 16 if name == b"stsd" else 8
    data[end:end] = box
    for place in grown:
        struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + len(box))
    path.write_bytes(data)
    return path


def test_pixels_that_are_not_square_are_said_to_be(tmp_path: Path) -> None:
    image = read(with_wide_pixels(video(tmp_path / "a.mp4", "mp4v"), 4, 3))
    assert image.spacing == (pytest.approx(4 / 3), 1.0, 1.0)
    assert not image.spacing_known
    back = read(write(image, tmp_path / "b.nrrd"))
    assert (back.spacing, back.spacing_known) == (image.spacing, False)
    with pytest.raises(OutputError, match="square pixels"):
        write(image, tmp_path / "c.mp4")
