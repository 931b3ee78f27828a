"""What is released: weights that are the trained network, and cards that say how they came about."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from MedRestoreLib import weights
from Testing.support.small_trainings import held_out, smoke, smoke_settings, trained, write_frames, write_results
from training import build, tables
from training import recipe as recipes
from training.__main__ import app, main
from training.data.folder import Pictures
from training.evaluation import restoration
from training.recipe import RecipeError
from training.shipping import cards, export
from training.shipping.retrain import Job, Retraining

SHIPPED = weights.manifest(weights.folder())


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    return trained("dncnn_bone", pictures, tmp_path_factory.mktemp("run"))


# The command


def test_the_command_leads_from_a_training_to_tables_weights_and_card(run, pictures, tmp_path):
    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    data = [f"--set={s}" for s in smoke_settings(pictures)]
    measured = call("evaluate", "noisy", run, "--patients=1", f"--results={tmp_path}", f"--cache={tmp_path}", *data)
    assert "noisy: psnr " in measured
    assert "| noisy |" in call("table", "7", f"--results={tmp_path}")
    call("export", run, "ours", f"--target={tmp_path}")
    assert set(weights.manifest(tmp_path)) == {"ours"}
    call("card", run, "ours", f"--target={tmp_path}", f"--results={tmp_path}")
    assert "| dncnn_bone+smoke |" in (tmp_path / "ours.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "emanet_bond"], "there is no recipe 'emanet_bond' (did you mean 'emanet_bone'?)"),
        (["train", "dncnn_bone", "--budget", "20"], "a budget is a time"),
        (
            ["evaluate", "noisy", "--measure", "beauty"],
            "--measure is restoration, lesions, levels, thinning, frames, enhancement, resolution, clips, fusion,",
        ),
        (["evaluate", "noisy", "--measure", "lesions"], "lesions need --segmenter"),
        (["evaluate", "noisy", "--protocol", "loud"], "--protocol is one of p_peak, p_lit"),
        (["table", "9"], "there is no table '9'"),
        (["card", "nowhere", "ours"], "'nowhere' is neither a folder of a training"),
    ],
)
def test_a_wrong_command_is_one_line_that_says_what_is_wrong(arguments, message, capsys, monkeypatch, pictures):
    if arguments[0] == "evaluate":
        arguments = [*arguments, *(f"--set={s}" for s in smoke_settings(pictures))]
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"Error: {message}") or message in printed
    assert printed.count("\n") == 1


# Weights


def test_exported_weights_are_found_verified_and_the_same_network(run, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    for name in ("other", "ours", "ours"):
        export.weights_of(run, name)
    assert set(weights.manifest(tmp_path)) == {"other", "ours"}
    row = weights.find("ours")
    assert row.recipe == "dncnn_bone+smoke"
    network = build.trained(run).network
    images, level = torch.rand(1, 1, 32, 32), torch.tensor([0.1])
    with torch.inference_mode():
        assert torch.allclose(row.load()(images, level), network(images, level), atol=2e-3)
    assert row.path.stat().st_size < 2.2 * sum(p.numel() for p in network.parameters()) + 10_000


def test_a_network_for_noise_that_the_library_lacks_cannot_ship(pictures, tmp_path):
    run = trained("dncnn_bone", pictures, tmp_path, 'degradation.model="p_lit"')
    with pytest.raises(RecipeError, match="no noise like p_lit: such networks cannot ship"):
        export.weights_of(run, "ours", tmp_path / "weights")


def test_weights_that_ship_can_be_measured_begun_with_and_told_of(run, pictures, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    export.weights_of(run, "ours")
    test = held_out(Pictures(tmp_path, folder=str(pictures), patch=64), patients=1)
    ours, folder = restoration.results(["ours", str(run)], test)
    assert ours.about["weights"] == "ours"
    assert (ours.method, ours.about["steps"]) == (folder.method, folder.about["steps"])
    assert ours.values["psnr"]["20"] == pytest.approx(folder.values["psnr"]["20"], abs=0.05)  # float16
    start = 'network.start="ours"'
    begun = build.network(smoke("dncnn_bone", pictures, start)).state_dict()
    shipped = weights.find("ours").load().state_dict()
    assert all(torch.equal(begun[name], shipped[name]) for name in shipped)
    after = trained("dncnn_bone", pictures, tmp_path, start)
    assert re.search(r"before that 2 steps .* shipped as ours \|", cards.write(after, "later", tmp_path).read_text())
    export.weights_of(after, "ours")
    text = cards.write(after, "ours", tmp_path).read_text()
    assert "before that the weights that shipped as ours until then |" in text


def test_the_mean_of_two_trainings_can_ship(run, pictures, tmp_path):
    other = trained("dncnn_bone", pictures, tmp_path / "other", "seed=1")
    path = export.weights_of(run, "ours", tmp_path, other)
    shipped = load_file(path)
    both = [build.trained(folder).network.state_dict() for folder in (run, other)]
    for name, value in shipped.items():
        assert torch.allclose(value.float(), (both[0][name] + both[1][name]) / 2, atol=1e-3)
    assert any(not torch.equal(both[0][name], both[1][name]) for name in shipped)
    narrow = trained("dncnn_bone", pictures, tmp_path / "narrow", "network.arguments={width=8}")
    with pytest.raises(RecipeError, match="these differ"):
        export.weights_of(run, "ours", tmp_path, narrow)


def test_a_start_that_is_neither_a_training_nor_ships_is_refused(pictures):
    with pytest.raises(RecipeError, match="'theirs' is neither a folder of a training nor"):
        build.network(smoke("dncnn_bone", pictures, 'network.start="theirs"'))


def test_a_network_that_grew_begins_with_what_it_was_and_with_nothing_else(pictures, tmp_path):
    small = trained("gaussian", pictures, tmp_path, "network.arguments={coarse=0}")
    before = build.trained(small).network.state_dict()
    grown = build.network(smoke("gaussian", pictures, f'network.start="{small}"')).state_dict()
    assert set(grown) > set(before)
    assert all(torch.equal(grown[name], before[name]) for name in before)
    for other in ("network.arguments={pairs=8}", "network.arguments={width=32}"):
        with pytest.raises(RecipeError, match="trained another network"):
            build.network(smoke("gaussian", pictures, f'network.start="{small}"', other))


def test_what_began_with_a_training_that_is_not_there_is_trained_from_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    retraining = Retraining(Path("again"), Path("cache"), 60.0, settings=("seed=3",))
    assert retraining.settings_for(Job("gaussian+grown", ("general",))) == ['network.start=""', "seed=3"]
    assert retraining.settings_for(Job("gaussian", ("general",))) == ["seed=3"]


def test_all_that_ships_is_trained_again_within_a_budget(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "shipped"))
    for name, recipe in {"small": "dncnn_bone", "same": "dncnn_bone", "levels": "level_net_bone"}.items():
        export.weights_of(trained(recipe, pictures, tmp_path / name), name)
    settings = [f"--set={s}" for s in smoke_settings(pictures)]
    command = ["all", "--budget=4s", "--device=cpu", f"--out={tmp_path / 'again'}", f"--cache={tmp_path}", *settings]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    again = weights.manifest(tmp_path / "again" / "weights")
    assert {name: row.recipe for name, row in again.items()} == {
        "small": "dncnn_bone+smoke",
        "same": "dncnn_bone+smoke",
        "levels": "level_net_bone+smoke",
    }
    assert all(row.steps > 2 for row in again.values())
    assert all((tmp_path / "again" / "cards" / f"{name}.md").is_file() for name in again)
    failed = CliRunner().invoke(app, [*command, "--set=optimiser.name=Best"])  # the recipes have changed since
    assert isinstance(failed.exception, RecipeError)
    assert "2 of 2 trainings failed" in str(failed.exception)
    assert "the recipe has changed" in (tmp_path / "again" / "dncnn_bone+smoke" / "log.txt").read_text()


# Cards


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_s_data_has_limits_to_tell(name):
    origin = cards.origin(recipes.read(name))
    assert origin.data
    assert origin.limits.count("\n- ") >= 1


def test_a_paper_s_tables_on_cards_are_the_paper_s():
    for paper in tables.PAPERS:
        assert paper.card
        assert set(paper.card) <= set(paper.tables)


def test_a_card_tells_data_noise_steps_and_limits(run, tmp_path):
    text = cards.write(run, "ours", tmp_path).read_text()
    for expected in (
        "# ours",
        "dncnn:DnCNN",
        "2 steps",
        "pictures of a folder",
        "float16",
        "## Limits",
        "seed 0",
        "levels 1 to 50",
    ):
        assert expected in text


def test_a_card_has_no_table_of_other_data(run, tmp_path):
    write_results(tmp_path, {"noisy": {20.0: 20.0}})
    assert "## PSNR" not in cards.write(run, "ours", tmp_path, tmp_path).read_text()


def test_a_card_tells_of_the_training_that_a_network_began_with(run, pictures, tmp_path):
    after = trained("dncnn_bone", pictures, tmp_path, f'network.start="{run}"', "degradation.levels=[5.0, 9.0]")
    text = cards.write(after, "ours", tmp_path).read_text()
    assert re.search(r"2 steps in \d+ minutes; .*; before that 2 steps .* with levels = \(1.0, 50.0\) \|", text)


def test_a_card_tells_what_other_data_a_network_began_with(run, pictures, tmp_path):
    frames = f'{{folders=["{write_frames(tmp_path / "busi")}"], patch=64, processes=1}}'
    data = f'data={{source="ultrasound:Ultrasound", arguments={frames}}}'
    after = trained("dncnn_bone", pictures, tmp_path, f'network.start="{run}"', data)
    text = cards.write(after, "ours", tmp_path).read_text()
    assert re.search(r"before that 2 steps .* on pictures of a folder; see the recipe \|", text)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_cards_have_the_tables_of_the_committed_results(name, tmp_path):
    committed = (cards.FOLDER / f"{name}.md").read_text()
    (tmp_path / f"{name}.md").write_text(committed.replace("| noisy |", "| outdated |"))
    assert cards.renew(name, tmp_path).read_text() == committed
    with pytest.raises(RecipeError, match=r"no card .* to renew"):
        cards.renew(name, tmp_path / "elsewhere")
