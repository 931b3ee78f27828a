"""Evidence: the expected gain against the true one, and an audit that flags what is wrong and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from MedRestoreLib.evidence import gain as evidence
from MedRestoreLib.evidence.audit import audit
from MedRestoreLib.noise import Noise, model


def phantom(size: int = 192) -> np.ndarray:
    """Discs and a bar in a body, grey values 0.1 to 1, ``(1, 1, size, size)``."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    image = np.full((size, size), 0.1, np.float32)
    image[(x / 0.42) ** 2 + (y / 0.46) ** 2 < 1] = 0.4
    image[(x + 0.1) ** 2 + (y - 0.1) ** 2 < 0.01] = 1.0
    image[(abs(x - 0.2) < 0.02) & (abs(y) < 0.3)] = 0.7
    return image[None, None]


def smooth(width: float):
    """A Gaussian filter in each slice, as a denoiser."""
    return lambda voxels: gaussian_filter(voxels, (0, 0, width, width))


def restored(noisy: np.ndarray, noise: Noise, width: float) -> np.ndarray:
    return noise.unbiased_inverse(smooth(width)(noise.stabilise(noisy)))


def realisations(name: str, clean: np.ndarray, level: float, number: int = 20):
    for seed in range(number):
        noisy = model(name).add(clean, level, np.random.default_rng(seed))
        yield noisy, model(name).bind(noisy, level)


# Expected gain


@pytest.mark.parametrize(
    ("name", "scale", "level", "width"),
    [
        ("gaussian", 1.0, 0.1, 0.7),
        ("gaussian", 1.0, 0.1, 1.2),
        ("poisson", 2.0, 1.0, 0.8),
        ("poisson", 60.0, 1.0, 0.8),
        ("poisson", 12.0, 5.0, 1.0),
    ],
)
def test_expected_risk_is_the_true_one_and_its_best_strength_the_oracles(name, scale, level, width):
    clean = scale * phantom()
    true, expected, error, blend, oracle = [], [], [], [], []
    for noisy, noise in realisations(name, clean, level):
        gain = evidence.expected_gain(noisy, smooth(width), noise)
        after = restored(noisy, noise, width)
        unit = level if name == "poisson" else 1.0  # the risk is in counts
        true.append(unit**2 * np.mean((after - clean) ** 2))
        expected.append(gain.expected_risk)
        error.append(gain.standard_error)
        risks = [np.mean((noisy + a * (after - noisy) - clean) ** 2) for a in np.linspace(0, 1, 101)]
        oracle.append(min(risks))
        blend.append(np.mean((noisy + gain.best_strength * (after - noisy) - clean) ** 2))
    assert np.mean(expected) == pytest.approx(np.mean(true), rel=0.02)
    assert np.mean(blend) <= 1.005 * np.mean(oracle)
    spread = np.std(np.subtract(expected, true))
    assert spread < np.mean(error) < 5 * spread  # never too sure of itself, nor useless


def test_rician_risk_is_the_true_one_on_the_stabilised_scale():
    clean = 100 * phantom()
    noise = model("rician")(8.0, float(clean.max()))
    rng = np.random.default_rng(0)
    true_mean = np.mean([noise.stabilise(model("rician").add(clean, 8.0, rng)) for _ in range(200)], axis=0)
    true, expected = [], []
    for seed in range(20):
        noisy = model("rician").add(clean, 8.0, np.random.default_rng(seed))
        gain = evidence.expected_gain(noisy, smooth(0.8), noise)
        expected.append(gain.expected_risk)
        true.append(np.mean((smooth(0.8)(noise.stabilise(noisy)) - true_mean) ** 2))
    assert np.mean(expected) == pytest.approx(np.mean(true), rel=0.05)  # the stabilised variance is 1 to 3 %
    assert "stabilised" in gain.domain


def test_air_that_was_masked_to_zero_does_not_flatter():
    clean = phantom()
    noisy, noise = next(realisations("gaussian", clean, 0.1))
    whole = evidence.expected_gain(noisy, smooth(0.8), noise)
    padded = np.pad(noisy, ((0, 0), (0, 0), (96, 96), (96, 96)))
    assert evidence.expected_gain(padded, smooth(0.8), noise).gain_db == pytest.approx(whole.gain_db, abs=0.3)


def test_doing_nothing_gains_nothing():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    gain = evidence.expected_gain(noisy, lambda voxels: voxels, noise)
    assert gain.gain_db == pytest.approx(0, abs=0.01)
    assert not gain.reliable
    assert gain.sentence.startswith("No reliable gain")


