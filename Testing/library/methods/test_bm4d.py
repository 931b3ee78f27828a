"""Claims about BM4D: it removes noise as well as the reference software, and more than BM3D slice by slice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib.methods.bm3d import bm3d
from MedRestoreLib.methods.bm4d import bm4d
from MedRestoreLib.noise.rician import Rician
from Testing.support.denoising import psnr, restored
from Testing.support.phantoms import real_brain


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """A piece of a clean head from 0 to 1: cortex and ventricles, 32 x 64 x 64."""
    simulate = pytest.importorskip("training.simulate.brain")
    voxels = simulate.t1_stack(seed=3, shape=(32, 128, 128)).voxels[0, :, 30:94, 30:94]
    return np.ascontiguousarray(voxels / voxels.max())


@pytest.fixture(scope="module")
def brain(data_folder) -> np.ndarray:
    return real_brain(data_folder)


def noisy(clean: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """The noise that the reference software was given."""
    return (clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)).astype(np.float32)


@pytest.mark.parametrize(("sigma", "floor"), [(0.03, 37.40), (0.15, 28.20), (0.25, 25.64)])
def test_head_reaches_the_reference_software(head, sigma, floor):
    assert psnr(restored(bm4d, noisy(head, sigma), sigma), head) >= floor


@pytest.mark.parametrize(("sigma", "floor"), [(0.03, 39.50), (0.09, 33.60)])
def test_real_brain_reaches_the_reference_software(brain, sigma, floor):
    assert psnr(restored(bm4d, noisy(brain, sigma), sigma), brain) >= floor


def test_volumes_gain_more_than_slices(brain):
    volume, middle = noisy(brain, 0.09), slice(14, 20)
    slices = bm3d(torch.from_numpy(volume[middle])[:, None], 0.09)[:, 0].numpy()
    assert psnr(restored(bm4d, volume, 0.09)[middle], brain[middle]) > psnr(slices, brain[middle]) + 2


def test_rician_noise_goes_through_the_stabiliser(brain):
    magnitude = np.hypot(noisy(brain, 0.09), noisy(0 * brain, 0.09, seed=1))
    model = Rician(9.0, reference=1.0)
    stabilised = model.stabilise(magnitude)
    low, scale = stabilised.min(), np.ptp(stabilised)
    result = model.unbiased_inverse(restored(bm4d, (stabilised - low) / scale, 1 / scale) * scale + low)
    assert psnr(result, brain) > psnr(magnitude, brain) + 11


@pytest.mark.parametrize("depth", [4, 5, 6, 8])
def test_thin_volumes_are_restored(brain, depth):
    part = brain[10 : 10 + depth]
    volume = noisy(part, 0.09)
    assert psnr(restored(bm4d, volume, 0.09), part) > psnr(volume, part) + 9
