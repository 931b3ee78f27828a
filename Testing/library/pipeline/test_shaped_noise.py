"""Noise that is coloured or uneven, through the whole path: what is planned, restored and told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.fft import dctn

import MedRestoreLib as mr
from MedRestoreLib.evidence.gain import expected_gain
from MedRestoreLib.noise import Spectrum
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.device import resolve
from MedRestoreLib.pipeline.plan import revise
from MedRestoreLib.service.plain import from_plain, to_plain
from MedRestoreLib.service.preview import preview
from Testing.support.phantoms import simulated_brain
from training.simulate.magnetic import FILTERS, Acquisition, acquire


def decibels(error: np.ndarray, inside: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(error)[inside].mean()))


@pytest.fixture(scope="module")
def filtered() -> tuple[Acquisition, mr.Image]:
    acquired = acquire(simulated_brain(24, 112, 104), "zero_filled_1.5", 4.0, seed=1)
    return acquired, mr.Image(acquired.noisy[None], modality="MR")


@pytest.fixture(scope="module")
def uneven() -> tuple[np.ndarray, np.ndarray, mr.Image]:
    """A clean volume, the standard deviation of its noise, and the noisy study."""
    clean = 100 + 40 * np.sin(np.arange(144) / 40)[:, None] * np.cos(np.arange(144) / 30) * np.ones((16, 1, 1))
    sigma = np.linspace(1.5, 6, 144) * np.ones_like(clean)
    noisy = np.hypot(*(part + sigma * np.random.default_rng(k).standard_normal(clean.shape)
                       for k, part in enumerate((clean, 0))))  # fmt: skip
    return clean, sigma, mr.Image.from_array(noisy, modality="MR")


def test_the_plan_says_what_the_noise_is_and_keeps_saying_so_when_the_level_is_edited(filtered):
    _, study = filtered
    plan = mr.recommend(study)
    assert not plan.careful
    assert "coloured" in plan.noise_words
    assert plan.level == pytest.approx(4.0, rel=0.12)
    assert not plan.remove_bias
    edited = mr.recommend(study, level=3.0)
    assert edited.spectrum is not None
    sent = json.loads(json.dumps(to_plain(plan)))
    assert np.allclose(mr.Plan(**from_plain(sent)).spectrum.density, plan.spectrum.density, rtol=1e-3)


@pytest.fixture(scope="module")
def unsure() -> tuple[Acquisition, mr.Image]:
    """A single slice of filtered noise, too little for the estimate to be sure."""
    acquired = acquire(simulated_brain(24, 112, 104)[12:13], "zero_filled_1.5", 4.0, seed=1)
    return acquired, mr.Image(acquired.noisy[None], modality="MR")


def test_a_recommended_level_that_is_handed_back_is_the_estimate_and_no_ones_word(unsure):
    study = unsure[1]
    plan = mr.recommend(study)
    assert plan.careful
    assert plan.spectrum is not None
    for handed in (
        mr.recommend(study, method=plan.method, noise=plan.noise, level=plan.level),
        revise(study, plan, level=plan.level),
    ):
        assert handed.careful
        assert handed.estimate == plan.estimate
        assert handed.remove_bias == plan.remove_bias
        assert np.array_equal(handed.spectrum.density, plan.spectrum.density)


def test_a_person_who_gives_the_level_does_not_make_filtered_noise_white(unsure):
    acquired, study = unsure
    plan = mr.recommend(study, method="bm3d", level=4.0)
    assert not plan.careful
    assert not plan.remove_bias
    told, white = (
        decibels(mr.restore(study, p).image.voxels[0] - acquired.ideal, acquired.inside)
        for p in (plan, replace(plan, spectrum=None))
    )
    assert told > white + 0.3


def test_a_given_level_far_above_the_studys_own_is_promised_no_gain(filtered):
    gains = [mr.restore(filtered[1], method="adf", level=level).report.gain for level in (4.0, 14.0)]
    assert [gain.available for gain in gains] == [True, False]
    assert "times the one that the study shows" in gains[1].sentence


def test_the_gain_is_that_over_the_mean_magnitude_where_the_bias_is_kept():
    clean = np.pad(simulated_brain(16, 72, 64), ((0, 0), (32, 32), (32, 32)))  # much air
    acquired = acquire(clean, "fermi", 5.0, seed=1)
    study = mr.Image(acquired.noisy[None], modality="MR")
    plan = mr.recommend(study, method="odct3d")
    assert not plan.remove_bias
    result = mr.restore(study, plan)
    mean = np.mean([acquire(clean, "fermi", 5.0, seed=seed).noisy for seed in range(2, 34)], axis=0)
    before, after = (np.square(image.voxels[0] - mean).mean() for image in (study, result.image))
    chance = before / 33  # of the mean of 32; before holds it, too
    true = 10 * np.log10((before - chance) / (after - chance))
    assert result.report.gain.gain_db == pytest.approx(true, abs=0.8)


@pytest.mark.parametrize("kind", ["zero_filled_1.5", "fermi"])
def test_the_gain_that_is_told_of_coloured_noise_is_the_true_one(kind):
    clean = 100 * simulated_brain(16, 72, 72)
    added = np.fft.ifftn(
        np.fft.fftn(np.random.default_rng(0).standard_normal(clean.shape)) * FILTERS[kind](clean.shape)
    )
    added = (4 * added.real / added.real.std()).astype(np.float32)
    blocks = np.lib.stride_tricks.sliding_window_view(added, (8, 8, 8))[::4, ::4, ::4].reshape(-1, 8, 8, 8)
    spectrum = Spectrum.of_blocks(np.square(dctn(blocks, axes=(1, 2, 3), norm="ortho")).mean(axis=0))
    study = mr.Image.from_array(clean + added)
    plan = mr.recommend(study, method="odct3d", noise="gaussian", level=4.0, spectrum=spectrum)
    denoising = Denoising.of(study, plan, resolve("cpu"))
    gain = expected_gain(study.voxels, denoising.on_stabilised, denoising.noise)
    left = np.square(denoising(study.voxels[0]) - clean).mean() / np.square(added).mean()
    assert gain.white
    assert gain.gain_db == pytest.approx(-10 * np.log10(left), abs=0.4)
    blind = Denoising.of(study, replace(plan, spectrum=None), resolve("cpu"))
    assert np.square(blind(study.voxels[0]) - clean).mean() > 1.1 * left * np.square(added).mean()


def test_uneven_noise_is_removed_where_it_is_strong_and_no_more_than_it_where_it_is_weak(uneven):
    clean, sigma, study = uneven
    plan = mr.recommend(study)
    assert "uneven" in plan.noise_words
    told, blind = (mr.restore(study, p).image.voxels[0] for p in (plan, replace(plan, noise_map=None)))
    strong, weak = np.s_[..., 112:], np.s_[..., :32]
    assert np.square(told - clean)[strong].mean() < np.square(blind - clean)[strong].mean()
    removed = np.square(told - study.voxels[0])[weak].mean() / np.square(sigma)[weak].mean()
    assert 0.7 < removed < 1.1


def test_a_preview_of_uneven_noise_is_a_slice_of_the_result(uneven):
    study = uneven[2]
    plan = mr.recommend(study, method="adf", dimensions=2)
    assert plan.noise_map is not None
    whole = mr.restore(study, plan).image.voxels
    np.testing.assert_allclose(preview(study, plan, 0, 5).voxels[0, 0], whole[0, 5], rtol=1e-4)


def test_masked_air_stays_masked_where_the_bias_of_magnitudes_is_kept():
    acquired = acquire(simulated_brain(12, 216, 180), "stripped", 5.0, seed=2)
    study = mr.Image(acquired.noisy[None], modality="MR")
    plan = mr.recommend(study, method="adf", level=5.0, remove_bias=False)
    result = mr.restore(study, plan).image.voxels[0]
    deep = acquired.noisy == 0
    assert np.percentile(np.abs(result[deep]), 90) < 0.05 * acquired.noisy.max()
    dark = acquired.inside & (acquired.ideal < 0.25)
    kept, removed = (
        mr.restore(study, replace(plan, remove_bias=bias)).image.voxels[0][dark].mean() for bias in (False, True)
    )
    assert removed < kept
