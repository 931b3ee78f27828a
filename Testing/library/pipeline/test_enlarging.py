"""An enlarged study fills the same place, keeps its means, and says what of it was not measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib import resampling
from MedRestoreLib.evidence.enlargement import CAUTION, Enlargement, finer_map, finer_than
from MedRestoreLib.evidence.verdict import CAREFUL, HARM, NOT_RELIABLE, judge_enlargement
from MedRestoreLib.methods import bicubic as bicubic_file
from MedRestoreLib.methods import catalogue, steadying
from MedRestoreLib.pipeline import tiles
from MedRestoreLib.reporting.report import Report
from MedRestoreLib.service.preview import preview

GIVEN = {"method": "bicubic", "noise": "gaussian", "level": 5.0}
enlarging = pytest.mark.parametrize(
    ("row", "factor"),
    [pytest.param(row, factor, id=f"{row.id}-{factor}") for row in catalogue.METHODS for factor in row.factors],
)


def frames(shape: tuple[int, ...], seed: int = 0, **about) -> mr.Image:
    """Blobs on a ground, 20 to 220, with some noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 200, [*shape[:2], *(-(-side // 6) + 1 for side in shape[2:])])
    smooth = resampling.enlarged(coarse, 6)[..., : shape[2], : shape[3]]
    return mr.Image(np.clip(smooth + rng.normal(0, 4, shape), 20, 220), modality="US", **about)


def clip(monkeypatch) -> mr.Image:
    """A still scene in seven frames of two slices; bicubic enlargement sharpens, and its frames share detail."""
    row = replace(catalogue.find("bicubic"), across="steadying:steadied")
    monkeypatch.setattr(catalogue, "METHODS", (*catalogue.making(1), row))
    monkeypatch.setattr(bicubic_file, "bicubic", _sharper)
    noise = np.random.default_rng(1).normal(0, 3, (7, 2, 20, 24))
    return replace(frames((1, 2, 20, 24)), voxels=frames((1, 2, 20, 24)).voxels + noise)


def directions() -> st.SearchStrategy[tuple[float, ...]]:
    def turned(angles: tuple[float, float, float]) -> tuple[float, ...]:
        matrix = np.eye(3)
        for axis, angle in enumerate(angles):
            one, other = (axis + 1) % 3, (axis + 2) % 3
            turn = np.eye(3)
            turn[[one, one, other, other], [one, other, one, other]] = (
                np.cos(angle),
                -np.sin(angle),
                np.sin(angle),
                np.cos(angle),
            )
            matrix = matrix @ turn
        return tuple(matrix.ravel())

    return st.tuples(*[st.floats(-3, 3)] * 3).map(turned)


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 4),
    factor=st.integers(2, 4),
    spacing=st.tuples(*[st.floats(0.05, 5)] * 3),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
    direction=directions(),
)
def test_the_corners_of_the_field_of_view_stay_where_they_are(shape, factor, spacing, origin, direction):
    def corners(image: mr.Image) -> np.ndarray:
        _, slices, rows, columns = image.voxels.shape
        ends = np.array([(x, y, z) for x in (-0.5, columns - 0.5) for y in (-0.5, rows - 0.5) for z in (0, slices - 1)])
        return image.origin + (ends * image.spacing) @ np.reshape(image.direction, (3, 3)).T

    study = mr.Image(np.arange(np.prod(shape)).reshape(shape), spacing, origin, direction)
    fine = study.enlarged(factor)
    np.testing.assert_allclose(corners(fine), corners(study), atol=1e-9)
    assert fine.voxels.shape == (*shape[:2], factor * shape[2], factor * shape[3])
    assert fine.direction == study.direction


def test_colour_padding_and_what_is_not_geometry_come_along():
    rng = np.random.default_rng(1)
    colour = mr.Image.from_array(rng.integers(0, 256, (3, 8, 9, 4), np.uint8), axes="fyxc", frame_times=(0, 40, 80))
    fine = colour.enlarged(2)
    assert fine.stored().shape == (3, 1, 16, 18, 4)
    assert fine.stored().dtype == np.uint8
    assert (fine.frame_times, fine.spacing_known) == (colour.frame_times, colour.spacing_known)
    # Red, green, blue and alpha are each what the interpolation of that component alone gives.
    alone = resampling.enlarged(np.moveaxis(colour.stored(), 4, 2), 2)
    difference = np.moveaxis(fine.stored(), 4, 2) - np.clip(np.rint(alone), 0, 255)
    assert np.abs(difference).max() <= 1
    padding = np.full((1, 1, 4, 4), np.nan, np.float32)
    padding[..., :2] = -2000
    padded = mr.Image(rng.uniform(0, 9, (1, 1, 4, 4)), padding=padding).enlarged(3)
    assert (padded.with_padding()[..., :6] == -2000).all()
    assert (padded.with_padding()[..., 6:] > -10).all()


@enlarging
def test_a_method_that_enlarges_gives_so_many_times_the_rows_and_columns_and_leaves_its_input_alone(row, factor):
    given = torch.rand(3, 1, max(row.patch, 16), max(row.patch, 20), generator=torch.Generator().manual_seed(0))
    kept = given.clone()
    with torch.inference_mode():
        result = row.load(factor)(given, 0.0)
    assert result.shape == (3, 1, factor * given.shape[2], factor * given.shape[3])
    assert result.dtype == torch.float32
    assert torch.equal(given, kept)
    assert torch.isfinite(result).all()


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_means_are_kept_and_bicubic_is_the_baseline(factor):
    study = frames((3, 2, 20, 30), spacing=(0.2, 0.1, 4.0))
    result = mr.restore(study, factor=factor, **GIVEN)
    np.testing.assert_allclose(result.image.voxels, study.enlarged(factor).voxels, atol=1e-4)
    np.testing.assert_allclose(result.image.voxels.mean((2, 3)), study.voxels.mean((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(result.removed.voxels, 0, atol=1e-4)
    assert result.removed.same_grid(result.image)
    for change in (result.report.totals.total, *result.report.totals.regions.values()):
        assert abs(change.percent) < 1e-3


def test_nothing_falls_below_zero_unless_the_study_does():
    study = mr.Image(np.kron(np.eye(6), np.full((3, 3), 90.0))[None, None], modality="US")
    assert mr.restore(study, **GIVEN).image.voxels.min() == 0
    below = mr.restore(replace(study, voxels=study.voxels - 40, modality="OT"), **GIVEN).image.voxels
    assert below.min() == -40


@pytest.mark.parametrize("factor", [2, 3])
def test_windows_of_any_size_give_the_same(factor, monkeypatch):
    study = frames((2, 1, 70, 90))
    whole = mr.restore(study, factor=factor, **GIVEN).image.voxels
    monkeypatch.setattr(tiles, "MOST_VOXELS", 900 * factor**2)
    np.testing.assert_array_equal(mr.restore(study, factor=factor, **GIVEN).image.voxels, whole)


@settings(max_examples=15, deadline=None)
@given(strength=st.floats(0, 1), factor=st.integers(2, 3))
def test_strength_and_mask_blend_with_the_bicubic_enlargement(strength, factor):
    study = frames((2, 1, 24, 30))
    mask = np.zeros((24, 30), bool)
    mask[4:20, 6:24] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bicubic_file, "bicubic", _brighter)
        full = mr.restore(study, factor=factor, **GIVEN)
        some = mr.restore(study, factor=factor, strength=strength, **GIVEN)
        inside = mr.restore(study, factor=factor, mask=mask, **GIVEN)
    assert full.removed.voxels.mean() < -5
    np.testing.assert_allclose(some.removed.voxels, strength * full.removed.voxels, atol=1e-3)
    outside = ~resampling.repeated(mask, factor)
    np.testing.assert_allclose(inside.removed.voxels[..., outside], 0, atol=1e-4)
    middle = np.s_[..., 10 * factor : 14 * factor, 12 * factor : 18 * factor]
    np.testing.assert_allclose(inside.removed.voxels[middle], full.removed.voxels[middle], atol=1e-3)


def test_frames_of_a_clip_share_detail_however_it_is_cut(monkeypatch):
    """Each with the frames around it, as they were enlarged apart; at the ends with the two nearest."""
    study = clip(monkeypatch)
    apart = mr.restore(study, together=False, **GIVEN).image.voxels
    whole = mr.restore(study, **GIVEN).image.voxels
    scale = np.float32(study.voxels.max())
    for place, others in ((0, (1, 2)), (1, (0, 2)), (3, (2, 4)), (6, (5, 4))):
        order = [place, *others]
        batches = [torch.from_numpy(values[order, 1:] / scale) for values in (apart, study.voxels)]
        wanted = steadying.steadied(*batches, factor=2)[0, 0].numpy() * scale
        np.testing.assert_allclose(whole[place, 1], wanted, atol=1e-3)
    assert np.abs(whole - apart).max() > 1
    monkeypatch.setattr(tiles, "MOST_VOXELS", 2000)
    np.testing.assert_array_equal(mr.restore(study, **GIVEN).image.voxels, whole)
    for place in (0, 3, 6):
        shown = preview(study, mr.recommend(study, **GIVEN), place, 1)
        np.testing.assert_allclose(shown.voxels[0, 0], whole[place, 1], atol=1e-4)


def test_frames_share_detail_unless_they_are_few_or_shall_not(monkeypatch):
    study = clip(monkeypatch)
    plan = mr.recommend(study, **GIVEN)
    assert plan.together
    assert "flickers less" in plan.reason
    assert not mr.recommend(study, **GIVEN, together=False).together
    pair = replace(study, voxels=study.voxels[:2])
    assert not mr.recommend(pair, **GIVEN).together
    with pytest.raises(mr.InvalidPlan, match="3 frames are needed"):
        mr.recommend(pair, **GIVEN, together=True)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_preview_is_the_slice_of_the_result(factor):
    study = mr.Image.from_array(np.random.default_rng(3).integers(0, 256, (3, 12, 14, 3), np.uint8), axes="fyxc")
    study = replace(study, modality="US", spacing=(0.3, 0.2, 1.0))
    plan = mr.recommend(study, factor=factor, strength=0.5, mask=np.ones((1, 12, 14), bool), **GIVEN)
    shown, result = preview(study, plan, 1, 0), mr.restore(study, plan).image
    np.testing.assert_allclose(shown.voxels[0, 0], result.voxels[1, 0], atol=1e-4)
    np.testing.assert_array_equal(shown.colour[0], result.colour[1])
    assert shown.same_grid(result)


@pytest.mark.parametrize(
    ("modality", "edits", "message"),
    [
        ("US", {"method": "srad", "factor": 2}, "srad does not enlarge; methods that do: .*bicubic"),
        ("US", {"method": "bicubic", "factor": 1}, "not by 1"),
        ("US", {"method": "bicubic", "factor": 7}, "2, 3, 4"),
        ("US", {"factor": 9}, "no method enlarges 9 times"),
        ("US", {"factor": 2.5}, "whole factor"),
        ("US", {"factor": True}, "whole factor"),
        ("US", {"factor": 0}, "whole factor"),
        ("US", {"factor": -2}, "whole factor"),
        ("US", {"factor": "2"}, "whole factor"),
        ("NM", {"factor": 2}, "counts are not enlarged"),
        ("NM", {"method": "bicubic"}, "counts are not enlarged"),
    ],
)
def test_what_cannot_be_enlarged_is_said_before_any_work(modality, edits, message):
    study = replace(frames((1, 1, 20, 24)), modality=modality)
    with pytest.raises(mr.InvalidPlan, match=message) as caught:
        mr.recommend(study, **edits)
    assert caught.value.field == "factor"


def test_a_factor_alone_is_enough_and_a_method_that_enlarges_has_one():
    study = frames((1, 1, 20, 24))
    assert mr.recommend(study).factor == 1
    assert mr.recommend(study, factor=3).factor == 3
    assert mr.recommend(study, method="bicubic").factor == 2
    for modality in ("MR", "CT", "PT", "OT"):
        assert catalogue.find(mr.recommend(replace(study, modality=modality), factor=2).method).factors


@pytest.mark.parametrize("modality", ["US", "MR", "OT"])
def test_the_best_strength_is_the_full_one_where_nothing_can_be_compared(modality):
    study = replace(frames((1, 1, 40, 48)), modality=modality)
    assert mr.recommend(study, method="bicubic", strength="auto").strength == 1.0
    assert mr.recommend(study, factor=2, strength="auto").strength == 1.0


def test_there_is_no_map_of_trust_of_an_enlarged_study():
    study = frames((1, 1, 20, 24))
    plan = mr.recommend(study, **GIVEN)
    with pytest.raises(mr.InvalidPlan, match="no map of trust"):
        mr.trust(mr.restore(study, plan), plan)


def test_the_report_says_that_enlarged_is_not_measured_and_is_kept_in_a_file():
    result = mr.restore(frames((2, 1, 24, 30)), **GIVEN)
    report = result.report
    assert CAUTION in report.notes
    assert "enlarged 2 times in rows and columns" in report.derivation
    assert "not measured" in report.derivation
    assert report.judgement.word == NOT_RELIABLE
    again = Report.from_dict(json.loads(json.dumps(report.to_dict())))
    assert again.enlargement == report.enlargement
    assert again.verdict == report.verdict


def test_consistency_is_that_of_the_reduced_result_with_the_study():
    study = frames((2, 1, 24, 30)).voxels
    bicubic = resampling.enlarged(study, 2)
    exact = bicubic + resampling.enlarged(study - resampling.reduced(bicubic, 2), 2)
    found = Enlargement.of(study, exact, bicubic, 2)
    residual = (resampling.reduced(exact, 2) - study)[..., 4:-4, 4:-4]  # what no edge has a say in
    wanted = 20 * np.log10(np.ptp(study) / np.sqrt(np.mean(residual**2)))
    assert found.consistency_db == pytest.approx(wanted, abs=1e-3)
    assert found.consistency_db > found.bicubic_db + 3
    frame, number, row, column = found.place
    assert abs(residual[frame, number, row - 4, column - 4]) == pytest.approx(found.largest, rel=1e-5)
    assert found.largest == np.abs(residual).max()


def test_the_verdict_is_careful_at_best_and_harm_where_the_study_is_contradicted():
    study = frames((1, 1, 24, 30)).voxels
    bicubic = resampling.enlarged(study, 2)
    exact = bicubic
    for _ in range(20):
        exact = exact + resampling.enlarged(study - resampling.reduced(exact, 2), 2)
    consistent = Enlargement.of(study, exact, bicubic, 2)
    assert judge_enlargement(consistent, learned=True).word == CAREFUL
    assert judge_enlargement(consistent, learned=False).word == NOT_RELIABLE
    lesion = exact.copy()
    lesion[..., 10:26, 10:26] += 120
    found = Enlargement.of(study, lesion, bicubic, 2)
    assert judge_enlargement(found, learned=True).word == HARM
    assert 5 <= found.place[2] < 13
    assert 5 <= found.place[3] < 13


def test_detail_that_was_put_in_is_found_where_it_is():
    rng = np.random.default_rng(5)
    smooth = resampling.enlarged(rng.uniform(0, 100, (1, 1, 8, 8)), 8)
    coarse = resampling.reduced(smooth, 2)
    fine = resampling.enlarged(coarse, 2)
    np.testing.assert_allclose(finer_than(fine, 2), 0, atol=2)
    invented = fine.copy()
    checks = np.indices((16, 16)).sum(0) % 2 * 40.0
    invented[0, 0, 8:24, 40:56] += checks
    share = finer_map(invented, 2)[0, 0]
    assert share.min() >= 0
    assert share.max() <= 1
    assert share[12:20, 44:52].mean() > 10 * share[40:, :24].mean()
    found = Enlargement.of(coarse, invented, fine, 2)
    energy = np.square(finer_than(invented, 2)).sum() / np.square(invented - invented.mean()).sum()
    assert found.finer == pytest.approx(energy, rel=1e-4)
    assert found.finer > 3 * found.bicubic_finer


def _brighter(images: torch.Tensor, sigma: float, *, factor: int = 2) -> torch.Tensor:
    return torch.from_numpy(resampling.enlarged(images.numpy(), factor)) + 0.1


def _sharper(images: torch.Tensor, sigma: float, *, factor: int = 2) -> torch.Tensor:
    large = torch.from_numpy(resampling.enlarged(images.numpy(), factor))
    return large + 0.3 * (large - large.roll(1, -1))
