"""Ultrasound frames to train on: what belongs together, what was drawn into them, and speckle that is what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from Testing.support.small_trainings import held_out, smoke, write_frames, write_results
from training import build, tables
from training.data import SPLITS, degradations, duplicates, overlays
from training.data.ultrasound import LABELS, Ultrasound
from training.data.views import View
from training.evaluation import restoration
from training.losses.pixel import NoiseSquares
from training.recipe import RecipeError


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> Path:
    return write_frames(tmp_path_factory.mktemp("busi") / "frames")


def source(folder: Path, cache: Path, **options: object) -> Ultrasound:
    made = Ultrasound(cache, folders=[str(folder)], patch=64, processes=1, **options)
    made.prepare()
    return made


def names(source: Ultrasound, split: str) -> set[str]:
    return {source._files[id].stem for id in source.patients(split)}


# What belongs together


def test_frames_that_look_alike_share_a_split_and_count_once_when_held_out(frames, tmp_path):
    """Numbers 9 and 10 of each kind are the same scene with other noise."""
    found = source(frames, tmp_path)
    members = {split: names(found, split) for split in SPLITS}
    assert all(members.values())
    assert sum(map(len, members.values())) == len(set.union(*members.values()))
    for kind in ("benign", "malignant", "normal"):
        twins = {f"{kind} (9)", f"{kind} (10)"}
        assert twins <= members["train"] or not twins & members["train"]
        assert not any(twins <= members[split] for split in ("validation", "test"))


def test_hashes_see_the_same_scene_through_scale_brightness_and_compression():
    y, x = np.mgrid[:240, :300] / 300
    scene = np.uint8(120 + 60 * np.sin(9 * x + 3 * y) * np.cos(5 * y) + 40 * np.cos(13 * x * y))
    compressed = cv2.imdecode(cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0)
    versions = [scene, compressed, cv2.resize(scene, (200, 170)), np.uint8(scene * 0.7)]
    other = np.uint8(120 + 60 * np.sin(4 * x - 8 * y) + 40 * np.cos(7 * x))
    found = duplicates.clusters([duplicates.perceptual_hash(image) for image in (*versions, other)])
    assert found.tolist() == [0, 0, 0, 0, 1]


def test_a_frame_lies_in_one_split_whether_it_has_kaggle_s_name_or_ours(frames, tmp_path):
    ours = tmp_path / "ours"
    for path in frames.rglob("*.png"):
        kind, number = path.stem.removesuffix("_mask").rstrip(")").split(" (")
        mask = "_mask" if path.stem.endswith("_mask") else ""
        (ours / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, ours / kind / f"{kind}_{int(number):03d}{mask}.png")
    kaggle, renamed = source(frames, tmp_path), source(ours, tmp_path)
    assert kaggle.key == renamed.key
    for split in SPLITS:
        assert list(kaggle.patients(split)) == list(renamed.patients(split))


# What is known of a frame


def test_masks_are_joined_and_kinds_known(frames, tmp_path):
    folder = tmp_path / "busi" / "benign"
    folder.mkdir(parents=True)
    for number in range(1, 9):
        shutil.copy(frames / "benign" / f"benign ({number}).png", folder)
        for extra, column in (("_mask", 10), ("_mask_1", 60)):
            mask = np.zeros((80, 96), np.uint8)
            mask[20:30, column : column + 10] = 255
            cv2.imwrite(str(folder / f"benign ({number}){extra}.png"), mask)
    found = source(folder, tmp_path)
    patient = found.patient(found.patients("train")[0])
    assert patient.lesions.sum() == 200
    assert patient.label == LABELS.index("benign")
    assert not patient.overlays.any()


def test_burned_in_graphics_are_told_from_bright_tissue():
    rng = np.random.default_rng(0)
    tissue = 60 + gaussian_filter(rng.normal(0, 60, (200, 300)), 1.5)
    fascia = 200 * np.exp(-((np.arange(200)[:, None] - 40 - 5 * np.sin(np.arange(300) / 40)) ** 2) / 2 / 2.0**2)
    frame = np.uint8(np.clip(tissue + fascia, 0, 255))
    assert frame.max() > 240
    assert overlays.find(frame).mean() < 0.002
    drawn = frame.copy()
    cv2.putText(drawn, "LT BREAST", (40, 180), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    cv2.line(drawn, (200, 90), (200, 110), 255, 1)
    cv2.line(drawn, (190, 100), (210, 100), 255, 1)
    changed = drawn != frame
    found = overlays.find(drawn)
    assert found[changed].mean() > 0.95
    assert found.sum() < 5 * changed.sum()
    colour = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    cv2.circle(colour, (150, 120), 6, (0, 200, 230), 1)
    assert overlays.find(colour)[114, 150]


def test_text_in_a_real_frame_is_found(data_folder):
    frame = cv2.imread(str(data_folder / "ultrasound" / "busi" / "benign" / "benign_052.png"), cv2.IMREAD_GRAYSCALE)
    found, text = overlays.find(frame), np.s_[230:260]
    assert found[text][frame[text] >= 190].mean() > 0.9
    assert 0.005 < found.mean() < 0.05
    assert found[20:220][frame[20:220] == 255].mean() < 0.1  # tissue may be whiter than the text


def test_burned_in_graphics_do_not_count(frames, tmp_path):
    found = source(frames, tmp_path)
    patient = found.patient(found.patients("test")[0])
    marked = patient.overlays.copy()
    marked[:, :20] = True
    covered = type(patient)(patient.id, patient.clean, patient.lesions, overlays=marked)
    view = View.of(covered, 0, "speckle", 0.5, np.random.default_rng(0))
    assert np.array_equal(view.counted, ~marked[0])


def test_samples_are_patches_of_their_seed_and_forms_are_kept(frames, tmp_path):
    found = source(frames, tmp_path)
    first, again = (found.sample(np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert first["clean"].shape == first["lesions"].shape == (64, 64)
    assert (first["clean"].dtype, first["label"].dtype) == (np.float32, np.int64)
    squeezed, halved = source(frames, tmp_path, side=48), source(frames, tmp_path, reduce=2)
    assert squeezed.patient(squeezed.patients("test")[0]).clean.shape == (1, 48, 48)
    assert halved.patient(halved.patients("test")[0]).clean.shape == (1, 40, 48)
    assert halved.sample(np.random.default_rng(0))["clean"].shape == (64, 64)
    assert len({one.key for one in (found, squeezed, halved)}) == 3


def test_each_folder_may_be_reduced_by_its_own_number(frames, tmp_path):
    folders = [str(frames / kind) for kind in ("benign", "malignant")]
    found = Ultrasound(tmp_path, folders=folders, reduce=[2, 1], patch=64, processes=1)
    found.prepare()
    patients = [found.patient(id) for split in SPLITS for id in found.patients(split)]
    shapes = {patient.label: patient.clean.shape for patient in patients}
    assert shapes == {0: (1, 40, 48), 1: (1, 80, 96)}
    with pytest.raises(RecipeError, match="2 folders and 1 numbers"):
        Ultrasound(tmp_path, folders=folders, reduce=[2])


def test_despeckled_frames_come_with_the_frames(frames, tmp_path):
    found = source(frames, tmp_path, smooth=True)
    patient = found.patient(found.patients("test")[0])
    rough, smooth = (image - gaussian_filter(image, 1.5) for image in (patient.clean[0], patient.smooth[0]))
    assert smooth.std() < 0.7 * rough.std()
    assert patient.smooth.mean() == pytest.approx(patient.clean.mean(), abs=0.01)
    assert found.sample(np.random.default_rng(0))["smooth"].shape == (64, 64)


# Degradations: theory

FLAT = np.full((300, 300), 1 / 3, np.float32)


@pytest.mark.parametrize("level", [0.25, 0.75])
def test_speckle_of_the_paper_is_in_proportion_white_and_not_clipped(level):
    noisy = degradations.speckle(FLAT, level, np.random.default_rng(0))["noisy"]
    relative = noisy / FLAT - 1
    assert relative.std() == pytest.approx(level, rel=0.02)
    assert abs(relative.mean()) < 0.01
    assert abs(np.corrcoef(relative[:, 1:].ravel(), relative[:, :-1].ravel())[0, 1]) < 0.02
    assert noisy.min() < 0
    assert np.mean(noisy < 0) == pytest.approx({0.25: 0.0, 0.75: 0.091}[level], abs=0.003)
    filed = degradations.speckle_8bit(FLAT, level, np.random.default_rng(0))["noisy"]
    assert filed.min() >= 0
    assert filed.max() <= 1
    assert np.allclose(255 * filed, np.rint(255 * filed), atol=1e-3)


@pytest.mark.parametrize("level", [0.1, 0.15, 0.3])
def test_simulated_bmode_has_its_level_its_mean_and_grain(level):
    degraded = degradations.degrade("bmode", FLAT, level, np.random.default_rng(1))
    noisy = degraded["noisy"]
    assert degraded["level"] == pytest.approx(level, rel=1e-5)
    assert noisy.std() == pytest.approx(level / 3, rel=0.06)
    assert noisy.mean() == pytest.approx(1 / 3, abs=0.01)
    assert np.allclose(degraded["clean"], 1 / 3, atol=1e-3)
    assert np.corrcoef(noisy[:, 1:].ravel(), noisy[:, :-1].ravel())[0, 1] > 0.4


def test_a_share_of_simulated_speckle_is_to_stay():
    none, fifth = (degradations.degrade("bmode", FLAT, 0.2, np.random.default_rng(1), kept=kept) for kept in (0.0, 0.2))
    assert np.array_equal(none["noisy"], fifth["noisy"])
    np.testing.assert_allclose(fifth["clean"], 0.8 * none["clean"] + 0.2 * none["noisy"], atol=1e-6)


def test_strong_bmode_speckle_is_what_scanners_can_show_and_says_so():
    degraded = degradations.degrade("bmode", FLAT, 0.8, np.random.default_rng(1))
    assert degraded["level"] == pytest.approx(3 * 5.57 / 40, rel=1e-2)


def test_mixed_noise_despeckles_or_denoises_and_gives_the_level():
    sample = {"clean": FLAT[:32, :32], "smooth": FLAT[:32, :32] / 2, "mean": np.float32(1 / 3)}
    drawn = [
        degradations.draw(sample, np.random.default_rng(k), model="mixed", levels=(0.1, 0.8), even=True)
        for k in range(60)
    ]
    physical = [one for one in drawn if one["clean"].mean() < 0.25]
    assert 20 < len(physical) < 40
    assert all("smooth" not in one for one in drawn)
    assert all(0.1 <= one["level"] <= 0.8 for one in drawn if one["clean"].mean() > 0.25)
    assert all(one["noisy"].min() >= 0 and one["noisy"].max() <= 1 for one in physical)


# Losses and trainers


def test_the_noise_is_the_best_output_and_black_does_not_count():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 1, 16, 16, generator=generator) + 0.05
    noise = 0.5 * torch.randn(2, 1, 16, 16, generator=generator)
    clean[..., :4] = 0
    batch = {"clean": clean, "noisy": clean * (1 + noise), "level": torch.tensor([0.5, 0.5])}
    assert NoiseSquares()(noise, batch).item() == pytest.approx(0, abs=1e-9)
    seen, black = noise[..., 4:].square().mean().item(), noise[..., :4].square().sum().item() / 512
    assert NoiseSquares()(torch.zeros_like(noise), batch).item() == pytest.approx(seen, rel=0.1)
    assert NoiseSquares(masked=False)(noise, batch).item() == pytest.approx(black, rel=1e-3)


def test_only_networks_that_predict_noise_are_trained_to(pictures):
    with pytest.raises(RecipeError, match="has no method 'noise'"):
        build.network(smoke("dncnn_bone", pictures, 'network.output="noise"'))
    with pytest.raises(RecipeError, match="image, noise or pair"):
        build.network(smoke("dncnn_bone", pictures, 'network.output="sound"'))


# Tables


def test_networks_of_one_level_each_make_one_row(tmp_path):
    one_each = {f"unet_busi+sigma{n}": {n / 100: 20.0 + n / 25} for n in (25, 50, 75)}
    write_results(tmp_path, {"noisy": {0.25: 20.0, 0.5: 15.0, 0.75: 12.0}, **one_each}, "speckle")
    table = tables.render("speckle", folder=tmp_path)
    assert "| noisy | 20.00 / 0.900 | 15.00 / 0.900 | 12.00 / 0.900 |" in table
    assert "| U-Net | 21.00 / 0.900 | 22.00 / 0.900 | 23.00 / 0.900 |" in table
    assert "blind |" not in table.split("\n", 4)[4]


def test_matched_difficulty_is_where_the_u_net_reaches_the_paper_s_figure(tmp_path):
    write_results(tmp_path, {"noisy": {0.1: 28.0, 0.25: 20.0}, "unet_busi": {0.1: 33.91, 0.25: 30.91}}, "speckle")
    table = tables.render("matched", folder=tmp_path)
    assert "σ = 0.150" in table
    assert "| noisy | 25.33 |" in table
    assert "| U-Net, blind | 32.91 |" in table


def test_a_division_by_what_is_known_exactly_fails_where_speckle_is_strong(frames, tmp_path):
    found = source(frames, tmp_path)
    psnr = restoration.known_noise(held_out(found, "speckle", 3))["psnr"]
    weak, strong = (np.mean(list(psnr[level].values())) for level in ("0.15", "0.75"))
    assert weak > 60
    assert strong < 25
    with pytest.raises(RecipeError, match="not of p_peak"):
        restoration.known_noise(held_out(found, "p_peak", 3))


def test_a_restored_frame_is_measured_as_it_is_displayed(frames, tmp_path):
    found = source(frames, tmp_path)

    def beyond(image: np.ndarray, level: float) -> np.ndarray:
        return np.where(image > 0.3, 1e9, -1e9)

    values = restoration.measure(beyond, held_out(found, "speckle"), (0.25,))
    assert all(value > 0 for value in values["psnr"]["0.25"].values())
