"""Networks for ultrasound as methods, on the whole path: random weights in a folder of their own, rows for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.methods.catalogue import CINE, ULTRASOUND
from MedRestoreLib.methods.row import FirstChoice
from MedRestoreLib.networks.unet_att import UNetAtt
from MedRestoreLib.pipeline import tiles
from MedRestoreLib.pipeline.plan import revise
from Testing.support.small_networks import install, made, row, speckled

TRAINED = FirstChoice("it was trained for it", ULTRASOUND)
ROW = row("linear", id="careful", modalities=ULTRASOUND, reach=117, recommended_for=(TRAINED,))
FOR_CINES = FirstChoice("it is quick enough for a cine", ULTRASOUND, CINE)
QUICK = replace(ROW, id="fast", title="A quick network", recommended_for=(FOR_CINES,))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Weights of a small UNetAtt are installed here; the catalogue has rows for them before all others."""
    install(tmp_path, made(lambda: UNetAtt(width=8)), "unet_att:UNetAtt", monkeypatch, QUICK, ROW)
    return tmp_path


def scan(rows: int = 96, columns: int = 80, frames: int = 1, modality: str = "US") -> mr.Image:
    """An 8-bit frame as a scanner exports it, 0 to 255."""
    grey = speckled(rows, columns, 0.25, batch=frames).clamp(0, 1).mul(255).byte().numpy()
    return mr.Image.from_array(grey, spacing=(0.2, 0.3, 1.0), modality=modality)


def test_a_frame_comes_back_smoother_in_its_geometry_and_range(folder):
    noisy = scan()
    result = mr.restore(noisy, method="careful", level=0.25)
    assert result.image.same_grid(noisy)
    assert 0 <= result.image.voxels.min() <= result.image.voxels.max() <= noisy.voxels.max()
    flat = np.s_[0, 0, 4:12, 4:12]
    assert result.image.voxels[flat].std() < 0.7 * noisy.voxels[flat].std()
    assert result.image.voxels[flat].mean() == pytest.approx(noisy.voxels[flat].mean(), rel=0.15)


def test_the_level_does_not_matter_to_a_blind_network(folder):
    noisy = scan()
    first, second = (mr.restore(noisy, method="careful", level=level).image.voxels for level in (0.1, 0.7))
    assert np.array_equal(first, second)


def untold() -> mr.Image:
    """A study in which no speckle can be measured."""
    ramp = np.add.outer(np.arange(64.0), np.arange(64.0))
    return mr.Image.from_array(ramp.astype(np.uint8), modality="US")


def test_a_level_that_cannot_be_told_does_not_stop_a_blind_network(folder):
    plan = mr.recommend(untold())
    assert plan.estimate.level is None
    report = mr.restore(untold(), plan).report
    assert (report.noise.assumed, report.noise.estimated) == (True, False)
    assert any("could not be estimated" in note for note in report.notes)
    assert "tissue" in report.noise.reason


def test_a_level_that_stands_in_for_one_is_careful_for_a_method_that_needs_it(folder):
    plan = mr.recommend(untold())
    assert revise(untold(), plan, method="srad").careful
    assert revise(untold(), plan, method="srad", level=0.2).level == 0.2


def test_the_unit_of_the_study_does_not_matter(folder):
    noisy = scan()
    rescaled = noisy.with_voxels(noisy.voxels * np.float32(8))
    first, second = (mr.restore(study, method="careful", level=0.2).image.voxels for study in (noisy, rescaled))
    np.testing.assert_allclose(second / 8, first, rtol=1e-4, atol=1e-2)


def test_a_tiled_study_equals_the_untiled_one(folder, monkeypatch):
    noisy = scan(rows=400, columns=336)
    whole = mr.restore(noisy, method="careful", level=0.2)
    monkeypatch.setattr(tiles, "window_voxels", lambda *told: 320 * 320)
    tiled = mr.restore(noisy, method="careful", level=0.2)
    np.testing.assert_allclose(tiled.image.voxels, whole.image.voxels, rtol=1e-4, atol=1e-2)


def test_every_frame_of_a_cine_is_restored_as_if_it_were_alone(folder):
    cine = scan(frames=3)
    together = mr.restore(cine, method="careful", level=0.2).image.voxels
    scale = float(cine.voxels.max())
    for frame, before in zip(together, cine.voxels, strict=True):
        single = before.copy()
        single[0, 0, 0] = scale  # the brightest voxel of the study sets its scale
        alone = mr.restore(mr.Image.from_array(single[None], modality="US"), method="careful", level=0.2)
        np.testing.assert_allclose(frame[..., 40:, 40:], alone.image.voxels[0][..., 40:, 40:], rtol=1e-3, atol=1.0)


def test_the_trained_network_is_recommended_and_the_quick_one_for_cines(folder):
    plan = mr.recommend(scan(), level=0.2)
    assert (plan.method, plan.options) == ("careful", {})
    cine = mr.recommend(scan(frames=9), level=0.2)
    assert cine.method == "fast"
    assert "quick" in cine.reason


def test_without_weights_the_classical_methods_are_recommended(folder):
    (folder / "tested.safetensors").unlink()
    assert mr.recommend(scan(), level=0.2).method == "nllr"
    assert mr.recommend(scan(frames=9), level=0.2).method == "srad"
    with pytest.raises(mr.WeightsMissing, match="install"):
        mr.restore(scan(), method="careful", level=0.2)


def test_a_classical_method_gets_its_dynamic_range_again_after_a_network(folder):
    noisy = scan()
    plan = mr.recommend(noisy, level=0.2)
    report = mr.restore(noisy, plan, method="srad").report
    assert "compressed" in report.plan["options"]
