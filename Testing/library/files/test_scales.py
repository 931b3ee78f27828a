"""Numbers of DICOM mean what its header says, and go on meaning it when other numbers are stored."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image
from Testing.support.dicom_objects import dicom, enhanced, head, item, mapping, save, series
from Testing.support.dicom_studies import message_of


def stored_by(path: Path) -> list[Any]:
    from pydicom import dcmread

    return [dcmread(file) for file in (sorted(path.iterdir()) if path.is_dir() else [path])]


def real_world(dataset: Any, index: int = 0) -> np.ndarray:
    one = dataset.RealWorldValueMappingSequence[index]
    return dataset.pixel_array * one.RealWorldValueSlope + one.RealWorldValueIntercept


def rescaled(dataset: Any) -> np.ndarray:
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    return dataset.pixel_array * float(slope) + float(intercept)


def halved(image: Image) -> Image:
    return image.with_voxels(image.voxels * np.float32(0.5))


@pytest.mark.parametrize(("unit", "name", "slope"), [("Bq/ml", "Bq/ml", 25.0), ("{counts}", "counts", 0.0123)])
def test_a_real_world_value_mapping_is_the_scale_where_there_is_no_other(
    unit: str, name: str, slope: float, tmp_path: Path
) -> None:
    stored = head(1)[0]
    path = save(
        dicom("NM", stored, RealWorldValueMappingSequence=[mapping(slope, unit)], PixelSpacing=[4, 4]),
        tmp_path / "a.dcm",
    )
    image = read(path)
    np.testing.assert_allclose(image.voxels[0, 0], stored * slope, rtol=1e-6)
    assert image.unit == name
    out = write(halved(image), tmp_path / "out.dcm")
    (before,), (after,) = stored_by(path), stored_by(out)
    np.testing.assert_allclose(real_world(after), real_world(before) / 2, atol=1e-4 * slope * 1000)
    np.testing.assert_allclose(
        rescaled(after), rescaled(before) / 2, atol=0.1
    )  # readers of the plain numbers agree too
    assert read(out).unit == name
    np.testing.assert_allclose(read(out).voxels, halved(image).voxels, atol=1e-4 * slope * 1000)


def test_every_mapping_of_a_series_stays_true(tmp_path: Path) -> None:
    volume = head()
    maps = [mapping(0.01, "ms"), mapping(3.0, "1")]
    folder = series(
        tmp_path / "in", volume, RescaleSlope="1.5", RescaleIntercept="-7", RealWorldValueMappingSequence=maps
    )
    out = write(halved(read(folder)), tmp_path / "out")
    for before, after in zip(stored_by(folder), stored_by(out), strict=True):
        assert len(after.RealWorldValueMappingSequence) == 2
        for index in (0, 1):
            np.testing.assert_allclose(real_world(after, index), real_world(before, index) / 2, rtol=2e-3, atol=0.1)
        np.testing.assert_allclose(rescaled(after), (rescaled(before) + 7) / 2 - 7, atol=0.1)


def test_units_in_the_rescale_win_over_a_mapping(tmp_path: Path) -> None:
    stored = head(1)[0]
    values = {"Units": "BQML", "RescaleSlope": "2", "RescaleIntercept": "0"}
    path = save(dicom("NM", stored, RealWorldValueMappingSequence=[mapping(9.0, "g/ml")], **values), tmp_path / "a.dcm")
    image = read(path)
    assert image.unit == "Bq/ml"
    np.testing.assert_array_equal(image.voxels[0, 0], stored * 2.0)


def test_a_mapping_of_part_of_the_numbers_is_no_scale_for_all(tmp_path: Path) -> None:
    stored = head(1)[0]
    maps = [mapping(25.0, "Bq/ml", first=0, last=10)]
    image = read(save(dicom("NM", stored, RealWorldValueMappingSequence=maps), tmp_path / "a.dcm"))
    np.testing.assert_array_equal(image.voxels[0, 0], stored)


def test_mappings_in_functional_groups_are_scales_too(tmp_path: Path) -> None:
    stored = head(3)
    frames = [{"depth": 2.5 * k, "RealWorldValueMappingSequence": mapping(0.5 + k, "ms")} for k in range(3)]
    path = save(enhanced(stored, frames), tmp_path / "a.dcm")
    image = read(path)
    assert image.unit == "ms"
    np.testing.assert_allclose(image.voxels[0], stored * (0.5 + np.arange(3))[:, None, None], rtol=1e-6)
    back = read(write(halved(image), tmp_path / "out.dcm"))
    np.testing.assert_allclose(back.voxels, halved(image).voxels, atol=0.05)
    assert back.unit == "ms"


def philips(dataset: Any, index: int = 0) -> None:
    dataset.Manufacturer = "Philips Medical Systems"
    block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0D, "FL", 11.0)
    block.add_new(0x0E, "FL", 0.019)


def floating_point(dataset: Any) -> np.ndarray:
    """What readers of Philips' own scale make of the stored numbers."""
    block = dataset.private_block(0x2005, "Philips MR Imaging DD 001")
    return (dataset.pixel_array - block[0x0D].value) / block[0x0E].value


