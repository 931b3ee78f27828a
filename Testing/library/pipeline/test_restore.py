"""Restoring a study: physics kept, tiles invisible, nothing changed that should not be."""

from __future__ import annotations

import json

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.pipeline import tiles
from MedRestoreLib.pipeline.tiles import windows


def disc(side: int = 96, low: float = 20.0, high: float = 100.0) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    return np.where(np.hypot(y, x) < side / 3, high, low) + 0.1 * x


def study(noise: str, level: float, modality: str, *, side: int = 96, slices: int = 1, seed: int = 0) -> tuple:
    clean = mr.Image.from_array(
        np.stack([disc(side) + k for k in range(slices)]),
        spacing=(0.7, 0.8, 2.5),
        origin=(-10.0, 20.0, 5.0),
        direction=(0, 1, 0, -1, 0, 0, 0, 0, -1),
        modality=modality,
        unit="counts" if modality == "NM" else "",
    )
    return clean, mr.add_noise(clean, noise, level, seed=seed)


def error(a: mr.Image, b: mr.Image) -> float:
    return float(np.sqrt(np.mean((a.voxels - b.voxels) ** 2)))


@pytest.mark.parametrize(
    ("noise", "level", "modality", "method"),
    [
        ("gaussian", 8.0, "OT", "adf"),
        ("gaussian", 8.0, "OT", "bm3d"),
        ("poisson", 1.0, "NM", "bm3d"),
        ("rician", 9.0, "MR", "adf"),
        ("rician", 9.0, "MR", "bm3d"),
        ("speckle", 0.3, "US", "srad"),
        ("speckle", 0.3, "US", "nllr"),
        ("speckle", 0.3, "US", "bm3d"),
        ("gaussian", 8.0, "OT", "wnnm"),
        ("rician", 9.0, "MR", "bm4d"),
        ("rician", 9.0, "MR", "odct3d"),
        ("poisson", 1.0, "NM", "prinlm3d"),
        ("rician", 9.0, "MR", "prinlm3d"),
    ],
)
def test_every_method_halves_the_error_and_keeps_the_grid(noise, level, modality, method):
    row = next(m for m in mr.methods() if m.id == method)
    clean, noisy = study(noise, level, modality, slices=1 if 2 in row.dimensions else 10)
    result = mr.restore(noisy, method=method, noise=noise, level=level)
    assert error(result.image, clean) < 0.5 * error(noisy, clean)
    assert result.image.same_grid(noisy, tolerance=1e-9)
    assert (result.image.modality, result.image.unit) == (noisy.modality, noisy.unit)
    np.testing.assert_allclose(result.removed.voxels + result.image.voxels, noisy.voxels, rtol=1e-5, atol=1e-3)
    assert result.removed.same_grid(noisy, tolerance=1e-9)


def test_counts_keep_their_total_in_each_frame():
    clean = mr.Image.from_array(np.stack([disc(), 0.5 * disc()])[:, None], modality="NM", unit="counts")
    noisy = mr.add_noise(clean, "poisson", 1.0, seed=3)
    restored = mr.restore(noisy, method="bm3d").image
    for before, after in zip(noisy.voxels, restored.voxels, strict=True):
        assert abs(after.sum(dtype=float) / before.sum(dtype=float) - 1) < 1e-5


def test_rician_bias_is_removed_from_dark_tissue():
    clean, noisy = study("rician", 15.0, "MR", slices=2)
    dark = clean.voxels < 30
    restored = mr.restore(noisy, method="bm3d", level=15.0).image
    bias_before = (noisy.voxels - clean.voxels)[dark].mean()
    bias_after = (restored.voxels - clean.voxels)[dark].mean()
    assert bias_before > 2.0
    assert abs(bias_after) < 0.25 * bias_before


