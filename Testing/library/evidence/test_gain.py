"""The expected gain against the true one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from MedRestoreLib.evidence.gain import expected_gain
from MedRestoreLib.evidence.pieces import typical_pieces
from MedRestoreLib.evidence.strata import Strata
from MedRestoreLib.noise import Spectrum, model
from Testing.support.evidence import phantom, realisations, restored, smooth


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
        gain = expected_gain(noisy, smooth(width), noise)
        after = restored(noisy, noise, width)
        true.append(np.mean((after - clean) ** 2))
        expected.append(gain.expected_risk)
        error.append(gain.standard_error)
        risks = [np.mean((noisy + a * (after - noisy) - clean) ** 2) for a in np.linspace(0, 1, 101)]
        oracle.append(min(risks))
        blend.append(np.mean((noisy + gain.best_strength * (after - noisy) - clean) ** 2))
    assert np.mean(expected) == pytest.approx(np.mean(true), rel=0.07)  # 0.3 dB
    assert np.mean(blend) <= 1.005 * np.mean(oracle)
    assert np.mean(np.abs(np.subtract(expected, true))) < np.mean(error) < 0.25 * np.mean(true)


def test_the_risk_of_magnitudes_is_the_true_one_in_the_studys_unit():
    clean = 100 * phantom()
    noise = model("rician")(8.0, float(clean.max()))
    true, expected = [], []
    for seed in range(20):
        noisy = model("rician").add(clean, 8.0, np.random.default_rng(seed))
        gain = expected_gain(noisy, smooth(0.8), noise)
        expected.append(gain.expected_risk)
        true.append(np.mean((restored(noisy, noise, 0.8) - clean) ** 2))
    assert np.mean(expected) == pytest.approx(np.mean(true), rel=0.1)
    assert gain.domain == "the study's unit squared"


def test_air_that_was_masked_to_zero_does_not_flatter():
    clean = phantom()
    noisy, noise = next(realisations("gaussian", clean, 0.1))
    whole = expected_gain(noisy, smooth(0.8), noise)
    padded = np.pad(noisy, ((0, 0), (0, 0), (96, 96), (96, 96)))
    assert expected_gain(padded, smooth(0.8), noise).gain_db == pytest.approx(whole.gain_db, abs=0.4)


def test_doing_nothing_gains_nothing():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    gain = expected_gain(noisy, lambda voxels: voxels, noise)
    assert gain.gain_db == pytest.approx(0, abs=0.05)
    assert not gain.certain
    assert not gain.loss


def test_blurring_structure_away_is_no_gain():
    noisy, noise = next(realisations("gaussian", phantom(), 0.02))
    gain = expected_gain(noisy, smooth(3), noise)
    assert gain.gain_db < 0
    assert gain.best_strength < 0.5
    assert not gain.certain


@pytest.mark.parametrize("assumed", [0.5, 1.6])
def test_a_wrong_noise_level_is_not_called_a_gain_of_its_size(assumed):
    noisy, _ = next(realisations("gaussian", phantom(), 0.1))
    right = expected_gain(noisy, smooth(0.8), model("gaussian")(0.1))
    wrong = expected_gain(noisy, smooth(0.8), model("gaussian")(0.1 * assumed))
    assert right.reliable
    assert not wrong.reliable


def test_correlated_noise_fails_closed():
    rng = np.random.default_rng(0)
    correlated = gaussian_filter(rng.standard_normal((1, 1, 192, 192)), (0, 0, 0.8, 0.8))
    noisy = (phantom() + 0.1 * correlated / correlated.std()).astype(np.float32)
    gain = expected_gain(noisy, smooth(0.8), model("gaussian")(0.1))
    assert not gain.reliable
    assert "correlated" in gain.sentence


def test_speckle_has_no_estimator_and_says_so():
    noisy, noise = next(realisations("speckle", 100 * phantom(), 0.2))
    gain = expected_gain(noisy, smooth(1), noise)
    assert not gain.available
    assert gain.gain_db is None
    assert "speckle" in gain.sentence
    assert json.loads(json.dumps(gain.to_dict()))["reliable"] is False


def test_a_method_that_returns_nonsense_gains_nothing():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    gain = expected_gain(noisy, lambda voxels: np.where(voxels > 9, np.nan, voxels), noise)
    assert not gain.available
    assert "not numbers" in gain.sentence


@pytest.mark.parametrize(
    ("name", "scale", "level"), [("gaussian", 1.0, 0.1), ("poisson", 40.0, 1.0), ("rician", 100.0, 6.0)]
)
def test_pieces_tell_the_gain_of_the_whole_study(name, scale, level):
    noisy, noise = next(realisations(name, scale * phantom(256), level))
    whole = expected_gain(noisy, smooth(0.8), noise)
    boxes = typical_pieces(noisy, 64)
    assert sum(noisy[box].size for box in boxes) < 0.3 * noisy.size
    part = expected_gain(noisy, smooth(0.8), noise, boxes=boxes, restored=restored(noisy, noise, 0.8))
    assert part.least_db < whole.gain_db
    assert part.most_db is None or part.most_db > whole.gain_db
    assert part.gain_db == pytest.approx(whole.gain_db, abs=1.5)


def test_the_uncertainty_of_the_level_is_in_the_gains():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    sure, unsure = (expected_gain(noisy, smooth(0.8), noise, level_error=error) for error in (0.0, 0.1))
    assert unsure.gain_db == pytest.approx(sure.gain_db, abs=0.6)
    assert sure.reliable
    assert unsure.spread_db is None or unsure.spread_db > max(1.5, 2 * sure.spread_db)
    assert not unsure.reliable
    assert unsure.certain
    assert 0 < unsure.least_db < sure.least_db
    assert "at least" in unsure.sentence


def test_an_injection_site_does_not_drown_the_gain_of_the_anatomy():
    """Its squared errors would be most of the study's: the restoration is judged where the anatomy is."""
    clean = 12 * phantom()
    hot = clean.copy()
    hot[..., 30:36, 30:36] += 5000
    plain, site = (
        expected_gain(model("poisson").add(c, 1.0, np.random.default_rng(0)), smooth(0.8), model("poisson")(1.0))
        for c in (clean, hot)
    )
    assert site.reliable
    assert site.gain_db == pytest.approx(plain.gain_db, abs=0.7)


