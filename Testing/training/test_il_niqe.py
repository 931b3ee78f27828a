"""IL-NIQE tells photographs from what noise and blur make of them, as its authors say. Their images are not ours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import exponweib

from MedRestoreLib.files.studies import read
from training.evaluation import il_niqe as measure
from training.evaluation import naturalness
from training.evaluation.clips import Case
from training.evaluation.il_niqe import il_niqe


@pytest.fixture(scope="module")
def photograph(data_folder) -> np.ndarray:
    """Grey, 0 to 255."""
    return read(data_folder / "natural" / "budgie_roman_colosseum_0.png").voxels[0, 0]


def test_a_photograph_is_more_natural_than_with_noise_or_blur(photograph):
    noise = np.random.default_rng(0).normal(0, 25, photograph.shape)
    natural = il_niqe(photograph)
    assert 15 < natural < 40, "the authors' range for pristine photographs"
    assert il_niqe(np.clip(photograph + noise, 0, 255)) > natural + 10
    assert il_niqe(gaussian_filter(photograph, 3.0)) > natural + 10


def test_a_grey_image_is_that_image_in_three_equal_channels(photograph):
    assert il_niqe(photograph) == pytest.approx(il_niqe(np.repeat(photograph[..., None], 3, axis=2)))


def test_flat_blocks_do_not_count(photograph):
    half = photograph.copy()
    half[:, :224] = 0
    assert np.isfinite(il_niqe(half))


def test_statistics_are_those_of_the_distributions():
    rng = np.random.default_rng(0)
    gaussian = rng.normal(0, 3, (1, 2, 100, 100))
    shape, scale = measure._gaussian(gaussian)[0]
    assert shape == pytest.approx(2, abs=0.1)
    assert scale == pytest.approx(3 * np.sqrt(2), rel=0.05)
    weibull = exponweib.rvs(1, 1.7, scale=4.0, size=(1, 2, 100, 100), random_state=rng)
    scale, shape = measure._weibull(weibull)[1]
    assert (scale, shape) == (pytest.approx(4, rel=0.03), pytest.approx(1.7, rel=0.03))


def test_there_are_as_many_features_as_the_published_model_has(photograph):
    assert measure.features(np.repeat(photograph[None, :420, :420], 3, axis=0)).shape == (25, 468)


def test_noise_raises_the_papers_entropy_of_an_enlarged_clip(data_folder):
    """The control of the table, on a made-up clip of a photograph."""
    frames = np.repeat(read(data_folder / "natural" / "budgie_roman_colosseum_0.png").voxels[0] / 255, 16, axis=0)
    case = Case("lung", "photograph", frames[:, :240, :240], np.ones((240, 240), bool))
    entropy = {
        name: naturalness.measure(name, [case])["entropy"]["2 lung"]["photograph"] for name in ("noise", "bicubic")
    }
    assert entropy["noise"] > entropy["bicubic"]