@pytest.mark.parametrize("method", ["adf", "srad", "bm3d", "nllr"])
def test_small_tiles_give_what_one_tile_gives(method, monkeypatch):
    row = next(m for m in mr.methods() if m.id == method)
    reach = row.reach_at(0.3, **({"iterations": 20} if method == "srad" else {}))
    side = 2 * reach + 100
    clean = np.kron(np.random.default_rng(1).uniform(20, 100, (20, 20)), np.ones((20, 20)))[:side, :side]
    noise, modality = ("speckle", "US") if method in ("srad", "nllr") else ("gaussian", "OT")
    noisy = mr.add_noise(mr.Image.from_array(clean, modality=modality), noise, 0.3 if noise == "speckle" else 10.0)
    options = {"iterations": 20} if method == "srad" else {}
    plan = mr.recommend(noisy, method=method, noise=noise, level=0.3 if noise == "speckle" else 10.0, options=options)
    smallest = (2 * reach + 48) ** 2
    assert len(windows((1, side, side), (0, reach, reach), row.align, smallest)) > 1
    whole = mr.restore(noisy, plan).image.voxels
    monkeypatch.setattr(tiles, "window_voxels", lambda *told: smallest)  # as after a lack of memory
    tiled = mr.restore(noisy, plan).image.voxels
    # The last bit of one voxel can decide between two equally similar patches, so single voxels may differ a little.
    difference = (tiled - whole) / (clean.max() - clean.min())
    assert np.abs(difference).max() < 3e-3
    assert np.sqrt(np.mean(difference**2)) < 1e-4


@pytest.mark.parametrize(("method", "options"), [("adf", {"iterations": 4}), ("odct3d", {}), ("prinlm3d", {})])
def test_three_dimensional_tiles_give_what_one_tile_gives(method, options, monkeypatch):
    _, noisy = study("gaussian", 8.0, "OT", side=48, slices=60)
    plan = mr.recommend(noisy, method=method, level=8.0, dimensions=3, options=options)
    row = next(m for m in mr.methods() if m.id == method)
    limit = (2 * row.reach_at(0.05, **options) + 20) ** 3
    assert len(windows((60, 48, 48), (row.reach_at(0.05, **options),) * 3, row.align, limit)) > 1
    whole = mr.restore(noisy, plan).image.voxels
    monkeypatch.setattr(tiles, "window_voxels", lambda *told: limit)
    tiled = mr.restore(noisy, plan).image.voxels
    difference = (tiled - whole) / np.ptp(whole)
    assert np.abs(difference).max() < 3e-3
    assert np.sqrt(np.mean(difference**2)) < 1e-4


def test_strength_blends_and_zero_is_the_study_itself():
    _, noisy = study("gaussian", 8.0, "OT")
    full = mr.restore(noisy, method="adf", level=8.0).image.voxels
    half = mr.restore(noisy, method="adf", level=8.0, strength=0.5).image.voxels
    np.testing.assert_allclose(half, 0.5 * (noisy.voxels + full), atol=1e-3)
    np.testing.assert_array_equal(mr.restore(noisy, method="adf", level=8.0, strength=0.0).image.voxels, noisy.voxels)


def test_nothing_outside_the_mask_is_touched_and_its_edge_fades_in():
    _, noisy = study("gaussian", 8.0, "OT", slices=2)
    mask = np.zeros(noisy.voxels.shape[1:], bool)
    mask[:, 30:70, 30:70] = True
    change = mr.restore(noisy, method="adf", level=8.0, mask=mask).removed.voxels[0]
    full = mr.restore(noisy, method="adf", level=8.0).removed.voxels[0]
    assert not change[~mask].any()
    inside = np.s_[:, 40:60, 40:60]
    np.testing.assert_allclose(change[inside], full[inside], atol=1e-4)
    edge = np.abs(change[:, 30, 30:70]).mean() / np.abs(full[:, 30, 30:70]).mean()
    assert 0 < edge < 0.5


