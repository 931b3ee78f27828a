"""Headers with their data beside them: NIfTI pairs, ANALYZE, Interfile."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from MedRestoreLib.errors import UnsupportedImage
from MedRestoreLib.files.parts import parts
from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image
from MedRestoreLib.service.inputs import find

VOXELS = np.random.default_rng(0).integers(-900, 900, (5, 4, 3)).astype(np.int16)  # x, y, z
TURNED = np.array([[0, -2, 0, 9], [1.5, 0, 0, -4], [0, 0, 3, 20], [0, 0, 0, 1.0]])
NUCMED = """!INTERFILE :=
!imaging modality := nucmed
!version of keys := 3.3
!GENERAL DATA :=
patient name := Nobody^Known
!name of data file := {name}
!GENERAL IMAGE DATA :=
!type of data := {kind}
!total number of images := 6
imagedata byte order := {order}
!matrix size [1] := 5
!matrix size [2] := 4
!number format := unsigned integer
!number of bytes per pixel := 2
scaling factor (mm/pixel) [1] := 2.5
scaling factor (mm/pixel) [2] := +3.0e+00
{more}
!END OF INTERFILE :=
"""


def in_place(image: Image, theirs: nib.spatialimages.SpatialImage) -> None:
    """Our voxels lie where nibabel's lie and have their values."""
    np.testing.assert_allclose(image.voxels[0].T, theirs.get_fdata(), rtol=1e-6)
    vectors = np.reshape(image.direction, (3, 3)) * image.spacing
    np.testing.assert_allclose(vectors, np.diag([-1, -1, 1]) @ theirs.affine[:3, :3], atol=1e-5)
    np.testing.assert_allclose(image.origin, np.diag([-1, -1, 1]) @ theirs.affine[:3, 3], atol=1e-4)


@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair, nib.Spm2AnalyzeImage, nib.AnalyzeImage])
def test_pairs_are_read_as_nibabel_reads_them(kind: type, tmp_path: Path) -> None:
    affine = TURNED if "Nifti" in kind.__name__ else np.diag([-1.5, 2.0, 3.0, 1.0])
    nib.save(kind(VOXELS, affine), tmp_path / "brain.img")
    in_place(read(tmp_path / "brain.hdr"), nib.load(tmp_path / "brain.img"))
    assert {path.name for path in parts(tmp_path / "brain.hdr")} >= {"brain.hdr", "brain.img"}


def test_the_transform_beside_an_analyze_image_places_it(tmp_path: Path) -> None:
    nib.save(nib.Spm99AnalyzeImage(VOXELS, TURNED), tmp_path / "brain.img")
    assert (tmp_path / "brain.mat").exists()
    in_place(read(tmp_path / "brain.hdr"), nib.load(tmp_path / "brain.img"))
    assert {path.suffix for path in parts(tmp_path / "brain.hdr")} == {".hdr", ".img", ".mat"}


def test_a_scale_of_spm_is_applied(tmp_path: Path) -> None:
    made = nib.Spm99AnalyzeImage(VOXELS.astype(np.float32) * 0.01, np.diag([-1.5, 2.0, 3.0, 1.0]))
    made.set_data_dtype(np.int16)
    nib.save(made, tmp_path / "brain.img")
    in_place(read(tmp_path / "brain.hdr"), nib.load(tmp_path / "brain.img"))


def test_a_pair_becomes_one_file_that_lies_where_it_lay(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(VOXELS, TURNED), tmp_path / "brain.img")
    out = write(read(tmp_path / "brain.hdr"), tmp_path / "out.nii.gz")
    in_place(read(tmp_path / "brain.hdr"), nib.load(out))


def test_a_batch_finds_a_pair_once(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(VOXELS, TURNED), tmp_path / "brain.img")
    (study,) = find(tmp_path)
    assert (study.name, study.suffix, len(study.files)) == ("brain.hdr", ".nii.gz", 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "brain.img").unlink(), "put its .img beside it"),
        (lambda folder: (folder / "brain.img").write_bytes(b"\0" * 50), "truncated"),
        (lambda folder: (folder / "brain.hdr").write_bytes(b"ENVI\nsamples = 5\n" + b" " * 400), "no NIfTI, ANALYZE"),
        (lambda folder: (folder / "brain.hdr").write_bytes(b"\0" * 348), "no NIfTI, ANALYZE or Interfile header"),
    ],
)
def test_a_damaged_pair_is_refused(change, words: str, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(VOXELS, TURNED), tmp_path / "brain.img")
    change(tmp_path)
    with pytest.raises(UnsupportedImage, match=words):
        read(tmp_path / "brain.hdr")


