"""Training does what its recipes say, again and again the same, and can be stopped at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from Testing.support.paths import REPOSITORY
from Testing.support.small_trainings import smoke, smoke_settings
from training import build, checkpoint
from training import recipe as recipes
from training.recipe import RecipeError
from training.trainers.loop import train
from training.trainers.schedule import Progress, seconds


def weights(folder: Path) -> dict[str, torch.Tensor]:
    saved = checkpoint.read(folder)
    trainer = {f"{part}.{k}": v for part in ("network", "critic") for k, v in saved["trainer"].get(part, {}).items()}
    return {**saved["average"], **trainer}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# Recipes


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_trains_and_can_be_used(name, pictures, tmp_path):
    recipe = smoke(name, pictures)
    folder = train(recipe, tmp_path / "run", tmp_path, device="cpu")
    again, _, saved = build.trained(folder)
    assert again == recipe
    assert saved["progress"]["step"] == 2
    assert np.isfinite(saved["rows"][-1]["loss"])
    assert np.isfinite(saved["rows"][-1]["val score"])
    start = build.network(recipe).state_dict()
    assert any(not torch.equal(start[key], value) for key, value in saved["trainer"]["network"].items())
    assert (folder / "curve.csv").read_text().startswith("step,")
    assert (folder / "curve.png").stat().st_size > 1000
    assert json.loads((folder / "recipe.json").read_text())["name"] == recipe.name


FITTING = {
    "p_peak": "emanet_bone_literal",
    "mse": "emanet_bone_literal",
    "literal_dncnn": "dncnn_bone",
    "literal_level_net": "level_net_bone",
    "for_cpu": "emanet_bone_literal",
    "on_noisy": "seunet_lesions",
    "on_restored": "seunet_lesions",
    "sigma25": "unet_busi",
    "sigma50": "unet_busi",
    "sigma75": "unet_busi",
    "p_8bit": "unet_busi",
    "shared_blocks": "dran_busi",
    "of_noise": "dncnn_busi",
    "alpha0": "unet_att",
    "alpha0_literal": "unet_att_literal",
    "noisy_teacher": "unet_att",
    "trained_resnet": "unet_att",
    "guarded": "unet_att_literal",
    "ungated": "unet_att",
    "larger_steps": "unet_att_literal",
    "heads": "unet_att_small",
}


@pytest.mark.parametrize("override", [name for name in recipes.overrides() if name != "smoke"])
def test_every_override_changes_the_recipe_it_is_for(override):
    base = FITTING.get(override, "emanet_bone")
    changed, plain = recipes.read(f"{base}+{override}").to_dict(), recipes.read(base).to_dict()
    assert {key for key in plain if changed[key] != plain[key]} > {"name"}


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
        train(smoke("emanet_bone", pictures, setting), tmp_path / "run", tmp_path, device="cpu")


# Resumption


def kill_during(recipe_settings: list[str], name: str, pictures: Path, out: Path, step: int) -> None:
    """Train in another process and kill it once a checkpoint of ``step`` is written."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom Testing.support.small_trainings import smoke\n"
        "from training.trainers.loop import train\n"
        "name, pictures, out, *settings = sys.argv[1:]\n"
        "recipe = smoke(name, Path(pictures), *settings)\n"
        "train(recipe, Path(out), Path(out), device='cpu', checkpoint_every=0.0)\n"
    )
    command = [sys.executable, "-c", code, name, str(pictures), str(out), *recipe_settings]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if (out / checkpoint.FILE).exists() and checkpoint.read(out)["progress"]["step"] >= step:
                break
            time.sleep(0.01)
        process.kill()


