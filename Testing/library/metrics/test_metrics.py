"""Metrics: against scikit-image where it has them, against closed forms where it has not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from MedRestoreLib.metrics import fidelity, no_reference, resolution, segmentation, statistics
from Testing.support import phantoms


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A noisy copy and its reference, 8-bit grey values as float."""
    reference = 255 * phantoms.camera(200, 210)
    return phantoms.noisy(reference, 20).astype(np.float64), reference.astype(np.float64)


def masks() -> st.SearchStrategy:
    return st.tuples(arrays(bool, (5, 6)), arrays(bool, (5, 6)))


# Fidelity


def test_psnr_is_scikit_images(pair):
    expected = peak_signal_noise_ratio(pair[1], pair[0], data_range=255)
    assert fidelity.psnr(*pair, data_range=255) == pytest.approx(expected, abs=1e-9)


def test_what_is_not_a_number_is_not_perfect(pair):
    spoiled = pair[0].copy()
    spoiled[3, 4] = np.nan
    assert np.isnan(fidelity.psnr(spoiled, pair[1], data_range=255))
    assert np.isnan(no_reference.snr(spoiled))
    assert np.isnan(no_reference.cnr(spoiled, pair[1]))


def test_ssim_is_scikit_images(pair):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert fidelity.ssim(*pair, data_range=255) == pytest.approx(structural_similarity(*pair, **options), abs=1e-4)


def test_ssim_of_a_volume_is_the_mean_over_its_slices(pair):
    noisy, reference = pair
    volume, truth = np.stack([noisy, reference]), np.stack([reference, reference])
    one = fidelity.ssim(noisy, reference, data_range=255)
    assert fidelity.ssim(volume, truth, data_range=255) == pytest.approx((one + 1) / 2)


def test_ssim_of_a_masked_volume_is_that_of_the_masked_slices(pair):
    noisy, reference = pair
    mask = np.zeros((2, *noisy.shape), bool)
    mask[1, 40:90, 60:100] = True
    masked = fidelity.ssim(np.stack([reference, noisy]), np.stack([reference] * 2), data_range=255, mask=mask)
    assert masked == pytest.approx(fidelity.ssim(noisy, reference, data_range=255, mask=mask[1]))


def test_masked_measures_see_the_mask_alone(pair):
    noisy, reference = pair
    spoiled, mask = noisy.copy(), np.zeros(noisy.shape, bool)
    mask[50:100, 50:100] = True
    spoiled[:30] = 0
    for measure in (fidelity.psnr, fidelity.ssim):
        assert measure(spoiled, reference, data_range=255, mask=mask) == measure(
            noisy, reference, data_range=255, mask=mask
        )
        assert measure(spoiled, reference, data_range=255) < measure(noisy, reference, data_range=255)
    assert fidelity.rmse(spoiled, reference, mask=mask) == fidelity.rmse(noisy, reference, mask=mask)


def test_psnr_leaves_out_the_border(pair):
    noisy, reference = pair
    spoiled = noisy.copy()
    spoiled[:4] = 0
    inner = fidelity.psnr(noisy[4:-4, 4:-4], reference[4:-4, 4:-4], data_range=255)
    assert fidelity.psnr(spoiled, reference, data_range=255, border=4) == inner


def test_ms_ssim_of_a_brighter_copy_falls_by_the_luminance_of_the_coarsest_scale():
    reference = np.full((200, 200), 100.0)
    constant = (0.01 * 255) ** 2
    luminance = (2 * 100 * 150 + constant) / (100**2 + 150**2 + constant)
    assert fidelity.ms_ssim(reference + 50, reference, data_range=255) == pytest.approx(luminance**0.1333, abs=1e-6)


def test_ms_ssim_is_the_published_product_over_five_scales(pair):
    """Equation 7 of the paper, written out: contrast and structure at each scale, luminance at the coarsest."""
    exponents = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    (a, b), expected = pair, 1.0

    def local(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, radius=5)[5:-5, 5:-5]

    for scale, exponent in enumerate(exponents):
        mean_a, mean_b = local(a), local(b)
        variances = local(a * a) - mean_a**2 + local(b * b) - mean_b**2
        similarity = (2 * (local(a * b) - mean_a * mean_b) + 7.65**2) / (variances + 7.65**2)
        if scale == 4:
            similarity *= (2 * mean_a * mean_b + 2.55**2) / (mean_a**2 + mean_b**2 + 2.55**2)
        expected *= similarity.mean() ** exponent
        rows, columns = a.shape[0] // 2 * 2, a.shape[1] // 2 * 2
        a, b = ((x[:rows:2] + x[1:rows:2])[:, :columns] for x in (a, b))
        a, b = ((x[:, ::2] + x[:, 1::2]) / 4 for x in (a, b))
    assert fidelity.ms_ssim(*pair, data_range=255) == pytest.approx(expected, abs=1e-6)