def test_the_voxels_alone_are_no_study(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(VOXELS, TURNED), tmp_path / "brain.img")
    with pytest.raises(UnsupportedImage, match=r"give its header, the \.hdr"):
        read(tmp_path / "brain.img")


def nucmed(folder: Path, kind: str = "Static", order: str = "BIGENDIAN", more: str = "", name: str = "a.i33") -> Path:
    counts = np.arange(120, dtype=">u2" if order == "BIGENDIAN" else "<u2")
    (folder / "a.i33").write_bytes(counts.tobytes())
    path = folder / "a.h33"
    path.write_text(NUCMED.format(name=name, kind=kind, order=order, more=more).replace("\n", "\r\n"))
    return path


@pytest.mark.parametrize("order", ["BIGENDIAN", "LITTLEENDIAN"])
def test_views_of_interfile_are_frames_of_counts(order: str, tmp_path: Path) -> None:
    image = read(nucmed(tmp_path, order=order))
    np.testing.assert_array_equal(image.voxels, np.arange(120).reshape(6, 1, 4, 5))
    assert (image.modality, image.unit, image.spacing[:2]) == ("NM", "counts", (2.5, 3.0))


def test_a_reconstruction_is_a_volume_and_no_raw_counts(tmp_path: Path) -> None:
    more = "!process status := Reconstructed\n!number of slices := 6\ncentre-centre slice separation (pixels) := 2"
    image = read(nucmed(tmp_path, "Tomographic", more=more))
    assert image.voxels.shape == (1, 6, 4, 5)
    assert (image.unit, image.spacing) == ("", (2.5, 3.0, 5.0))


def test_projections_are_frames(tmp_path: Path) -> None:
    assert read(nucmed(tmp_path, "Tomographic", more="!process status := Acquired")).voxels.shape == (6, 1, 4, 5)


def test_times_of_a_dynamic_study(tmp_path: Path) -> None:
    more = "!number of frame groups := 1\n!image duration (sec) := 2\npause between images (sec) := 0.5"
    assert read(nucmed(tmp_path, "Dynamic", more=more)).frame_times == tuple(2500.0 * k for k in range(6))


def test_the_dialect_of_stir(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("<f4")
    (tmp_path / "a.v").write_bytes(b"\0" * 8 + volume.tobytes())
    path = tmp_path / "a.hv"
    path.write_text(
        "!INTERFILE  :=\n!imaging modality := PT\nname of data file := a.v\n!type of data := PET\n"
        "imagedata byte order := LITTLEENDIAN\n!number format := float\n!number of bytes per pixel := 4\n"
        "number of dimensions := 3\n!matrix size [1] := 5\n!matrix size [2] := 4\n!matrix size [3] := 3\n"
        "scaling factor (mm/pixel) [1] := 2\nscaling factor (mm/pixel) [2] := 2\n"
        "scaling factor (mm/pixel) [3] := 3.27\nnumber of time frames := 1\nimage scaling factor[1] := 0.5\n"
        "data offset in bytes[1] := 8\n!END OF INTERFILE :=\n"
    )
    image = read(path)
    np.testing.assert_allclose(image.voxels[0], volume * 0.5, rtol=1e-6)
    assert (image.modality, image.spacing) == ("PT", (2.0, 2.0, 3.27))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "../a.i33"}, "does not lie beside it"),
        ({"name": "other.i33"}, "absent"),
        ({"kind": "Curve"}, "type 'Curve'"),
        ({"more": "!number of time frames := 2\n!matrix size [3] := 6"}, "truncated"),
        ({"more": "!matrix size [3] := 3"}, "more images than a.h33 declares"),
        ({"more": "data compression := zip"}, "export it uncoded"),
        ({"more": "quantification units := 2\ndata rescale slope := 3"}, "several ways"),
        ({"more": "data offset in bytes := -1"}, "'data offset in bytes'"),
        ({"more": "!matrix size [3] := 1e99"}, "truncated|memory"),
    ],
)
def test_interfile_that_cannot_be_is_refused(change: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match=words) as error:
        read(nucmed(tmp_path, **change))
    assert "\n" not in str(error.value)
    assert "Nobody" not in str(error.value)


def test_an_interfile_header_may_be_called_hdr(tmp_path: Path) -> None:
    path = nucmed(tmp_path).rename(tmp_path / "a.hdr")
    assert read(path).unit == "counts"
    assert {file.name for file in parts(path)} == {"a.hdr", "a.i33"}