def test_the_edge_fades_alike_in_every_slice_of_a_long_mask():
    _, noisy = study("gaussian", 8.0, "OT", side=48, slices=40)
    mask = np.zeros(noisy.voxels.shape[1:], bool)
    mask[3:37, 10:38, 12:40] = True
    full = mr.restore(noisy, method="adf", level=8.0).removed.voxels[0]
    change = mr.restore(noisy, method="adf", level=8.0, mask=mask).removed.voxels[0]
    weight = np.where(np.abs(full) > 1, change / np.where(full == 0, 1, full), np.nan)[6:34]
    spread = np.nanmax(weight, axis=0) - np.nanmin(weight, axis=0)
    assert np.nanmax(spread) < 1e-3
    assert 0 < np.nanmean(weight[:, 10, 20:30]) < 0.5


def test_masked_counts_keep_their_total():
    _, noisy = study("poisson", 1.0, "NM")
    mask = disc() > 60
    restored = mr.restore(noisy, method="adf", mask=mask).image
    assert abs(restored.voxels.sum(dtype=float) / noisy.voxels.sum(dtype=float) - 1) < 1e-5


def test_colour_keeps_its_hue_and_type():
    rng = np.random.default_rng(0)
    grey = np.clip(disc(64)[..., None] + rng.normal(0, 8, (64, 64, 1)), 0, 200)
    tinted = np.clip(grey + np.array([40, 0, -10]), 0, 255).astype(np.uint8)
    image = mr.Image.from_array(tinted, axes="yxc")
    restored = mr.restore(image, method="adf", level=8.0).image.stored()[0, 0]
    assert restored.dtype == np.uint8
    hue = restored.astype(int)[..., 0] - restored.astype(int)[..., 1]
    assert abs(hue - (tinted.astype(int)[..., 0] - tinted.astype(int)[..., 1])).max() <= 1


def test_the_same_plan_gives_the_same_voxels_and_leaves_the_input_alone():
    _, noisy = study("rician", 9.0, "MR")
    before = noisy.voxels.copy()
    plan = mr.recommend(noisy)
    first, second = (mr.restore(noisy, plan).image.voxels for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(noisy.voxels, before)


def test_progress_rises_to_one_and_what_it_raises_ends_the_job():
    _, noisy = study("gaussian", 8.0, "OT", slices=3)
    seen = []
    mr.restore(noisy, method="adf", level=8.0, progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(fraction, message):
        raise mr.Cancelled("stopped")

    with pytest.raises(mr.Cancelled):
        mr.restore(noisy, method="adf", level=8.0, progress=stop)


def test_the_report_says_what_happened_in_plain_values():
    _, noisy = study("poisson", 1.0, "NM")
    report = mr.restore(noisy, method="adf").report
    told = json.loads(json.dumps(report.to_dict()))
    assert told["noise"]["model"] == "poisson"
    assert told["noise"]["level"] == 1.0
    assert told["noise"]["estimated"] is True
    assert told["plan"]["method"] == "adf"
    assert abs(told["totals"]["total"]["percent"]) < 0.01
    assert told["provenance"]["software"] == f"MedRestore {mr.__version__}"
    assert report.verdict


def test_the_expected_gain_is_near_the_true_one():
    clean, noisy = study("gaussian", 10.0, "OT", side=160)
    result = mr.restore(noisy, method="bm3d", level=10.0)
    true = 20 * np.log10(error(noisy, clean) / error(result.image, clean))
    gain = result.report.gain
    assert gain.least_db < true
    assert gain.most_db is None or true < gain.most_db
    assert gain.least_db > true - 6, "of use to somebody"
    assert result.report.gain.certain


def test_a_clean_study_is_not_promised_a_gain():
    rng = np.random.default_rng(0)
    texture = np.kron(rng.uniform(0, 100, (48, 48)), np.ones((2, 2)))
    result = mr.restore(mr.Image.from_array(texture), method="adf", level=20.0)
    assert not result.report.gain.certain
