"""What is measured, how it is kept and printed, and what is released."""

from __future__ import annotations

import itertools
import re
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from MedRestoreLib import weights
from MedRestoreLib.metrics.fidelity import psnr
from Testing.support.small_trainings import smoke, smoke_settings, write_frames
from training import build, tables
from training import recipe as recipes
from training.__main__ import app, main
from training.data import degradations
from training.data.folder import Pictures
from training.evaluation import baselines, estimators, evaluate, measure, thinning
from training.recipe import RecipeError
from training.shipping import cards, export
from training.tables.results import Result, method_name, read
from training.trainers.loop import train


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """A dark picture with bright spots: most of it is air."""
    y, x = np.mgrid[:128, :128]
    spots = [a * np.exp(-((y - r) ** 2 + (x - c) ** 2) / 2 / s**2) for a, r, c, s in ((1, 50, 60, 9), (0.6, 80, 70, 5))]
    return np.sum(spots, axis=0).astype(np.float32)


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    """A finished training of two steps."""
    folder = tmp_path_factory.mktemp("run")
    return train(smoke("dncnn_bone", pictures), folder / "run", folder, device="cpu")


@pytest.fixture
def source(pictures, tmp_path) -> Pictures:
    return Pictures(tmp_path, folder=str(pictures), patch=64)


# Baselines and estimators


def test_literal_noise_is_mostly_an_offset(clean):
    """Subtracting what air shows beats BM3D by far, whose result keeps the mean."""
    noisy = degradations.p_lit(clean, 30, np.random.default_rng(0))["noisy"]
    found = {name: psnr(f(noisy, 30), clean, data_range=1.0) for name, f in baselines.PROTOCOLS["p_lit"].items()}
    assert found["noisy"] == pytest.approx(18.46, abs=0.1)
    assert found["bm3d_raw"] == pytest.approx(20 * np.log10(255 / 30), abs=0.2)
    assert found["offset"] > 32
    assert found["bm3d_offset"] > found["offset"]


def test_bm3d_gains_by_anscombe_s_transform(clean):
    noisy = degradations.p_peak(clean, 20, np.random.default_rng(0))["noisy"]
    found = {name: psnr(f(noisy, 20), clean, data_range=1.0) for name, f in baselines.PROTOCOLS["p_peak"].items()}
    assert found["noisy"] + 1 < found["bm3d_raw"] < found["bm3d_anscombe"] - 1


@pytest.mark.parametrize("name", estimators.ESTIMATORS)
def test_calibrated_estimators_tell_the_level(name, source):
    tell = evaluate.calibrated(name, source, 3)
    told = evaluate.levels_told(tell, source, 2, levels=(10.0, 30.0))
    assert told["mean"]["10"] == pytest.approx(10, abs=6)
    assert told["mean"]["30"] == pytest.approx(30, abs=8)


@pytest.mark.parametrize("name", estimators.ESTIMATORS)
def test_estimators_read_nothing_off_an_empty_image(name):
    assert estimators.ESTIMATORS[name](np.zeros((64, 64), np.float32)) == 0


# Measurements


def test_every_method_sees_the_same_noise(source):
    first, second = (
        [(view.level, view.noisy) for view in evaluate.noisy_views(source, "test", 2, "p_peak", (10.0, 40.0))]
        for _ in range(2)
    )
    assert all(a[0] == b[0] and np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0][1], first[1][1])


def test_trainings_and_baselines_are_measured_alike(source, run, tmp_path):
    found = list(measure.restoration(["noisy", "gaussian", str(run)], source, "p_peak", 2))
    assert [r.method for r in found] == ["noisy", "gaussian", "dncnn_bone+smoke"]
    noisy, blurred, learned = (np.mean(list(r.values["psnr"]["20"].values())) for r in found)
    assert noisy == pytest.approx(-10 * np.log10(np.mean([_mean(source, id) for id in source.patients("test")[:2]])
                                                * (20 / 255) ** 2), abs=0.7)  # fmt: skip
    assert blurred > noisy + 3
    assert learned > noisy + 3  # an untrained network smooths
    assert found[2].about["steps"] == 2
    for result in found:
        result.write(tmp_path)
    again = {r.method: r for r in read(tmp_path)}
    assert again["noisy"].values["psnr"]["20"] == pytest.approx(found[0].values["psnr"]["20"], rel=1e-5)


