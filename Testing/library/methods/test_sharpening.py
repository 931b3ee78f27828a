"""Sharpening that can be chosen after the network: from calm to sharp, and never beyond what the calm image shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import MedRestoreLib as mr
from MedRestoreLib.methods.catalogue import ULTRASOUND
from MedRestoreLib.methods.sharpening import OVERSHOOT, RADIUS, guarded
from MedRestoreLib.networks.swin_conv import SwinConvUNet
from MedRestoreLib.pipeline import tiles
from Testing.support.small_networks import install, made, row, speckled

ROW = row(
    "linear",
    id="both",
    implementation="learned:calm_and_sharp",
    modalities=ULTRASOUND,
    reach=192,
    align=64,
    deblurs=True,
)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Weights of a small network with two images are installed here."""
    install(tmp_path, made(lambda: SwinConvUNet(width=8)), "swin_conv:SwinConvUNet", monkeypatch, ROW)
    return tmp_path


def scan(rows: int = 96, columns: int = 80) -> mr.Image:
    grey = speckled(rows, columns, 0.25).clamp(0, 1).mul(255).byte().numpy()
    return mr.Image.from_array(grey, spacing=(0.2, 0.3, 1.0), modality="US")


def restored(sharpen: float, study: mr.Image | None = None) -> np.ndarray:
    return mr.restore(study or scan(), method="both", level=0.2, options={"sharpen": sharpen}).image.voxels


def test_half_of_the_sharpening_lies_midway_between_calm_and_sharp(folder):
    calm, half, sharp = (restored(share) for share in (0.0, 0.5, 1.0))
    assert np.abs(sharp - calm).max() > 1
    inside = (half > 0) & (half < 255) & (sharp > 0) & (sharp < 255) & (calm > 0) & (calm < 255)
    np.testing.assert_allclose(half[inside], (calm + sharp)[inside] / 2, atol=0.01)


@pytest.mark.parametrize("sharpen", [-0.1, 1.1, "much"])
def test_there_is_no_less_than_calm_and_no_more_than_sharp(folder, sharpen):
    with pytest.raises(mr.InvalidPlan, match="sharpen is a number from 0 to 1"):
        restored(sharpen)


def test_what_was_deblurred_says_so(folder):
    plan = mr.recommend(scan(), method="both", level=0.2)
    assert plan.options == {"sharpen": 0.5}
    assert "deblurred (sharpen 0.5)" in mr.restore(scan(), plan).report.derivation
    calm = mr.restore(scan(), plan, options={"sharpen": 0})
    assert "deblurred" not in calm.report.derivation


def test_a_tiled_study_equals_the_untiled_one(folder, monkeypatch):
    study = scan(520, 464)
    whole = restored(1.0, study)
    monkeypatch.setattr(tiles, "window_voxels", lambda *told: 480 * 480)
    np.testing.assert_allclose(restored(1.0, study), whole, rtol=1e-4, atol=1e-2)


def random(seed: int) -> torch.Tensor:
    return torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(seed))


def test_where_the_calm_image_is_flat_no_edge_is_invented():
    flat = torch.full((1, 1, 40, 40), 0.3)
    assert torch.equal(guarded(flat, random(0)), flat)


def test_an_edge_may_become_steep_but_does_not_ring():
    column = torch.arange(40.0)
    soft = torch.sigmoid((column - 20) / 2).expand(1, 1, 40, 40)
    steep = (column >= 20).float().expand(1, 1, 40, 40) * 0.8 + 0.1
    near = slice(20 - RADIUS, 20 + RADIUS)
    slope = guarded(soft, steep)[0, 0, 0].diff().max()
    assert slope > 3 * soft[0, 0, 0].diff().max()
    ringing = steep + 0.5 * torch.cos(column) * torch.exp(-(((column - 20) / 6) ** 2))
    kept = guarded(soft, ringing)[0, 0, 0]
    assert -OVERSHOOT <= kept.min() <= kept.max() <= 1 + OVERSHOOT
    assert guarded(soft, soft)[0, 0, 0, near].equal(soft[0, 0, 0, near])


def test_a_detail_within_the_range_of_its_neighbours_passes_whole():
    calm = random(1)
    sharp = (calm + calm.flip(3)) / 2
    inside = guarded(calm, sharp)[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
    assert (inside == sharp[..., RADIUS:-RADIUS, RADIUS:-RADIUS]).float().mean() > 0.99