@pytest.mark.parametrize("name", ["dncnn_bone", "wgan_vgg_bone"])
def test_a_killed_and_resumed_training_gives_the_weights_of_an_undisturbed_one(name, pictures, tmp_path):
    settings = ["schedule.steps=12", "schedule.warm_up=3", "validation.every=4"]
    recipe = smoke(name, pictures, *settings)
    undisturbed = train(recipe, tmp_path / "undisturbed", tmp_path, device="cpu")
    kill_during(settings, name, pictures, tmp_path / "killed", step=3)
    at = checkpoint.read(tmp_path / "killed")["progress"]["step"]
    assert 3 <= at < 12
    resumed = train(recipe, tmp_path / "killed", tmp_path, resume=True, device="cpu")
    assert same(weights(undisturbed), weights(resumed))
    curves = [[line.split(",") for line in (f / "curve.csv").read_text().splitlines()] for f in (undisturbed, resumed)]
    minutes = curves[0][0].index("minutes")
    assert [r[:minutes] + r[minutes + 1 :] for r in curves[0]] == [r[:minutes] + r[minutes + 1 :] for r in curves[1]]


def test_a_training_leaves_small_numbers_to_the_process_it_ran_in(pictures, tmp_path):
    """Small numbers flushed to zero, for speed, make SciPy's k-d tree recurse until the interpreter crashes."""
    train(smoke("dncnn_bone", pictures), tmp_path / "run", tmp_path, device="cpu")
    assert np.nextafter(0.0, 1.0) > 0


def test_workers_that_prepare_batches_change_nothing(pictures, tmp_path):
    recipe = smoke("dncnn_bone", pictures, "schedule.steps=5")
    alone = train(recipe, tmp_path / "alone", tmp_path, device="cpu")
    helped = train(recipe, tmp_path / "helped", tmp_path, device="cpu", workers=1)
    assert same(weights(alone), weights(helped))


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(pictures, tmp_path):
    runs = [
        train(smoke("dncnn_bone", pictures, f"seed={seed}"), tmp_path / str(k), tmp_path, device="cpu")
        for k, seed in enumerate((0, 0, 1))
    ]
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(runs[2]))


def test_a_training_is_neither_overwritten_nor_resumed_as_another(pictures, tmp_path):
    recipe = smoke("dncnn_bone", pictures)
    train(recipe, tmp_path / "run", tmp_path, device="cpu")
    with pytest.raises(RecipeError, match="--resume"):
        train(recipe, tmp_path / "run", tmp_path, device="cpu")
    other = smoke("dncnn_bone", pictures, "schedule.steps=3")
    with pytest.raises(RecipeError, match="recipe has changed"):
        train(other, tmp_path / "run", tmp_path, resume=True, device="cpu")
    with pytest.raises(RecipeError, match="train first"):
        train(recipe, tmp_path / "nothing", tmp_path, resume=True, device="cpu")


def test_a_training_that_diverges_ends_with_a_sentence_and_leaves_no_spoilt_weights(pictures, tmp_path):
    recipe = smoke("dncnn_bone", pictures, "optimiser.rate=1e30", "schedule.steps=20", "schedule.warm_up=0")
    with pytest.raises(RecipeError, match=r"diverged at step \d+: not a number \(loss"):
        train(recipe, tmp_path / "run", tmp_path, device="cpu", checkpoint_every=1e9)
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_two_processes_under_torchrun_make_the_steps_of_one(pictures, tmp_path):
    settings = ["schedule.steps=4", "schedule.batch=4"]
    arguments = [f"--set={s}" for s in (*smoke_settings(pictures), *settings)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "training"]
    together = tmp_path / "together"
    subprocess.run(
        [*command, "train", "dncnn_bone+smoke", "--device=cpu", f"--out={together}", f"--cache={tmp_path}", *arguments],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        timeout=120,
    )
    alone = train(smoke("dncnn_bone", pictures, *settings), tmp_path / "alone", tmp_path, device="cpu")
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


def test_a_budget_is_kept(pictures, tmp_path):
    start = time.monotonic()
    recipe = smoke("dncnn_bone", pictures, "schedule.warm_up=1", "validation.every=100000")
    folder = train(recipe, tmp_path / "run", tmp_path, device="cpu", budget=4.0)
    assert time.monotonic() - start < 60
    progress = checkpoint.read(folder)["progress"]
    assert progress["step"] == progress["steps"] > 2


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("20m", 1200), ("1.5h", 5400)])
def test_budgets_are_times(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["20", "m", "0s", "-3m", "20 minutes"])
def test_a_budget_without_a_unit_is_refused(text):
    with pytest.raises(RecipeError, match="such as 90s"):
        seconds(text)