def _mean(source: Pictures, id: int) -> float:
    return float(source.patient(id).clean.mean())


def test_lesions_are_measured_against_their_masks(source):
    truth = {id: source.patient(id).lesions[0] for id in source.patients("test")[:2]}
    masks = iter([mask for mask in truth.values() for _ in (50, 30)])

    def perfect(image: np.ndarray, level: float) -> np.ndarray:
        return np.where(next(masks), 1.0, -1.0)

    found = evaluate.lesions(baselines.noisy, perfect, source, "p_peak", 2, levels=(50.0, 30.0))
    assert all(value == 1 for name in found for by in found[name].values() for value in by.values())
    found = evaluate.lesions(baselines.noisy, lambda image, level: image + 1, source, "p_peak", 2, levels=(50.0,))
    share = {str(id): float(mask.mean()) for id, mask in truth.items()}
    assert found["precision"]["50"] == pytest.approx(share)
    assert set(found["recall"]["50"].values()) == {1.0}


def test_level_networks_and_segmenters_are_measured_like_the_rest(source, pictures, tmp_path):
    level_net, segmenter = (
        train(smoke(name, pictures), tmp_path / name, tmp_path, device="cpu")
        for name in ("level_net_bone", "seunet_lesions")
    )
    told = list(measure.levels(["HBNE", str(level_net)], source, 1))
    assert [r.method for r in told] == ["HBNE", "level_net_bone+smoke"]
    assert all(1 <= value <= 50 for r in told for value in r.values["mean"].values())
    (outlined,) = measure.lesions(["noisy"], source, "p_peak", 1, segmenter)
    assert outlined.method == "noisy, seunet_lesions+smoke"
    assert set(outlined.values) == {"precision", "iou", "recall", "dice"}
    for result in (*told, outlined):
        result.write(tmp_path)
    assert "| HBNE |" in tables.render("6", "p_peak", tmp_path)
    assert "| noisy; seunet_lesions+smoke |" in tables.render("8", "p_peak", tmp_path)


def test_what_is_no_method_is_refused(source):
    with pytest.raises(RecipeError, match="neither a folder"):
        list(measure.restoration(["bm4d"], source, "p_peak", 1))


def test_the_real_scan_thinned_is_predicted_better_when_smoothed(data_folder):
    path = data_folder / thinning.SCAN
    noisy = thinning.measure(thinning.of_views(baselines.noisy), 2, path)
    blurred = thinning.measure(thinning.of_views(baselines.gaussian(1.0)), 2, path)
    for fraction, draw in itertools.product(("0.5", "0.25", "0.1"), ("0", "1")):
        assert blurred["deviance"][fraction][draw] < 0.6 * noisy["deviance"][fraction][draw]
        assert blurred["psnr"][fraction][draw] > noisy["psnr"][fraction][draw]
        assert noisy["total"][fraction][draw] < 1e-6
        assert blurred["total"][fraction][draw] < 5e-3
    assert noisy["deviance"]["0.5"]["0"] != noisy["deviance"]["0.5"]["1"]


def test_the_real_scan_is_drawn_thinned_restored_and_beside_the_counts_left_out(data_folder, tmp_path):
    found = thinning.figure(tmp_path / "scan.png", ("adf",), path=data_folder / thinning.SCAN)
    assert (tmp_path / "scan.png").stat().st_size > 50_000
    assert [one["fraction"] for one in found] == list(thinning.FRACTIONS)
    unsupported, unconfirmed = ([one[name] for one in found] for name in ("unsupported", "unconfirmed"))
    assert all(seen <= unseen < 0.2 for seen, unseen in zip(unsupported, unconfirmed, strict=True))
    assert max(abs(one["total"]) for one in found) < 5e-3


# The command


