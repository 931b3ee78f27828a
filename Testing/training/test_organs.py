"""What networks for speckle are trained on: several organs, drawn muscle, sectors, scales and fields of view."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel

from training import recipe as recipes
from training.data import Patient, degradations, displays
from training.data.organs import Organs, at_any_scale, fibres
from training.data.views import for_validation
from training.losses.pixel import MeanSquares
from training.recipe import RecipeError

FLAT = np.full((96, 96), 0.4, np.float32)
WEAK = {"model": "speckle", "levels": (0.05, 0.05), "even": True}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_drawn_images_come_with_the_image_without_speckle(tmp_path):
    source = Organs(tmp_path, shares={"scenes": 0.5, "fibres": 0.5}, patch=64)
    for seed in range(10):
        sample = source.sample(rng(seed))
        assert sample["clean"].shape == sample["smooth"].shape == (64, 64)
        assert 0 <= sample["clean"].min() <= sample["clean"].max() <= 1
    with pytest.raises(RecipeError, match="kind 'kidneys'"):
        Organs(tmp_path, shares={"kidneys": 1.0})


def test_fibres_run_in_one_direction():
    """Slopes of a muscle's grey are the same all over it, up to their sign; those of noise are not."""

    def coherence(image: np.ndarray) -> float:
        down, across = sobel(image, 0), sobel(image, 1)
        mixed, difference = 2 * (down * across).mean(), (down**2 - across**2).mean()
        return float(np.hypot(mixed, difference) / (down**2 + across**2).mean())

    assert np.mean([coherence(fibres(rng(seed), 96)) for seed in range(12)]) > 0.6
    assert coherence(rng().random((96, 96))) < 0.1


def test_patches_are_shown_at_several_scales():
    """A pattern of 8 pixels comes with a period of 8, and with shorter and longer ones."""
    row = np.arange(144)
    pattern = np.float32(0.5 + 0.4 * np.sin(2 * np.pi * row / 8))[:, None] * np.ones((1, 144), np.float32)
    periods = []
    for seed in range(30):
        shown = at_any_scale(pattern[None], 96, rng(seed))[0]
        assert shown.shape == (96, 96)
        spectrum = np.abs(np.fft.rfft((shown[:, 0] - shown[:, 0].mean()) * np.hanning(96), 960))
        periods.append(960 / np.argmax(spectrum))
    assert sum(abs(period - 8) < 0.2 for period in periods) >= 5
    assert 5 < min(periods) < 6.5 < 11 < max(periods) < 17


def test_in_a_sector_grain_leans_to_either_side():
    def leaning(image: np.ndarray) -> float:
        """Correlation of neighbours along one diagonal less that along the other."""
        falling, rising = (
            np.corrcoef(image[:-2, :-2].ravel(), image[2:, 2:].ravel())[0, 1],
            np.corrcoef(image[:-2, 2:].ravel(), image[2:, :-2].ravel())[0, 1],
        )
        return falling - rising

    def found(turned: float) -> np.ndarray:
        return np.array([leaning(degradations.bmode(FLAT, 0.3, rng(k), turned=turned)["noisy"]) for k in range(24)])

    upright, turned = found(0.0), found(1.0)
    assert np.abs(upright).max() < 0.25 < turned.max()
    assert turned.min() < -0.25


def test_a_turned_frame_shows_what_it_would_show_upright():
    scene = np.kron(rng().uniform(0.2, 0.8, (4, 4)), np.ones((24, 24))).astype(np.float32)
    upright, turned = (degradations.bmode(scene, 0.05, rng(2), turned=share) for share in (0.0, 1.0))
    assert turned["noisy"].shape == scene.shape
    assert np.corrcoef(turned["clean"].ravel(), upright["clean"].ravel())[0, 1] > 0.97


