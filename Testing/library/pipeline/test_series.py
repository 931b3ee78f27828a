"""Frames of one object restored together, through patterns that they share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.device import resolve
from MedRestoreLib.pipeline.series import components, rotated
from MedRestoreLib.pipeline.tiles import in_windows
from MedRestoreLib.service.preview import preview

NOISE = 20.0


def series(frames: int = 8, size: tuple[int, int, int] = (12, 40, 40), seed: int = 0) -> mr.Image:
    """Tissues in blocks whose brightness decays from frame to frame, each at its own rate."""
    rng = np.random.default_rng(seed)
    coarse = tuple(-(-side // 4) for side in size)
    rates = np.kron(rng.uniform(0.1, 1.5, coarse), np.ones((4, 4, 4)))[tuple(map(slice, size))]
    density = np.kron(rng.uniform(300, 900, coarse), np.ones((4, 4, 4)))[tuple(map(slice, size))]
    times = np.linspace(0, 1.5, frames)[:, None, None, None]
    return mr.Image.from_array((density * np.exp(-rates * times)).astype(np.float32), modality="MR")


def noisy(clean: mr.Image, seed: int = 1) -> mr.Image:
    return mr.add_noise(clean, "gaussian", NOISE, seed=seed)


def gain_db(clean: mr.Image, before: mr.Image, after: mr.Image) -> float:
    errors = [np.square(image.voxels - clean.voxels).mean() for image in (before, after)]
    return float(10 * np.log10(errors[0] / errors[1]))


@pytest.mark.parametrize(("method", "least"), [("odct3d", 1.0), ("bm3d", 1.0)])
def test_frames_of_one_object_are_restored_better_together(method, least):
    clean = series()
    study = noisy(clean)
    gains = [
        gain_db(
            clean,
            study,
            mr.restore(study, method=method, noise="gaussian", level=NOISE, together=together).image,
        )
        for together in (False, True)
    ]
    assert gains[1] > gains[0] + least


def test_a_series_of_magnetic_resonance_is_recommended_to_be_restored_together_and_its_gain_is_foretold():
    clean = series()
    study = noisy(clean)
    plan = mr.recommend(study, method="odct3d", noise="gaussian", level=NOISE)
    assert plan.together
    assert "together" in plan.reason
    result = mr.restore(study, plan)
    gain = result.report.gain
    assert gain.least_db <= gain_db(clean, study, result.image) <= gain.most_db
    assert not mr.recommend(study, method="odct3d", noise="gaussian", level=NOISE, together=False).together


@pytest.mark.parametrize(("modality", "noise"), [("MR", "gaussian"), ("NM", "poisson")])
def test_the_method_is_still_chosen_where_frames_shall_be_together(modality, noise):
    clean = mr.Image.from_array(series().voxels / 30, modality=modality)
    study = mr.add_noise(clean, noise, 1.0, seed=1)
    plan = mr.recommend(study, noise=noise, level=1.0, together=True, strength="auto")
    assert plan.together


def test_what_one_frame_alone_shows_stays_where_it_is_clear():
    clean = series()
    voxels = clean.voxels.copy()
    voxels[3, 4:8, 16:22, 16:22] += 10 * NOISE
    clean = clean.with_voxels(voxels)
    study = noisy(clean)
    restored = mr.restore(study, method="odct3d", noise="gaussian", level=NOISE, together=True).image.voxels
    contrast = (restored - series().voxels)[3, 5:7, 17:21, 17:21].mean()
    assert contrast == pytest.approx(10 * NOISE, rel=0.05)


def test_windows_do_not_change_the_result():
    study = noisy(series())
    plan = mr.recommend(study, method="odct3d", noise="gaussian", level=NOISE, together=True)
    denoising = Denoising.of(study, plan, resolve("cpu"))
    whole, cut = (in_windows(denoising, study.voxels, limit, lambda fraction: None) for limit in (10**7, 40_000))
    np.testing.assert_allclose(cut, whole, atol=1e-3 * NOISE)


def test_a_preview_shows_the_slice_of_the_result():
    study = noisy(series())
    plan = mr.recommend(study, method="odct3d", noise="gaussian", level=NOISE, together=True)
    restored = mr.restore(study, plan).image.voxels[5, 6]
    np.testing.assert_allclose(preview(study, plan, 5, 6).voxels[0, 0], restored, atol=1e-3 * NOISE)


@settings(deadline=None, max_examples=20)
@given(frames=st.integers(3, 9), seed=st.integers(0, 2**32 - 1))
def test_the_rotation_loses_nothing(frames, seed):
    values = np.random.default_rng(seed).normal(size=(frames, 2, 6, 7)).astype(np.float32)
    basis = components(values)
    np.testing.assert_allclose(basis @ basis.T, np.eye(frames), atol=1e-5)
    np.testing.assert_allclose(rotated(basis.T, rotated(basis, values)), values, atol=1e-4)


@pytest.mark.parametrize(
    ("frames", "method", "says"), [(2, "odct3d", "3 frames are needed"), (4, "general", "methods that need not")]
)
def test_what_cannot_be_restored_together_is_refused(frames, method, says):
    study = noisy(series(frames, (12, 40, 40)))
    with pytest.raises(mr.InvalidPlan, match=says) as raised:
        mr.restore(study, method=method, noise="gaussian", level=NOISE, together=True)
    assert raised.value.field == "together"