def test_the_command_leads_from_a_training_to_tables_weights_and_card(run, pictures, tmp_path):
    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    data = [f"--set={s}" for s in smoke_settings(pictures)]
    call("evaluate", "noisy", run, "--patients=1", f"--results={tmp_path}", f"--cache={tmp_path}", *data)
    assert "| noisy |" in call("table", "7", f"--results={tmp_path}")
    call("export", run, "ours", f"--target={tmp_path}")
    assert set(weights.manifest(tmp_path)) == {"ours"}
    call("card", run, "ours", f"--target={tmp_path}")
    assert (tmp_path / "ours.md").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "emanet_bond"], "there is no recipe 'emanet_bond' (did you mean 'emanet_bone'?)"),
        (["train", "dncnn_bone", "--budget", "20"], "a budget is a time"),
        (["evaluate", "noisy", "--measure", "beauty"], "--measure is restoration, lesions, levels, thinning or frames"),
        (["evaluate", "noisy", "--measure", "lesions"], "lesions need --segmenter"),
        (["table", "9"], "there is no table '9'"),
        (["card", "nowhere", "ours"], "train first"),
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


# Tables


def results(tmp_path, values: dict[str, list[float]]) -> None:
    """Restoration results: for each method the PSNR of each seed, for three patients that differ by 1 dB."""
    for method, seeds in values.items():
        for seed, value in enumerate(seeds):
            by = {f"{level:g}": {str(k): value + k - 1 for k in range(3)} for level in evaluate.COUNTS}
            ssim = {level: dict.fromkeys(patients, 0.9) for level, patients in by.items()}
            Result("restoration", "p_peak", method, {"psnr": by, "ssim": ssim}, seed).write(tmp_path)


def test_a_table_shows_means_over_patients_and_the_spread_over_seeds(tmp_path):
    results(tmp_path, {"noisy": [20.0], "bm3d_anscombe": [30.0], "emanet_bone": [31.0, 32.0, 33.0]})
    table = tables.render("7", "p_peak", tmp_path)
    assert "| noisy | 20.00 / 0.900 |" in table
    assert "| EMANet, recommended | 32.00 ± 1.00 / 0.900 ± 0.000 |" in table
    assert "RED-CNN" not in table
    assert "K 26: +1.00 dB [1.00, 1.00]" in table
    assert "K 163" in table


def test_ablations_average_over_the_paper_s_levels(tmp_path):
    results(tmp_path, {"emanet_bone+brief+plain": [25.0], "emanet_bone+brief+full": [26.0]})
    table = tables.render("4", "p_peak", tmp_path)
    assert table.index("| none | 25.00 / 0.900 |") < table.index("| RDC + MD + RCAG + CF | 26.00 / 0.900 |")


@pytest.mark.parametrize("name", tables.TABLES)
def test_a_table_without_results_says_so(name, tmp_path):
    assert "Nothing measured yet" in tables.render(name, "p_peak", tmp_path)


def test_what_is_written_leaves_out_what_was_not_measured_and_names_other_data(tmp_path):
    folder = tmp_path / "heads" / "results"
    results(folder, {"emanet_bone+brief+plain": [25.0]})
    text = tables.write("p_peak", folder).read_text()
    assert text.startswith("# EMANet's tables, p_peak, heads\n")
    assert text.count("## ") == 1
    assert "| none | 25.00 / 0.900 |" in text
    assert (folder.parent / "p_peak.md").read_text() == text


@pytest.mark.parametrize("protocol", ["p_peak", "p_lit"])
@pytest.mark.parametrize("name", tables.TABLES)
def test_the_committed_results_can_be_printed(name, protocol):
    assert tables.render(name, protocol).startswith("## ")


def test_methods_are_named_without_protocol_and_seed():
    assert method_name("emanet_bone+p_lit+seed1") == "emanet_bone"
    assert method_name("emanet_bone+plain+seed2") == "emanet_bone+plain"


# Release


def test_every_recipe_s_data_has_a_card_with_limits_and_tables_that_exist():
    for name in recipes.names():
        origin = cards.of(recipes.read(name))
        assert origin.limits.count("\n- ") >= 2
        assert origin.tables
        assert set(origin.tables) <= set(tables.TABLES)