def test_ms_ssim_of_a_negative_is_nothing(pair):
    assert fidelity.ms_ssim(255 - pair[1], pair[1], data_range=255) == 0


def test_ms_ssim_forgives_fine_noise_more_than_ssim(pair):
    assert fidelity.ssim(*pair, data_range=255) < fidelity.ms_ssim(*pair, data_range=255) < 1


def test_ms_ssim_refuses_what_is_too_small():
    with pytest.raises(ValueError, match="176"):
        fidelity.ms_ssim(np.ones((175, 300)), np.ones((175, 300)), data_range=1)
    assert fidelity.ms_ssim(np.ones((176, 300)), np.ones((176, 300)), data_range=1) == pytest.approx(1)


def test_equal_images_are_perfect(pair):
    reference = pair[1]
    assert fidelity.psnr(reference, reference, data_range=255) == np.inf
    assert fidelity.ssim(reference, reference, data_range=255) == pytest.approx(1)
    assert fidelity.ms_ssim(reference, reference, data_range=255) == pytest.approx(1)


def test_poisson_deviance_is_near_one_for_the_true_rate_and_least_there():
    counts = np.random.default_rng(1).poisson(30, 20_000)
    true = fidelity.poisson_deviance(counts, np.full(counts.shape, 30.0))
    assert true == pytest.approx(1, abs=0.05)
    assert all(fidelity.poisson_deviance(counts, np.full(counts.shape, r)) > true for r in (28.0, 32.0))
    assert fidelity.poisson_deviance(np.zeros(3), np.zeros(3)) == 0
    assert fidelity.poisson_deviance(np.ones(3), np.zeros(3)) == np.inf


def test_count_bias_of_a_lesion():
    counts, restored = np.full((4, 4), 10.0), np.full((4, 4), 9.0)
    restored[0, 0] = 12
    lesion = np.zeros((4, 4), bool)
    lesion[0, 0] = True
    assert fidelity.count_bias(restored, counts, mask=lesion) == pytest.approx(0.2)


def test_what_cannot_be_counts_is_refused():
    for counts, rate in (([-1.0, 2.0], [1.0, 1.0]), ([1.0, 2.0], [-1.0, 1.0])):
        with pytest.raises(ValueError, match="negative"):
            fidelity.poisson_deviance(counts, rate)
    with pytest.raises(ValueError, match="sum to 0"):
        fidelity.count_bias(np.ones(3), np.zeros(3))


def test_shapes_and_empty_masks_are_refused(pair):
    with pytest.raises(ValueError, match="shapes"):
        fidelity.psnr(pair[0], pair[1][:-1], data_range=255)
    for mask in (np.zeros(pair[0].shape, bool), np.ones((3, 3), bool)):
        with pytest.raises(ValueError, match="mask"):
            fidelity.rmse(*pair, mask=mask)


# Without a reference


def test_entropy_rises_with_noise_though_quality_falls():
    phantom = np.kron([[0.2, 0.8], [0.2, 0.8]], np.ones((64, 64)))
    noisy = phantom + np.random.default_rng(0).normal(0, 0.1, phantom.shape)
    assert no_reference.entropy(phantom, low=0, high=1) == pytest.approx(1)
    assert no_reference.entropy(noisy, low=0, high=1) > 4


def test_entropy_is_that_of_256_grey_values_between_the_limits():
    assert no_reference.entropy(np.arange(256.0), low=0, high=255) == pytest.approx(8)
    beyond = np.array([-9.0, 0.0, 255.0, 300.0])  # shown as 0 and 255
    assert no_reference.entropy(beyond, low=0, high=255) == pytest.approx(1)
    with pytest.raises(ValueError, match="window"):
        no_reference.entropy(beyond, low=1, high=1)


def test_fully_developed_speckle_has_snr_1_91():
    envelope = np.random.default_rng(0).rayleigh(3.0, 400_000)
    assert no_reference.snr(envelope) == pytest.approx(1.913, abs=0.01)
    assert no_reference.enl(envelope) == pytest.approx(3.66, abs=0.04)


def test_contrast_and_cnr_of_two_normal_regions():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(20, 3, 200_000), rng.normal(10, 4, 200_000)
    assert no_reference.contrast_ratio(inside, outside) == pytest.approx(6.02, abs=0.03)
    assert no_reference.cnr(inside, outside) == pytest.approx(2.0, abs=0.02)
    assert no_reference.cnr(np.ones(4), np.ones(4)) == 0
    assert no_reference.cnr(np.ones(4), np.zeros(4)) == no_reference.snr(np.ones(4)) == np.inf


