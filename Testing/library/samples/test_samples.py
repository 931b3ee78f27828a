"""The sample studies: what they are, that they are always the same, and that MedRestore knows their noise."""

from __future__ import annotations

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib import samples
from MedRestoreLib.samples import bone, head


@pytest.fixture(scope="module", params=samples.SAMPLES)
def sample(request) -> tuple[str, mr.Image]:
    return request.param, samples.make(request.param)


def test_a_sample_is_the_same_for_the_same_seed_alone(sample):
    name, image = sample
    assert np.array_equal(samples.make(name).voxels, image.voxels)
    assert not np.array_equal(samples.make(name, seed=1).voxels, image.voxels)


def test_a_sample_is_small_enough_for_a_first_look(sample):
    assert sample[1].voxels.size < 1_500_000


@pytest.mark.parametrize(
    ("name", "noise", "low", "high"),
    [
        ("MedRestoreBoneScan", "poisson", 0.9, 1.1),
        ("MedRestoreHead", "rician", 7.0, 9.0),
        ("MedRestoreCine", "speckle", 0.05, 0.4),
    ],
)
def test_the_recommended_plan_finds_the_noise_of_a_sample(name, noise, low, high):
    plan = mr.recommend(samples.make(name))
    assert plan.noise == noise
    assert low < plan.level < high
    assert plan.estimate.confidence >= 0.5


def test_the_bone_scan_is_counts_around_its_expectation():
    expected = bone.expected(np.random.default_rng(0))
    counts = samples.make("MedRestoreBoneScan").voxels[0, 0]
    assert np.array_equal(counts, np.rint(counts))
    assert counts.sum() == pytest.approx(expected.sum(), rel=0.005)
    bright = expected > 5
    assert ((counts - expected)[bright] ** 2 / expected[bright]).mean() == pytest.approx(1, abs=0.05)


def test_the_head_is_brighter_where_it_is_white_matter():
    clean = head.clean(np.random.default_rng(0))
    middle = clean[:, 40:110, 30:100]
    assert np.median(middle) > 0.8 * head.SIGNAL["grey"]
    assert clean[:, :3, :3].max() < 20


def test_the_heart_beats_and_comes_back():
    frames = samples.make("MedRestoreCine").voxels[:, 0]
    cavity = [(frame[90:190, 80:190] < 90).sum() for frame in frames]
    assert cavity[8] < 0.7 * cavity[0]
    assert cavity[15] > 0.9 * cavity[0]