@pytest.mark.parametrize("level_error", [0.0, 0.05])
def test_the_true_gain_lies_within_the_stated_spread(level_error):
    """The level of each copy is off by as much as it is said to be."""
    clean, rng, hits = phantom(), np.random.default_rng(0), []
    for noisy, _ in realisations("gaussian", clean, 0.1, 40):
        noise = model("gaussian")(0.1 * (1 + level_error * float(rng.standard_normal())))
        gain = expected_gain(noisy, smooth(0.8), noise, level_error=level_error)
        true = 10 * np.log10(0.1**2 / np.mean((smooth(0.8)(noisy) - clean) ** 2))
        hits.append(gain.least_db <= true and (gain.most_db is None or true <= gain.most_db))
    assert np.mean(hits) >= 0.9  # 95 %, and two more by chance


def test_a_seed_repeats_the_estimate():
    noisy, noise = next(realisations("poisson", 20 * phantom(), 1.0))
    first = expected_gain(noisy, smooth(1), noise, seed=3)
    assert first == expected_gain(noisy, smooth(1), noise, seed=3)
    assert first != expected_gain(noisy, smooth(1), noise, seed=4)


def test_an_injection_site_that_fills_much_of_a_piece_does_not_turn_the_verdict():
    clean = 2 * phantom(128)
    y, x = np.indices(clean.shape[2:])
    site = 5000 * np.exp(-((y - 20) ** 2 + (x - 100) ** 2) / (2 * 2.5**2))
    noise = model("poisson")(1.0)
    noisy = model("poisson").add((clean + site).astype(np.float32), 1.0, np.random.default_rng(0))
    after = restored(noisy, noise, 1.0)
    gain = expected_gain(noisy, smooth(1.0), noise, boxes=typical_pieces(noisy, 56), restored=after)
    far = site < 1e-3
    true = 10 * np.log10(np.mean((noisy - clean)[0, 0][far] ** 2) / np.mean((after - clean)[0, 0][far] ** 2))
    assert gain.gain_db == pytest.approx(true, abs=1.5)


