"""The network that was trained without pairs: what its form promises, and what the weights that ship do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import MedRestoreLib as mr
from MedRestoreLib.methods import catalogue
from MedRestoreLib.metrics.fidelity import psnr
from MedRestoreLib.networks.disentangled import Disentangled
from Testing.support.small_networks import made


def test_it_begins_by_changing_nothing():
    images, level = torch.rand(2, 1, 21, 34), torch.tensor([0.1, 0.2])
    torch.testing.assert_close(Disentangled(width=8, blocks=1)(images, level), images)


@pytest.mark.parametrize("factor", [1e-3, 0.25, 40.0])
def test_an_image_and_a_level_k_times_as_large_give_a_result_k_times_as_large(factor):
    network = made(lambda: Disentangled(width=8, blocks=1))
    images, level = torch.rand(2, 1, 30, 41, generator=torch.Generator().manual_seed(0)), torch.tensor([0.02, 0.2])
    with torch.inference_mode():
        one, other = network(images, level), network(factor * images, factor * level)
    assert not torch.equal(one, images), "it does something"
    assert torch.allclose(factor * one, other, rtol=1e-4, atol=1e-5 * factor)


def test_its_weights_denoise_magnitudes_and_keep_the_grey_levels():
    """On a study without anatomy; the tables of its card are of heads."""
    rows, columns = np.mgrid[:128, :128]
    disc = np.hypot(rows - 64, columns - 64) < 50
    clean = (disc * (500.0 + 300.0 * (columns > 64))).astype(np.float32)
    study = mr.Image.from_array(clean, modality="MR")
    noisy = mr.add_noise(study, "rician", 15.0, seed=0)
    restored = mr.restore(noisy, method="disentangled", noise="rician", level=15.0).image.voxels[0, 0]
    before, after = (psnr(x, clean, data_range=800.0, mask=disc) for x in (noisy.voxels[0, 0], restored))
    assert after > before + 3
    for grey in (500, 800):
        inner = (clean == grey) & (np.abs(columns - 64) > 8) & (np.hypot(rows - 64, columns - 64) < 42)
        assert float(restored[inner].mean()) == pytest.approx(grey, rel=0.04)


def test_it_is_never_recommended():
    assert catalogue.find("disentangled").recommended_for == ()
