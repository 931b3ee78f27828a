"""Training images of counts: many kinds in their shares, planted lesions, and places far brighter than the rest."""

from __future__ import annotations

import numpy as np
import pytest

from training.data import degradations
from training.data.scintigrams import BRIGHTEST, CONTRASTS, Scintigrams, with_lesions, with_site
from training.recipe import RecipeError
from training.simulate import scintigrams


@pytest.mark.parametrize("seed", range(20))
def test_organs_are_images_from_zero_to_one(seed):
    image = scintigrams.organs(np.random.default_rng(seed), 64)
    assert image.dtype == np.float32
    assert image.shape == (64, 64)
    assert image.min() >= 0
    assert image.max() in (0, 1)


def test_a_phantom_is_cut_or_projected_along_any_axis_and_stays_within_the_image():
    volume = np.zeros((20, 30, 40), np.float32)
    volume[5:15, 10:20, 10:30] = 1
    shapes = set()
    for seed in range(30):
        image = scintigrams.phantom(np.random.default_rng(seed), [volume], 64)
        assert image.shape == (64, 64)
        assert image.max() == 1
        shown = image > 0.5
        shapes.add(round(shown.any(1).sum() / shown.any(0).sum(), 1))
    assert min(shapes) < 0.7 < 0.9 < max(shapes)


def test_lesions_add_uptake_where_they_say_and_at_most_so_much():
    clean = np.full((64, 64), 0.2, np.float32)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sample = with_lesions(clean, np.zeros(clean.shape, bool), rng)
        added = sample["clean"] / clean - 1
        assert sample["lesions"].any()
        assert added[sample["lesions"]].min() >= 0.5 * CONTRASTS[0] - 1e-3
        assert sample["clean"].max() <= 1
        assert np.abs(added).max() > 2 * np.median(added)


def test_the_dark_is_given_no_lesions():
    clean = np.zeros((32, 32), np.float32)
    assert not with_lesions(clean, np.zeros(clean.shape, bool), np.random.default_rng(0))["lesions"].any()


def test_a_site_is_at_most_a_thousand_times_as_bright_as_the_rest():
    clean = np.full((64, 64), 0.5, np.float32)
    ratios = []
    for seed in range(60):
        image = with_site(clean, np.random.default_rng(seed))
        ratios.append(image.max() / np.median(image) * 0.5)
    assert 50 < max(ratios) <= BRIGHTEST + 1
    assert min(ratios) < 5


def test_what_exceeds_the_scale_is_cut_off_as_the_library_does():
    clean = np.full((32, 32), 50.0, np.float32)
    sample = degradations.degrade("p_peak", clean, 51.0, np.random.default_rng(0), capped=True)
    assert sample["noisy"].max() == pytest.approx(1 + 5 * 51 / 255)
    assert sample["clean"].max() == pytest.approx(1 + 5 * 51 / 255)


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="no images of kind 'livers'"):
        Scintigrams(tmp_path, shares={"livers": 1.0}, bone={"patients": {"spect": 1}})