@pytest.mark.parametrize("name", ["gaussian", "rician"])
@pytest.mark.parametrize("slices", [1, 24])
def test_noise_that_is_drawn_anew_has_the_models_strength_and_spectrum(name, slices):
    profile = np.linspace(1.75, 0.25, 8)
    spectrum = Spectrum(profile[:, None, None] * profile[:, None] * profile)
    noise = replace(model(name)(5.0, 100.0), spectrum=spectrum)
    clean = np.full((1, slices, 96, 96), 100.0, np.float32)
    drawn = noise.drawn(clean, np.random.default_rng(0)) - clean
    assert drawn.std() == pytest.approx(5.0, rel=0.05)
    neighbours = np.mean(drawn[..., 1:] * drawn[..., :-1]) / drawn.var()
    assert neighbours == pytest.approx(spectrum.autocorrelation(1)[0], abs=0.05)


def test_a_mean_of_pieces_counts_flat_places_and_edges_as_often_as_the_study_has_them():
    """Half of the piece is as bright as a tenth of the study."""
    whole, piece = np.zeros((1, 1, 100, 100), np.float32), np.zeros((1, 1, 40, 40), np.float32)
    whole[..., :10], piece[..., :20] = 5, 5
    everywhere = np.ones(whole.shape, bool), np.ones(piece.shape, bool)
    strata = Strata.of(whole, everywhere[0])
    values = np.where(piece > 0, 3.0, 1.0)
    power = np.ones(whole.shape)
    alike = strata.alike(piece, everywhere[1])
    mean = strata.extended(values[everywhere[1]], np.ones(piece.size), alike, power[everywhere[0]])
    assert mean == pytest.approx(1.2, abs=0.15)
    assert values.mean() == 2


def test_noise_that_is_weaker_in_places_than_the_level_says_promises_no_more_than_there_is():
    """As of several coils: the level holds in one half of the study, and half of it in the other."""
    clean = 100 * phantom(128)
    uneven = np.where(np.arange(128) < 64, 1.0, 0.5).astype(np.float32)
    errors = []
    for seed in range(6):
        noise = model("gaussian")(10.0)
        noisy = clean + 10 * uneven * np.random.default_rng(seed).standard_normal(clean.shape, np.float32)
        after = restored(noisy, noise, 0.6)
        true = 10 * np.log10(np.mean((noisy - clean) ** 2) / np.mean((after - clean) ** 2))
        gain = expected_gain(noisy, smooth(0.6), noise, restored=after)
        assert gain.least_db < true < gain.most_db
        errors.append(gain.gain_db - true)
    assert abs(np.mean(errors)) < 0.7


def test_few_counts_beside_an_injection_site_are_judged_by_the_counts_themselves():
    """The power of their noise is their number: what a method made of them may have another mean."""
    poisson = model("poisson")(1.0)
    counts = np.array([0.0, 3.0], np.float32)
    assert np.array_equal(poisson.seen_variance(counts, np.array([1.0, 1.0])), counts)


@pytest.mark.parametrize("seed", range(3))
def test_fine_texture_that_a_restored_picture_lacks_is_not_promised_away(seed):
    """What lies below the denoiser's threshold is missing where noise is drawn anew; here the error grows in truth."""
    from scipy.fft import dctn, idctn

    def blocks(picture: np.ndarray) -> np.ndarray:
        return picture.reshape(24, 8, 24, 8).swapaxes(1, 2)

    def thresholded(noisy: np.ndarray) -> np.ndarray:
        found = dctn(blocks(noisy[0, 0]), axes=(2, 3), norm="ortho")
        kept = idctn(np.where(np.abs(found) > 2.7, found, 0), axes=(2, 3), norm="ortho")
        return kept.swapaxes(1, 2).reshape(noisy.shape).astype(np.float32)

    rng = np.random.default_rng(seed)
    texture = idctn(rng.laplace(0, 10, (24, 24, 8, 8)), axes=(2, 3), norm="ortho")
    clean = (128 + texture.swapaxes(1, 2).reshape(1, 1, 192, 192)).astype(np.float32)
    noisy = model("gaussian").add(clean, 10.0, rng)
    noise = model("gaussian")(10.0)
    after = noise.unbiased_inverse(thresholded(noise.stabilise(noisy)))
    gain = expected_gain(noisy, thresholded, noise, restored=after)
    true = 10 * np.log10(np.square(noisy - clean).mean() / np.square(after - clean).mean())
    assert gain.gain_db == pytest.approx(true, abs=0.5)