def test_philips_own_scale_stays_true(tmp_path: Path) -> None:
    folder = series(tmp_path / "in", head(), philips, RescaleSlope="1.53455", RescaleIntercept="0")
    image = read(folder)
    untouched, out = write(image, tmp_path / "same"), write(halved(image), tmp_path / "out")
    for before, same, after in zip(*map(stored_by, (folder, untouched, out)), strict=True):
        np.testing.assert_array_equal(floating_point(same), floating_point(before))
        expected = (before.pixel_array / 2 - 11.0) / 0.019
        np.testing.assert_allclose(floating_point(after), expected, atol=2.0, rtol=1e-4)


def test_dcm2niix_finds_a_restored_philips_series_as_bright_as_it_is(tmp_path: Path) -> None:
    nib, dcm2niix = pytest.importorskip("nibabel"), pytest.importorskip("dcm2niix")
    folder = series(tmp_path / "in", head(), philips, RescaleSlope="1.53455", RescaleIntercept="0")
    out = write(halved(read(folder)), tmp_path / "out")
    means = []
    for source in (folder, out):
        target = tmp_path / f"nifti_{source.name}"
        target.mkdir()
        subprocess.run([dcm2niix.bin, "-z", "n", "-o", target, source], check=True, capture_output=True)
        means.append(nib.load(next(target.glob("*.nii"))).get_fdata().mean())
    assert means[1] == pytest.approx(means[0] / 2, rel=1e-3)  # dcm2niix derives the intercept from the rescale, here 0


def test_a_scale_inside_a_private_sequence_of_each_frame_stays_true(tmp_path: Path) -> None:
    stored = head(3)
    dataset = enhanced(stored, [{"depth": 2.5 * k} for k in range(3)])
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        inner = item()
        philips(inner)
        del inner.Manufacturer
        block = frame.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        block.add_new(0x0F, "SQ", [inner])
    path = save(dataset, tmp_path / "a.dcm")
    (after,) = stored_by(write(halved(read(path)), tmp_path / "out.dcm"))
    for k, frame in enumerate(after.PerFrameFunctionalGroupsSequence):
        inner = frame.private_block(0x2005, "Philips MR Imaging DD 005")[0x0F].value[0]
        block = inner.private_block(0x2005, "Philips MR Imaging DD 001")
        found = (after.pixel_array[k] - block[0x0D].value) / block[0x0E].value
        np.testing.assert_allclose(found, (stored[k] / 2 - 11.0) / 0.019, atol=2.0, rtol=1e-4)


@pytest.mark.parametrize("padding", [-2000, 4000, 0])
def test_padding_is_neither_filtered_nor_lost(padding: int, tmp_path: Path) -> None:
    stored = head(4).astype(np.int16)
    y, x = np.mgrid[:20, :16]
    outside = (y - 9.5) ** 2 + (x - 7.5) ** 2 > 60
    stored[:, outside] = padding
    stored[0, 10, 8] = padding  # inside: a value if it may be one

    def change(dataset: Any, index: int) -> None:
        dataset.add_new("PixelPaddingValue", "SS", padding)

    folder = series(tmp_path / "in", stored, change, RescaleSlope="2", RescaleIntercept="-100")
    image = read(folder)
    assert image.voxels[0, 1:].max() < 2 * 1000
    assert image.voxels[0, 1:].min() >= -100
    assert np.isnan(image.padding[0, 0, 10, 8]) == (padding == 0)
    np.testing.assert_array_equal(np.isnan(image.padding[0, 1]), ~outside)
    np.testing.assert_array_equal(stored_by(write(image, tmp_path / "same"))[1].pixel_array, stored[1])
    np.testing.assert_array_equal(read(write(image, tmp_path / "same.nrrd")).voxels[0], stored * 2.0 - 100)
    for after in stored_by(write(image.with_voxels(image.voxels * np.float32(0.7)), tmp_path / "out"))[1:]:
        assert (after.pixel_array == after.PixelPaddingValue)[outside].all()
        assert (after.pixel_array != after.PixelPaddingValue)[~outside].all()
        np.testing.assert_allclose(rescaled(after)[outside], 2 * padding - 100, atol=0.2)


