"""The degradation of blind enhancement, and the source that it is applied to."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from MedRestoreLib.metrics.resolution import fwhm
from Testing.support.phantoms import camera
from training import recipe as recipes
from training.data import blurred as degradation
from training.data.blurred import PointSpread, blurred, perturbed, reflectors
from training.data.degradations import draw
from training.data.enhancement import FramesAndPhotographs, _turned, scene

FORMS = pytest.mark.parametrize("form", ["literal", "recommended"])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@FORMS
def test_without_noise_the_input_is_the_calm_image_or_a_simulated_frame(form):
    clean = camera(96, 96)
    for seed in range(12):
        made = blurred(clean, 0.0, rng(seed), form=form)
        assert (made["clean"] >= clean - 1e-6).all()  # reflectors are added to some
        assert all(made[name].dtype == np.float32 and made[name].shape == clean.shape for name in made)
        assert 0 <= made["noisy"].min() <= made["noisy"].max() <= 1
        simulated = np.abs(made["noisy"] - made["calm"]).max() > 0.1
        assert not (form == "literal" and simulated)


@FORMS
def test_noise_grows_with_the_level(form):
    clean = np.full((96, 96), 0.5, np.float32)

    def errors(level: float) -> float:
        made = [blurred(clean, level, rng(seed), form=form) for seed in range(20)]
        return float(np.mean([np.std(one["noisy"] - one["calm"]) for one in made]))

    assert errors(0.1) < errors(0.5) < errors(1.0)


def test_the_literal_point_spread_is_round_and_the_recommended_one_is_wide_and_grows_with_depth():
    literal = [PointSpread.drawn("literal", rng(seed)) for seed in range(40)]
    assert all(one.axial == one.lateral and one.deeper == 0 for one in literal)
    drawn = [PointSpread.drawn("recommended", rng(seed)) for seed in range(200)]
    assert all(one.lateral >= one.axial for one in drawn)
    assert 0.03 < np.mean([one.axial == 0 for one in drawn]) < 0.2
    points = np.zeros((129, 65), np.float32)
    points[[16, 112], 32] = 1
    image = PointSpread(1.0, 1.5, 1.0).of(points)

    def lateral(row: int) -> float:
        profile = image[row] / image[row].sum()
        return float(np.sqrt(profile @ (np.arange(65) - 32) ** 2))

    assert lateral(16) == pytest.approx(1.8, abs=0.2)
    assert lateral(112) == pytest.approx(2.85, abs=0.2)


@pytest.mark.parametrize("shape", [(32, 32), (33, 32), (31, 45)])
def test_perturbed_fourier_coefficients_keep_the_mean_and_belong_to_a_real_image(shape):
    image = rng(1).random(shape)
    for seed in range(3):
        assert perturbed(image, 0.4, 0.4, 0.05, rng(seed)).mean() == pytest.approx(image.mean(), abs=1e-6)
    even, odd = (degradation._symmetric(rng(2).standard_normal(shape), sign) for sign in (1, -1))
    kernel = np.fft.ifft2((1 + 0.4 * even) * np.exp(0.4j * odd))
    assert np.abs(kernel.imag).max() < 1e-12
    assert np.var(even) == pytest.approx(1, abs=0.15)


def test_of_magnitude_and_phase_perturbed_images_the_error_follows_the_signal():
    """Speckle does so, too; white noise does not."""
    faint, strong = (scale * camera(64, 64) for scale in (0.1, 1.0))
    errors = [np.std(perturbed(image, 0.3, 0.3, 0.0, rng()) - image) for image in (faint, strong)]
    assert errors[1] == pytest.approx(10 * errors[0], rel=1e-3)


def test_reflectors_become_narrower_and_higher():
    spread = PointSpread(1.0, 2.0)
    for seed in range(40):
        wide, narrow = reflectors((96, 96), spread, rng(seed))
        row, column = np.unravel_index(wide.argmax(), wide.shape)
        if 12 < row < 84 and 12 < column < 84:
            break
    before, after = (fwhm(image[row, column - 12 : column + 13]) for image in (wide, narrow))
    assert after < 0.65 * before
    assert narrow[row, column] > 1.1 * wide[row, column]


def test_of_a_frame_the_target_is_the_despeckled_one_with_a_share_of_its_texture():
    smooth = 0.9 * camera(64, 64)
    frame = smooth + 0.05 * rng(3).standard_normal((64, 64), np.float32)
    made = blurred(frame, 0.5, rng(), smooth)
    np.testing.assert_allclose(made["clean"], 0.8 * smooth + 0.2 * frame, atol=1e-6)
    assert np.array_equal(blurred(frame, 0.5, rng(), smooth, form="literal")["clean"], smooth)


def test_text_of_the_scanner_is_in_the_calm_target_too():
    sample = {"clean": np.zeros((64, 64), np.float32)}
    made = draw(sample, rng(4), model="blurred", levels=(0.0, 1.0), even=True, annotated=1.0)
    assert made["calm"].max() > 0.3
    assert np.array_equal(made["calm"] > 0.3, made["clean"] > 0.3)


@pytest.mark.parametrize("angle", [0, 90, 180, 37.0])
def test_a_turned_patch_is_the_middle_and_has_no_empty_corner(angle):
    window = 1 + camera(96, 96)
    patch = _turned(window, angle, 64)
    assert patch.shape == (64, 64)
    assert patch.min() >= 1
    turned_back = _turned(np.pad(patch, 16, mode="edge"), 360 - angle, 64)
    middle = np.s_[24:40, 24:40]
    assert np.abs(turned_back[middle] - window[16:80, 16:80][middle]).mean() < 0.05


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> FramesAndPhotographs:
    folder = tmp_path_factory.mktemp("enhancement")
    for kind, count in (("frames", 24), ("photographs", 12)):
        (folder / kind).mkdir()
        for number in range(count):
            y, x = np.mgrid[:60, :70] / 60
            waves = np.cos(rng(number).uniform(2, 12) * x + rng(number + 99).uniform(2, 12) * y)
            grey = (110 + 80 * waves) * rng(number).normal(1, 0.1, y.shape)
            cv2.imwrite(str(folder / kind / f"{kind}{number}.png"), np.uint8(np.clip(grey, 0, 255)))
    made = FramesAndPhotographs(
        folder / "cache",
        patch=40,
        frames=6,
        tested=2,
        folders=[str(folder / "frames")],
        photographs=str(folder / "photographs"),
        drawn=0.25,
    )
    made.prepare()
    return made


def test_patches_of_frames_have_their_despeckled_form_beside_them(source):
    samples = [source.sample(rng(seed)) for seed in range(60)]
    assert all(sample["clean"].shape == (40, 40) for sample in samples)
    assert 10 < sum("smooth" in sample for sample in samples) < 35


def test_drawn_scenes_have_sharp_edges_within_black_and_white():
    scenes = [scene(rng(seed), 64) for seed in range(20)]
    assert all(one.dtype == np.float32 and 0 <= one.min() <= one.max() <= 1 for one in scenes)
    steepest = [np.abs(np.diff(one, axis=1)).max() for one in scenes]
    assert np.median(steepest) > 0.2


def test_only_as_many_frames_are_despeckled_as_were_asked_for(source):
    counts = {split: len(source.patients(split)) for split in ("train", "validation", "test")}
    assert counts["train"] == 6
    assert counts["validation"] <= 1
    assert counts["test"] <= 2
    assert len(list(source.folder.glob("*.npy"))) == sum(counts.values())


def test_the_recipe_names_its_data_with_their_licences():
    recipe = recipes.read("swin_conv")
    said = FramesAndPhotographs.origin(**recipe.data.arguments).data
    for word in ("BUSI", "HC18", "hips", "CC0"):
        assert word in said