def test_gcnr_of_two_normal_regions_is_the_closed_form():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(0, 1, 100_000), rng.normal(2, 1, 100_000)
    assert no_reference.gcnr(inside, outside) == pytest.approx(0.6827, abs=0.01)  # 2 Phi(1) - 1
    assert no_reference.gcnr(inside, inside) == pytest.approx(0, abs=1e-12)
    assert no_reference.gcnr(inside, inside + 100) == pytest.approx(1, abs=1e-4)


@settings(max_examples=10)
@given(power=st.floats(0.2, 4), seed=st.integers(0, 99))
def test_gcnr_does_not_change_with_the_grey_map_as_cnr_does(power, seed):
    rng = np.random.default_rng(seed)
    inside, outside = rng.uniform(1, 3, 2000), rng.uniform(2, 4, 2000)
    mapped = no_reference.gcnr(inside**power, outside**power)
    assert mapped == pytest.approx(no_reference.gcnr(inside, outside), abs=1e-6)


def test_gcnr_sees_saturated_regions():
    assert no_reference.gcnr(np.array([255.0] * 50 + [0.0] * 50), np.array([255.0] * 50 + [0.0] * 50)) == 0
    assert no_reference.gcnr(np.full(9, 255.0), np.zeros(9)) == 1


def test_edge_preservation_falls_with_blur(pair):
    reference = pair[1]
    values = [no_reference.edge_preservation(gaussian_filter(reference, s), reference) for s in (0, 0.5, 1, 2)]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    negative = no_reference.edge_preservation(-reference, reference)
    assert negative == pytest.approx(-1)
    assert np.isnan(no_reference.edge_preservation(np.ones((9, 9)), reference[:9, :9]))
    y, x = np.mgrid[:9, :9]  # Laplacians of 2 and 4 everywhere inside: no edge varies with the other
    inside = np.pad(np.ones((7, 7), bool), 1)
    assert np.isnan(no_reference.edge_preservation(x**2, x**2 + y**2, mask=inside))


def test_flicker_of_white_noise_is_its_standard_deviation_and_motion_free_drift_is_none():
    rng = np.random.default_rng(0)
    assert no_reference.flicker(rng.normal(0, 3, (40, 30, 30))) == pytest.approx(3, rel=0.03)
    drift = np.arange(10.0)[:, None, None] * np.ones((4, 4))
    assert no_reference.flicker(drift) == 0
    assert no_reference.flicker(drift[:3]) == 0
    with pytest.raises(ValueError, match="3 frames"):
        no_reference.flicker(drift[:2])
    moving = drift + np.where(np.arange(4) == 0, rng.normal(0, 9, (10, 4, 4)), 0)
    assert no_reference.flicker(moving, mask=np.broadcast_to(np.arange(4) > 0, (4, 4))) == 0


# Segmentation


@settings(max_examples=50)
@given(masks())
def test_dice_and_iou_say_the_same(pair):
    dice, iou = segmentation.dice(*pair), segmentation.iou(*pair)
    assert 0 <= iou <= dice <= 1
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert dice == segmentation.dice(pair[1], pair[0])


@settings(max_examples=50)
@given(masks())
def test_recall_is_the_precision_of_the_swapped_masks(pair):
    assert segmentation.recall(*pair) == segmentation.precision(pair[1], pair[0])
    assert segmentation.dice(pair[0], pair[0]) == 1
    assert segmentation.hd95(pair[0], pair[0], spacing=(1, 1)) == 0


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    overlaps = (segmentation.dice, segmentation.iou, segmentation.precision, segmentation.recall)
    distances = (segmentation.asd, segmentation.hd95)
    assert all(measure(empty, empty) == 1 for measure in overlaps)
    assert all(measure(empty, full) == 0 and measure(full, empty) == 0 for measure in overlaps)
    assert all(measure(empty, empty, spacing=(1, 1)) == 0 for measure in distances)
    assert all(measure(empty, full, spacing=(1, 1)) == np.inf for measure in distances)


def test_surface_distances_are_in_mm_along_the_right_axis():
    truth = np.zeros((4, 30, 30), bool)
    truth[1:3, 10:20, 10:20] = True
    shifted = np.roll(truth, 2, axis=2)  # along the columns: x
    spacing = (0.5, 3.0, 7.0)
    assert segmentation.hd95(shifted, truth, spacing=spacing) == pytest.approx(1.0)
    assert 0 < segmentation.asd(shifted, truth, spacing=spacing) < 1.0
    assert segmentation.hd95(np.roll(truth, 1, axis=1), truth, spacing=spacing) == pytest.approx(3.0)


