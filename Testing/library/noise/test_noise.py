"""Noise models add the noise they promise, make it Gaussian, and undo that without bias."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib import noise
from MedRestoreLib.noise import rice
from MedRestoreLib.noise.bmode import simulate_bmode, simulate_envelope
from MedRestoreLib.noise.poisson import add_literal, add_peak, add_physical, peak_counts, thin

DRAWS = 400_000


def flat(value: float, draws: int = DRAWS) -> np.ndarray:
    return np.full((1, 1, 1, draws), value, np.float32)


def bound(id: str, level: float, reference: float = 1.0) -> noise.Noise:
    return noise.model(id)(level, reference)


# Simulation


@pytest.mark.parametrize("id", noise.IDS)
def test_noise_is_reproducible_float32_and_leaves_its_input_alone(id):
    clean = np.linspace(0, 90, 4000, dtype=np.float32).reshape(2, 5, 20, 20)
    before = clean.copy()
    noisy = [noise.model(id).add(clean, 0.5, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert noisy[0].dtype == np.float32
    assert noisy[0].shape == clean.shape
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])
    assert np.array_equal(clean, before)


@pytest.mark.parametrize(
    ("id", "level", "value"),
    [("gaussian", 7.0, 50.0), ("poisson", 1.0, 12.0), ("poisson", 40.0, 0.7), ("speckle", 0.25, 60.0)],
)
def test_noise_has_the_mean_and_standard_deviation_it_promises(id, level, value):
    noisy = noise.model(id).add(flat(value), level, np.random.default_rng(0)).astype(float)
    expected = float(bound(id, level).std(np.float32([value]))[0])
    assert noisy.mean() == pytest.approx(value, abs=5 * expected / DRAWS**0.5)
    assert noisy.std() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("amplitude", [0.0, 0.7, 2.0, 5.0, 30.0])
def test_rician_standard_deviation_is_that_of_the_magnitude(amplitude):
    clean = flat(amplitude)
    clean[..., 0] = 100.0  # the maximum: 1 % of it is the unit
    noisy = noise.model("rician").add(clean, 1.0, np.random.default_rng(1))[..., 1:]
    assert noisy.std() == pytest.approx(float(bound("rician", 1.0, 100.0).std(clean[..., 1])[0, 0, 0]), rel=0.01)


def test_rician_air_is_rayleigh():
    clean = flat(0.0)
    clean[..., 0] = 200.0
    air = noise.model("rician").add(clean, 5.0, np.random.default_rng(2))[..., 1:]
    assert air.mean() == pytest.approx(1.2533 * 10, rel=0.005)
    assert np.median(air) == pytest.approx(1.1774 * 10, rel=0.005)
    assert air.std() == pytest.approx(0.6551 * 10, rel=0.01)


def test_more_coils_raise_the_power_of_the_air():
    clean = flat(0.0)
    clean[..., 0] = 100.0
    air = noise.model("rician").add(clean, 1.0, np.random.default_rng(3), n_coils=4)[..., 1:]
    assert np.mean(air.astype(float) ** 2) == pytest.approx(8.0, rel=0.01)  # 2 channels of 4 coils


def test_literal_poisson_has_the_psnr_of_the_published_table():
    image = np.random.default_rng(0).integers(60, 160, (256, 256)).astype(np.float32)
    for level in (10, 20, 40):
        error = add_literal(image, level, np.random.default_rng(level)) - image
        psnr = 10 * np.log10(255**2 / np.mean(error.astype(float) ** 2))
        assert psnr == pytest.approx(20 * np.log10(255 / np.sqrt(level + level**2)), abs=0.05)


def test_peak_counts_give_noise_of_level_grey_values_at_the_brightest_pixel():
    for level in (1, 10, 50):
        noisy = add_peak(flat(1.0), peak_counts(level), np.random.default_rng(0))
        assert 255 * noisy.std() == pytest.approx(level, rel=0.01)


def test_thinned_counts_are_poisson_and_independent_of_the_rest():
    counts = np.random.default_rng(0).poisson(20.0, DRAWS).astype(np.float32)
    kept = thin(counts, 0.25, np.random.default_rng(1))
    assert kept.mean() == pytest.approx(5.0, rel=0.01)
    assert kept.var() == pytest.approx(5.0, rel=0.02)
    assert abs(np.corrcoef(kept, counts - kept)[0, 1]) < 0.01
    assert np.all((kept >= 0) & (kept <= counts) & (kept == np.rint(kept)))


@pytest.mark.parametrize("counts", [[1.5, 2.0], [-1.0, 3.0], [np.nan, 1.0]])
def test_what_is_not_counts_is_not_thinned(counts):
    with pytest.raises(ValueError, match="counts"):
        thin(np.float32(counts), 0.5, np.random.default_rng(0))


def test_impossible_fractions_and_negative_activity_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="fraction"):
        thin(np.float32([3.0]), 1.5, rng)
    with pytest.raises(ValueError, match="zero or more"):
        noise.model("poisson").add(np.float32([-1.0]), 1.0, rng)


def test_a_gamma_camera_blurs_before_it_counts():
    point = np.zeros((1, 1, 65, 65), np.float32)
    point[..., 32, 32] = 1.0
    counts = add_physical(point, 1e7, background=5.0, psf_fwhm=6.0, rng=np.random.default_rng(0))
    profile = counts[0, 0, 32] - 5.0
    assert np.count_nonzero(profile > profile.max() / 2) in (5, 6, 7)
    assert counts.sum() == pytest.approx(1e7 + 5 * 65**2, rel=0.005)
    assert counts[..., :8, :8].mean() == pytest.approx(5.0, abs=1.0)


@pytest.mark.parametrize(("dist", "mean"), [("gaussian", 0.0), ("rayleigh", 0.3 * 1.2533), ("gamma", 0.0)])
def test_speckle_multipliers_have_their_moments(dist, mean):
    noisy = noise.model("speckle").add(flat(10.0), 0.3, np.random.default_rng(0), dist=dist).astype(float) / 10 - 1
    assert noisy.mean() == pytest.approx(mean, abs=0.003)
    assert noisy.std() == pytest.approx(0.3 * (0.6551 if dist == "rayleigh" else 1.0), rel=0.01)


def test_speckle_options_do_what_they_say():
    add, rng = noise.model("speckle").add, np.random.default_rng
    assert add(flat(16.0), 0.2, rng(0), gamma_exp=0.5).std() == pytest.approx(4 * 0.2, rel=0.01)
    clipped = add(flat(0.5), 0.75, rng(0), clip=True)
    assert clipped.min() == 0.0
    assert clipped.max() == 1.0
    with pytest.raises(ValueError, match="dist"):
        add(flat(1.0), 0.2, rng(0), dist="cauchy")


@pytest.mark.parametrize(("looks", "log_intensity_std"), [(1, 1.283), (2, 0.803), (4, 0.533)])
def test_bmode_speckle_is_fully_developed(looks, log_intensity_std):
    envelope = simulate_envelope(np.full((600, 600), 3.0), np.random.default_rng(0), looks=looks).astype(float)
    assert np.mean(envelope**2) == pytest.approx(9.0, rel=0.02)
    assert np.log(envelope**2).std() == pytest.approx(log_intensity_std, rel=0.03)
    if looks == 1:
        assert envelope.mean() / envelope.std() == pytest.approx(1.913, rel=0.02)


def test_bmode_display_is_logarithmic_and_wider_along_the_beam_s_width():
    image = simulate_bmode(np.ones((500, 500)), np.random.default_rng(0), 1.0, 3.0, dynamic_range_db=60)
    assert image.dtype == np.float32
    assert image.min() >= 0.0
    assert image.max() == 1.0
    assert image.std() == pytest.approx(5.57 / 60, rel=0.03)
    centred = image - image.mean()
    along_rows = (centred[2:] * centred[:-2]).mean()
    along_columns = (centred[:, 2:] * centred[:, :-2]).mean()
    assert along_columns > 1.5 * along_rows
    assert not simulate_bmode(np.zeros((8, 8)), np.random.default_rng(0)).any()


# Variance stabilisation


@pytest.mark.parametrize("counts", [4, 6, 10, 30, 100, 1000])
def test_stabilised_counts_have_unit_noise(counts):
    stabilised = bound("poisson", 2.5).stabilise(np.random.default_rng(0).poisson(counts, DRAWS) / 2.5)
    assert stabilised.std() == pytest.approx(1.0, abs=0.03)


def rician_draws(amplitude: float) -> np.ndarray:
    real, imaginary = np.random.default_rng(0).standard_normal((2, DRAWS))
    return 8.0 * np.hypot(real + amplitude, imaginary)  # noise of 8: 4 % of 200


@pytest.mark.parametrize("amplitude", [0, 0.3, 0.6, 1, 1.3, 2, 3, 5, 7, 10, 13.5, 14.5, 40, 3000])
def test_stabilised_magnitudes_have_unit_noise(amplitude):
    stabilised = bound("rician", 4.0, 200.0).stabilise(rician_draws(amplitude))
    assert stabilised.std() == pytest.approx(1.0, abs=0.035)  # 0.03, and the standard error of the draws


@pytest.mark.parametrize("value", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("level", [0.05, 0.15, 0.3])
def test_stabilised_speckle_has_unit_noise_at_the_reference_and_close_to_it_elsewhere(value, level):
    draws = value * (1 + level * np.random.default_rng(0).standard_normal(DRAWS))
    tolerance = 0.01 if value == 0.3 else 0.06
    assert bound("speckle", level, 0.3).stabilise(draws).std() == pytest.approx(1.0, abs=tolerance)


@pytest.mark.parametrize(
    ("id", "level", "reference", "truth"),
    [
        *[("poisson", 1.0, 1.0, counts) for counts in (1, 2, 3, 5, 20, 500)],
        *[("rician", 4.0, 200.0, 8 * amplitude) for amplitude in (0.5, 1, 1.5, 2, 4, 10, 14, 50, 2000)],
        *[("speckle", level, 0.3, value) for level in (0.1, 0.3, 0.75) for value in (0.01, 0.3, 5.0)],
        ("gaussian", 5.0, 1.0, 20.0),
    ],
)
def test_the_inverse_of_the_mean_is_the_truth(id, level, reference, truth):
    rng = np.random.default_rng(0)
    draws = {
        "poisson": lambda: rng.poisson(truth, DRAWS),
        "rician": lambda: rician_draws(truth / 8),
        "speckle": lambda: truth * (1 + level * rng.standard_normal(DRAWS)),
        "gaussian": lambda: truth + level * rng.standard_normal(DRAWS),
    }[id]()
    model = bound(id, level, reference)
    restored = float(model.unbiased_inverse(np.array([model.stabilise(draws).mean(dtype=float)]))[0])
    assert restored == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize("id", noise.IDS)
@settings(max_examples=25)
@given(values=st.lists(st.floats(0, 1e5, width=32), min_size=2, max_size=50), level=st.floats(0.01, 2.0))
def test_both_ways_keep_the_order_of_grey_values(id, values, level):
    model = bound(id, level, 50.0)
    ordered = np.sort(np.float32(values))
    stabilised = model.stabilise(ordered)
    assert np.all(np.diff(stabilised) >= 0)
    assert np.all(np.diff(model.unbiased_inverse(stabilised)) >= 0)
    assert np.all(np.isfinite(model.unbiased_inverse(stabilised)))
    assert np.all(model.std(ordered) >= 0)


@pytest.mark.parametrize("id", noise.IDS)
def test_models_work_on_any_shape_and_on_parts(id):
    model = bound(id, 0.2, 50.0)
    voxels = np.random.default_rng(0).uniform(0, 100, (2, 3, 40, 50)).astype(np.float32)
    for function in (model.stabilise, model.unbiased_inverse, model.std):
        whole = function(voxels)
        assert whole.dtype == np.float32
        assert whole.shape == voxels.shape
        assert np.array_equal(function(voxels[1, 2, ::3]), whole[1, 2, ::3])


def test_the_expected_stabilised_magnitude_inverts_to_its_amplitude():
    amplitudes = np.array([0.0, 0.5, 2.0, 9.0, 13.9, 14.1, 50.0, 1000.0])
    np.testing.assert_allclose(rice.unbiased_inverse(rice.expected(amplitudes)), amplitudes, atol=2e-3)


def test_values_below_the_noise_invert_to_nothing():
    assert bound("rician", 4.0, 200.0).unbiased_inverse(np.float32([-5.0, 0.0, 1.0])).max() == 0.0
    assert bound("poisson", 1.0).unbiased_inverse(np.float32([-5.0, 0.0, 1.2])).max() == 0.0


def test_an_unknown_model_is_a_key_error():
    with pytest.raises(KeyError):
        noise.model("cauchy")
