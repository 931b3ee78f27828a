"""Noise levels are found within 10 % where there is noise to measure, and not at all where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom
from skimage import data

from MedRestoreLib import noise
from MedRestoreLib.image import Image
from MedRestoreLib.noise import poisson
from MedRestoreLib.noise.blocks import cut, planes
from Testing.support.phantoms import RAYLEIGH_DB, bmode, smooth_head

GAUSSIAN, POISSON, RICIAN, SPECKLE = map(noise.model, ("gaussian", "poisson", "rician", "speckle"))


HEAD = 200 * smooth_head()


def study(array: np.ndarray) -> np.ndarray:
    """An array as a study's voxels, ``(frames, slices, rows, columns)``."""
    return Image.from_array(array).voxels


PHANTOMS = {
    "smooth": study(HEAD),
    "piecewise constant": study(data.shepp_logan_phantom() * 200),
    "textured": study(data.camera()),
    "photograph": study(gaussian_filter(data.astronaut().mean(axis=2), 0.7)),  # without its own noise
    "volume": study(np.stack([HEAD * scale for scale in np.linspace(0.5, 1, 8)])),
    "cine": study(np.stack([np.roll(HEAD, shift, 0) for shift in range(8)])[:, None]),
}


def assert_found(estimate: noise.Estimate, level: float) -> None:
    assert estimate.confidence >= 0.5, estimate.reason
    assert estimate.level == pytest.approx(level, rel=0.1), estimate.reason


def assert_sure_only_when_right(estimate: noise.Estimate, level: float) -> None:
    if estimate.level is not None and estimate.confidence >= 0.5:
        assert estimate.level == pytest.approx(level, rel=0.1), estimate.reason


# Gaussian


@pytest.mark.parametrize("phantom", PHANTOMS)
@pytest.mark.parametrize("sigma", [5, 10, 25, 50])
def test_gaussian_noise_is_found_in_smooth_and_in_textured_studies(phantom, sigma):
    assert_found(GAUSSIAN.estimate(GAUSSIAN.add(PHANTOMS[phantom], sigma, np.random.default_rng(0))), sigma)


@pytest.mark.parametrize("phantom", PHANTOMS)
def test_weak_gaussian_noise_is_found_or_called_unsure(phantom):
    assert_sure_only_when_right(GAUSSIAN.estimate(GAUSSIAN.add(PHANTOMS[phantom], 2, np.random.default_rng(0))), 2)


def test_masks_quantisation_and_clipping_do_not_bias_gaussian_noise():
    clean = PHANTOMS["smooth"]
    noisy = GAUSSIAN.add(clean, 8, np.random.default_rng(0))
    assert_found(GAUSSIAN.estimate(np.where(clean > 20, noisy, 0)), 8)
    assert_found(GAUSSIAN.estimate(np.clip(np.rint(noisy), 0, 255)), 8)
    coarse = GAUSSIAN.add(clean, 1, np.random.default_rng(0))
    assert_found(GAUSSIAN.estimate(np.rint(coarse)), 1)


def test_gaussian_estimate_is_suspicious_of_noise_that_grows_with_brightness():
    noisy = POISSON.add(PHANTOMS["smooth"], 1.0, np.random.default_rng(0))
    assert GAUSSIAN.estimate(noisy).confidence < 0.5


@pytest.mark.parametrize("factor", [1.3, 1.5, 2.0])
def test_interpolated_noise_is_not_taken_for_white(factor):
    noisy = GAUSSIAN.add(PHANTOMS["smooth"], 10, np.random.default_rng(0))[0, 0]
    flat = zoom(GAUSSIAN.add(np.zeros_like(noisy), 10, np.random.default_rng(0)), factor, order=1)
    estimate = GAUSSIAN.estimate(study(zoom(noisy, factor, order=1)))
    assert estimate.spectrum is not None
    assert estimate.level < 1.1 * flat.std()
    assert estimate.level > 0.85 * flat.std() or not estimate.sure


# Nothing to find


