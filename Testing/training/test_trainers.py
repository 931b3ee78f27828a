"""Training does what its recipes say, again and again the same, and can be stopped at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from Testing.support.paths import REPOSITORY
from Testing.support.small_trainings import smoke, smoke_settings, trained
from training import build, checkpoint
from training import recipe as recipes
from training.recipe import RecipeError
from training.trainers.batches import APART, Batches
from training.trainers.schedule import Progress, seconds


def weights(folder: Path) -> dict[str, torch.Tensor]:
    saved = checkpoint.read(folder)
    trainer = {f"{part}.{k}": v for part in ("network", "critic") for k, v in saved["trainer"].get(part, {}).items()}
    return {**saved["average"], **trainer}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# Recipes

# Recipes whose data a folder of pictures cannot stand in for, and the file that trains them.
ELSEWHERE = {
    "fusion": "test_clips",
    "neighbours_x2": "test_clips",
    "disentangled": "test_unpaired",
    "disentangled_paper": "test_unpaired",
    "cyclegan_mr": "test_unpaired",
    "slices": "test_slices",
    "volume": "test_pilots",
    "counts": "test_counted",
    "seunet_intrapartum": "test_structures",
}


@pytest.mark.parametrize("name", [name for name in recipes.names() if name not in ELSEWHERE])
def test_every_recipe_trains_and_can_be_used(name, pictures, tmp_path):
    recipe = smoke(name, pictures)
    folder = trained(name, pictures, tmp_path)
    saved = checkpoint.read(folder)
    assert build.trained(folder).recipe == recipe
    assert saved["progress"]["step"] == 2
    assert np.isfinite(saved["rows"][-1]["loss"])
    assert np.isfinite(saved["rows"][-1]["val score"])
    start = build.network(recipe).state_dict()
    assert any(not torch.equal(start[key], value) for key, value in saved["trainer"]["network"].items())
    assert (folder / "curve.csv").read_text().startswith("step,")
    assert (folder / "curve.png").stat().st_size > 1000
    assert json.loads((folder / "recipe.json").read_text())["name"] == recipe.name


@pytest.mark.parametrize("override", [name for name in recipes.overrides() if name != "smoke"])
def test_every_override_changes_a_recipe(override):
    def changed(name: str) -> set[str]:
        plain, varied = recipes.read(name).to_dict(), recipes.read(f"{name}+{override}").to_dict()
        return {key for key in plain if varied[key] != plain[key]}

    assert any(changed(name) > {"name"} for name in recipes.names())


def test_an_override_is_laid_over_the_recipe_and_a_setting_over_both():
    recipe = recipes.read("emanet_bone+plain+seed2", ["schedule.steps=7", "optimiser.name=RAdam"])
    assert recipe.name == "emanet_bone+plain+seed2"
    assert recipe.network.arguments["use_md"] is False
    assert (recipe.seed, recipe.schedule.steps, recipe.optimiser.name) == (2, 7, "RAdam")
    assert recipe.schedule.batch == recipes.read("emanet_bone").schedule.batch


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("emanet_bond", [], "did you mean 'emanet_bone'"),
        ("emanet_bone+no_such", [], "no override 'no_such'"),
        ("emanet_bone", ["schedule.stepps=3"], "did you mean 'steps'"),
        ("emanet_bone", ["schedule.steps=many"], "must be of type int"),
        ("emanet_bone", ["schedule.steps"], "KEY=VALUE"),
        ("emanet_bone", ["network=3"], "must be a table"),
        ("emanet_bone", ["losses=[{weight=1.0}]"], "lacks 'name'"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(name, settings, message):
    with pytest.raises(RecipeError, match=message):
        recipes.read(name, settings)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('network={implementation="emanet:NoNet"}', "no such thing"),
        ('network={implementation="nothing:EMANet"}', "no module 'nothing'"),
        ('network={implementation="emanet:EMANet", arguments={wide=3}}', "do not fit emanet:EMANet"),
        ('losses=[{name="guess"}]', "no loss 'guess'"),
        ('optimiser.name="Best"', "no optimiser 'Best'"),
        ('validation.score="beauty"', "no score 'beauty'"),
    ],
)
def test_what_a_recipe_names_must_exist(setting, message, pictures, tmp_path):
    with pytest.raises(RecipeError, match=message):
        trained("emanet_bone", pictures, tmp_path, setting)


# Resumption


# Trains and writes a checkpoint after each step, until it is killed in the middle of one.
KILLED = """
import os, signal, sys
from pathlib import Path
from Testing.support.small_trainings import trained
from training import checkpoint
from training.trainers.supervised import Supervised