def test_detection_counts_lesions_not_voxels():
    truth, predicted = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    truth[2:6, 2:6] = truth[20:30, 20:30] = True
    predicted[3:6, 2:6] = predicted[35:38, 2:5] = True  # finds the small one, misses the big one, invents one
    found = segmentation.detection(predicted, truth)
    assert (found.lesions, found.found, found.false_positives) == (2, 1, 1)
    assert found.sensitivity == 0.5
    assert segmentation.detection(predicted, truth, largest=20).sensitivity == 1
    assert segmentation.detection(~truth & False, ~truth & False).sensitivity == 1


@pytest.mark.parametrize(("shift", "overlap", "found"), [(2, 0.25, 1), (3, 0.25, 0), (2, 1 / 3, 1), (2, 0.34, 0)])
def test_a_lesion_is_found_if_intersection_over_union_is_large_enough(shift, overlap, found):
    truth, predicted = np.zeros((12, 12), bool), np.zeros((12, 12), bool)
    truth[4:8, 2:6] = predicted[4:8, 2 + shift : 6 + shift] = True  # IoU 8/24 and 4/28
    assert segmentation.detection(predicted, truth, overlap=overlap) == segmentation.Detection(1, found, 1 - found)


@pytest.mark.parametrize(("largest", "lesions"), [(15, 0), (16, 1), (None, 1)])
def test_lesions_up_to_a_size_are_counted(largest, lesions):
    truth = np.zeros((12, 12), bool)
    truth[4:8, 2:6] = True
    assert segmentation.detection(truth, truth, largest=largest) == segmentation.Detection(lesions, lesions, 0)


# Resolution


@pytest.mark.parametrize("sigma", [1.0, 1.7, 3.0])
def test_fwhm_of_a_gaussian(sigma):
    profile = 5 + 100 * np.exp(-((np.arange(81) - 40.3) ** 2) / (2 * sigma**2))
    assert resolution.fwhm(profile, spacing=0.5) == pytest.approx(0.5 * 2.3548 * sigma, rel=0.05)


def test_fwhm_of_a_triangle_is_where_its_sides_cross_the_middle():
    profile = 7.0 + np.interp(np.arange(60), [20, 33, 37], [0, 100, 0])
    assert resolution.fwhm(profile, spacing=0.5) == pytest.approx(0.5 * (35 - 26.5))


def test_fwhm_refuses_a_profile_without_a_peak():
    for profile in (np.ones(9), np.arange(9.0)):
        with pytest.raises(ValueError, match="peak"):
            resolution.fwhm(profile)


def test_an_edge_has_its_slope_and_its_ringing_in_units_of_its_step():
    edge = np.clip(np.arange(40.0) - 17, 0, 5) * 20 - 7
    assert resolution.peak_gradient(edge, spacing=0.5) == pytest.approx(0.4)
    assert resolution.overshoot(edge) == 0
    ringing = edge.copy()
    ringing[23] += 10
    assert resolution.overshoot(ringing) == pytest.approx(10)
    assert resolution.overshoot(ringing[::-1]) == pytest.approx(10)
    assert resolution.peak_gradient([3.0, 5.0]) == 1
    assert resolution.peak_gradient(np.arange(40) >= 29) == 1  # a plateau of a quarter is enough
    with pytest.raises(ValueError, match="no step"):
        resolution.overshoot(np.arange(40) == 20)


# Statistics


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        shared = rng.normal(30, 5, 40)
        interval = statistics.paired_bootstrap(shared + 0.5 + rng.normal(0, 1, 40), shared, resamples=400, seed=trial)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_bootstrap_repeats_itself_and_needs_pairs():
    a, b = np.arange(10.0), np.arange(10.0)[::-1]
    assert statistics.paired_bootstrap(a, b) == statistics.paired_bootstrap(a, b)
    assert not statistics.paired_bootstrap(a, b).excludes_zero
    assert statistics.paired_bootstrap([1.0, 3.0], [0.0, 0.0]) == statistics.Interval(2.0, 1.0, 3.0)
    for pair in ((a, b[:-1]), ([1.0], [0.0])):
        with pytest.raises(ValueError, match="paired"):
            statistics.paired_bootstrap(*pair)


@pytest.mark.parametrize(
    ("low", "high", "significant"),
    [(0.1, 1, True), (-1, -0.1, True), (-1, 1, False), (0, 1, False), (-1, 0, False), (-1, 0.5, False)],
)
def test_a_difference_is_significant_if_its_interval_excludes_zero(low, high, significant):
    assert statistics.Interval(0.5, low, high).excludes_zero is significant