def test_blurring_structure_away_is_no_gain():
    noisy, noise = next(realisations("gaussian", phantom(), 0.02))
    gain = evidence.expected_gain(noisy, smooth(3), noise)
    assert gain.gain_db < 0
    assert gain.best_strength < 0.5
    assert not gain.reliable


@pytest.mark.parametrize("assumed", [0.5, 1.6])
def test_a_wrong_noise_level_is_not_called_a_gain_of_its_size(assumed):
    noisy, _ = next(realisations("gaussian", phantom(), 0.1))
    right = evidence.expected_gain(noisy, smooth(0.8), model("gaussian")(0.1))
    wrong = evidence.expected_gain(noisy, smooth(0.8), model("gaussian")(0.1 * assumed))
    assert right.reliable
    assert not wrong.reliable


def test_correlated_noise_fails_closed():
    rng = np.random.default_rng(0)
    correlated = gaussian_filter(rng.standard_normal((1, 1, 192, 192)), (0, 0, 0.8, 0.8))
    noisy = (phantom() + 0.1 * correlated / correlated.std()).astype(np.float32)
    gain = evidence.expected_gain(noisy, smooth(0.8), model("gaussian")(0.1))
    assert not gain.reliable
    assert "correlated" in gain.sentence


def test_speckle_has_no_estimator_and_says_so():
    noisy, noise = next(realisations("speckle", 100 * phantom(), 0.2))
    gain = evidence.expected_gain(noisy, smooth(1), noise)
    assert not gain.available
    assert gain.gain_db is None
    assert "speckle" in gain.sentence
    assert json.loads(json.dumps(gain.to_dict()))["reliable"] is False


def test_a_method_that_returns_nonsense_gains_nothing():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    gain = evidence.expected_gain(noisy, lambda voxels: np.where(voxels > 9, np.nan, voxels), noise)
    assert not gain.available
    assert "not numbers" in gain.sentence


def test_a_seed_repeats_the_estimate():
    noisy, noise = next(realisations("poisson", 20 * phantom(), 1.0))
    first = evidence.expected_gain(noisy, smooth(1), noise, seed=3)
    assert first == evidence.expected_gain(noisy, smooth(1), noise, seed=3)
    assert first != evidence.expected_gain(noisy, smooth(1), noise, seed=4)


# Totals


def test_totals_are_sums_of_everything_negative_values_included():
    before = np.full((2, 3, 8, 8), 2.0, np.float32)
    after = before.copy()
    after[1] -= 3  # a negative tail is not clipped
    moved = evidence.totals(before, after, spacing=(2, 2, 5), unit="counts")
    assert (moved.total.before, moved.total.after) == (768, 192)
    assert moved.total.percent == pytest.approx(-75)
    assert [frame.after for frame in moved.frames] == [384, -192]


def test_region_means_follow_brightness_and_sizes_are_physical():
    clean = phantom()
    moved = evidence.totals(clean, 1.1 * clean, spacing=(2.0, 3.0, 1.0), unit="")
    means = [mean.before for mean in moved.regions.values()]
    assert means == sorted(means)
    assert all(mean.percent == pytest.approx(10, abs=1e-3) for mean in moved.regions.values())
    assert sum(moved.sizes.values()) == pytest.approx(192 * 2 * 192 * 3 / 100)
    assert moved.size_unit == "cm²"


def test_nothing_before_has_no_percentage():
    moved = evidence.totals(np.zeros((1, 1, 8, 8)), np.ones((1, 1, 8, 8)), spacing=(1, 1, 1), unit="")
    assert moved.total.percent is None
    assert json.loads(json.dumps(moved.to_dict()))["total"]["percent"] is None


def test_noise_alone_does_not_bias_the_regions_it_is_sorted_into():
    clean = phantom()
    noisy, _ = next(realisations("gaussian", clean, 0.1))
    moved = evidence.totals(noisy, smooth(1)(noisy), spacing=(1, 1, 1), unit="")
    assert all(abs(mean.after - mean.before) < 0.01 for mean in moved.regions.values())


# Audit


@pytest.mark.parametrize(
    ("name", "scale", "level"),
    [("gaussian", 1.0, 0.1), ("poisson", 20.0, 1.0), ("poisson", 4.0, 1.0), ("speckle", 100.0, 0.2)],
)
def test_a_perfect_restoration_raises_no_flag(name, scale, level):
    clean = scale * phantom()
    flags = [audit(noisy, clean, noise).flags for noisy, noise in realisations(name, clean, level, 5)]
    assert flags == [()] * 5


