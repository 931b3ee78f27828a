"""BM4D, refined: what the network is shown, and that windows and slices make no difference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib import weights
from MedRestoreLib.methods.bm4d import bm4d
from MedRestoreLib.methods.refined import refined
from MedRestoreLib.networks.refining import Refining
from Testing.support import phantoms, small_networks
from training.data.pilots import spectrum_of
from training.simulate.magnetic import fermi


@pytest.fixture
def network(tmp_path, monkeypatch):
    torch.manual_seed(0)
    made = Refining(width=8)
    torch.nn.init.normal_(made.last.weight, std=0.05)
    small_networks.install(tmp_path, made, "refining:Refining", monkeypatch)
    return made


def volumes(count: int = 1) -> torch.Tensor:
    head = phantoms.simulated_brain(10, 40, 36)
    return torch.from_numpy(np.stack([phantoms.noisy(head, 0.09, seed)[None] for seed in range(count)]))


def test_an_untrained_network_leaves_what_bm4d_made(tmp_path, monkeypatch):
    small_networks.install(tmp_path, Refining(width=8), "refining:Refining", monkeypatch)
    assert torch.equal(refined(volumes(), 0.09, weights="tested"), bm4d(volumes(), 0.09))


def test_each_volume_of_a_batch_is_restored_as_if_it_were_alone(network):
    both = refined(volumes(2), 0.09, weights="tested")
    for number in range(2):
        alone = refined(volumes(2)[number : number + 1], 0.09, weights="tested")
        torch.testing.assert_close(both[number : number + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 1 << 18])
def test_a_slice_is_shown_with_two_before_and_two_after_and_the_ends_repeated(network, monkeypatch, at_once):
    monkeypatch.setattr("MedRestoreLib.methods.refined.AT_ONCE", at_once)
    noisy = volumes()
    found, pilot = refined(noisy, 0.09, weights="tested")[0, 0], bm4d(noisy, 0.09)[0, 0]
    of_file = weights.find("tested").load()
    for middle, shown in ((0, [0, 0, 0, 1, 2]), (5, [3, 4, 5, 6, 7]), (9, [7, 8, 9, 9, 9])):
        stack = torch.cat((noisy[0, 0][shown], pilot[shown]))[None]
        expected = of_file(stack, torch.tensor([0.09]))[0, 0]
        torch.testing.assert_close(found[middle], expected, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(expected, pilot[middle], atol=1e-3), "it does something"


def test_the_spectrum_reaches_bm4d(tmp_path, monkeypatch):
    small_networks.install(tmp_path, Refining(width=8), "refining:Refining", monkeypatch)
    spectrum = spectrum_of(fermi)
    found = refined(volumes(), 0.09, weights="tested", spectrum=spectrum)
    assert torch.equal(found, bm4d(volumes(), 0.09, spectrum=spectrum))