@pytest.mark.parametrize("id", noise.IDS)
@pytest.mark.parametrize("phantom", ["smooth", "piecewise constant", "volume"])
def test_clean_studies_have_no_noise(id, phantom):
    estimate = noise.model(id).estimate(PHANTOMS[phantom])
    assert not estimate.level, estimate.reason


@pytest.mark.parametrize("id", ["gaussian", "poisson", "rician"])
def test_restored_studies_have_no_noise_left(id):
    model = noise.model(id)
    noisy = model.add(PHANTOMS["smooth"], 5.0, np.random.default_rng(0))
    assert not model.estimate(gaussian_filter(noisy, (0, 0, 1.5, 1.5))).sure


@pytest.mark.parametrize("id", noise.IDS)
@pytest.mark.parametrize(
    "voxels",
    [np.full((64, 64), 5.0), np.zeros((64, 64)), np.arange(36.0).reshape(6, 6), np.arange(5.0)[:, None], np.eye(12)],
)
def test_constant_and_tiny_studies_get_no_level(id, voxels):
    estimate = noise.model(id).estimate(study(voxels))
    assert not estimate.level
    assert estimate.reason.endswith(".")


def test_a_mask_of_any_value_is_not_taken_for_a_clean_study():
    noisy = GAUSSIAN.add(PHANTOMS["smooth"], 8, np.random.default_rng(0))
    noisy[..., :90] = 100.0
    assert_found(GAUSSIAN.estimate(noisy), 8)


# Poisson


@pytest.mark.parametrize("level", [1, 5, 10, 20, 30, 40, 50])
@pytest.mark.parametrize("unit", [1.0, 0.37, 1e-3, 200.0])
def test_counts_per_unit_are_found_whatever_the_unit(level, unit):
    counts_at_peak = poisson.peak_counts(level)
    activity = gaussian_filter(PHANTOMS["smooth"] / 200, (0, 0, 2, 2))
    counts = POISSON.add(activity * counts_at_peak, 1.0, np.random.default_rng(0))
    assert_found(POISSON.estimate(counts * np.float32(unit)), 1 / unit)


@pytest.mark.parametrize("phantom", PHANTOMS)
@pytest.mark.parametrize("level", [5, 10, 20, 50])
def test_poisson_noise_is_found_or_called_unsure(phantom, level):
    counts_at_peak = poisson.peak_counts(level)
    clean = PHANTOMS[phantom] / PHANTOMS[phantom].max()
    estimate = POISSON.estimate(POISSON.add(clean, counts_at_peak, np.random.default_rng(0)))
    assert_sure_only_when_right(estimate, counts_at_peak)


def test_raw_counts_are_recognised_exactly():
    counts = POISSON.add(PHANTOMS["smooth"] / 10, 1.0, np.random.default_rng(0))
    for fraction in (1.0, 0.5, 0.1):
        estimate = POISSON.estimate(poisson.thin(counts, fraction, np.random.default_rng(1)))
        assert estimate.level == 1.0
        assert estimate.confidence > 0.9
        assert "raw counts" in estimate.reason


def test_noise_that_is_not_in_proportion_to_the_mean_is_not_poisson():
    clean, rng = PHANTOMS["volume"], np.random.default_rng(0)
    others = [GAUSSIAN.add(clean + 50, 5, rng), poisson.add_literal(clean, 20, rng), SPECKLE.add(clean, 0.2, rng)]
    for noisy in others:
        assert POISSON.estimate(noisy).confidence < 0.5


# Rician


@pytest.mark.parametrize("phantom", ["smooth", "piecewise constant", "volume", "cine"])
@pytest.mark.parametrize("level", [1, 3, 5, 9, 12])
def test_rician_noise_is_found_in_air(phantom, level):
    assert_found(RICIAN.estimate(RICIAN.add(PHANTOMS[phantom], level, np.random.default_rng(0))), level)


@pytest.mark.parametrize("phantom", ["smooth", "volume", "cine"])
@pytest.mark.parametrize("level", [1, 3, 5, 9, 12])
def test_rician_noise_is_found_in_tissue_when_air_is_masked(phantom, level):
    clean = PHANTOMS[phantom]
    noisy = RICIAN.add(clean, level, np.random.default_rng(0))
    assert_found(RICIAN.estimate(np.where(clean > 20, noisy, 0)), level)


