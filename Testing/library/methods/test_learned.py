"""Networks for counts as methods, on the whole path: random weights in a folder of their own, with a row for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.methods import learned
from MedRestoreLib.methods.row import FirstChoice
from MedRestoreLib.networks.emanet import EMANet
from MedRestoreLib.pipeline import tiles
from Testing.support.small_networks import install, made, row

TRAINED = FirstChoice("it was trained for it", modalities=("NM",))
ROW = row("rate", id="tested", modalities=("NM",), reach=96, recommended_for=(TRAINED,))

SPREAD = 0.003  # of the last layer's random weights: corrections of some per cent


def install_small(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> None:
    install(folder, made(lambda: EMANet(width=8), seed, std=SPREAD), "emanet:EMANet", monkeypatch, ROW)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Weights are installed here, and the catalogue has a row for them before all others."""
    install_small(tmp_path, monkeypatch)
    return tmp_path


def clean_scan(rows: int = 96, columns: int = 80, frames: int = 2, peak: float = 60.0) -> mr.Image:
    """Smooth discs on a faint background, in counts; every frame half as bright as the one before."""
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    disc = np.exp(-(((y - rows / 2) / 20) ** 2) - ((x - columns / 2) / 14) ** 2) + 0.05
    study = np.stack([disc * peak / disc.max() / 2**k for k in range(frames)])[:, None]
    return mr.Image.from_array(study, spacing=(2.2, 2.4, 1.0), origin=(-10.0, 20.0, 5.0), modality="NM", unit="counts")


def scan(**size) -> mr.Image:
    return mr.add_noise(clean_scan(**size), "poisson", 1.0, seed=1)


def test_counts_keep_totals_geometry_and_unit(folder):
    noisy = scan()
    result = mr.restore(noisy, method="tested")
    for before, after in zip(noisy.voxels, result.image.voxels, strict=True):
        assert after.sum() == pytest.approx(before.sum(), rel=1e-5)
    assert result.image.same_grid(noisy, tolerance=1e-9)
    assert (result.image.modality, result.image.unit) == ("NM", "counts")
    assert result.image.voxels.min() >= 0
    assert not np.array_equal(result.image.voxels, noisy.voxels)


def test_the_error_falls_and_the_expected_gain_tells_by_how_much(folder):
    clean, noisy = clean_scan(160, 160, 1), scan(rows=160, columns=160, frames=1)
    result = mr.restore(noisy, method="tested")
    error = [float(np.mean((image.voxels - clean.voxels) ** 2)) for image in (noisy, result.image)]
    gain = 10 * np.log10(error[0] / error[1])
    assert gain > 6
    assert result.report.gain.certain
    told = result.report.gain
    assert told.least_db < gain
    assert told.most_db is None or gain < told.most_db


@pytest.mark.parametrize("counts_per_unit", [0.02, 50.0])
def test_the_unit_of_the_study_does_not_matter_only_its_counts(folder, counts_per_unit):
    raw = scan()
    rescaled = raw.with_voxels(raw.voxels / np.float32(counts_per_unit))
    in_counts = mr.restore(raw, method="tested", level=1.0).image.voxels
    in_units = mr.restore(rescaled, method="tested", level=counts_per_unit).image.voxels
    np.testing.assert_allclose(in_units * counts_per_unit, in_counts, rtol=1e-3, atol=1e-3)


def test_the_network_is_told_how_noisy_the_study_is(folder, monkeypatch):
    seen = []
    network = learned.rate

    def overheard(images, sigma, *, weights):
        seen.append((float(images.max()), sigma))
        return network(images, sigma, weights=weights)

    monkeypatch.setattr(learned, "rate", overheard)
    mr.restore(scan(frames=1, peak=400.0), method="tested", level=1.0)
    brightest, sigma = seen[0]
    assert sigma == pytest.approx(1 / np.sqrt(400), rel=0.1)  # 1/sqrt(K), K counts where the clean study is brightest
    assert 1.0 < brightest < 1.3  # noise lifts the brightest voxel above the clean study's


def test_a_tiled_study_equals_the_untiled_one(folder, monkeypatch):
    noisy = scan(rows=400, columns=288, frames=1)
    whole = mr.restore(noisy, method="tested", level=1.0)
    monkeypatch.setattr(tiles, "window_voxels", lambda *told: 300 * 300)
    tiled = mr.restore(noisy, method="tested", level=1.0)
    np.testing.assert_allclose(tiled.image.voxels, whole.image.voxels, rtol=1e-4, atol=1e-3)


def test_what_was_trained_for_counts_is_compared_for_them(folder):
    assert {"tested", "bm3d"} <= {candidate.method for candidate in mr.recommend(scan()).ranking}


def test_without_its_weights_the_classical_method_is_recommended(folder):
    (folder / "tested.safetensors").unlink()
    assert mr.recommend(scan()).method == "bm3d"


def test_networks_are_not_recommended_for_what_they_were_not_trained_on(folder):
    magnitude = mr.Image.from_array(scan().voxels[0, 0], modality="MR")
    assert mr.recommend(magnitude, level=5.0).method != "tested"
    with pytest.raises(mr.InvalidPlan, match="not meant for MR"):
        mr.recommend(magnitude, method="tested", level=5.0)


@pytest.mark.parametrize("harm", ["absent", "changed", "unlisted"])
def test_missing_or_damaged_weights_are_refused_before_any_work(folder, harm):
    path = folder / "tested.safetensors"
    if harm == "absent":
        path.unlink()
    elif harm == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    else:
        (folder / "manifest.toml").write_text("", encoding="utf-8")
    steps = []
    with pytest.raises(mr.WeightsMissing, match="install"):
        mr.restore(scan(), method="tested", level=1.0, progress=lambda fraction, message: steps.append(message))
    assert not steps


def test_new_weights_are_used_without_starting_again(folder, monkeypatch):
    noisy = scan(frames=1)
    first = mr.restore(noisy, method="tested", level=1.0).image.voxels
    again = mr.restore(noisy, method="tested", level=1.0).image.voxels
    install_small(folder, monkeypatch, seed=1)
    other = mr.restore(noisy, method="tested", level=1.0).image.voxels
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_report_names_the_weights_and_their_hash(folder):
    provenance = mr.restore(scan(frames=1), method="tested", level=1.0).report.provenance
    sha256 = hashlib.sha256((folder / "tested.safetensors").read_bytes()).hexdigest()
    assert provenance.weights == f"tested, SHA-256 {sha256}"


def test_a_study_of_hardly_any_counts_is_restored(folder):
    noisy = scan(frames=1, peak=0.4)
    restored = mr.restore(noisy, method="tested", level=1.0).image.voxels
    assert restored.sum() == pytest.approx(noisy.voxels.sum(), rel=1e-4)
    assert np.isfinite(restored).all()