step, name, pictures, folder, *settings = sys.argv[1:]
write, update, saved = checkpoint.write, Supervised.update, []

def remembered(where, state):
    write(where, state)
    saved.append(state["progress"]["step"])

def killed(*arguments):
    if saved and saved[-1] == int(step) - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(*arguments)

checkpoint.write, Supervised.update = remembered, killed
trained(name, Path(pictures), Path(folder), *settings, checkpoint_every=0.0)
"""


def kill_in_step(step: int, name: str, pictures: Path, folder: Path, settings: list[str]) -> None:
    """Train in another process, which is killed in the middle of ``step`` (from 1)."""
    command = [sys.executable, "-c", KILLED, str(step), name, str(pictures), str(folder), *settings]
    assert subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL).returncode == -signal.SIGKILL


@pytest.mark.parametrize("name", ["dncnn_bone", "wgan_vgg_bone"])
def test_a_killed_and_resumed_training_gives_the_weights_of_an_undisturbed_one(name, pictures, tmp_path):
    settings = ["schedule.steps=12", "schedule.warm_up=3", "validation.every=4"]
    undisturbed = trained(name, pictures, tmp_path / "undisturbed", *settings)
    kill_in_step(6, name, pictures, tmp_path / "killed", settings)
    assert checkpoint.read(tmp_path / "killed" / f"{name}+smoke")["progress"]["step"] == 5
    resumed = trained(name, pictures, tmp_path / "killed", *settings, resume=True)
    assert same(weights(undisturbed), weights(resumed))
    curves = [[line.split(",") for line in (f / "curve.csv").read_text().splitlines()] for f in (undisturbed, resumed)]
    minutes = curves[0][0].index("minutes")
    assert [r[:minutes] + r[minutes + 1 :] for r in curves[0]] == [r[:minutes] + r[minutes + 1 :] for r in curves[1]]


def test_a_training_leaves_denormal_numbers_to_the_process_it_ran_in(pictures, tmp_path):
    """Denormal numbers flushed to zero, for speed, make SciPy's k-d tree recurse until the interpreter crashes."""
    trained("dncnn_bone", pictures, tmp_path)
    assert np.nextafter(0.0, 1.0) > 0


def test_workers_that_prepare_batches_change_nothing(pictures, tmp_path):
    alone, helped = (
        trained("dncnn_bone", pictures, tmp_path / str(workers), "schedule.steps=5", workers=workers)
        for workers in (0, 1)
    )
    assert same(weights(alone), weights(helped))


def test_a_sample_takes_part_in_as_many_steps_as_told(pictures, tmp_path):
    recipe = smoke("dncnn_bone", pictures, "schedule.reuse=3")
    source = build.source(recipe, tmp_path)
    source.prepare(["train"])
    made = Batches(recipe, source, torch.device("cpu"))
    first, again = (made(number)["noisy"] for number in (0, APART))
    assert len(first) == 3 * recipe.schedule.batch
    assert torch.equal(first[recipe.schedule.batch :], again[: -recipe.schedule.batch])
    assert torch.equal(Batches(recipe, source, torch.device("cpu"))(APART)["noisy"], again), "a resumed training's"


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(pictures, tmp_path):
    runs = [trained("dncnn_bone", pictures, tmp_path / str(k), f"seed={seed}") for k, seed in enumerate((0, 0, 1))]
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(runs[2]))