@pytest.mark.parametrize("phantom", ["piecewise constant", "textured", "photograph"])
@pytest.mark.parametrize("level", [1, 3, 5, 9])
def test_rician_noise_is_found_or_called_unsure_in_hard_studies(phantom, level):
    clean = PHANTOMS[phantom]
    noisy = RICIAN.add(clean, level, np.random.default_rng(0))
    assert_sure_only_when_right(RICIAN.estimate(np.where(clean > 20, noisy, 0)), level)
    assert_sure_only_when_right(RICIAN.estimate(noisy), level)


@pytest.mark.parametrize("level", [15, 21, 30])
def test_strong_rician_noise_is_found_or_called_unsure(level):
    for clean in PHANTOMS.values():
        estimate = RICIAN.estimate(RICIAN.add(clean, level, np.random.default_rng(0)))
        assert_sure_only_when_right(estimate, level)


@pytest.mark.parametrize("level", [1.0, 9.0, 20.0])
def test_an_estimated_level_binds_to_the_noise_that_was_measured(level):
    clean = PHANTOMS["smooth"]
    noisy = RICIAN.add(clean, level, np.random.default_rng(0))
    model = RICIAN.bind(noisy, RICIAN.estimate(noisy).level)
    assert model.sigma == pytest.approx(level / 100 * clean.max(), rel=0.03)
    assert model.reference == pytest.approx(clean.max(), rel=0.1)


def test_the_maximum_of_a_clean_study_is_its_maximum():
    assert RICIAN.reference_of(PHANTOMS["textured"], 1e-6) == pytest.approx(PHANTOMS["textured"].max(), rel=1e-3)


def test_several_coils_do_not_mislead_the_estimate():
    noisy = RICIAN.add(PHANTOMS["volume"], 9.0, np.random.default_rng(0), n_coils=4)
    assert RICIAN.estimate(noisy).level == pytest.approx(9.0, rel=0.1)


def test_correlated_rician_noise_is_found_to_be_coloured():
    rng = np.random.default_rng(0)
    channels = [study(gaussian_filter(rng.standard_normal((192, 192)), 0.6)) * 20 for _ in range(2)]
    clean = PHANTOMS["smooth"]
    estimate = RICIAN.estimate(np.hypot(clean + channels[0], channels[1]))
    assert estimate.spectrum is not None
    assert "coloured" in estimate.reason or not estimate.sure
    assert estimate.level == pytest.approx(100 * channels[0].std() / clean.max(), rel=0.1 if estimate.sure else 0.4)


def test_negative_values_are_not_magnitudes():
    assert RICIAN.estimate(GAUSSIAN.add(PHANTOMS["smooth"], 20, np.random.default_rng(0))).level is None


# Speckle


@pytest.mark.parametrize("phantom", ["smooth", "volume", "cine", "textured"])
@pytest.mark.parametrize("level", [0.05, 0.1, 0.25, 0.5, 0.75])
def test_speckle_is_found(phantom, level):
    assert_found(SPECKLE.estimate(SPECKLE.add(PHANTOMS[phantom], level, np.random.default_rng(0))), level)


