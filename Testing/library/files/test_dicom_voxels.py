"""DICOM's ways of storing numbers all come to the same voxels; what is damaged is refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image
from Testing.support.dicom_studies import bone_scan, brain, edit, message_of
from training.simulate.dicom import as_mr, as_nm, as_us

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


@pytest.mark.parametrize(("name", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point_pixels_stay_floating_point(name: str, dtype: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(8, 10)).astype(dtype)
    path = as_nm(Image.from_array(np.ones((8, 10), np.uint16)), tmp_path / "float.dcm")

    def change(dataset: Any) -> None:
        for gone in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(dataset, gone)
        dataset.BitsAllocated = 8 * values.itemsize
        setattr(dataset, name, values.tobytes())

    image = read(edit(path, change))
    np.testing.assert_array_equal(image.stored()[0, 0], values)
    restored = image.with_voxels(image.voxels * np.float32(0.3))
    for kept in (image, restored):
        back = read(write(kept, tmp_path / "out.dcm"))
        np.testing.assert_array_equal(back.stored(), kept.stored())
        assert back.source.dtype == image.source.dtype


def test_a_nuclear_palette_leaves_the_counts_alone(tmp_path: Path) -> None:
    from pydicom import dcmread

    colours = dcmread(packaged("examples_palette.dcm"))

    def change(dataset: Any) -> None:
        dataset.PhotometricInterpretation = "PALETTE COLOR"
        for element in colours.group_dataset(0x0028):
            if "PaletteColor" in element.keyword:
                dataset.add(element)

    image = read(edit(as_nm(bone_scan(), tmp_path / "in.dcm"), change))
    assert image.colour is None
    np.testing.assert_array_equal(image.voxels, bone_scan().voxels)
    back = read(write(image.with_voxels(image.voxels * 0.9), tmp_path / "out.dcm"))
    assert back.source.headers[0].PhotometricInterpretation == "MONOCHROME2"
    np.testing.assert_allclose(back.voxels, image.voxels * 0.9, atol=1e-3)


def test_inverted_display_leaves_values_alone(tmp_path: Path) -> None:
    path = as_nm(bone_scan(), tmp_path / "in.dcm")
    edit(path, lambda dataset: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    image = read(path)
    np.testing.assert_array_equal(image.voxels, bone_scan().voxels)
    header = read(write(image, tmp_path / "out.dcm")).source.headers[0]
    assert header.PhotometricInterpretation == "MONOCHROME1"


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


@pytest.fixture
def without_gdcm() -> Iterator[None]:
    """As inside Slicer, where python-gdcm must not be installed."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless

    decoders = [get_decoder(syntax) for syntax in (JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless)]
    available = [dict(decoder._available) for decoder in decoders]
    for decoder in decoders:
        decoder._available.clear()
    yield
    for decoder, former in zip(decoders, available, strict=True):
        decoder._available.update(former)


@pytest.mark.parametrize("name", ["MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jls_lossy_line.dcm"])
def test_without_gdcm_simpleitk_decodes_the_same(name: str, without_gdcm: None) -> None:
    from MedRestoreLib.files.dicom_pixels import decode

    path, (plain, tolerance) = packaged(name), PACKAGED[name]
    expected = read(packaged(plain)).stored()
    (frame,) = decode(str(path), 1, *expected.shape[2:4])
    assert frame.dtype == expected.dtype
    np.testing.assert_allclose(frame.astype(int), expected[0, 0].astype(int), atol=tolerance)


def test_without_gdcm_every_frame_is_decoded_and_no_rescale_is_applied(without_gdcm: None, tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate, generate_frames

    from MedRestoreLib.files.dicom_pixels import decode

    def repeated(dataset: Any) -> None:
        (code,) = generate_frames(dataset.PixelData, number_of_frames=1)
        dataset.PixelData, dataset.NumberOfFrames = encapsulate([code] * 3), 3
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.25", "-100"

    path = tmp_path / "three.dcm"
    path.write_bytes(packaged("MR_small_jpeg_ls_lossless.dcm").read_bytes())
    edit(path, repeated)
    expected = read(packaged("MR_small.dcm")).stored()[0, 0]
    frames = list(decode(str(path), 3, *expected.shape))
    assert len(frames) == 3
    assert all(np.array_equal(frame, expected) for frame in frames)


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


def test_an_empty_slice_is_named_not_skipped(tmp_path: Path) -> None:
    folder = as_mr(brain(), tmp_path / "study")
    (folder / "0006.dcm").write_bytes(b"")
    assert "0006.dcm is empty" in message_of(folder)


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
    assert re.search("MPEG-4.*cannot be decoded", message_of(path))


def test_nothing_is_printed_about_a_patient(
    data_folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(data_folder / "nuclear" / "quality_control" / "Jaszack.dcm")  # values too long for their type
        write(image, tmp_path / "out.dcm")
        read(packaged("MR_small_padded.dcm"))
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
