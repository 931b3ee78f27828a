"""NRRD and MetaImage: axes are what their kinds say, places are ITK's, voxels lie where the header may point."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest

from MedRestoreLib.errors import OutputError, UnsupportedImage
from MedRestoreLib.files.parts import parts
from MedRestoreLib.files.studies import check_writable, read, write
from MedRestoreLib.image import Image

VOXELS = np.random.default_rng(0).integers(-900, 900, (3, 4, 5)).astype("<i2")
PLACED = "space: left-posterior-superior\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (4,5,6)\n"


def nrrd(
    path: Path, fields: str, data: bytes, sizes: str = "5 4 3", type: str = "short", encoding: str = "raw"
) -> Path:
    dimension = len(sizes.split())
    header = f"NRRD0005\ntype: {type}\ndimension: {dimension}\nsizes: {sizes}\nencoding: {encoding}\n{fields}"
    path.write_bytes(header.encode() + b"\n" + data)
    return path


def message_of(path: Path) -> str:
    with pytest.raises(UnsupportedImage) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("encoding", "pack"), [("raw", bytes), ("gzip", gzip.compress), ("bzip2", bz2.compress)])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_encodings_and_byte_orders(encoding: str, pack, endian: str, tmp_path: Path) -> None:
    data = VOXELS.astype("<i2" if endian == "little" else ">i2").tobytes()
    path = nrrd(tmp_path / "a.nrrd", f"{PLACED}endian: {endian}\n", pack(data), encoding=encoding)
    image = read(path)
    np.testing.assert_array_equal(image.stored()[0], VOXELS)
    assert (image.spacing, image.origin, image.spacing_known) == ((1, 2, 3), (4, 5, 6), True)


@pytest.mark.parametrize("space", ["right-anterior-superior", "left-anterior-superior", "LPS", "RAS"])
def test_spaces_are_where_itk_finds_them(space: str, tmp_path: Path) -> None:
    import SimpleITK as sitk

    fields = f"space: {space}\nspace directions: (0,-2,0) (1,0,0) (0,0,3)\nspace origin: (4,5,6)\nendian: little\n"
    path = nrrd(tmp_path / "a.nrrd", fields, VOXELS.tobytes())
    theirs, ours = sitk.ReadImage(str(path)), read(path)
    np.testing.assert_allclose(ours.origin, theirs.GetOrigin())
    np.testing.assert_allclose(ours.direction, theirs.GetDirection())
    np.testing.assert_allclose(ours.spacing, theirs.GetSpacing())


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("m", 1000.0), ("um", 0.001), ("cm", 10.0)])
def test_units_of_space_are_honoured(unit: str, factor: float, tmp_path: Path) -> None:
    units = f'space units: "{unit}" "{unit}" "{unit}"\nendian: little\n'
    image = read(nrrd(tmp_path / "a.nrrd", PLACED + units, VOXELS.tobytes()))
    np.testing.assert_allclose(image.spacing, np.array([1, 2, 3]) * factor)
    np.testing.assert_allclose(image.origin, np.array([4, 5, 6]) * factor)


@pytest.mark.parametrize(
    "fields",
    [
        'space units: "pixel" "pixel" "pixel"\n' + PLACED,
        "",
        "spacings: 1 NaN 2\n",
        "spacings: 1 0 2\n",
        "spacings: 1 -1 2\n",
        "space: LPS\nspace directions: (1,0,0) (0,0,0) (0,0,1)\n",
        "space: LPS\nspace directions: (1,0,0) (0,nan,0) (0,0,1)\n",
    ],
)
def test_a_spacing_that_is_missing_or_cannot_be_is_unknown(fields: str, tmp_path: Path) -> None:
    assert not read(nrrd(tmp_path / "a.nrrd", fields + "endian: little\n", VOXELS.tobytes())).spacing_known


@pytest.mark.parametrize("kind", ["vector", "covariant-vector", "3-gradient", "XYZ-color", "HSV-color", "3-normal"])
def test_components_that_are_no_colour_are_refused(kind: str, tmp_path: Path) -> None:
    directions = "none (1,0,0) (0,1,0) (0,0,1)"
    fields = f"space: LPS\nspace directions: {directions}\nkinds: {kind} domain domain domain\nendian: little\n"
    data = np.zeros((3, 4, 5, 3), "<f4").tobytes()
    path = nrrd(tmp_path / "a.nrrd", fields, data, sizes="3 5 4 3", type="float")
    assert "neither colour nor frames" in message_of(path)


def test_what_a_header_says_beyond_an_image_is_kept(tmp_path: Path) -> None:
    fields = (
        "space: RAS\nspace directions: (1,0,0) (0,2,0) (0,0,3) none\nspace origin: (0,0,0)\n"
        "kinds: domain domain domain time\nendian: little\ncontent: a brain\nsample units: arbitrary\n"
        'measurement frame: (0,1,0) (-1,0,0) (0,0,1)\nthicknesses: nan nan 2.5 nan\nlabels: "x" "y" "z" "t"\n'
        'units: "mm" "mm" "mm" "s"\nspacings: nan nan nan 2\nDWMRI_b-value:=1000\n'
    )
    data = np.stack([VOXELS, VOXELS + 1]).tobytes()
    image = read(nrrd(tmp_path / "a.nrrd", fields, data, sizes="5 4 3 2"))
    assert image.frame_times == (0, 2000)
    text = write(image, tmp_path / "b.nrrd").read_bytes().split(b"\n\n")[0].decode()
    for line in (
        "kinds: domain domain domain time",
        "content: a brain",
        "sample units: arbitrary",
        "thicknesses: nan nan 2.5 nan",
        'labels: "x" "y" "z" "t"',
        "DWMRI_b-value:=1000",
        "measurement frame: (-0.0,-1.0,0.0) (1.0,-0.0,0.0) (-0.0,-0.0,1.0)",  # as the axes: RAS became LPS
    ):
        assert line in text.split("\n"), text
    again = read(tmp_path / "b.nrrd")
    assert again.frame_times == image.frame_times
    np.testing.assert_array_equal(again.stored(), image.stored())


def test_data_files_lie_beside_the_header(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(VOXELS.tobytes())
    (tmp_path / "in" / "mine.raw").write_bytes(b"skip" + VOXELS.tobytes())
    fields = PLACED + "endian: little\nbyte skip: 4\ndata file: {}\n"
    good = nrrd(tmp_path / "in" / "good.nhdr", fields.format("mine.raw"), b"")
    np.testing.assert_array_equal(read(good).stored()[0], VOXELS)
    assert parts(good) == [good, tmp_path / "in" / "mine.raw"]
    for name in (
        "../secret.raw",
        str(tmp_path / "secret.raw"),
        "a/../../secret.raw",
        "C:\\secret.raw",
        "..\\secret.raw",
    ):
        assert "beside" in message_of(nrrd(tmp_path / "in" / "bad.nhdr", fields.format(name), b""))
        meta = tmp_path / "in" / "bad.mhd"
        meta.write_text(f"NDims = 3\nDimSize = 5 4 3\nElementType = MET_SHORT\nElementDataFile = {name}\n")
        assert "beside" in message_of(meta)
    assert "absent" in message_of(nrrd(tmp_path / "in" / "bad.nhdr", fields.format("nowhere.raw"), b""))


def test_a_data_file_is_an_input_that_no_output_may_replace(tmp_path: Path) -> None:
    (tmp_path / "out.raw.gz").write_bytes(gzip.compress(VOXELS.tobytes()))
    fields = PLACED + "endian: little\ndata file: out.raw.gz\n"
    source = nrrd(tmp_path / "in.nhdr", fields, b"", encoding="gzip")
    with pytest.raises(OutputError, match="overwrite"):
        check_writable(tmp_path / "out.nhdr", source)
    check_writable(tmp_path / "other.nhdr", source)


def test_slices_in_files_of_their_own_and_voxels_at_the_end(tmp_path: Path) -> None:
    for k, plane in enumerate(VOXELS):
        (tmp_path / f"{k}.raw").write_bytes(plane.tobytes())
    listed = nrrd(tmp_path / "a.nhdr", PLACED + "endian: little\ndata file: LIST\n0.raw\n1.raw\n2.raw", b"")
    np.testing.assert_array_equal(read(listed).stored()[0], VOXELS)
    at_end = nrrd(tmp_path / "b.nrrd", PLACED + "endian: little\nbyte skip: -1\n", b"whatever" + VOXELS.tobytes())
    np.testing.assert_array_equal(read(at_end).stored()[0], VOXELS)


def spelt(array: np.ndarray) -> bytes:
    return "\n".join(map(str, array.ravel())).encode()


@pytest.mark.parametrize("kind", ["<i2", "u1", "<f8"])
def test_voxels_that_are_spelt_out_are_read(kind: str, tmp_path: Path) -> None:
    """As numbers in NRRD and MetaImage, as hexadecimal digits in NRRD."""
    array = (np.abs(VOXELS) % 200).astype(kind)
    name, meta = {"i2": ("short", "SHORT"), "u1": ("uchar", "UCHAR"), "f8": ("double", "DOUBLE")}[kind[-2:]]
    fields = PLACED + "endian: little\n"
    for encoding, data in (("text", spelt(array)), ("hex", array.tobytes().hex(" ").encode())):
        path = nrrd(tmp_path / "a.nrrd", fields, data, type=name, encoding=encoding)
        np.testing.assert_array_equal(read(path).stored()[0], array)
        assert "truncated" in message_of(nrrd(tmp_path / "cut.nrrd", fields, data[:-9], type=name, encoding=encoding))
    header = f"NDims = 3\nDimSize = 5 4 3\nBinaryData = False\nElementType = MET_{meta}\nElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(header.encode() + spelt(array))
    np.testing.assert_array_equal(read(tmp_path / "a.mha").stored()[0], array)
    (tmp_path / "a.mha").write_bytes(header.encode() + spelt(array).replace(b"\n", b"\nx", 1))
    assert "damaged" in message_of(tmp_path / "a.mha")


def test_spelt_numbers_beyond_their_type_are_damage(tmp_path: Path) -> None:
    header = "NDims = 2\nDimSize = 2 2\nBinaryData = False\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    for words in ("1 2 3 256", "1 2 3 -1", "1 2 3 4.5", "1 2 3 1e99"):
        (tmp_path / "a.mha").write_text(header + words)
        assert "damaged" in message_of(tmp_path / "a.mha")


@pytest.mark.parametrize("said", ["LIST\n7.raw\n9.raw\n11.raw", "%d.raw 7 11 2"])
def test_slices_in_files_of_their_own_are_one_study(said: str, tmp_path: Path) -> None:
    for k, plane in zip((7, 9, 11), VOXELS, strict=True):
        (tmp_path / f"{k}.raw").write_bytes(plane.tobytes())
    listed = nrrd(tmp_path / "a.nhdr", PLACED + f"endian: little\ndata file: {said}", b"")
    meta = tmp_path / "a.mhd"
    meta.write_text(f"NDims = 3\nDimSize = 5 4 3\nElementType = MET_SHORT\nElementDataFile = {said}\n")
    for path in (listed, meta):
        np.testing.assert_array_equal(read(path).stored()[0], VOXELS)
        assert parts(path)[1:] == [tmp_path / f"{k}.raw" for k in (7, 9, 11)]
    (tmp_path / "11.raw").write_bytes(b"short")
    assert "truncated" in message_of(listed)
    (tmp_path / "11.raw").unlink()
    assert "absent" in message_of(meta)


@pytest.mark.parametrize("said", ["%d.raw 7 11 0", "%d.raw 7 999999999 1", "%d.raw -3 1 1", "%d.raw a b c", "LIST"])
def test_a_pattern_that_cannot_be_is_damage(said: str, tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nhdr", PLACED + f"endian: little\ndata file: {said}", b"")
    assert "data file" in message_of(path)
    assert parts(path) == [path]


def test_what_metaimage_says_of_numbers_and_lengths_is_honoured(tmp_path: Path) -> None:
    header = (
        "NDims = 3\nDimSize = 5 4 3\nDistanceUnits = cm\nElementSpacing = 0.1 0.2 0.3\nOffset = 1 2 3\n"
        "Modality = MET_MOD_CT\nElementMax = 9\nElementToIntensityFunctionSlope = 2\n"
        "ElementToIntensityFunctionOffset = -24\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.mha").write_bytes(header.encode() + VOXELS.tobytes())
    image = read(tmp_path / "a.mha")
    np.testing.assert_array_equal(image.voxels[0], 2.0 * VOXELS - 24)
    np.testing.assert_allclose(image.spacing, (1, 2, 3))
    np.testing.assert_allclose(image.origin, (10, 20, 30))
    assert image.modality == "CT"
    again = read(write(image, tmp_path / "b.mha"))
    np.testing.assert_array_equal(again.voxels, image.voxels)
    assert (again.spacing, again.origin, again.modality) == (image.spacing, image.origin, "CT")
    assert b"ElementMax" not in (tmp_path / "b.mha").read_bytes()
    for field, bad in (("DistanceUnits", "parsec"), ("ElementToIntensityFunctionSlope", "nan")):
        text = "".join(
            f"{field} = {bad}\n" if line.startswith(f"{field} =") else f"{line}\n" for line in header.splitlines()
        )
        (tmp_path / "a.mha").write_bytes(text.encode() + VOXELS.tobytes())
        assert field in message_of(tmp_path / "a.mha")


@pytest.mark.parametrize(("centers", "spacing"), [("cell cell cell", 2.0), ("node node node", 2.5), ("", 2.0)])
def test_the_ends_of_nrrd_axes_say_their_spacing(centers: str, spacing: float, tmp_path: Path) -> None:
    fields = "endian: little\naxis mins: 1 1 1\naxis maxs: 11 9 7\n"
    image = read(nrrd(tmp_path / "a.nrrd", fields + (f"centerings: {centers}\n" if centers else ""), VOXELS.tobytes()))
    assert image.spacing_known
    assert image.spacing[0] == spacing


def test_sample_units_are_the_unit(tmp_path: Path) -> None:
    image = read(nrrd(tmp_path / "a.nrrd", PLACED + 'endian: little\nsample units: "ms"\n', VOXELS.tobytes()))
    assert image.unit == "ms"
    assert read(write(image, tmp_path / "b.nrrd")).unit == "ms"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ("endian: middle\n", "endian"),
        ("endian: little\nspace: LPS\nspace directions: (1,0) (0,1,0) (0,0,1)\n", "space directions"),
        ("endian: little\nspace: LPS\nspace directions: (1,x,0) (0,1,0) (0,0,1)\n", "space directions"),
        ("endian: little\nkinds: domain domain\n", "kinds"),
        ("endian: little\nspacings: 1 2\n", "spacings"),
        ("endian: little\nbyte skip: -2\n", "byte skip"),
    ],
)
def test_a_damaged_nrrd_field_is_named(fields: str, name: str, tmp_path: Path) -> None:
    assert f"'{name}'" in message_of(nrrd(tmp_path / "a.nrrd", fields, VOXELS.tobytes()))


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha"])
@pytest.mark.parametrize("part", [0.2, 0.9])
def test_a_cut_file_is_refused(suffix: str, part: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(8, 20, 20)).astype(np.float32)
    path = write(Image.from_array(noise), tmp_path / f"a{suffix}")
    cut = tmp_path / "a.raw.gz" if suffix == ".nhdr" else path
    data = cut.read_bytes()
    cut.write_bytes(data[: int(part * len(data))])
    with pytest.raises(UnsupportedImage):
        read(path)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_metaimages_of_itk_are_read_as_itk_reads_them(packed: bool, suffix: str, tmp_path: Path) -> None:
    import SimpleITK as sitk

    axes = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    for array in (VOXELS, VOXELS.astype(np.float64) / 7, VOXELS.astype(np.uint8)):
        theirs = sitk.GetImageFromArray(array)
        theirs.SetSpacing((0.5, 0.7, 2.0))
        theirs.SetOrigin((-3, 4, 5.5))
        theirs.SetDirection(axes.ravel().tolist())
        theirs.SetMetaData("protocol", "two words")
        sitk.WriteImage(theirs, str(tmp_path / f"a{suffix}"), useCompression=packed)
        image = read(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(image.stored()[0], array)
        np.testing.assert_allclose(image.direction, axes.ravel(), atol=1e-6)
        assert (image.spacing, image.origin) == (theirs.GetSpacing(), theirs.GetOrigin())
        back = sitk.ReadImage(str(write(image, tmp_path / "back.mha")))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(back), array)
        np.testing.assert_allclose(back.GetDirection(), axes.ravel(), atol=1e-6)
        assert back.GetMetaData("protocol") == "two words"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NDims = 3\nDimSize = 5 4 x\nElementType = MET_SHORT\nElementDataFile = LOCAL\n", "DimSize"),
        ("NDims = 2\nDimSize = 5 4 3\nElementType = MET_SHORT\nElementDataFile = LOCAL\n", "DimSize"),
        ("NDims = 3\nDimSize = 5 4 3\nElementType = MET_STRING\nElementDataFile = LOCAL\n", "ElementType"),
        ("NDims = 3\nDimSize = 5 4 3\n", "ElementDataFile"),
        (
            "DimSize = 5 4 3\nElementNumberOfChannels = 3\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n",
            "neither colour nor frames",
        ),
    ],
)
def test_a_damaged_metaimage_field_is_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_bytes(text.encode() + bytes(1000))
    assert words in message_of(tmp_path / "a.mha")


@pytest.mark.parametrize("lengths", ["0 1 1", "-1 1 1", "nan 1 1", None])
def test_a_metaimage_spacing_that_cannot_be_is_unknown(lengths: str | None, tmp_path: Path) -> None:
    spacing = "" if lengths is None else f"ElementSpacing = {lengths}\n"
    header = f"NDims = 3\nDimSize = 5 4 3\n{spacing}ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(header.encode() + VOXELS.tobytes())
    assert not read(tmp_path / "a.mha").spacing_known
