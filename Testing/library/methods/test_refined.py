"""BM4D, refined: what the network is shown, and that windows and slices make no difference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib.methods.bm4d import bm4d, second_step
from MedRestoreLib.methods.refined import along_all_axes, pilots_of, refined
from MedRestoreLib.networks.bias_free import BiasFree
from MedRestoreLib.networks.refining import Refining
from Testing.support import phantoms
from Testing.support.denoising import psnr
from training.data.magnetic import KINDS
from training.data.pilots import spectrum_of
from training.simulate.magnetic import fermi


def install(monkeypatch: pytest.MonkeyPatch, trained: bool) -> dict[str, torch.nn.Module]:
    """Small networks of both names, with random weights; an untrained one changes nothing."""
    torch.manual_seed(0)
    made = {"tested": Refining(width=8, others=2), "general": BiasFree(width=8)}
    if trained:
        torch.nn.init.normal_(made["tested"].last.weight, std=0.05)
    monkeypatch.setattr("MedRestoreLib.methods.refined.loaded", lambda name, device: made[name])
    return {name: network.requires_grad_(False) for name, network in made.items()}


@pytest.fixture
def networks(monkeypatch):
    return install(monkeypatch, trained=True)


def volumes(count: int = 1) -> torch.Tensor:
    head = phantoms.simulated_brain(10, 40, 36)
    return torch.from_numpy(np.stack([phantoms.noisy(head, 0.09, seed)[None] for seed in range(count)]))


@pytest.mark.parametrize("spectrum", [None, spectrum_of(fermi)], ids=["white", "coloured"])
def test_an_untrained_network_leaves_what_bm4d_made_which_is_told_the_spectrum(monkeypatch, spectrum):
    install(monkeypatch, trained=False)
    found = refined(volumes(), 0.09, weights="tested", spectrum=spectrum)
    assert torch.equal(found, bm4d(volumes(), 0.09, spectrum=spectrum))


def test_each_volume_of_a_batch_is_restored_as_if_it_were_alone(networks):
    both = refined(volumes(2), 0.09, weights="tested")
    for number in range(2):
        alone = refined(volumes(2)[number : number + 1], 0.09, weights="tested")
        torch.testing.assert_close(both[number : number + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 1 << 18])
def test_a_slice_is_shown_with_two_before_and_two_after_and_the_ends_repeated(networks, monkeypatch, at_once):
    monkeypatch.setattr("MedRestoreLib.methods.refined.AT_ONCE", at_once)
    noisy = volumes()
    found = refined(noisy, 0.09, weights="tested")[0, 0]
    pilot, second, third = pilots_of(noisy[0, 0], 0.09, networks["general"])
    for middle, shown in ((0, [0, 0, 0, 1, 2]), (5, [3, 4, 5, 6, 7]), (9, [7, 8, 9, 9, 9])):
        stack = torch.cat((noisy[0, 0][shown], pilot[shown], second[middle][None], third[middle][None]))[None]
        expected = networks["tested"](stack, torch.tensor([0.09]))[0, 0]
        torch.testing.assert_close(found[middle], expected, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(expected, pilot[middle], atol=1e-3), "it does something"


def test_the_second_pilot_is_the_mean_of_three_cuts_through_the_volume(networks):
    network, volume = networks["general"], torch.rand(6, 8, 10, generator=torch.Generator().manual_seed(0))
    axial = network(volume[:, None], torch.full((6,), 0.1))[:, 0]
    coronal = network(volume.transpose(0, 1)[:, None], torch.full((8,), 0.1))[:, 0].transpose(0, 1)
    sagittal = network(volume.permute(2, 0, 1)[:, None], torch.full((10,), 0.1))[:, 0].permute(1, 2, 0)
    found = along_all_axes(network, volume, 0.1)
    torch.testing.assert_close(found, (axial + coronal + sagittal) / 3, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spectrum", [None, spectrum_of(fermi)], ids=["white", "coloured"])
def test_the_third_pilot_is_bm4ds_second_step_told_the_mean_of_the_others(networks, spectrum):
    noisy = volumes()[0, 0]
    first, second, third = pilots_of(noisy, 0.09, networks["general"], spectrum)
    assert torch.equal(first, bm4d(noisy[None, None], 0.09, spectrum=spectrum)[0, 0])
    level = 0.09 if spectrum is None else 0.09 * spectrum.as_white
    torch.testing.assert_close(second, along_all_axes(networks["general"], noisy, level))
    torch.testing.assert_close(third, second_step(noisy, (first + second) / 2, 0.09, spectrum=spectrum))


@pytest.mark.parametrize("name", ["patient04_study1_FLAIR", "patient04_study1_T2W"], ids=["FLAIR", "T2w"])
def test_the_weights_that_ship_are_above_bm4d_on_a_patient_that_training_never_saw(data_folder, name):
    whole = KINDS["clinical_heads"].read(data_folder / "mri" / "ms_slovenia" / f"{name}.nii.gz")
    clean = whole[8:22, 40:104, 30:94]
    noisy = torch.from_numpy(phantoms.noisy(clean, 0.09))[None, None]
    ours, theirs = refined(noisy, 0.09, weights="volume")[0, 0].numpy(), bm4d(noisy, 0.09)[0, 0].numpy()
    assert psnr(ours, clean) > psnr(theirs, clean) + 0.15
