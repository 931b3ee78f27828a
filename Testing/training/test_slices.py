"""Single slices and their pilots: noise of variance 1 on the stabilised scale, whatever kind it is."""

from __future__ import annotations

import numpy as np
import pytest

from training import recipe
from training.build import source
from training.data import SPLITS
from training.data.mixed import KINDS
from training.data.slices import MARGIN, SIDE, Slices, acquired
from training.trainers.loop import train

SHARES = {"fetal_heads": 1.0, "shapes": 1.0}


@pytest.fixture(scope="module")
def slices(data_folder, tmp_path_factory):
    made = Slices(tmp_path_factory.mktemp("slices"), shares=SHARES, slices=2, held_out=1, processes=1)
    made.prepare()
    return made


def test_the_noise_has_variance_1_and_its_pilots_less():
    clean = np.full((SIDE + 2 * MARGIN, SIDE + 2 * MARGIN), 0.5, np.float32)
    clean[:, :60] = 0.8
    for seed in range(4):
        noisy, first, second, target = acquired(clean, np.random.default_rng(seed))
        assert noisy.shape == target.shape == (SIDE, SIDE)
        assert np.square(noisy - target).mean() == pytest.approx(1, abs=0.1)
        assert max(np.square(pilot - target).mean() for pilot in (first, second)) < 0.2


def test_samples_are_parts_of_slices_with_the_clean_one(slices):
    for seed in range(6):
        found = slices.sample(np.random.default_rng(seed))
        assert found["stack"].shape == (3, 80, 80)
        noisy, *pilots = (np.square(image - found["clean"]).mean() for image in found["stack"])
        assert max(pilots) < noisy < 1.5
    assert np.array_equal(slices.sample(np.random.default_rng(5))["stack"], found["stack"])
    stacks, clean = slices.held_out(0)
    assert (stacks.shape, clean.shape) == ((1, 3, SIDE, SIDE), (1, SIDE, SIDE))


def test_heads_that_the_benchmark_measures_are_in_no_training(slices):
    held = {split: {KINDS[kind].subject(path) for kind, path in slices.members(split)} for split in SPLITS}
    assert {"000", "002", "003", "005"} <= held["test"]
    assert not held["train"] & (held["test"] | held["validation"])


def test_the_recipe_trains_and_its_score_is_the_gain_over_bm3d(data_folder, tmp_path):
    settings = [f"data.arguments.{name}" for name in ("slices=2", "held_out=1", "processes=1")]
    settings += ["schedule.steps=3", "schedule.batch=2", "validation.every=3", "validation.patients=1"]
    wanted = recipe.read("slices", [*settings, "network.arguments.width=8"])
    wanted.data.arguments["shares"] = SHARES
    out = train(wanted, tmp_path / "out", tmp_path, device="cpu")
    assert source(wanted, tmp_path).patients("test")
    score = float((out / "curve.csv").read_text().splitlines()[-1].split(",")[-2])
    assert abs(score) < 1
