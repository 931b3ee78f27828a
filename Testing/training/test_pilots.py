"""Blocks and their pilots: noise of variance 1 on the stabilised scale, whatever kind it is."""

from __future__ import annotations

import numpy as np
import pytest

from MedRestoreLib.noise import rice
from training import recipe
from training.build import source
from training.data.pilots import AROUND, DEPTH, MARGIN, SEEN, SIDE, Pilots, acquired, spectrum_of
from training.simulate.magnetic import coloured, fermi, zero_filled
from training.trainers.loop import train


@pytest.fixture(scope="module")
def pilots(data_folder, tmp_path_factory):
    made = Pilots(
        tmp_path_factory.mktemp("pilots"), shares={"clinical_heads": 1, "shapes": 1}, blocks=2, held_out=1, processes=1
    )
    made.prepare()
    return made


def test_a_block_has_noise_of_variance_1_and_its_pilot_less():
    clean = np.full((DEPTH + 2 * MARGIN[0], *2 * [SIDE + 2 * MARGIN[1]]), 0.5, np.float32)
    clean[:, :60] = 0.8
    for seed in range(3):
        found = acquired(clean, np.random.default_rng(seed))
        assert found.noisy.shape == found.clean.shape == (DEPTH, SIDE, SIDE)
        assert np.square(found.noisy - found.clean).mean() == pytest.approx(1, abs=0.1)
        assert np.square(found.pilot - found.clean).mean() < 0.3


def test_samples_are_slices_of_blocks_with_the_clean_middle_one(pilots):
    for seed in range(10):
        found = pilots.sample(np.random.default_rng(seed))
        assert found["stack"].shape == (SEEN, 64, 64)
        seen = (found["stack"][AROUND], found["stack"][3 * AROUND + 1], *found["stack"][-2:])
        error = [np.square(image - found["clean"]).mean() for image in seen]
        assert max(error[1:]) < error[0]
        assert error[0] == pytest.approx(1, abs=0.2)
    assert np.array_equal(pilots.sample(np.random.default_rng(9))["stack"], found["stack"])


@pytest.mark.parametrize("gains", [fermi, zero_filled(1.5)], ids=["fermi", "zero-filled"])
def test_the_spectrum_of_a_filter_is_that_of_the_noise_that_it_colours(gains):
    noise = coloured(np.random.default_rng(0), (64, 64, 64), gains((64, 64, 64)))
    power = np.square(np.abs(np.fft.fftn(noise)))[:32, :32, :32] / noise.size
    measured = power.reshape(8, 4, 8, 4, 8, 4).mean((1, 3, 5))
    assert np.abs(measured - spectrum_of(gains).density).mean() < 0.15


def test_the_expectation_is_what_the_unbiased_inverse_inverts():
    amplitudes = np.concatenate((np.linspace(0.1, 20, 200), [50.0, 400.0]))
    assert np.allclose(rice.unbiased_inverse(rice.expected(amplitudes)), amplitudes, atol=5e-3)


def test_the_recipe_trains_and_its_score_is_the_gain_over_the_pilot(data_folder, tmp_path):
    settings = [
        "data.arguments.blocks=2",
        "data.arguments.held_out=1",
        "data.arguments.processes=1",
        "schedule.steps=3",
        "schedule.batch=2",
    ]
    settings += ["validation.every=3", "validation.patients=1", "network.arguments.width=8"]
    wanted = recipe.read("volume", settings)
    out = train(wanted, tmp_path / "out", tmp_path, device="cpu")
    assert len(source(wanted, tmp_path).patients("test")) > 10
    score = float((out / "curve.csv").read_text().splitlines()[-1].split(",")[-2])
    assert abs(score) < 1
