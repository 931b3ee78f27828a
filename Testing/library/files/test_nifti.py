"""NIfTI keeps its places, times and codes; nibabel and SimpleITK agree with us on them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from MedRestoreLib.errors import UnsupportedImage
from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image
from MedRestoreLib.pipeline.plan import recommend

AFFINE = np.diag([-0.9, -1.1, 2.5, 1.0])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0] * [0.9, 1.1, 2.5]
OBLIQUE[:3, 3] = 5, -7, 11


def voxels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, shape or (8, 9, 5)).astype(np.float32)


def saved(path: Path, array: np.ndarray, affine: Any = OBLIQUE, kind: Any = nib.Nifti1Image, **fields: Any) -> Path:
    """A NIfTI of nibabel's making; ``fields`` are set in its header."""
    image = kind(array, affine)
    for name, value in fields.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def message_of(path: Path) -> str:
    with pytest.raises(UnsupportedImage) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return str(error.value)


def restored(path: Path, out: Path) -> tuple[Any, Any]:
    """The file and what is written of it when its voxels change, as nibabel reads them."""
    image = read(path)
    write(image.with_voxels(image.voxels * np.float32(0.5)), out)
    return nib.load(path), nib.load(out)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_places_are_where_itk_and_nibabel_find_them(suffix: str, kind: Any, tmp_path: Path) -> None:
    import SimpleITK as sitk

    path = saved(tmp_path / f"a{suffix}", voxels(), kind=kind)
    image = read(path)
    np.testing.assert_array_equal(image.voxels[0], voxels().transpose(2, 1, 0))
    before, after = restored(path, tmp_path / f"b{suffix}")
    assert type(after) is type(before)
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(after.get_fdata(), before.get_fdata() * np.float32(0.5))
    if kind is nib.Nifti1Image:
        theirs = sitk.ReadImage(str(path))
        np.testing.assert_allclose(image.spacing, theirs.GetSpacing(), rtol=1e-6)
        np.testing.assert_allclose(image.origin, theirs.GetOrigin(), atol=1e-5)
        np.testing.assert_allclose(image.direction, theirs.GetDirection(), atol=1e-6)


