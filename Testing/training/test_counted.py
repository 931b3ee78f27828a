"""Counted images and their pilots on Anscombe's scale."""

from __future__ import annotations

import numpy as np
import pytest

from training import recipe
from training.data.counted import SIDE, Counted, counted
from training.trainers.loop import train

SHARES = {"organs": 1.0, "shapes": 1.0}
BONE = {"patients": {"whole_body": 1, "chest_pelvis": 0, "spect": 0}, "held_out": 1}


@pytest.fixture(scope="module")
def source(data_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("counted")
    made = Counted(folder, shares=SHARES, bone=BONE, counted=3, held_out=2, processes=1, planted=1.0)
    made.prepare(("train", "validation"))
    return made


def test_the_noise_has_variance_1_and_its_pilots_less():
    clean = np.full((96, 96), 0.4, np.float32)
    clean[:, :40] = 0.9
    for seed in (0, 3, 4):  # of several counts
        noisy, first, second, target = counted(clean, np.random.default_rng(seed))
        assert np.square(noisy - target).mean() == pytest.approx(1, abs=0.12)
        assert max(np.square(pilot - target).mean() for pilot in (first, second)) < 0.3


def test_samples_are_parts_of_images_with_the_clean_one_and_its_lesions(source):
    planted = 0
    for seed in range(8):
        found = source.sample(np.random.default_rng(seed))
        assert found["stack"].shape == (3, 80, 80)
        assert found["lesions"].dtype == bool
        planted += found["lesions"].any()
    assert planted
    assert np.array_equal(source.sample(np.random.default_rng(7))["stack"], found["stack"])
    stacks, clean = source.held_out(0)
    assert (stacks.shape, clean.shape) == ((1, 3, SIDE, SIDE), (1, SIDE, SIDE))


def test_patients_of_validation_are_in_no_training(source):
    assert not set(source.patients("train")) & set(source.patients("validation"))
    assert source.drawn(np.random.default_rng(0), "validation")["clean"].shape == (SIDE, SIDE)


def test_the_recipe_trains_and_its_score_is_the_gain_over_bm3d(data_folder, tmp_path):
    settings = [f"data.arguments.{name}" for name in ("counted=2", "held_out=1", "processes=1")]
    settings += ["schedule.steps=3", "schedule.batch=2", "validation.every=3", "validation.patients=1"]
    wanted = recipe.read("counts", [*settings, "network.arguments.width=8"])
    wanted.data.arguments.update(shares=SHARES, bone=BONE)
    out = train(wanted, tmp_path / "out", tmp_path, device="cpu")
    score = float((out / "curve.csv").read_text().splitlines()[-1].split(",")[-2])
    assert abs(score) < 1
