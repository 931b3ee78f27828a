"""What is particular to the denoiser without biases."""

from __future__ import annotations

import pytest
import torch

from MedRestoreLib.networks.bias_free import BiasFree
from Testing.support.small_networks import made


@pytest.fixture(scope="module")
def network():
    return made(lambda: BiasFree(width=8))


@pytest.mark.parametrize("factor", [1e-3, 0.25, 40.0])
def test_an_image_and_a_level_k_times_as_large_give_a_result_k_times_as_large(network, factor):
    images, level = torch.rand(2, 1, 30, 41, generator=torch.Generator().manual_seed(0)), torch.tensor([0.02, 0.2])
    with torch.inference_mode():
        one, other = network(images, level), network(factor * images, factor * level)
    assert not torch.allclose(one, images, atol=1e-3), "it does something"
    assert torch.allclose(factor * one, other, rtol=1e-4, atol=1e-5 * factor)


def test_what_is_black_and_without_noise_stays_black(network):
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 16, 16), torch.zeros(1)).abs().max() == 0


def test_the_level_is_heeded(network):
    images = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert not torch.equal(network(images, torch.tensor([0.01])), network(images, torch.tensor([0.3])))