def test_exported_weights_are_found_verified_and_the_same_network(run, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    for name in ("other", "ours", "ours"):
        export.weights_of(run, name)
    assert set(weights.manifest(tmp_path)) == {"other", "ours"}
    row = weights.find("ours")
    assert row.recipe == "dncnn_bone+smoke"
    _, trained, _ = build.trained(run)
    images, level = torch.rand(1, 1, 32, 32), torch.tensor([0.1])
    with torch.inference_mode():
        assert torch.allclose(row.load()(images, level), trained(images, level), atol=2e-3)
    assert row.path.stat().st_size < 2.2 * sum(p.numel() for p in trained.parameters()) + 10_000


def test_what_ships_can_be_measured_begun_with_and_told_of(run, pictures, source, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    export.weights_of(run, "ours")
    ours, folder = measure.restoration(["ours", str(run)], source, "p_peak", 1)
    assert ours.about["weights"] == "ours"
    assert (ours.method, ours.about["steps"]) == (folder.method, folder.about["steps"])
    assert ours.values["psnr"]["20"] == pytest.approx(folder.values["psnr"]["20"], abs=0.05)  # float16
    recipe = smoke("dncnn_bone", pictures, 'network.start="ours"')
    begun, shipped = build.network(recipe).state_dict(), weights.find("ours").load().state_dict()
    assert all(torch.equal(begun[name], shipped[name]) for name in shipped)
    after = train(recipe, tmp_path / "after", tmp_path, device="cpu")
    assert re.search(r"before that 2 steps .* shipped as ours \|", cards.write(after, "later", tmp_path).read_text())


def test_what_is_neither_a_training_nor_ships_is_refused(source, pictures):
    with pytest.raises(recipes.RecipeError, match="'theirs' is neither a folder of a training, nor weights that ship"):
        list(measure.restoration(["theirs"], source, "p_peak", 1))
    with pytest.raises(recipes.RecipeError, match="'theirs' is neither a folder of a training nor"):
        build.network(smoke("dncnn_bone", pictures, 'network.start="theirs"'))


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


def test_a_card_tells_of_the_training_that_a_network_began_with(run, pictures, tmp_path):
    settings = [f'network.start="{run}"', "degradation.levels=[5.0, 9.0]"]
    after = train(smoke("dncnn_bone", pictures, *settings), tmp_path / "after", tmp_path, device="cpu")
    text = cards.write(after, "ours", tmp_path).read_text()
    assert re.search(r"2 steps in \d+ minutes; .*; before that 2 steps .* with levels = \(1.0, 50.0\) \|", text)


@pytest.mark.parametrize("name", weights.manifest(weights.folder()))
def test_the_cards_have_the_tables_of_the_committed_results(name, tmp_path):
    committed = (cards.FOLDER / f"{name}.md").read_text()
    (tmp_path / f"{name}.md").write_text(committed.replace("| noisy |", "| outdated |"))
    assert cards.renew(name, tmp_path).read_text() == committed
    with pytest.raises(RecipeError, match=r"no card .* to renew"):
        cards.renew(name, tmp_path / "elsewhere")


def test_a_card_tells_what_other_data_a_network_began_with(run, pictures, tmp_path):
    frames = f'{{folders=["{write_frames(tmp_path / "busi")}"], patch=64, processes=1}}'
    settings = [f'network.start="{run}"', f'data={{source="ultrasound:Ultrasound", arguments={frames}}}']
    recipe = smoke("dncnn_bone", pictures, *settings)
    text = cards.write(train(recipe, tmp_path / "after", tmp_path, device="cpu"), "ours", tmp_path).read_text()
    assert re.search(r"before that 2 steps .* on pictures of a folder; see the recipe \|", text)


def test_a_share_of_the_samples_is_written_upon_and_that_text_has_no_noise():
    clean = np.full((96, 96), 0.3, np.float32)
    options = {"model": "speckle", "levels": (0.4, 0.4), "even": True}
    drawn = [
        degradations.draw({"clean": clean}, np.random.default_rng(seed), annotated=0.5, **options) for seed in range(40)
    ]
    written = [np.abs(sample["clean"] - clean) > 0.2 for sample in drawn]
    assert 10 < sum(where.any() for where in written) < 30
    for sample, where in zip(drawn, written, strict=True):
        full = where & (sample["clean"] > 0.95)
        np.testing.assert_allclose(sample["noisy"][full], sample["clean"][full], atol=0.06)