def test_a_range_of_padding_is_padding(tmp_path: Path) -> None:
    stored = head(1)[0].astype(np.int16)
    stored[:3], stored[-2:] = -2000, -1990
    dataset = dicom("CT", stored, PixelSpacing=[1, 1])
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    dataset.add_new("PixelPaddingRangeLimit", "SS", -1900)
    image = read(save(dataset, tmp_path / "a.dcm"))
    assert image.voxels.min() > 0
    np.testing.assert_array_equal(read(write(image, tmp_path / "out.dcm")).stored()[0, 0], stored)


def test_an_overlay_in_high_bits_is_neither_value_nor_lost(tmp_path: Path) -> None:
    volume = head()
    drawn = volume.copy()
    drawn[:, 5:10, 5:12] |= 1 << 12

    def overlay(dataset: Any, index: int) -> None:
        dataset.BitsStored, dataset.HighBit = 12, 11
        for element, kind, value in (
            (0x10, "US", 20),
            (0x11, "US", 16),
            (0x40, "CS", "G"),
            (0x50, "SS", [1, 1]),
            (0x100, "US", 16),
            (0x102, "US", 12),
        ):
            dataset.add_new((0x6000, element), kind, value)

    image = read(series(tmp_path / "in", drawn, overlay))
    np.testing.assert_array_equal(image.voxels[0], volume)
    for changed in (image, halved(image)):
        for after in stored_by(write(changed, tmp_path / f"out{changed is image}")):
            assert after[0x6000, 0x0102].value == 0
            expected = np.zeros((20, 16))
            expected[5:10, 5:12] = 1
            np.testing.assert_array_equal(after.overlay_array(0x6000), expected)


@pytest.mark.parametrize(("high", "signed"), [(15, False), (11, True), (13, True)])
def test_bits_above_and_below_the_stored_ones_are_no_value(high: int, signed: bool, tmp_path: Path) -> None:
    values = head(1)[0].astype(np.int32) * 2 - (1000 if signed else 0)
    words = ((values & 0xFFF) << (high - 11)) & 0xFFFF
    dirt = np.random.default_rng(1).integers(0, 1 << 16, words.shape) & ~(0xFFF << (high - 11)) & 0xFFFF
    dataset = dicom(
        "NM", (words | dirt).astype(np.uint16), BitsStored=12, HighBit=high, PixelRepresentation=int(signed)
    )
    np.testing.assert_array_equal(read(save(dataset, tmp_path / "a.dcm")).voxels[0, 0], values)


@pytest.mark.parametrize(
    "marks",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]},
        {"ComplexImageComponent": "PHASE"},
        {"ComplexImageComponent": "IMAGINARY"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "R_FFE", "R", "FFE"]},
    ],
)
def test_parts_of_complex_images_are_no_magnitudes(marks: dict[str, Any], tmp_path: Path) -> None:
    folder = series(tmp_path / "in", head(), **marks)
    assert "complex image" in message_of(folder)
    assert "complex image" in message_of(folder / "0001.dcm")


def test_general_electric_names_its_phase_images_in_private(tmp_path: Path) -> None:
    def phase(dataset: Any, index: int) -> None:
        dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)

    assert "phase" in message_of(series(tmp_path / "in", head(), phase))


def test_magnitudes_and_other_modalities_are_not_taken_for_phases(tmp_path: Path) -> None:
    assert read(series(tmp_path / "m", head(), ImageType=["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"])).modality == "MR"
    assert read(
        save(dicom("US", head(1)[0].astype(np.uint8), ImageType=["ORIGINAL", "PRIMARY", "P"]), tmp_path / "u.dcm")
    )


def test_a_table_of_real_world_values_is_refused_where_nothing_else_says_what_numbers_mean(tmp_path: Path) -> None:
    table = mapping(1.0, "ms")
    del table.RealWorldValueSlope, table.RealWorldValueIntercept
    table.RealWorldValueLUTData = [float(number) ** 2 for number in range(10)]
    dataset = dicom("MR", head(1)[0], RealWorldValueMappingSequence=[table], PixelSpacing=[1, 1])
    assert "Real World Value LUT Data" in message_of(save(dataset, tmp_path / "a.dcm"))
    dataset.RescaleSlope, dataset.RescaleIntercept = "2", "0"
    np.testing.assert_array_equal(read(save(dataset, tmp_path / "b.dcm")).voxels[0, 0], 2.0 * head(1)[0])