def test_both_transforms_and_their_codes_are_kept(tmp_path: Path) -> None:
    moved = OBLIQUE.copy()
    moved[:3, 3] += 10, 20, 30
    image = nib.Nifti1Image(voxels(), OBLIQUE)
    image.set_qform(OBLIQUE, 1)
    image.set_sform(moved, 4)
    nib.save(image, tmp_path / "a.nii.gz")
    before, after = restored(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    for form in ("get_qform", "get_sform"):
        (a, code), (b, same) = getattr(before, form)(coded=True), getattr(after, form)(coded=True)
        np.testing.assert_array_equal(a, b)
        assert code == same
    np.testing.assert_allclose(read(tmp_path / "a.nii.gz").origin, moved[:3, 3] * [-1, -1, 1], atol=1e-5)


def test_everything_else_in_a_header_is_kept(tmp_path: Path) -> None:
    image = nib.Nifti1Image(voxels(), OBLIQUE)
    said = {"descrip": b"TE=30;Time=1", "aux_file": b"none", "cal_max": 900, "slice_code": 3, "intent_name": b"map"}
    for name, value in {**said, "intent_code": 3, "slice_duration": 0.05}.items():
        image.header[name] = value
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(image, tmp_path / "a.nii.gz")
    before, after = restored(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    for name in before.header:
        if name not in ("scl_slope", "scl_inter"):
            assert np.array_equal(before.header[name], after.header[name]), name
    assert [e.get_content() for e in after.header.extensions] == [e.get_content() for e in before.header.extensions]


@pytest.mark.parametrize(("units", "milliseconds"), [(0, None), (2, None), (10, 2000.0), (18, 2.0), (26, 0.002)])
def test_time_is_kept_and_is_a_time_only_where_its_unit_is_stated(
    units: int, milliseconds: float | None, tmp_path: Path
) -> None:
    path = saved(tmp_path / "a.nii.gz", voxels(4, 5, 6, 3), xyzt_units=units, pixdim=[1, 0.9, 1.1, 2.5, 2, 1, 1, 1])
    assert read(path).frame_times == (() if milliseconds is None else (0, milliseconds, 2 * milliseconds))
    _, after = restored(path, tmp_path / "b.nii.gz")
    assert after.header["pixdim"][4] == 2
    assert after.header["xyzt_units"] == units


@pytest.mark.parametrize(("units", "factor"), [(1, 1000.0), (2, 1.0), (3, 0.001), (0, 1.0)])
def test_units_of_space_become_millimetres_and_go_back(units: int, factor: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", voxels(), xyzt_units=units)
    image = read(path)
    np.testing.assert_allclose(image.spacing, factor * np.array([0.9, 1.1, 2.5]), rtol=1e-6)
    assert image.spacing_known
    _, after = restored(path, tmp_path / "b.nii")
    np.testing.assert_allclose(after.affine, nib.load(path).affine)
    nrrd = read(write(image, tmp_path / "a.nrrd"))
    np.testing.assert_allclose(nrrd.spacing, image.spacing)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_reach_the_user(bad: float, tmp_path: Path) -> None:
    array = voxels()
    array[:2] = bad
    path = saved(tmp_path / "a.nii.gz", array)
    assert "90 voxels" in message_of(path)
    assert (read(path, replace_nan=7.0).voxels == 7).sum() == 90


@pytest.mark.parametrize("intent", [1005, 1006, 1007, 1010, 0])
@pytest.mark.parametrize("components", [3, 4, 6])
def test_components_that_are_no_colour_are_refused(intent: int, components: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", voxels(4, 5, 6, 1, components).astype(np.int16), intent_code=intent)
    assert "neither colour nor frames" in message_of(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<ff", data, 112, 0.5, 3.0)  # a scale, at which other readers crash
    path.write_bytes(data)
    assert "neither colour nor frames" in message_of(path)


def test_labels_are_read_for_masks_and_never_restored(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6), np.eye(4))
    image.header.set_intent("label")
    nib.save(image, tmp_path / "a.nii")
    labels = read(tmp_path / "a.nii")
    assert labels.voxels.shape == (1, 6, 5, 4)
    with pytest.raises(UnsupportedImage, match="labels"):
        recommend(labels, method="adf", level=5.0)
    assert nib.load(write(labels, tmp_path / "b.nii")).header.get_intent()[0] == "label"


def test_vectors_along_time_are_refused(tmp_path: Path) -> None:
    assert "vectors" in message_of(saved(tmp_path / "a.nii", voxels(4, 5, 6, 3), intent_code=1007))


@pytest.mark.parametrize("components", [3, 4])
def test_colour_is_read_by_others_as_colour(components: int, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (2, 3, 4, components)).astype(np.uint8)
    path = write(Image.from_array(array, axes="zyxc"), tmp_path / "a.nii.gz")
    theirs = nib.load(path).dataobj.get_unscaled()
    np.testing.assert_array_equal(
        np.stack([theirs[name] for name in theirs.dtype.names], -1), array.transpose(2, 1, 0, 3)
    )


def test_a_scale_is_applied(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", (10 * voxels()).astype(np.int16))
    data = bytearray(path.read_bytes())
    struct.pack_into("<ff", data, 112, 0.1, -3.0)
    path.write_bytes(data)
    np.testing.assert_allclose(read(path).voxels[0].transpose(2, 1, 0), nib.load(path).get_fdata(), rtol=1e-6)
    before, after = restored(path, tmp_path / "b.nii")
    np.testing.assert_allclose(after.get_fdata(), before.get_fdata() / 2, rtol=1e-6)


def test_the_other_byte_order_is_read(tmp_path: Path) -> None:
    image = nib.Nifti1Image(voxels(), OBLIQUE, nib.Nifti1Header(endianness=">"))
    nib.save(image, tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == b"\0\0\x01\x5c"
    before, after = restored(tmp_path / "a.nii", tmp_path / "b.nii")
    np.testing.assert_array_equal(after.get_fdata(), before.get_fdata() / 2)
    np.testing.assert_array_equal(after.affine, before.affine)


CORONAL = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("affine", [OBLIQUE, CORONAL])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 5, 1)])
def test_flat_images_keep_their_dimensions_and_places(affine: np.ndarray, shape: tuple, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii.gz", voxels(*shape), affine)
    assert read(path).voxels.shape[2:] == (9, 8)
    before, after = restored(path, tmp_path / "b.nii.gz")
    assert before.shape == after.shape
    np.testing.assert_array_equal(before.affine, after.affine)
    np.testing.assert_array_equal(before.header["pixdim"], after.header["pixdim"])


def test_a_sheared_transform_beside_a_sound_one_is_kept_and_not_used(tmp_path: Path) -> None:
    sheared = OBLIQUE.copy()
    sheared[:3, 0] += 0.3 * sheared[:3, 1]
    image = nib.Nifti1Image(voxels(), OBLIQUE)
    image.set_qform(OBLIQUE, 1)
    image.set_sform(sheared, 2)
    nib.save(image, tmp_path / "a.nii")
    np.testing.assert_allclose(read(tmp_path / "a.nii").origin, OBLIQUE[:3, 3] * [-1, -1, 1], atol=1e-5)
    before, after = restored(tmp_path / "a.nii", tmp_path / "b.nii")
    np.testing.assert_array_equal(before.affine, after.affine)
    image.set_qform(None, 0)
    nib.save(image, tmp_path / "a.nii")
    assert "not perpendicular" in message_of(tmp_path / "a.nii")


@pytest.mark.parametrize("zoom", [0.0, np.nan, -1.0, np.inf])
def test_a_spacing_that_cannot_be_is_unknown(zoom: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", voxels(), None)
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, 76 + 8, zoom)
    struct.pack_into("<hh", data, 252, 0, 0)
    path.write_bytes(data)
    assert not read(path).spacing_known


def test_an_unknown_spacing_stays_unknown(tmp_path: Path) -> None:
    image = Image.from_array(voxels(), spacing_known=False)
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        assert not read(write(image, tmp_path / f"a{suffix}")).spacing_known


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_cut_file_is_refused(suffix: str, tmp_path: Path) -> None:
    path = saved(tmp_path / f"whole{suffix}", voxels(20, 20, 20))
    data = path.read_bytes()
    for part in (0.01, 0.3, 0.5, 0.99):
        cut = tmp_path / f"cut{part}{suffix}"
        cut.write_bytes(data[: int(part * len(data))])
        message_of(cut)


def test_more_volumes_than_declared_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", voxels(4, 5, 6, 3))
    data = bytearray(path.read_bytes())
    struct.pack_into("<h", data, 40 + 8, 2)
    path.write_bytes(data)
    assert "more volumes" in message_of(path)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(data))
    assert "more volumes" in message_of(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("at", "form", "value", "field"),
    [
        (40, "<h", 9, "dim[0]"),
        (44, "<h", -3, "dim[2]"),
        (70, "<h", 77, "datatype"),
        (108, "<f", 5.0, "vox_offset"),
        (108, "<f", np.nan, "vox_offset"),
        (112, "<f", np.inf, "scl_slope"),
        (344, "<4s", b"????", "magic"),
        (0, "<i", 123, "sizeof_hdr"),
    ],
)
def test_a_damaged_field_is_named(at: int, form: str, value: Any, field: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", voxels())
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, at, value)
    path.write_bytes(data)
    assert field in message_of(path)


def test_a_bomb_is_refused_before_it_takes_memory_and_allowed_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    from MedRestoreLib.files import payload

    monkeypatch.setattr(payload, "_SMALL", 2e7)
    path = saved(tmp_path / "bomb.nii.gz", np.zeros((200, 200, 300), np.uint8))
    tracemalloc.start()
    with pytest.raises(UnsupportedImage, match=r"0\.1 GB") as error:
        read(path)
    assert error.value.field == "memory_gb"
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    assert read(path, memory_gb=0.1).voxels.shape == (1, 300, 200, 200)