@pytest.mark.parametrize("lateral", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("dynamic_range", [50, 60])
def test_speckle_of_a_bmode_image_is_measured_on_the_display(lateral, dynamic_range):
    echogenicity = 20 * np.log10(0.2 + zoom(HEAD, 2, order=1) / 200)
    image, _ = bmode(echogenicity, lateral=lateral, dynamic_range_db=dynamic_range)
    estimate = SPECKLE.estimate(study(image))
    assert "correlated" in estimate.reason
    assert estimate.confidence <= 0.6
    model = SPECKLE.bind(study(image), estimate.level)
    assert model.level * model.reference == pytest.approx(RAYLEIGH_DB / dynamic_range, rel=0.1)


# Sampling


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """13 million voxels whose noise grows from slice to slice, so that it tells which slices were looked at."""
    sigma = np.linspace(2, 4, 200, dtype=np.float32)[:, None, None]
    return 50 + sigma * np.random.default_rng(0).standard_normal((1, 200, 256, 256), np.float32)


def test_a_large_study_is_sampled_evenly(large):
    sample = planes(large)
    assert 3_500_000 < sample.size <= 4_000_000
    places = [int(np.flatnonzero(large[0, :, 0, 0] == plane[0, 0])[0]) for plane in sample]
    assert (places[0], places[-1]) == (0, 199)
    assert set(np.diff(places)) <= {3, 4}


@pytest.mark.parametrize("id", ["poisson", "speckle"])
def test_the_noise_of_a_large_study_is_that_of_its_sample(id, large):
    """What an estimate costs is bounded: it does not look at other slices."""
    others = np.ones(200, bool)
    others[[int(np.flatnonzero(large[0, :, 0, 0] == plane[0, 0])[0]) for plane in planes(large)]] = False
    blank = large.copy()
    blank[:, others] = 0
    whole, sampled = noise.model(id).estimate(large), noise.model(id).estimate(blank)
    assert whole == sampled


def test_one_huge_slice_is_sampled_in_its_middle():
    assert planes(np.zeros((1, 1, 3000, 5000), np.float32)).size <= 4_000_000
    assert len(cut(np.full((1, 1, 20, 3), 1.0, np.float32))) == 0


# Real studies


@pytest.mark.parametrize("name", ["bone_scan_whole_body", "quality_control/FourBar", "quality_control/Spatial_Resol_Y"])
def test_real_scans_of_a_gamma_camera_hold_raw_counts(data_folder, name):
    import pydicom

    estimate = POISSON.estimate(study(pydicom.dcmread(data_folder / f"nuclear/{name}.dcm").pixel_array))
    assert estimate.level == 1.0
    assert estimate.confidence > 0.9


def test_a_reconstructed_spect_phantom_is_not_raw_counts(data_folder):
    import pydicom

    estimate = POISSON.estimate(study(pydicom.dcmread(data_folder / "nuclear/quality_control/Jaszack.dcm").pixel_array))
    assert estimate.level is None


def test_an_average_of_152_heads_has_no_noise_to_remove(data_folder):
    import SimpleITK as sitk

    voxels = study(sitk.GetArrayFromImage(sitk.ReadImage(str(data_folder / "mri/mni152_t1.nii.gz"))))
    for model in (GAUSSIAN, RICIAN):
        assert not model.estimate(voxels).sure


def test_noise_added_to_an_average_head_is_found(data_folder):
    import SimpleITK as sitk

    clean = study(sitk.GetArrayFromImage(sitk.ReadImage(str(data_folder / "mri/mni152_t1.nii.gz"))))[:, 60:120:6]
    for level in (3, 9, 15):
        assert_found(RICIAN.estimate(RICIAN.add(clean, level, np.random.default_rng(0))), level)


def test_a_real_head_has_about_one_per_cent_of_coloured_and_uneven_noise(data_folder):
    import SimpleITK as sitk

    voxels = study(sitk.GetArrayFromImage(sitk.ReadImage(str(data_folder / "mri/t1w_0.7mm.nii.gz"))))
    estimate = RICIAN.estimate(voxels)
    assert 0.8 < estimate.level < 2.0
    assert "coloured" in estimate.reason
    assert 1.3 < estimate.noise_map.ratio < 3
    assert not estimate.confirmed


def test_real_ultrasound_shows_correlated_speckle(data_folder):
    from skimage.io import imread

    images = [path for path in sorted((data_folder / "ultrasound/busi").glob("*/*.png")) if "mask" not in path.name]
    estimates = [SPECKLE.estimate(study(imread(path, as_gray=True))) for path in images[::60]]
    levels = [estimate.level for estimate in estimates if estimate.level]
    assert len(levels) > len(estimates) / 2
    assert all(0.03 < level < 0.5 for level in levels)
    assert all("correlated" in estimate.reason for estimate in estimates if estimate.level)
