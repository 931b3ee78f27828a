"""What is recommended, and what is refused before any work, in one line that says what to do."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.noise import IDS, model
from MedRestoreLib.pipeline.plan import revise

RAMP = np.add.outer(np.arange(64.0), np.arange(64.0))


def study(modality: str = "OT", seed: int = 0, **attributes) -> mr.Image:
    rng = np.random.default_rng(seed)
    return mr.Image.from_array(RAMP + rng.normal(0, 3, RAMP.shape) + 20, modality=modality, **attributes)


def counts() -> mr.Image:
    return mr.Image.from_array(np.random.default_rng(0).poisson(RAMP + 10), modality="NM")


@pytest.mark.parametrize(
    ("modality", "noise", "method"),
    [
        ("NM", "poisson", "emanet"),
        ("MR", "rician", "general"),
        ("US", "speckle", "unet_att_small"),
        ("CT", "gaussian", "bm3d"),
    ],
)
def test_each_modality_is_recommended_its_own_physics(modality, noise, method):
    image = counts() if modality == "NM" else study(modality)
    plan = mr.recommend(image, level=1.0 if noise != "speckle" else 0.2)
    assert (plan.noise, plan.method) == (noise, method)
    assert plan.estimate is None
    assert plan.reason.endswith(".")


def test_a_volume_is_recommended_a_method_for_volumes_unless_its_slices_are_thick():
    slices = np.repeat(study().voxels, 12, axis=1)
    volume = mr.Image(slices, modality="MR")
    plan = mr.recommend(volume, level=3.0)
    assert (plan.method, plan.dimensions, plan.ranking) == ("bm4d", 3, ())
    thick = mr.recommend(mr.Image(slices, modality="MR", spacing=(1, 1, 5)), level=3.0)
    assert (thick.method in ("general", "bm3d"), thick.dimensions) == (True, 2)


@pytest.mark.parametrize("modality", ["CT", "PT", "OT"])
def test_a_volume_of_any_other_kind_is_restored_in_three_dimensions(modality):
    volume = mr.Image(np.repeat(study().voxels, 12, axis=1), modality=modality)
    assert mr.recommend(volume, level=3.0).dimensions == 3


def test_a_cine_is_recommended_a_quick_method():
    frames = mr.Image.from_array(np.repeat(study().voxels, 20, axis=0), modality="US")
    assert mr.recommend(frames, level=0.2).method == "unet_att_small"


def test_a_method_brings_its_noise_model():
    assert mr.recommend(study(), method="srad", level=0.2).noise == "speckle"


def test_raw_counts_are_found_to_be_counts():
    plan = mr.recommend(counts())
    assert plan.level == 1.0
    assert plan.estimate.confidence > 0.5


def test_magnitudes_below_zero_are_not_taken_for_magnitudes():
    image = study("MR")
    assert mr.recommend(image.with_voxels(image.voxels - 50), level=3.0).noise == "gaussian"


@pytest.mark.parametrize(
    ("image", "edits", "error", "says", "field"),
    [
        (study(), {"method": "bm3b"}, mr.InvalidPlan, "did you mean 'bm3d'", "method"),
        (study("MR"), {"method": "srad", "level": 0.2}, mr.InvalidPlan, "not meant for MR", "method"),
        (study("NM"), {"method": "nllr", "level": 0.2}, mr.InvalidPlan, "not meant for NM", "method"),
        (
            study("US"),
            {"method": "srad", "noise": "rician", "level": 5.0},
            mr.InvalidPlan,
            "does not handle rician",
            "method",
        ),
        (study(), {"noise": "pink"}, mr.UnknownNoise, "no noise model 'pink'", "noise"),
        (study(), {"level": 0.0}, mr.InvalidPlan, "above 0", "level"),
        (study(), {"level": -1.0}, mr.InvalidPlan, "above 0", "level"),
        (study(), {"level": float("nan")}, mr.InvalidPlan, "above 0", "level"),
        (study(), {"level": "loud"}, mr.InvalidPlan, "above 0", "level"),
        (study(), {"level": 1e4}, mr.InvalidPlan, "whole range", "level"),
        (study("MR"), {"level": 1e4}, mr.InvalidPlan, "out of range", "level"),
        (study("US"), {"level": 50.0}, mr.InvalidPlan, "out of range", "level"),
        (counts(), {"level": 1e-6}, mr.InvalidPlan, "less than one count", "level"),
        (study(), {"level": 3.0, "strength": 1.5}, mr.InvalidPlan, "between 0 and 1", "strength"),
        (study(), {"level": 3.0, "dimensions": 3, "method": "bm3d"}, mr.InvalidPlan, "works in 2", "dimensions"),
        (study(), {"level": 3.0, "device": "tpu"}, mr.InvalidPlan, "device 'tpu'", "device"),
        (study(), {"level": 3.0, "memory_gb": 0.0}, mr.InvalidPlan, "memory must be", "memory_gb"),
        (study(), {"level": 3.0, "memory_gb": 1e-5}, mr.OutOfMemory, "raise the limit", "memory_gb"),
        (study(), {"level": 3.0, "colour": "red"}, mr.InvalidPlan, "no field 'colour'", ""),
        (study(), {"level": 3.0, "mask": np.zeros((64, 64))}, mr.InvalidPlan, "mask is empty", "mask"),
        (study(), {"level": 3.0, "mask": np.ones((9, 9))}, mr.InvalidPlan, "mask has shape", "mask"),
        (study(), {"level": 3.0, "mask": study(spacing=(2, 2, 2))}, mr.InvalidPlan, "grid", "mask"),
        (
            mr.Image.from_array(RAMP[:6, :6]),
            {"level": 3.0, "method": "bm3d"},
            mr.UnsupportedImage,
            "such as adf",
            "method",
        ),
        (
            mr.Image.from_array(RAMP[:2]),
            {"level": 3.0, "method": "adf"},
            mr.UnsupportedImage,
            "no method takes one so small",
            "",
        ),
        (mr.Image.from_array(np.full((64, 64), 7.0)), {"level": 3.0}, mr.UnsupportedImage, "same value", ""),
        (
            mr.Image.from_array(np.where(RAMP == 3, np.nan, RAMP)),
            {"level": 3.0},
            mr.UnsupportedImage,
            "4 voxels are not numbers",
            "replace_nan",
        ),
        (
            mr.Image.from_array(np.where(RAMP == 3, np.inf, RAMP)),
            {"level": 3.0},
            mr.UnsupportedImage,
            "replace them",
            "replace_nan",
        ),
        (
            mr.Image.from_array(RAMP - 9, modality="NM"),
            {"noise": "poisson", "level": 1.0},
            mr.InvalidPlan,
            "not counts",
            "noise",
        ),
        (mr.Image.from_array(-RAMP), {"noise": "speckle", "level": 0.2}, mr.InvalidPlan, "no echoes", "noise"),
        (mr.Image.from_array(RAMP - 9), {"noise": "rician", "level": 1.0}, mr.InvalidPlan, "not magnitudes", "noise"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_with_the_field_that_would_cure_it(image, edits, error, says, field):
    steps = []
    with pytest.raises(error, match=says) as caught:
        mr.restore(image, progress=lambda fraction, message: steps.append(message), **edits)
    assert not steps, "work began"
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value), "a flag of the command line"


@pytest.mark.parametrize("modality", ["NM", "MR", "PT", "CT", "OT"])
def test_where_the_level_cannot_be_told_a_careful_plan_restores_and_says_so(modality):
    ramp = mr.Image.from_array(RAMP, modality=modality)
    plan = mr.recommend(ramp)
    assert plan.careful
    assert plan.level > 0
    assert plan.estimate.reason
    report = mr.restore(ramp, plan).report
    assert any("careful" in note and "would make it sure" in note for note in report.notes)
    assert np.abs(mr.restore(ramp, plan).removed.voxels).max() < 0.05 * RAMP.max()


def test_a_level_that_is_told_or_given_is_not_called_careful():
    assert not mr.recommend(study()).careful
    assert not mr.recommend(study(), level=3.0).careful


def test_a_plan_is_checked_again_when_it_is_edited():
    image = study()
    plan = mr.recommend(image, method="adf", level=3.0)
    with pytest.raises(mr.InvalidPlan, match="above 0"):
        mr.restore(image, plan, level=-3.0)
    with pytest.raises(mr.InvalidPlan, match="no field"):
        mr.restore(image, plan, colour="red")


def test_what_belonged_to_the_former_method_or_model_is_recommended_anew():
    volume = mr.Image(np.repeat(study().voxels, 12, axis=1), modality="MR")
    plan = mr.recommend(volume, level=3.0, strength=0.5)
    other = revise(volume, plan, method="bm3d")
    assert (other.dimensions, other.level, other.strength) == (2, 3.0, 0.5)
    speckled = mr.recommend(study("US"), level=0.2)
    assert "compressed" not in revise(study("US"), speckled, method="bm3d").options
    changed = revise(study(), mr.recommend(study(), noise="rician", level=9.0), noise="gaussian")
    assert changed.level == pytest.approx(3.0, rel=0.2)
    assert changed.estimate is not None


def test_torch_is_needed_to_restore_not_to_recommend(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))
    plan = mr.recommend(study())
    assert plan.level == pytest.approx(3.0, rel=0.2)
    with pytest.raises(mr.MissingPackage, match="PyTorch"):
        mr.restore(study(), plan)


def test_an_absent_device_is_said():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(mr.InvalidPlan, match="no cuda device"):
        mr.restore(study(), method="adf", level=3.0, device="cuda")


@pytest.mark.parametrize("id", IDS)
def test_added_noise_is_repeatable_and_every_model_says_its_unit(id):
    image = counts()
    level = 1.0 if id == "poisson" else 0.3 if id == "speckle" else 5.0
    first, second, other = (mr.add_noise(image, id, level, seed=s).voxels for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    assert model(id).unit
    assert model(id).title


def test_levels_out_of_reach_cannot_be_added_either():
    with pytest.raises(mr.InvalidPlan):
        mr.add_noise(study(), "rician", 1e4)
    with pytest.raises(mr.UnknownNoise):
        mr.add_noise(study(), "pink", 1.0)


def test_an_uncertain_level_does_not_count_against_a_method_that_uses_none():
    frame = mr.Image.from_array(RAMP, modality="US")
    plan = mr.recommend(frame, method="unet_att_small")
    assert plan.careful
    report = mr.restore(frame, plan).report
    assert not any("uncertain" in caution for caution in report.cautions)
    assert any("uses none" in note for note in report.notes)