def test_a_training_is_neither_overwritten_nor_resumed_as_another(pictures, tmp_path):
    trained("dncnn_bone", pictures, tmp_path)
    with pytest.raises(RecipeError, match="--resume"):
        trained("dncnn_bone", pictures, tmp_path)
    with pytest.raises(RecipeError, match="recipe has changed"):
        trained("dncnn_bone", pictures, tmp_path, "schedule.steps=3", resume=True)
    with pytest.raises(RecipeError, match="train first"):
        trained("dncnn_bone", pictures, tmp_path / "nothing", resume=True)


def test_a_training_that_diverges_ends_with_a_sentence_and_leaves_no_spoilt_weights(pictures, tmp_path):
    settings = ("optimiser.rate=1e30", "schedule.steps=20", "schedule.warm_up=0")
    with pytest.raises(RecipeError, match=r"diverged at step \d+: not a number \(loss"):
        trained("dncnn_bone", pictures, tmp_path, *settings, checkpoint_every=1e9)
    assert not list(tmp_path.rglob("checkpoint.pt"))


def test_two_processes_under_torchrun_make_the_steps_of_one(pictures, tmp_path):
    settings = ["schedule.steps=4", "schedule.batch=4"]
    arguments = [f"--set={s}" for s in (*smoke_settings(pictures), *settings)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "training"]
    together = tmp_path / "together"
    run = subprocess.run(
        [*command, "train", "dncnn_bone+smoke", "--device=cpu", f"--out={together}", f"--cache={tmp_path}", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    alone = trained("dncnn_bone", pictures, tmp_path, *settings)
    first, second = weights(together), weights(alone)
    assert all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)


# Time


@given(step=st.integers(0, 999), warm_up=st.integers(0, 300), decay=st.floats(0.05, 0.9))
def test_the_rate_climbs_stays_and_falls_to_zero(step, warm_up, decay):
    schedule = recipes.Schedule(steps=1000, warm_up=warm_up, decay=decay)
    progress = Progress(schedule, None, step=step)
    assert 0 < progress.rate() <= 1
    if warm_up <= step <= 1000 * (1 - decay):
        assert progress.rate() == pytest.approx(1)
    assert Progress(schedule, None, step=1000).rate() == 0


def test_a_budget_fixes_the_steps_when_all_but_the_falling_share_is_spent():
    progress = Progress(recipes.Schedule(steps=10, decay=0.25), budget=100.0, step=300)
    progress.decide(74.0)
    assert progress.steps is None
    assert progress.rate() == 1
    progress.decide(75.0)
    assert progress.steps == 400
    progress.decide(99.0)
    assert progress.steps == 400


def test_a_budget_is_kept_whatever_a_step_takes():
    """Steps take 1 s until 50 s have passed, then 0.25 s: 150 steps are done at 75 s, and the last quarter follows."""
    now = iter([*np.arange(50), *np.arange(50, 200, 0.25)])
    progress = Progress(recipes.Schedule(steps=10, decay=0.25), budget=100.0, clock=lambda: float(next(now)))
    while not progress.finished:
        progress.step += 1
        progress.decide(progress.tick())
    assert progress.step == progress.steps == 200
    assert progress.spent <= 100


def test_a_training_with_a_budget_ends_by_itself(pictures, tmp_path):
    run = trained("dncnn_bone", pictures, tmp_path, "schedule.warm_up=1", "validation.every=100000", budget=2.0)
    progress = checkpoint.read(run)["progress"]
    assert progress["step"] == progress["steps"] > 2


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("20m", 1200), ("1.5h", 5400)])
def test_budgets_are_times(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["20", "m", "0s", "-3m", "20 minutes"])
def test_a_budget_without_a_unit_is_refused(text):
    with pytest.raises(RecipeError, match="such as 90s"):
        seconds(text)
