"""The study itself chooses the method: counts are never given to a network that makes less of them than BM3D."""

from __future__ import annotations

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.evidence.pieces import extreme_pieces
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.plan import revise
from Testing.benchmarks.counts import measure
from Testing.support.phantoms import body
from Testing.support.scintigraphy import ORGANS, with_site


def scan(organ: str, peak: float, site: bool = False, seed: int = 0, **attributes) -> mr.Image:
    rng = np.random.default_rng(seed)
    clean = ORGANS[organ](rng) * np.float32(peak)
    counts = rng.poisson(with_site(clean) if site else clean).astype(np.float32)
    return mr.Image(counts[None, None], **{"spacing": (2.3, 2.3, 1), "modality": "NM", "unit": "counts", **attributes})


@pytest.mark.parametrize(
    ("organ", "peak", "site"),
    [("thyroid", 8, False), ("lung", 250, False), ("kidney", 60, True), ("bars", 250, False), ("flood", 26, False)],
)
def test_what_is_recommended_is_never_worse_than_bm3d(organ, peak, site):
    assert measure(organ, ORGANS[organ], peak, site, seed=0).failures == []


def test_a_network_is_recommended_where_it_does_better_and_the_plan_shows_the_comparison():
    plan = mr.recommend(scan("thyroid", 2000))
    assert plan.method == plan.ranking[0].method == "emanet"
    assert {"emanet", "bm3d"} <= {candidate.method for candidate in plan.ranking}
    assert plan.ranking[0].score < plan.ranking[1].score
    assert plan.to_dict()["ranking"][0]["method"] == "emanet"
    assert "does best" in plan.reason


def test_a_pattern_that_no_patient_has_is_left_to_bm3d():
    assert mr.recommend(scan("bars", 500)).method == "bm3d"


@pytest.mark.parametrize(
    "study",
    [scan("thyroid", 8), scan("thyroid", 2000, spacing=(0.9, 0.9, 1))],
    ids=["too few counts", "pixels too small"],
)
def test_a_network_is_not_recommended_outside_of_what_it_was_validated_on(study):
    assert mr.recommend(study).method == "bm3d"
    report = mr.restore(study, method="emanet").report
    assert any("not validated" in caution for caution in report.cautions)
    assert report.judgement.word != "gain"


def test_a_study_is_always_recommended_the_same():
    study = scan("kidney", 60)
    assert mr.recommend(study).to_dict() == mr.recommend(study).to_dict()


def test_an_injection_site_neither_sets_the_scale_nor_is_lost():
    plain, hot = scan("thyroid", 250), scan("thyroid", 250, site=True)
    plan = mr.recommend(plain, method="emanet", level=1.0)
    scales = [Denoising.of(study, plan, "cpu").scale for study in (plain, hot)]
    assert scales[1] < 3 * scales[0]
    result = mr.restore(hot, plan)
    assert result.report.provenance.totals_factors[0] == pytest.approx(1, abs=0.01)
    spot = (..., slice(4, 25), slice(4, 25))
    assert result.image.voxels[spot].sum() == pytest.approx(hot.voxels[spot].sum(), rel=0.01)


@pytest.mark.parametrize("site", [False, True])
@pytest.mark.parametrize(("peak", "word"), [(2, "careful gain"), (26, "gain")])
def test_hot_uptake_of_two_counts_a_pixel_is_not_called_kept(peak, word, site):
    report = mr.restore(scan("lung", peak, site), method="bm3d", level=1.0).report
    assert report.judgement.word == word
    assert ("hot uptake may be off" in report.judgement.sentence) == (peak == 2)


def test_the_best_strength_is_applied_where_it_is_asked_for():
    clean = mr.Image.from_array(100 * body(96))
    noisy = mr.add_noise(clean, "gaussian", 5.0)
    texture = np.random.default_rng(1).normal(0, 6, (96, 96))  # which no denoiser can tell from noise
    study = mr.add_noise(mr.Image.from_array(100 * body(96) + texture), "gaussian", 5.0)
    assert mr.recommend(noisy, level=5.0).strength == 1.0
    assert mr.recommend(noisy, level=5.0, strength="auto").strength > 0.9
    chosen = mr.recommend(study, level=5.0, strength="auto", method="bm3d")
    assert chosen.strength == chosen.ranking[0].strength < 0.85


def test_a_study_without_torch_or_without_a_level_is_given_the_first_method_that_fits(monkeypatch):
    from MedRestoreLib.pipeline import choice

    monkeypatch.setattr(choice.devices, "has_torch", lambda: False)
    plan = mr.recommend(scan("thyroid", 2000))
    assert (plan.method, plan.ranking) == ("emanet", ())


def test_an_edit_keeps_the_comparison_and_another_method_drops_it():
    study = scan("thyroid", 2000)
    plan = mr.recommend(study)
    assert revise(study, plan, strength=0.5).ranking == plan.ranking
    assert revise(study, plan, method="adf").ranking == ()


def test_pieces_are_bright_dark_and_full_of_edges_and_none_is_taken_twice():
    voxels = np.full((1, 1, 256, 256), 10.0, np.float32)
    voxels[..., :64, :64] = 100.0
    voxels[..., 128:192, 128:192] = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((8, 8))) * 90
    voxels[..., 192:, 192:] = 0.0
    boxes = extreme_pieces(voxels, 64)
    corners = [(box[2].start, box[3].start) for box in boxes]
    assert len(set(corners)) == len(corners) <= 4
    assert {(0, 0), (128, 128)} <= set(corners)
    assert (192, 192) not in corners, "an empty piece shows nothing"
    assert extreme_pieces(voxels[..., :40, :40], 64)[0][2:] == (slice(0, 64), slice(0, 64))
