"""Claims that ODCT3D and PRI-NLM3D share: what they gain on heads, thick and thin."""

from __future__ import annotations

import numpy as np
import pytest

from MedRestoreLib.methods.odct3d import odct3d
from MedRestoreLib.methods.prinlm3d import prinlm3d
from Testing.support.denoising import assert_same, psnr, restored
from Testing.support.phantoms import noisy, real_brain, simulated_brain

both = pytest.mark.parametrize("method", [odct3d, prinlm3d])


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    return simulated_brain(24, 56, 56)


@pytest.mark.parametrize(
    ("method", "sigma", "gain"),
    [
        (odct3d, 0.03, 5.5),
        (odct3d, 0.09, 8.5),
        (odct3d, 0.15, 9.5),
        (prinlm3d, 0.03, 7.0),
        (prinlm3d, 0.09, 9.8),
        (prinlm3d, 0.15, 10.8),
    ],
)
def test_a_head_gains(head, method, sigma, gain):
    volume = noisy(head, sigma)
    assert psnr(restored(method, volume, sigma), head) >= psnr(volume, head) + gain


@pytest.mark.parametrize(("method", "gain"), [(odct3d, 6), (prinlm3d, 7)])
def test_four_slices_gain_as_well(head, method, gain):
    volume = noisy(head[10:14], 0.09)
    assert psnr(restored(method, volume, 0.09), head[10:14]) >= psnr(volume, head[10:14]) + gain


@both
def test_a_real_head_gains_ten_decibels(data_folder, method):
    clean = real_brain(data_folder, (24, 64, 64))
    volume = noisy(clean, 0.09)
    assert psnr(restored(method, volume, 0.09), clean) >= psnr(volume, clean) + 10


@both
def test_faint_noise_leaves_detail(head, method):
    assert psnr(restored(method, head, 0.005), head) > 48


@pytest.mark.parametrize(
    ("method", "options", "sides", "part"),
    [
        (odct3d, {}, (6, 150, 150), np.s_[:, 40:130, :40]),  # a chunk is 55 rows
        (prinlm3d, {"radius": 1}, (26, 150, 150), np.s_[10:, :40, :40]),  # chunks meet in slice 22
    ],
    ids=["odct3d", "prinlm3d"],
)
def test_chunks_have_no_seam(method, options, sides, part):
    volume, halo = noisy(np.full(sides, 0.5, np.float32), 0.1), 8
    whole, tile = restored(method, volume, 0.1, **options), restored(method, volume[part], 0.1, **options)
    kept = tuple(
        slice(halo if (axis.start or 0) > 0 else 0, tile.shape[k] - halo if axis.stop else None)
        for k, axis in enumerate(part)
    )
    assert tile[kept].size > 1000
    assert_same(tile[kept], whole[part][kept])
