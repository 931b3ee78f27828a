"""BM4D, refined, and BM3D: what the networks are shown, and that windows and slices make no difference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib.methods.bm3d import bm3d
from MedRestoreLib.methods.bm4d import bm4d, second_step
from MedRestoreLib.methods.refined import RETURNED, along_all_axes, counts, pilots_of, refined, slices
from MedRestoreLib.networks.bias_free import BiasFree
from MedRestoreLib.networks.counts import RETURNED_SIDE
from MedRestoreLib.networks.emanet import EMANet
from MedRestoreLib.networks.mixture import smoothed
from MedRestoreLib.networks.refining import Refining
from MedRestoreLib.noise.poisson import Poisson
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
    found = refined(volumes(), 0.09, weights="tested", pilot="general", spectrum=spectrum)
    assert torch.equal(found, bm4d(volumes(), 0.09, spectrum=spectrum))


def test_each_volume_of_a_batch_is_restored_as_if_it_were_alone(networks):
    both = refined(volumes(2), 0.09, weights="tested", pilot="general")
    for number in range(2):
        alone = refined(volumes(2)[number : number + 1], 0.09, weights="tested", pilot="general")
        torch.testing.assert_close(both[number : number + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 1 << 18])
def test_a_slice_is_shown_with_two_before_and_two_after_and_the_ends_repeated(networks, monkeypatch, at_once):
    monkeypatch.setattr("MedRestoreLib.methods.refined.AT_ONCE", at_once)
    noisy = volumes()
    found = refined(noisy, 0.09, weights="tested", pilot="general")[0, 0]
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
    ours, theirs = (
        refined(noisy, 0.09, weights="volume", pilot="general")[0, 0].numpy(),
        bm4d(noisy, 0.09)[0, 0].numpy(),
    )
    assert psnr(ours, clean) > psnr(theirs, clean) + 0.15


# Single slices


@pytest.fixture
def of_slices(monkeypatch):
    made = {"tested": Refining(width=8, around=0, coarse=1), "general": BiasFree(width=8)}
    monkeypatch.setattr("MedRestoreLib.methods.refined.loaded", lambda name, device: made[name].requires_grad_(False))
    return made


def images(count: int) -> torch.Tensor:
    return volumes()[0, 0, 2 : 2 + count, None]


@pytest.mark.parametrize("spectrum", [None, spectrum_of(fermi, deep=False)], ids=["white", "coloured"])
def test_an_untrained_network_of_slices_leaves_what_bm3d_made_which_is_told_the_spectrum(of_slices, spectrum):
    found = slices(images(2), 0.09, weights="tested", pilot="general", spectrum=spectrum)
    assert torch.equal(found, bm3d(images(2), 0.09, spectrum=spectrum))


@pytest.mark.parametrize("at_once", [1, 1 << 18])
def test_a_slice_is_shown_with_bm3ds_and_the_other_networks_result(of_slices, monkeypatch, at_once):
    torch.nn.init.normal_(of_slices["tested"].last.weight, std=0.05)
    monkeypatch.setattr("MedRestoreLib.methods.refined.AT_ONCE", at_once)
    level, noisy = torch.full((3,), 0.09), images(3)
    stack = torch.cat((noisy, bm3d(noisy, 0.09), of_slices["general"](noisy, level)), 1)
    found = slices(noisy, 0.09, weights="tested", pilot="general")
    torch.testing.assert_close(found, of_slices["tested"](stack, level), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, stack[:, 1:2], atol=1e-3), "it does something"
    alone = slices(noisy[1:2], 0.09, weights="tested", pilot="general")
    torch.testing.assert_close(found[1:2], alone, rtol=1e-4, atol=1e-5)


def test_bm3d_stays_exact_where_networks_calculate_in_bfloat16(of_slices):
    with torch.autocast("cpu", torch.bfloat16):
        found = slices(images(1), 0.09, weights="tested", pilot="general")
    assert torch.equal(found, bm3d(images(1), 0.09))


def scans(count: int = 1) -> torch.Tensor:
    """Discs of 20 counts on a ground of 2, over 20."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:48, :40]
    expected = np.where(np.hypot(row - 24, column - 18) < 11, 20.0, 2.0)
    return torch.from_numpy(rng.poisson(expected, (count, 1, 48, 40)).astype(np.float32) / 20)


@pytest.fixture
def counting(networks, monkeypatch):
    """The refining network for single images, and EMANet, untrained."""
    made = {"tested": Refining(width=8, around=0), "counting": EMANet(width=8).eval()}
    monkeypatch.setattr("MedRestoreLib.methods.refined.loaded", lambda name, device: made[name].requires_grad_(False))
    return made


def test_of_counts_an_untrained_network_leaves_what_bm3d_made_on_anscombes_scale_and_returns_a_part(counting):
    found = counts(scans(), 20**-0.5, weights="tested", pilot="counting")
    noise = Poisson(level=20.0)
    stable = noise.stabilise(scans().numpy())
    low, high = np.float32(noise.stabilise(np.array([0.0, 1.0], np.float32)))
    first = bm3d(torch.from_numpy((stable - low) / (high - low)), 1 / float(high - low)).numpy() * (high - low) + low
    rate = torch.from_numpy(noise.unbiased_inverse(first.astype(np.float32)))
    returned = RETURNED * smoothed(scans() - rate, RETURNED_SIDE)
    torch.testing.assert_close(found, (rate + returned).clamp_min(0), rtol=1e-3, atol=1e-4)
    assert found.shape == scans().shape
    assert found.dtype == torch.float32


def test_restored_counts_are_never_negative_and_scans_are_independent(counting):
    torch.nn.init.normal_(counting["tested"].last.weight, std=0.1)
    both = counts(scans(2), 20**-0.5, weights="tested", pilot="counting")
    assert both.min() >= 0
    for number in range(2):
        alone = counts(scans(2)[number : number + 1], 20**-0.5, weights="tested", pilot="counting")
        torch.testing.assert_close(both[number : number + 1], alone, rtol=1e-3, atol=1e-4)


def test_slices_by_the_weights_that_ship_are_above_bm3d_on_a_head_and_not_below_on_bars(data_folder):
    head = KINDS["average"].read(data_folder / "mri" / "mni152_t1.nii.gz")[80, 60:156, 50:146]
    row, column = np.indices((96, 96))
    bars = 0.2 + 0.6 * ((column // (2 + row // 24)) % 2) * (np.hypot(row - 48, column - 48) < 40)
    for clean, gain in ((head, 0.2), (bars, -0.1)):
        noisy = torch.from_numpy(phantoms.noisy(np.asarray(clean, np.float32), 0.09))[None, None]
        ours, theirs = slices(noisy, 0.09, weights="slices", pilot="general"), bm3d(noisy, 0.09)
        assert psnr(ours[0, 0].numpy(), clean) > psnr(theirs[0, 0].numpy(), clean) + gain
