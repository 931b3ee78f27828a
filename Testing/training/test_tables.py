"""Tables print what was measured, all of it and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from MedRestoreLib import weights
from Testing.support.small_trainings import held_out, trained, write_results
from training import tables
from training.data.folder import Pictures
from training.evaluation import lesions, levels
from training.evaluation.protocols import COUNTS
from training.recipe import RecipeError
from training.shipping import export
from training.tables.results import Result, method_name


def flat(psnr: float) -> dict[float, float]:
    """The same PSNR at every level."""
    return dict.fromkeys(COUNTS, psnr)


def test_a_table_shows_means_over_patients_and_the_spread_over_seeds(tmp_path):
    write_results(tmp_path, {"noisy": flat(20.0), "bm3d_anscombe": flat(30.0)})
    for seed in range(3):
        write_results(tmp_path, {"emanet_bone": flat(31.0 + seed)}, seed=seed)
    table = tables.render("7", "p_peak", tmp_path)
    assert "| noisy | 20.00 / 0.900 |" in table
    assert "| EMANet, recommended | 32.00 ± 1.00 / 0.900 ± 0.000 |" in table
    assert "RED-CNN" not in table
    assert "K 26: +1.00 dB [1.00, 1.00]" in table
    assert "K 163" in table


def test_ablations_average_over_the_paper_s_levels(tmp_path):
    write_results(tmp_path, {"emanet_bone+brief+plain": flat(25.0), "emanet_bone+brief+full": flat(26.0)})
    table = tables.render("4", "p_peak", tmp_path)
    assert table.index("| none | 25.00 / 0.900 |") < table.index("| RDC + MD + RCAG + CF | 26.00 / 0.900 |")


def test_level_networks_and_segmentation_networks_have_rows(pictures, tmp_path):
    source = Pictures(tmp_path, folder=str(pictures), patch=64)
    level_net, segmenter = (trained(name, pictures, tmp_path) for name in ("level_net_bone", "seunet_lesions"))
    estimated = list(levels.results(["HBNE", str(level_net)], held_out(source, patients=1)))
    assert [r.method for r in estimated] == ["HBNE", "level_net_bone+smoke"]
    assert all(1 <= value <= 50 for r in estimated for value in r.values["mean"].values())
    (segmented,) = lesions.results(["noisy"], replace(held_out(source, patients=1), segmenter=segmenter))
    assert segmented.method == "noisy, seunet_lesions+smoke"
    assert set(segmented.values) == {"precision", "iou", "recall", "dice"}
    for result in (*estimated, segmented):
        result.write(tmp_path / "results")
    assert "| HBNE |" in tables.render("6", "p_peak", tmp_path / "results")
    assert "| noisy; seunet_lesions+smoke |" in tables.render("8", "p_peak", tmp_path / "results")


def test_weights_that_ship_have_a_row_without_an_edit(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    write_results(tmp_path / "results", {"level_net_bone+smoke": flat(20.0)})
    assert "20.00" not in tables.render("7", "p_peak", tmp_path / "results")
    export.weights_of(trained("level_net_bone", pictures, tmp_path), "ours")
    assert "| The level network: noise level estimation in bone scans | 20.00" in tables.render(
        "7", folder=tmp_path / "results"
    )


@pytest.mark.parametrize("name", tables.TABLES)
def test_a_table_without_results_says_so(name, tmp_path):
    assert "Nothing measured yet" in tables.render(name, "p_peak", tmp_path)


def test_a_page_leaves_out_what_was_not_measured_and_names_other_data(tmp_path):
    folder = tmp_path / "heads" / "results"
    write_results(folder, {"emanet_bone+brief+plain": flat(25.0)})
    text = tables.write("p_peak", folder).read_text()
    assert text.startswith("# EMANet's tables, p_peak, heads\n")
    assert text.count("## ") == 1
    assert "| none | 25.00 / 0.900 |" in text
    assert (folder.parent / "p_peak.md").read_text() == text


PAGES = [*tables.FOLDER.parent.rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_committed_pages_are_those_of_the_committed_results(page):
    assert tables.page(page.stem, page.parent / "results") == page.read_text(encoding="utf-8")


def test_results_on_other_data_are_not_overwritten(tmp_path):
    def result(data: str) -> Result:
        return Result("restoration", "p_peak", "noisy", {"psnr": {"5": {"0": 40.0}}}, about={"data": data})

    result("bones").write(tmp_path)
    result("bones").write(tmp_path)
    with pytest.raises(RecipeError, match=r"restoration\.p_peak\.noisy\.0\.json holds a result on other data"):
        result("heads").write(tmp_path)


def test_methods_are_named_without_protocol_and_seed():
    assert method_name("emanet_bone+p_lit+seed1") == "emanet_bone"
    assert method_name("emanet_bone+plain+seed2") == "emanet_bone+plain"


def test_blind_enhancement_is_printed_organ_by_organ_against_the_frame_and_against_nllr(tmp_path):
    values = {"psnr": 25.0, "ssim": 0.5, "psnr_nllr": 27.0, "ssim_nllr": 0.7}
    for organ in ("breasts", "heads"):
        found = {name: {"gaussian 50": {"1": value, "2": value}} for name, value in values.items()}
        Result("enhancement", organ, "noisy", found).write(tmp_path)
    against_frame, against_nllr = (tables.render(name, "blurred", tmp_path) for name in ("original", "agreement"))
    assert "| heads (2 frames) | gaussian 50 |" in against_frame
    assert against_frame.count("| as degraded | 25.00 / 0.500 |") == 2
    assert "| as degraded | 27.00 / 0.700 |" in against_nllr
    assert "hips" not in against_frame