def test_a_perfect_rician_restoration_raises_no_flag_though_its_mean_is_moved():
    clean = 100 * phantom()
    noisy = model("rician").add(clean, 8.0, np.random.default_rng(0))
    assert audit(noisy, clean, model("rician")(8.0, float(clean.max()))).flags == ()


def test_rician_bias_that_was_left_in_is_flagged():
    clean = 100 * phantom()
    noisy = model("rician").add(clean, 15.0, np.random.default_rng(0))
    found = audit(noisy, uniform_filter(noisy, (1, 1, 5, 5)), model("rician")(15.0, float(clean.max())))
    assert found.findings["bias"].flagged


def test_blurred_edges_are_found_as_removed_structure():
    noisy, noise = next(realisations("gaussian", phantom(), 0.05))
    found = audit(noisy, smooth(2)(noisy), noise)
    assert {"variance", "leakage"} <= set(found.flags)


def test_doing_next_to_nothing_is_flagged():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    for after in (noisy, noisy + 0.2 * (phantom() - noisy)):
        found = audit(noisy, after, noise)
        assert found.findings["variance"].flagged
        assert "still noisy" in found.findings["variance"].sentence


def test_removed_correlated_noise_is_not_white():
    rng = np.random.default_rng(0)
    correlated = gaussian_filter(rng.standard_normal((1, 1, 192, 192)), (0, 0, 0.8, 0.8))
    noisy = (phantom() + 0.1 * correlated / correlated.std()).astype(np.float32)
    whiteness = audit(noisy, phantom(), model("gaussian")(0.1)).findings["whiteness"]
    assert whiteness.flagged
    assert whiteness.measures["moran_z"] > 10
    assert whiteness.measures["flatness"] < 0.9


def test_an_invented_lesion_is_found():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    fancy = phantom()
    fancy[..., 60:68, 60:68] += 0.6
    assert "invented" in audit(noisy, fancy, noise).flags
    assert "invented" not in audit(noisy, phantom(), noise).flags


def test_a_shift_of_two_percent_is_found():
    noisy, noise = next(realisations("gaussian", phantom(), 0.05))
    found = audit(noisy, 1.02 * phantom(), noise)
    assert found.flags == ("bias",)
    assert "raised" in found.findings["bias"].sentence


def test_what_was_not_restored_is_not_judged():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    after = noisy.copy()
    after[..., 40:150, 40:150] = phantom()[..., 40:150, 40:150]
    found = audit(noisy, after, noise)
    assert found.flags == ()
    assert found.voxels == pytest.approx(110 * 110, rel=0.1)


def test_masked_air_is_not_judged():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    air = np.zeros_like(noisy)
    found = audit(np.concatenate([noisy, air], axis=1), np.concatenate([phantom(), air], axis=1), noise)
    assert found.flags == ()
    assert found.voxels == noisy.size


def test_an_audit_of_nothing_but_air_has_no_findings():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    found = audit(np.zeros_like(noisy), np.zeros_like(noisy), noise)
    assert found.voxels == 0
    assert not found.findings


def test_a_result_with_holes_is_refused():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    after = phantom()
    after[0, 0, 5, 5] = np.nan
    with pytest.raises(ValueError, match="not numbers"):
        audit(noisy, after, noise)


def test_large_studies_are_sampled_and_small_ones_bear_it():
    large = np.random.default_rng(0).standard_normal((1, 90, 256, 256)).astype(np.float32)
    found = audit(large, np.zeros_like(large), model("gaussian")(1.0))
    assert found.voxels <= evidence.SAMPLE_VOXELS
    assert found.variance_map.shape == (len(found.planes), 256, 256)
    assert max(found.planes) < 90
    small = large[:, :1, :9, :9]
    assert json.loads(json.dumps(audit(small, 0 * small, model("gaussian")(1.0)).to_dict()))["voxels"] == 81


def test_the_real_bone_scan_passes_a_mild_filter(data_folder):
    from MedRestoreLib.files.studies import read

    scan = read(data_folder / "nuclear" / "bone_scan_whole_body.dcm")
    noise = model("poisson").bind(scan.voxels, 1.0)
    gain = evidence.expected_gain(scan.voxels, smooth(0.7), noise)
    assert gain.reliable
    assert 5 < gain.gain_db < 12
    found = audit(scan.voxels, restored(scan.voxels, noise, 0.9), noise)
    assert not {"variance", "whiteness", "invented"} & set(found.flags)
