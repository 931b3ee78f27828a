"""Sources put each patient into one split; noise has the moments that its model claims."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from Testing.support.paths import REPOSITORY
from training.data import SPLITS, degradations
from training.data.bone import BoneScans
from training.data.folder import Pictures
from training.data.mixed import DARK, KINDS, Mixed, shapes
from training.recipe import RecipeError


def test_no_patient_belongs_to_two_splits(pictures, tmp_path):
    bone = BoneScans(tmp_path, patients={"whole_body": 600, "chest_pelvis": 200, "spect": 200}, held_out=16)
    for source in (bone, Pictures(tmp_path, folder=str(pictures))):
        members = [set(source.patients(split)) for split in SPLITS]
        assert all(members)
        assert sum(map(len, members)) == len(set().union(*members))


def test_adding_pictures_moves_none_to_another_split(pictures, tmp_path):
    def splits(folder: Path) -> dict[str, str]:
        source = Pictures(tmp_path, folder=str(folder))
        return {source._files[id].name: split for split in SPLITS for id in source.patients(split)}

    before = splits(pictures)
    for path in pictures.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
        if path.name < "07":
            (tmp_path / f"0{path.name}").write_bytes(path.read_bytes())
    after = splits(tmp_path)
    assert len(after) == len(before) + 7
    assert all(after[name] == split for name, split in before.items())


def test_pictures_of_one_patient_share_a_split(pictures, tmp_path):
    for path in pictures.iterdir():
        (tmp_path / f"P{int(path.name[:2]) // 2:02d}-{path.name}").write_bytes(path.read_bytes())
    source = Pictures(tmp_path, folder=str(tmp_path), patient="^P[0-9]+")
    of_split = [{source._files[id].name[:3] for id in source.patients(split)} for split in SPLITS]
    assert sum(map(len, of_split)) == len(set().union(*of_split)) == 10
    with pytest.raises(RecipeError, match=r"does not find the patient in the name P00-00\.png"):
        Pictures(tmp_path, folder=str(tmp_path), patient="^Q[0-9]+").prepare()


def test_a_split_without_pictures_is_named(pictures, tmp_path):
    for path in sorted(pictures.iterdir())[:4]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(RecipeError, match=r"none of the 2 pictures in .* falls into the split '(validation|test)'"):
        Pictures(tmp_path, folder=str(tmp_path), patch=64).prepare()


def test_bone_scans_are_simulated_once_and_read_in_patches_of_bone(data_folder, tmp_path):
    source = BoneScans(tmp_path, patients={"whole_body": 1}, held_out=1, patch=64, processes=1)
    source.prepare()
    files = {path: path.stat().st_mtime_ns for path in source.folder.iterdir()}
    assert len(files) == 2 * 3
    source.prepare()
    assert files == {path: path.stat().st_mtime_ns for path in source.folder.iterdir()}
    test = source.patient(source.patients("test")[0])
    assert test.clean.shape == test.lesions.shape == (2, 1024, 256)
    assert test.clean.max() == 1
    samples = [source.sample(np.random.default_rng(k)) for k in range(60)]
    again = source.sample(np.random.default_rng(0))
    assert np.array_equal(again["clean"], samples[0]["clean"])
    assert all(s["clean"].shape == s["lesions"].shape == (64, 64) for s in samples)
    whole = np.mean([source.patient(id).clean.mean() for id in source.patients("train")])
    assert np.mean([s["clean"].mean() for s in samples]) > 1.5 * whole
    assert min(s["clean"].mean() for s in samples) < whole
    assert source.patient(0).lesions.any((1, 2)).all()
    assert np.mean([s["lesions"].any() for s in samples]) < 0.9
    near = BoneScans(tmp_path, patients={"whole_body": 1}, held_out=1, patch=64, on_lesions=1.0)
    assert all(near.sample(np.random.default_rng(k))["lesions"].any() for k in range(20))


def test_the_simulator_s_fingerprint_covers_all_that_it_is_made_of():
    code = (
        "import sys\nimport training.simulate.bone_phantoms\nfrom training.data.bone import simulator_files\n"
        "loaded = {m.rpartition('.')[2] for m in sys.modules if m.startswith('training.simulate.')}\n"
        "print(sorted(loaded ^ {p.stem for p in simulator_files()}))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Degradations: theory

FLAT = np.full((400, 400), 0.4, np.float32)


@pytest.mark.parametrize("level", [1, 10, 50])
def test_counts_keep_the_mean_and_have_the_variance_of_their_number(level):
    noisy = degradations.p_peak(FLAT, level, np.random.default_rng(0))["noisy"]
    counts = (255 / level) ** 2
    assert noisy.mean() == pytest.approx(0.4, abs=5 * np.sqrt(0.4 / counts / FLAT.size))
    assert noisy.var() == pytest.approx(0.4 * (level / 255) ** 2, rel=0.03)
    assert np.allclose(noisy * counts, np.rint(noisy * counts), atol=1e-2)


@pytest.mark.parametrize("level", [5, 20, 40])
def test_the_noise_of_p_lit_has_its_level_for_mean_and_variance_wherever_the_image_is(level):
    for brightness in (0.0, 0.4):
        clean = np.full((400, 400), brightness, np.float32)
        noise = 255 * degradations.p_lit(clean, level, np.random.default_rng(1))["noisy"] - np.rint(255 * brightness)
        assert noise.mean() == pytest.approx(level, rel=0.01)
        assert noise.var() == pytest.approx(level, rel=0.03)


PRINTED = {10: 27.72, 15: 24.34, 20: 21.92, 25: 20.02, 30: 18.46, 35: 17.15, 40: 16.01}


@pytest.mark.parametrize(("level", "printed"), PRINTED.items())
def test_the_noise_of_p_lit_gives_the_psnr_that_the_paper_prints_for_noisy_pictures(level, printed):
    """Table 7 of Yu et al. (2023), first row; its entry for level 5 (29.36) is a misprint of 33.36."""
    y, x = np.mgrid[:256, :256]
    clean = np.exp(-((x - 128) ** 2) / 2 / 30**2) * (0.5 + 0.3 * np.sin(y / 9)) * 0.6
    noisy = degradations.p_lit(clean.astype(np.float32), level, np.random.default_rng(2))["noisy"]
    error = noisy - np.rint(255 * clean) / 255
    assert -10 * np.log10(np.mean(error**2)) == pytest.approx(printed, abs=0.05)


@pytest.mark.parametrize("fraction", [0.5, 0.25])
def test_thinned_counts_and_their_remainder_are_independent_and_mean_the_same(fraction):
    level = 20
    found = degradations.p_thin(FLAT, level, np.random.default_rng(3), fraction=fraction)
    noisy, rest = found["noisy"], found["clean"]
    kept = (255 / level) ** 2
    assert noisy.mean() == pytest.approx(0.4, rel=0.005)
    assert rest.mean() == pytest.approx(0.4, rel=0.005)
    assert noisy.var() == pytest.approx(0.4 / kept, rel=0.03)
    assert rest.var() == pytest.approx(0.4 / (kept * (1 - fraction) / fraction), rel=0.03)
    assert abs(np.corrcoef(noisy.ravel(), rest.ravel())[0, 1]) < 0.01


@given(seed=st.integers(0, 2**32), even=st.booleans())
def test_levels_are_drawn_in_their_range_and_given_as_networks_take_them(seed, even):
    sample = {"clean": FLAT[:8, :8], "mean": np.float32(0.4)}
    settings = {"model": "p_peak", "levels": (2.0, 40.0), "even": even, "brightness": 0.25}
    drawn = degradations.draw(sample, np.random.default_rng(seed), **settings)
    again = degradations.draw(sample, np.random.default_rng(seed), **settings)
    assert all(np.array_equal(drawn[name], again[name]) for name in drawn)
    assert 2 <= 255 * drawn["level"] <= 40
    assert 0.4 / 1.25 - 1e-6 <= drawn["clean"].max() <= 0.4 * 1.25 + 1e-6
    assert drawn["mean"] == pytest.approx(drawn["clean"].mean(), rel=1e-5)
    assert np.array_equal(sample["clean"], FLAT[:8, :8])


def test_a_share_of_the_samples_gets_text_and_the_text_has_no_noise():
    clean = np.full((96, 96), 0.3, np.float32)
    options = {"model": "speckle", "levels": (0.4, 0.4), "even": True}
    drawn = [
        degradations.draw({"clean": clean}, np.random.default_rng(seed), annotated=0.5, **options) for seed in range(40)
    ]
    written = [np.abs(sample["clean"] - clean) > 0.2 for sample in drawn]
    assert 10 < sum(where.any() for where in written) < 30
    for sample, where in zip(drawn, written, strict=True):
        full = where & (sample["clean"] > 0.95)
        np.testing.assert_allclose(sample["noisy"][full], sample["clean"][full], atol=0.06)


# Images of many kinds


SHARES = {"photographs": 0.5, "hearts": 0.2, "shapes": 0.3}


@pytest.fixture(scope="module")
def mixed_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("mixed")


def test_a_subject_of_mixed_images_lies_in_one_split(data_folder, mixed_cache):
    source = Mixed(mixed_cache, shares=SHARES, patch=48)
    held = {split: {KINDS[kind].subject(path) for kind, path in source.members(split)} for split in SPLITS}
    assert all(held.values())
    assert not held["train"] & held["validation"]
    assert not held["train"] & held["test"]
    assert not held["validation"] & held["test"]


def test_mixed_patches_are_pictures_in_0_to_1_and_the_same_for_the_same_seed(data_folder, mixed_cache):
    source = Mixed(mixed_cache, shares=SHARES, patch=48)
    source.prepare()
    first, again = ([source.sample(np.random.default_rng(k))["clean"] for k in range(12)] for _ in range(2))
    for clean, same in zip(first, again, strict=True):
        assert clean.shape == (48, 48)
        assert clean.dtype == np.float32
        assert clean.min() >= 0
        assert DARK < clean.max() <= 1
        assert np.array_equal(clean, same)
    whole = source.patient(source.patients("validation")[0])
    assert whole.clean.ndim == 3
    assert 0 <= whole.clean.min() <= whole.clean.max() <= 1


def test_a_kind_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(RecipeError, match="'knees'; there are photographs"):
        Mixed(tmp_path, shares={"knees": 1.0})


def test_shapes_are_sharp_and_soft_and_none_alike():
    images = [shapes(np.random.default_rng(k), 64) for k in range(20)]
    assert len({image.tobytes() for image in images}) == 20
    steepest = [np.abs(np.diff(image, axis=0)).max() for image in images]
    assert min(steepest) < 0.1
    assert max(steepest) > 0.3
