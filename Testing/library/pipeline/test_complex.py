"""Complex studies are restored as complex numbers: no bias, and the phase comes back with them."""

from __future__ import annotations

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.service.preview import preview

SIGMA = 30.0


def clean() -> mr.Image:
    """Blocks from dark to bright, with a phase that turns slowly."""
    rng = np.random.default_rng(0)
    magnitude = np.kron(rng.uniform(0, 400, (12, 12)), np.ones((8, 8)))
    y, x = np.indices(magnitude.shape) / 96
    return mr.Image.from_array(magnitude * np.exp(1j * (0.7 + 2 * x - 1.5 * y)), modality="MR", spacing=(1, 1, 3))


def test_the_noise_of_a_complex_study_leaves_no_bias_where_it_is_dark():
    study = mr.add_noise(clean(), "gaussian", SIGMA, seed=1)
    truth = clean().voxels
    dark = truth < SIGMA
    complex_, magnitude = (mr.restore(image, method="bm3d").image.voxels for image in (study, study.magnitude()))
    assert abs((study.voxels - truth)[dark].mean()) > 0.5 * SIGMA
    assert abs((complex_ - truth)[dark].mean()) < 0.4 * SIGMA < abs((magnitude - truth)[dark].mean())
    assert np.square(complex_ - truth).mean() < np.square(magnitude - truth).mean()


def test_its_plan_says_so_and_its_level_is_that_of_the_parts():
    study = mr.add_noise(clean(), "gaussian", SIGMA, seed=1)
    plan = mr.recommend(study)
    assert plan.noise == "gaussian"
    assert plan.level == pytest.approx(SIGMA, rel=0.1)
    assert "imaginary" in plan.reason
    assert mr.estimate_noise(study)[1].level == pytest.approx(SIGMA, rel=0.1)


def test_phase_and_magnitude_come_back_together():
    study = mr.add_noise(clean(), "gaussian", SIGMA, seed=1)
    result = mr.restore(study)
    bright = clean().voxels > 6 * SIGMA
    error = np.angle(np.exp(1j * (result.image.phase - clean().phase)))[bright]
    before = np.angle(np.exp(1j * (study.phase - clean().phase)))[bright]
    assert np.square(error).mean() < 0.5 * np.square(before).mean()
    assert result.report.study.size == study.voxels.shape == result.image.voxels.shape
    np.testing.assert_allclose(result.removed.voxels, study.voxels - result.image.voxels)
    assert result.removed.phase is None


def test_a_preview_shows_the_magnitude_of_the_result():
    study = mr.add_noise(clean(), "gaussian", SIGMA, seed=1)
    plan = mr.recommend(study, method="bm3d")
    restored = mr.restore(study, plan).image.voxels
    np.testing.assert_allclose(preview(study, plan, 0, 0).voxels, restored, atol=0.01)


@pytest.mark.parametrize("edits", [{"method": "bicubic"}])
def test_what_a_complex_study_cannot_have_is_refused(edits):
    with pytest.raises(mr.InvalidPlan, match="complex"):
        mr.recommend(clean(), **edits)
    with pytest.raises(mr.InvalidPlan, match="complex"):
        mr.trust(mr.restore(clean(), method="adf", level=5.0), mr.recommend(clean(), method="adf", level=5.0))


def test_a_worker_gives_the_same():
    study = mr.add_noise(clean(), "gaussian", SIGMA, seed=1)
    plan = mr.recommend(study, method="bm3d")
    wanted = mr.restore(study, plan)
    with mr.Worker() as worker:
        restored, report = worker.restore(study, plan)
    np.testing.assert_allclose(restored.voxels, wanted.image.voxels, atol=1e-3)
    np.testing.assert_allclose(np.exp(1j * restored.phase), np.exp(1j * wanted.image.phase), atol=1e-3)
    assert report["totals"]["total"] == pytest.approx(wanted.report.to_dict()["totals"]["total"])
