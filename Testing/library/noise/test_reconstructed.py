"""The noise of reconstructed SPECT: what is found of it, and what is kept when it is removed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, gaussian_filter

import MedRestoreLib as mr
from MedRestoreLib.noise import model
from MedRestoreLib.pipeline.evening import unevenness
from training.simulate import tomography
from training.simulate.tomography import Scan

COUNTS = 3e6
SIDE = 40  # voxels of a slice of the reconstruction
HOT = ((9.0, -7.0, 5.0), (-9.0, -7.0, 4.0), (0.0, 10.0, 3.0))  # row, column and radius, voxels


def ball(shape: tuple[int, ...], row: float, column: float, radius: float) -> np.ndarray:
    z, y, x = (np.arange(side) - (side - 1) / 2 for side in shape)
    return (z**2)[:, None, None] + ((y - row) ** 2)[:, None] + (x - column) ** 2 < radius**2


@pytest.fixture(scope="module")
def scan() -> Scan:
    """A warm cylinder with three hot balls in its middle."""
    shape = (48, 2 * SIDE, 2 * SIDE)
    y, x = (np.arange(side) - (side - 1) / 2 for side in shape[1:])
    body = np.broadcast_to(y[:, None] ** 2 + x**2 < 34**2, shape).astype(np.float32)
    activity = body + 4 * sum(ball(shape, 2 * row, 2 * column, 2 * radius) for row, column, radius in HOT)
    return Scan.of(activity.astype(np.float32), body * np.float32(tomography.WATER))


def inside(scan: Scan) -> np.ndarray:
    return binary_erosion(tomography.coarse(scan.thickness) > tomography.WATER / 2, iterations=3)


@pytest.fixture(scope="module")
def reconstructed(scan) -> tuple[np.ndarray, list[np.ndarray]]:
    """OSEM of expected counts, and of six realisations."""
    return tomography.osem(scan, COUNTS * scan.expected), [
        tomography.osem(scan, scan.counts(COUNTS, seed)) for seed in range(6)
    ]


def test_noise_is_found_as_strong_as_repeats_say_where_it_is_bright_and_where_not(scan, reconstructed):
    clean, noisy = reconstructed
    true = np.sqrt(gaussian_filter(np.var(noisy, axis=0, ddof=1), 1.5))
    estimate = model("reconstructed").estimate(noisy[0][None])
    assert estimate.sure
    assert not np.allclose(estimate.spectrum.in_plane.profiles[2], 1, atol=0.2), "it is coloured"
    ratio = estimate.level * estimate.noise_curve.on(noisy[0][None])[0] / true
    warm = clean < 1.5 * np.median(clean[inside(scan)])
    assert np.median(ratio[inside(scan) & warm]) == pytest.approx(1, abs=0.12)
    assert np.median(ratio[inside(scan) & ~warm]) == pytest.approx(1, abs=0.25)


def test_filtered_back_projection_is_told_from_iterations(scan):
    filtered = tomography.fbp(scan, scan.counts(COUNTS, 1), 0.3)
    iterated = tomography.osem(scan, scan.counts(COUNTS, 1))
    exponents = [model("reconstructed").estimate(one[None]).noise_curve.exponent for one in (filtered, iterated)]
    assert exponents[0] < 0.9 <= exponents[1]


def test_hot_spots_keep_their_means_where_a_filter_loses_them(reconstructed):
    clean, noisy = reconstructed
    shape = clean.shape
    spots = [ball(shape, *place) for place in HOT]
    results = [mr.restore(mr.Image.from_array(one, modality="NM", spacing=(4, 4, 4))) for one in noisy[:3]]
    for before, result in zip(noisy, results, strict=False):
        after = result.image.voxels[0]
        assert after.sum(dtype=float) == pytest.approx(before.sum(dtype=float), rel=1e-4)
        for spot in spots:
            assert after[spot].mean() == pytest.approx(before[spot].mean(), rel=0.03)
    calm = ball(shape, -14.0, 14.0, 4.0) & ball(shape, -10.0, 8.0, 12.0)
    restored = np.mean([result.image.voxels[0][calm].std() for result in results])
    widths = (1.0, 1.3, 1.6, 2.0)  # voxels
    width = next(w for w in widths if np.mean([gaussian_filter(one, w)[calm].std() for one in noisy[:3]]) < restored)
    smallest = spots[-1]
    kept = [
        np.mean([one[smallest].mean() for one in volumes])
        for volumes in ([one.image.voxels[0] for one in results], [gaussian_filter(one, width) for one in noisy[:3]])
    ]
    assert kept[0] > 1.1 * kept[1]


def test_the_promised_gain_comes_true(scan, reconstructed):
    clean, noisy = reconstructed
    image = mr.Image.from_array(noisy[1], modality="NM", spacing=(4, 4, 4))
    plan = mr.recommend(image)
    result = mr.restore(image, plan)
    even = unevenness(plan, image.voxels)[0][inside(scan)]
    before, after = (np.square((one - clean)[inside(scan)] / even).mean() for one in (noisy[1], result.image.voxels[0]))
    assert result.report.gain.certain
    assert result.report.gain.least_db < 10 * np.log10(before / after)


def test_the_recommended_plan_of_a_reconstruction_says_so(data_folder, reconstructed):
    _, noisy = reconstructed
    jaszczak = mr.read(data_folder / "nuclear" / "quality_control" / "Jaszack.dcm")
    for study in (jaszczak, mr.Image.from_array(noisy[0], modality="NM"), mr.Image.from_array(noisy[0], modality="PT")):
        plan = mr.recommend(study)
        assert (plan.noise, plan.method) == ("reconstructed", "bm4d")
        assert plan.options["keep_means"]
        assert "brightness" in plan.noise_words
        edited = mr.recommend(study, level=2 * plan.level)
        assert edited.noise_curve == plan.noise_curve


def test_every_frame_follows_its_own_brightness_and_keeps_its_own_total(scan, reconstructed):
    clean, noisy = reconstructed
    dim = tomography.osem(scan, scan.counts(COUNTS / 4, 9))
    study = mr.Image(np.stack([noisy[0], dim]), modality="NM", spacing=(4, 4, 4))
    result = mr.restore(study).image.voxels
    for before, after, truth in zip(study.voxels, result, (clean, 0.25 * clean), strict=True):
        assert after.sum(dtype=float) == pytest.approx(before.sum(dtype=float), rel=1e-4)
        errors = [np.square(one - truth)[inside(scan)].mean() for one in (before, after)]
        assert errors[1] < 0.4 * errors[0]


def test_back_projection_is_the_transpose_of_projection(scan):
    rng = np.random.default_rng(0)
    camera = scan.camera
    image = rng.random(camera.thickness.shape).astype(np.float32)
    counts = rng.random(scan.expected.shape).astype(np.float32)
    left, right = (camera.project(image) * counts).sum(dtype=float), (image * camera.back(counts)).sum(dtype=float)
    assert left == pytest.approx(right, rel=1e-4)


def test_iterations_explain_the_counts(scan):
    counts = COUNTS * scan.expected
    image = tomography.osem(scan, counts, recovery=True)
    assert np.abs(scan.camera.project(image) - counts).sum() < 0.03 * counts.sum()
