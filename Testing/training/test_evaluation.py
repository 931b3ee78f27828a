"""Baselines and trainings are measured alike, on the same noise, by numbers that mean what they are called."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from MedRestoreLib.metrics.fidelity import psnr
from Testing.support.small_trainings import held_out, trained
from training.data import degradations
from training.data.folder import Pictures
from training.evaluation import baselines, lesions, levels, restoration, thinning
from training.recipe import RecipeError
from training.tables.results import read


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """A dark picture with two bright spots: most of it is air."""
    y, x = np.mgrid[:128, :128]
    spots = [a * np.exp(-((y - r) ** 2 + (x - c) ** 2) / 2 / s**2) for a, r, c, s in ((1, 50, 60, 9), (0.6, 80, 70, 5))]
    return np.sum(spots, axis=0).astype(np.float32)


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    return trained("dncnn_bone", pictures, tmp_path_factory.mktemp("run"))


@pytest.fixture
def source(pictures, tmp_path) -> Pictures:
    return Pictures(tmp_path, folder=str(pictures), patch=64)


# Baselines and estimators


def test_the_noise_of_p_lit_is_mostly_an_offset(clean):
    """Subtracting the mean of the air beats BM3D by far, whose result keeps the offset."""
    noisy = degradations.p_lit(clean, 30, np.random.default_rng(0))["noisy"]
    found = {name: psnr(f(noisy, 30), clean, data_range=1.0) for name, f in baselines.P_LIT.items()}
    assert found["noisy"] == pytest.approx(18.46, abs=0.1)
    assert found["bm3d_raw"] == pytest.approx(20 * np.log10(255 / 30), abs=0.2)
    assert found["offset"] > 32
    assert found["bm3d_offset"] > found["offset"]


def test_bm3d_gains_by_anscombe_s_transform(clean):
    noisy = degradations.p_peak(clean, 20, np.random.default_rng(0))["noisy"]
    found = {name: psnr(f(noisy, 20), clean, data_range=1.0) for name, f in baselines.PEAK.items()}
    assert found["noisy"] + 1 < found["bm3d_raw"] < found["bm3d_anscombe"] - 1


@pytest.mark.parametrize("name", levels.ESTIMATORS)
def test_calibrated_estimators_find_the_level(name, source):
    estimate = levels.calibrated(name, held_out(source, patients=3))
    found = levels.measure(estimate, held_out(source), (10.0, 30.0))
    assert found["mean"]["10"] == pytest.approx(10, abs=6)
    assert found["mean"]["30"] == pytest.approx(30, abs=8)


@pytest.mark.parametrize("name", levels.ESTIMATORS)
def test_estimators_read_nothing_off_an_empty_image(name):
    assert levels.ESTIMATORS[name](np.zeros((64, 64), np.float32)) == 0


# Measures


def test_every_method_sees_the_same_noise(source):
    first, second = ([(v.level, v.noisy) for v in held_out(source).views((10.0, 40.0))] for _ in range(2))
    assert all(a[0] == b[0] and np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0][1], first[1][1])


def test_trainings_and_baselines_are_measured_alike(source, run, tmp_path):
    found = list(restoration.results(["noisy", "gaussian", str(run)], held_out(source)))
    assert [r.method for r in found] == ["noisy", "gaussian", "dncnn_bone+smoke"]
    noisy, blurred, learned = (np.mean(list(r.values["psnr"]["20"].values())) for r in found)
    mean = np.mean([source.patient(id).clean.mean() for id in source.patients("test")[:2]])
    assert noisy == pytest.approx(-10 * np.log10(mean * (20 / 255) ** 2), abs=0.7)
    assert blurred > noisy + 3
    assert learned > noisy + 3  # an untrained network smooths
    assert found[2].about["steps"] == 2
    for result in found:
        result.write(tmp_path)
    again = {r.method: r for r in read(tmp_path)}
    assert again["noisy"].values["psnr"]["20"] == pytest.approx(found[0].values["psnr"]["20"], rel=1e-5)


def test_lesions_are_measured_against_their_masks(source):
    truth = {id: source.patient(id).lesions[0] for id in source.patients("test")[:2]}
    masks = iter([mask for mask in truth.values() for _ in (50, 30)])

    def perfect(image: np.ndarray, level: float) -> np.ndarray:
        return np.where(next(masks), 1.0, -1.0)

    found = lesions.measure(baselines.noisy, perfect, held_out(source), (50.0, 30.0))
    assert all(value == 1 for name in found for by in found[name].values() for value in by.values())
    found = lesions.measure(baselines.noisy, lambda image, level: image + 1, held_out(source), (50.0,))
    share = {str(id): float(mask.mean()) for id, mask in truth.items()}
    assert found["precision"]["50"] == pytest.approx(share)
    assert set(found["recall"]["50"].values()) == {1.0}


def test_a_name_that_is_no_method_is_refused(source):
    with pytest.raises(RecipeError, match="'bm4d' is neither a folder of a training, nor weights that ship"):
        list(restoration.results(["bm4d"], held_out(source)))


def test_the_real_scan_thinned_is_predicted_better_when_smoothed(data_folder):
    path = data_folder / thinning.SCAN
    noisy = thinning.measure(thinning.of_views(baselines.noisy), 2, path)
    blurred = thinning.measure(thinning.of_views(baselines.gaussian(1.0)), 2, path)
    for fraction, draw in itertools.product(("0.5", "0.25", "0.1"), ("0", "1")):
        assert blurred["deviance"][fraction][draw] < 0.6 * noisy["deviance"][fraction][draw]
        assert blurred["psnr"][fraction][draw] > noisy["psnr"][fraction][draw]
        assert noisy["total"][fraction][draw] < 1e-6
        assert blurred["total"][fraction][draw] < 5e-3
    assert noisy["deviance"]["0.5"]["0"] != noisy["deviance"]["0.5"]["1"]


def test_the_real_scan_is_drawn_thinned_restored_and_beside_its_remainder(data_folder, tmp_path):
    found = thinning.figure(tmp_path / "scan.png", ("adf",), path=data_folder / thinning.SCAN)
    assert (tmp_path / "scan.png").stat().st_size > 50_000
    assert [one["fraction"] for one in found] == list(thinning.FRACTIONS)
    unsupported, unconfirmed = ([one[name] for one in found] for name in ("unsupported", "unconfirmed"))
    assert all(seen <= unseen < 0.2 for seen, unseen in zip(unsupported, unconfirmed, strict=True))
    assert max(abs(one["total"]) for one in found) < 5e-3