def test_more_of_the_speckle_is_to_stay_at_edges_than_elsewhere():
    scene = np.repeat(np.array([0.3, 0.7], np.float32), 48)[:, None] * np.ones((1, 96), np.float32)
    none, some = (
        degradations.bmode(scene, 0.2, rng(1), kept=0.0, kept_at_edges=share, axial=(1, 1), lateral=(1, 1))
        for share in (0.0, 0.4)
    )
    stays = (some["clean"] - none["clean"]) / (none["noisy"] - none["clean"])
    assert np.median(stays[47:49]) > 0.3
    assert abs(np.median(stays[8:32])) < 0.01


def test_a_network_is_validated_on_the_targets_that_it_is_taught():
    class One:
        def patients(self, split: str) -> list[int]:
            return [1]

        def patient(self, id: int) -> Patient:
            return Patient(id, FLAT[None], np.zeros((1, 96, 96), bool), smooth=FLAT[None])

    recipe = recipes.read("unet_att_small", ["degradation.arguments.kept=1.0"])
    for view in for_validation(One(), recipe, 1):
        assert np.allclose(view.clean, view.noisy) == view.noise.startswith("bmode")


def test_a_part_of_the_frames_is_despeckled_as_it_is():
    frame = np.clip(FLAT + 0.05 * rng().standard_normal(FLAT.shape), 0, 1).astype(np.float32)
    options = {"model": "mixed", "levels": (0.2, 0.2), "share": 0.0, "own": 1.0, "kept": 0.25}
    drawn = degradations.draw({"clean": frame, "smooth": FLAT}, rng(), **options)
    assert np.array_equal(drawn["noisy"], frame)
    np.testing.assert_allclose(drawn["clean"], FLAT + 0.25 * (frame - FLAT), atol=1e-6)


def test_a_frame_without_a_despeckled_one_is_never_given_simulated_echoes():
    options = {"model": "mixed", "levels": (0.2, 0.2), "share": 1.0}
    assert degradations.draw({"clean": FLAT}, rng(), **options)["level"] == pytest.approx(0.2)
    echoes = degradations.draw({"clean": FLAT, "smooth": FLAT}, rng(), **options)
    assert np.corrcoef(echoes["noisy"][:, 1:].ravel(), echoes["noisy"][:, :-1].ravel())[0, 1] > 0.3


def test_ticks_stand_at_equal_distances():
    for seed in range(20):
        cover = displays.scale((96, 96), rng(seed))
        assert set(np.unique(cover)) == {0, 1}
        begins = [np.flatnonzero(np.diff(cover.any(axis=axis).astype(int), prepend=0) == 1) for axis in (0, 1)]
        steps = np.diff(max(begins, key=len))
        assert len(steps)
        assert len(set(steps)) == 1


def test_ticks_and_text_are_the_same_in_every_image():
    images = {"noisy": FLAT, "clean": FLAT}
    for seed in range(20):
        drawn = displays.annotated(images, rng(seed), ticks=0.5)
        assert np.array_equal(drawn["noisy"], drawn["clean"])
        assert not np.array_equal(drawn["clean"], FLAT)
    assert (FLAT[0, 0] == FLAT).all()


def test_beyond_the_field_of_view_all_is_black_and_within_it_nothing_changes():
    shares = []
    for seed in range(20):
        sample = degradations.draw({"clean": FLAT}, rng(seed), outside=1.0, **WEAK)
        beyond = sample["clean"] == 0
        assert not sample["noisy"][beyond].any()
        assert (sample["clean"][~beyond] == FLAT[0, 0]).all()
        shares.append(beyond.mean())
    assert 0.2 < np.mean(shares) < 0.8
    assert set(displays.within_field({"calm": FLAT}, rng())) == {"calm"}


def test_beyond_a_softened_error_a_dark_patch_counts_as_much_as_a_bright_one():
    loss = MeanSquares(soft=1e-6)
    halved = [
        loss(torch.full((1, 1, 8, 8), error), {"clean": torch.zeros(1, 1, 8, 8), "level": torch.ones(1)})
        - loss(torch.full((1, 1, 8, 8), error / 2), {"clean": torch.zeros(1, 1, 8, 8), "level": torch.ones(1)})
        for error in (0.03, 0.3)
    ]
    assert halved[0].item() == pytest.approx(halved[1].item(), rel=0.01)
