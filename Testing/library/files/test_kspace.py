"""Raw k-space becomes a complex image: in its place, with noise that is white, even and known."""

from __future__ import annotations

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.files import decoding, kspace
from Testing.support import ismrmrd

h5py = pytest.importorskip("h5py")


def seen_by(image: np.ndarray, coils: int = 4, seed: int = 0) -> np.ndarray:
    """k-space ``(coils, slices, rows, columns)`` of an image, by coils that are brighter on one side each."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(image.shape[1:]) / np.reshape(image.shape[1:], (2, 1, 1))
    made = []
    for _ in range(coils):
        a, b, c = rng.uniform(-1, 1, 3)
        made.append(image * (0.6 + 0.3 * a * (x - 0.5) + 0.3 * b * (y - 0.5)) * np.exp(2j * c))
    return forward(np.stack(made))


def forward(images: np.ndarray) -> np.ndarray:
    shifted = np.fft.ifftshift(images, axes=(-2, -1))
    return np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), axes=(-2, -1))


def images(kspace: np.ndarray) -> np.ndarray:
    shifted = np.fft.ifftshift(kspace, axes=(-2, -1))
    return np.fft.fftshift(np.fft.ifft2(shifted, norm="ortho"), axes=(-2, -1))


def phantom(slices: int = 2, rows: int = 48, columns: int = 64) -> np.ndarray:
    y, x = np.indices((rows, columns))
    disc = np.hypot((y - rows / 2) / (0.4 * rows), (x - columns / 2) / (0.3 * columns)) < 1
    return np.stack([200.0 * disc + 100 * (disc & (y > rows / 2 + 4 * z)) for z in range(slices)])


def complex_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def test_an_ismrmrd_file_becomes_the_image_in_its_place(tmp_path):
    image = phantom()
    ismrmrd.write(tmp_path / "scan.h5", seen_by(image, coils=1), wanted=32)
    read = mr.read(tmp_path / "scan.h5")
    assert read.modality == "MR"
    assert read.phase is not None
    one_coil = np.abs(images(seen_by(image, coils=1))[0])
    np.testing.assert_allclose(read.voxels[0], one_coil[:, :, 16:48], atol=1e-3)
    assert read.spacing == pytest.approx((1, 1, 6))
    # The voxel in the middle of the first slice lies where the header says that the slice is.
    middle = np.add(read.origin, np.multiply((16, 24, 0), read.spacing))
    np.testing.assert_allclose(middle, (10, -20, 30), atol=1e-5)


def test_coils_are_combined_so_that_the_noise_is_white_even_and_of_strength_one(tmp_path):
    rng = np.random.default_rng(3)
    mixing = np.eye(4) + 0.4 * complex_noise(rng, (4, 4))
    alone = mixing @ complex_noise(rng, (4, 4000))
    noisy = 0.2 * seen_by(phantom()) + np.tensordot(mixing, complex_noise(rng, (4, 2, 48, 64)), 1)
    ismrmrd.write(tmp_path / "scan.h5", noisy, noise=alone)
    with_noise = mr.read(tmp_path / "scan.h5")
    ismrmrd.write(tmp_path / "clean.h5", 0.2 * seen_by(phantom()), noise=alone)
    clean = mr.read(tmp_path / "clean.h5")
    difference = with_noise.voxels * np.exp(1j * with_noise.phase) - clean.voxels * np.exp(1j * clean.phase)
    inside = phantom()[None] > 0
    assert difference.real[inside].std() == pytest.approx(1, rel=0.1)
    assert difference.imag[inside].std() == pytest.approx(1, rel=0.1)
    assert mr.estimate_noise(with_noise)[1].level == pytest.approx(1, rel=0.15)


def test_a_study_of_k_space_is_restored_and_written(tmp_path):
    rng = np.random.default_rng(0)
    image = phantom(slices=1)
    ismrmrd.write(tmp_path / "scan.h5", seen_by(image, 1) + 15 * complex_noise(rng, (1, 1, 48, 64)))
    study = mr.read(tmp_path / "scan.h5")
    result = mr.restore(study)
    truth = mr.Image.from_array(image).voxels
    scale = float((study.voxels * truth).sum() / np.square(truth).sum())
    errors = [np.square(voxels - scale * truth).mean() for voxels in (study.voxels, result.image.voxels)]
    assert errors[1] < 0.5 * errors[0]
    mr.write(result.image, tmp_path / "restored.nii.gz")
    np.testing.assert_allclose(mr.read(tmp_path / "restored.nii.gz").phase, result.image.phase, atol=1e-3)


@pytest.mark.parametrize(
    ("made", "says"),
    [({"skip": 2}, "undersampled"), ({"trajectory": "spiral"}, "Cartesian")],
)
def test_what_needs_a_reconstruction_first_is_refused(tmp_path, made, says):
    ismrmrd.write(tmp_path / "scan.h5", seen_by(phantom()), **made)
    with pytest.raises(mr.UnsupportedImage, match=says):
        mr.read(tmp_path / "scan.h5")


def test_other_hdf5_files_and_damaged_ones_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.arange(5)
    with pytest.raises(mr.UnsupportedImage, match="no ISMRMRD"):
        mr.read(tmp_path / "other.h5")
    ismrmrd.write(tmp_path / "scan.h5", seen_by(phantom()))
    whole = (tmp_path / "scan.h5").read_bytes()
    rng = np.random.default_rng(0)
    for number in range(6):
        broken = bytearray(whole[: rng.integers(len(whole) // 2, len(whole))])
        for place in rng.integers(0, len(broken), 20):
            broken[place] = rng.integers(256)
        (tmp_path / f"{number}.h5").write_bytes(bytes(broken))
        try:
            mr.read(tmp_path / f"{number}.h5", replace_nan=0.0)
        except mr.MedRestoreError:
            continue


def test_the_job_is_one_of_the_decoders():
    assert decoding.JOBS["k-space"].endswith(kspace.decode.__name__)
