"""Lost and added blobs are found where they lie, and nothing is found in what is right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from MedRestoreLib.evidence.audit import audit
from MedRestoreLib.evidence.blobs import UnitGrid, find
from MedRestoreLib.evidence.findings import Audit
from MedRestoreLib.noise import Noise, model
from MedRestoreLib.noise.bmode import simulate_bmode
from Testing.support.evidence import phantom, realisations

CASES = [("gaussian", 1.0, 0.05), ("poisson", 100.0, 1.0), ("rician", 100.0, 4.0)]


def blob(shape: tuple[int, ...], middle: tuple[int, ...], fwhm: float) -> np.ndarray:
    """A Gaussian of height 1 in an array of any dimensions."""
    square = sum((axis - m) ** 2 for axis, m in zip(np.indices(shape), middle, strict=True))
    return np.exp(-4 * np.log(2) * square / fwhm**2).astype(np.float32)


def amplitude(noise: Noise, clean: float, fwhm: float, snr: float, dimensions: int = 2) -> float:
    """Height of the blob that the ideal matched filter sees at this signal-to-noise ratio."""
    sigma = float(noise.std(np.array([clean], np.float32))[0])
    return snr * sigma / (np.pi * fwhm**2 / (8 * np.log(2))) ** (dimensions / 4)


@pytest.mark.parametrize(("name", "scale", "level"), CASES)
@pytest.mark.parametrize("fwhm", [3.5, 8.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_lesion_that_was_lost_and_one_that_was_added_are_found_where_they_are(name, scale, level, fwhm, sign):
    clean = scale * phantom()
    noise = model(name).bind(model(name).add(clean, level, np.random.default_rng(0)), level)
    place = (0, 0, 60, 60)  # in the body, away from the disc and the bar
    height = sign * amplitude(noise, float(clean[place]), fwhm, 12)
    lesion = clean + height * blob(clean.shape, place, fwhm)
    noisy = model(name).add(lesion, level, np.random.default_rng(1))
    plain = model(name).add(clean, level, np.random.default_rng(1))
    for before, after, change in ((noisy, clean, "lost"), (plain, lesion, "added")):
        found = find(before, after, noise, UnitGrid())
        assert [(f.change, f.polarity) for f in found] == [(change, "bright" if sign > 0 else "dark")]
        assert np.linalg.norm(np.subtract(found[0].voxel, place)) <= 2
        assert find(before, lesion if change == "lost" else clean, noise, UnitGrid()) == []


@pytest.mark.parametrize(("name", "scale", "level"), CASES)
def test_a_perfect_restoration_has_hardly_ever_a_place(name, scale, level):
    clean = scale * phantom()
    alarms = [bool(find(noisy, clean, noise, UnitGrid())) for noisy, noise in realisations(name, clean, level, 20)]
    assert sum(alarms) <= 2  # 5 % of 20, and one more by chance


def test_in_a_volume_a_lesion_is_found_that_no_single_slice_shows():
    clean = np.full((1, 24, 48, 48), 50.0, np.float32)
    noise = model("gaussian")(5.0)
    height = amplitude(noise, 50.0, 8.0, 8.5, dimensions=3)  # in its middle slice the ratio is 3.5
    before = model("gaussian").add(clean + height * blob(clean.shape, (0, 12, 20, 30), 8.0), 5.0,
                                   np.random.default_rng(0))  # fmt: skip
    assert [place.change for place in find(before, clean, noise, UnitGrid())] == ["lost"]
    assert find(before, clean, noise, UnitGrid(spacing=(1.0, 1.0, 9.0))) == []  # slices far apart share no lesion


def test_the_largest_is_first_and_millimetres_follow_the_grid():
    clean = 20 * phantom()
    lesions = clean.copy()
    for column, snr in ((50, 14), (90, 22)):
        height = amplitude(model("poisson")(1.0), 8.0, 5, snr)
        lesions += height * blob(clean.shape, (0, 0, 140, column), 5)
    noisy = model("poisson").add(clean, 1.0, np.random.default_rng(0))
    grid = UnitGrid((2.0, 3.0, 1.0), (10.0, 20.0, 30.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0), spacing_known=True)
    found = audit(noisy, lesions, model("poisson")(1.0), grid=grid)
    first, second = found.places
    assert first.score > second.score
    assert abs(first.voxel[3] - 90) <= 1
    _, _, row, column = first.voxel
    assert first.position_mm == pytest.approx((10 + 2 * column, 20, 30 - 3 * row))
    assert found.findings["blobs"].flagged
    assert f"row {row + 1}, column {column + 1}" in found.findings["blobs"].sentence
    assert Audit.from_dict(json.loads(json.dumps(found.to_dict()))).places == found.places


def test_a_place_does_not_depend_on_the_pieces_that_the_study_is_worked_on_in(monkeypatch):
    from MedRestoreLib.evidence import blobs

    clean = np.full((1, 140, 40, 40), 50.0, np.float32)
    noise = model("gaussian")(5.0)
    before = model("gaussian").add(clean + 12 * blob(clean.shape, (0, 52, 20, 20), 5), 5.0, np.random.default_rng(0))
    whole = find(before, clean, noise, UnitGrid())
    monkeypatch.setattr(blobs, "CHUNK", 1)
    pieces = find(before, clean, noise, UnitGrid())
    assert [place.voxel for place in pieces] == [place.voxel for place in whole] != []


@pytest.mark.parametrize("change", ["lost", "added"])
def test_a_blob_that_stands_out_of_speckle_is_found_in_a_despeckled_scene(change):
    """Speckle of physics; the blob is five standard deviations of it, so clear that an ideal filter sees it."""
    scene = np.full((256, 256), 1.0, np.float32)
    noisy = 255 * simulate_bmode(scene, np.random.default_rng(0), lateral=1.5, dynamic_range_db=60.0)[None, None]
    after = gaussian_filter(noisy, (0, 0, 2, 2))
    noise = model("speckle").bind(noisy, 0.2)
    assert not find(noisy, after, noise, UnitGrid())
    y, x = np.indices(scene.shape)
    blob = 5 * noisy.std() * np.exp(-4 * np.log(2) * ((y - 100) ** 2 + (x - 140) ** 2) / 9**2).astype(np.float32)
    before = noisy - blob if change == "lost" else noisy
    restored = after - blob if change == "added" else after
    (place, *_) = find(before, restored, noise, UnitGrid())
    assert (place.change, place.polarity) == (change, "dark")
    assert np.hypot(place.voxel[2] - 100, place.voxel[3] - 140) < 4


def test_a_narrow_blob_is_told_from_coarse_speckle_by_what_is_finer_than_speckle():
    """A Gaussian filter as narrow as the blob sees no more of it than of the grains beside."""
    rng = np.random.default_rng(1)
    grains = gaussian_filter(rng.standard_normal((1, 1, 256, 256)), (0, 0, 3, 3))
    noisy = (100 + 15 / grains.std() * grains + rng.standard_normal(grains.shape)).astype(np.float32)
    after = np.full_like(noisy, 100)
    noise = model("speckle").bind(noisy, 0.15)
    assert not find(noisy, after, noise, UnitGrid())
    (place, *_) = find(noisy, after + 90 * blob(after.shape, (0, 0, 90, 150), 4), noise, UnitGrid())
    assert np.hypot(place.voxel[2] - 90, place.voxel[3] - 150) < 3


def test_letters_in_a_frame_raise_no_alarm_and_hide_nothing_elsewhere():
    frame = 255 * simulate_bmode(np.ones((256, 256), np.float32), np.random.default_rng(0), lateral=1.5)[None, None]
    noisy = np.minimum(frame, 180)
    strokes = np.zeros(noisy.shape, np.float32)
    for column in range(20, 60, 8):
        noisy[..., 10:30, column - 1 : column + 4] = 0
        noisy[..., 11:29, column : column + 3] = 230
        strokes[..., 11:29, column : column + 3] = 1
    after = gaussian_filter(noisy, (0, 0, 2, 2)) + 250 * gaussian_filter(strokes, (0, 0, 4, 4))  # a method's halo
    noise = model("speckle").bind(noisy, 0.2)
    assert not find(noisy, after, noise, UnitGrid())
    (place, *_) = find(noisy, after + 80 * blob(after.shape, (0, 0, 130, 140), 6), noise, UnitGrid())
    assert np.hypot(place.voxel[2] - 130, place.voxel[3] - 140) < 3


@pytest.mark.parametrize("seed", range(3))
def test_dark_tissue_raises_no_false_alarm(seed):
    """Where the signal is weaker than the noise, magnitudes lie far above it: what noise made bright is no blob."""
    from MedRestoreLib.samples import head

    rng = np.random.default_rng(seed)
    clean = head.clean(rng)[None, 12:24]
    noisy = model("rician").add(clean, 9.0, rng)
    nearly = clean + 0.1 * (noisy - clean)  # as a good method leaves it
    assert not find(noisy, nearly, model("rician").bind(noisy, 9.0), UnitGrid())
