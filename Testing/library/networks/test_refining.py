"""What is particular to the network that refines a pilot from five slices."""

from __future__ import annotations

import pytest
import torch

from MedRestoreLib import weights
from MedRestoreLib.networks.refining import Refining

MARGIN = 48  # what of a slice a pixel sees


@pytest.fixture(scope="module", params=[(0, 1), (2, 2)], ids=["fine, two pilots", "coarse, three pilots"])
def network(request):
    torch.manual_seed(0)
    coarse, others = request.param
    made = Refining(width=8, coarse=coarse, others=others).eval()
    torch.nn.init.normal_(made.last.weight, std=0.1)
    pairs = [*made.pairs, *(made.coarse.pairs if made.coarse else ())]
    for pair in pairs:
        torch.nn.init.normal_(pair.second.weight, std=0.05)
    if made.coarse:
        torch.nn.init.normal_(made.coarse.last.weight, std=0.05)
    return made.requires_grad_(False)


def stacks(rows: int, columns: int, batch: int = 2, others: int = 1) -> torch.Tensor:
    return torch.rand(batch, 10 + others, rows, columns, generator=torch.Generator().manual_seed(rows))


def test_it_has_as_many_parameters_as_the_card_says():
    assert sum(p.numel() for p in weights.find("volume").load().parameters()) == 1_121_760


def test_untrained_it_gives_the_pilot_of_the_middle_slice_in_any_size():
    for rows, columns in ((16, 16), (17, 45), (64, 31)):
        for coarse in (0, 2):
            found = Refining(width=8, coarse=coarse)(stacks(rows, columns), torch.tensor([0.1, 0.2]))
            assert torch.equal(found, stacks(rows, columns)[:, 7:8])


def test_without_slices_around_it_refines_images():
    noisy, pilot, second = torch.rand(3, 2, 1, 17, 22)
    found = Refining(width=8, around=0)(torch.cat((noisy, pilot, second), 1), torch.tensor([0.1, 0.2]))
    assert torch.equal(found, pilot)


@pytest.mark.parametrize("factor", [1e-3, 40.0])
def test_slices_and_a_level_k_times_as_large_give_a_result_k_times_as_large(network, factor):
    images, level = stacks(30, 41, others=network.others), torch.tensor([0.02, 0.2])
    one, other = network(images, level), network(factor * images, factor * level)
    assert not torch.allclose(one, images[:, 7:8], atol=1e-3), "it does something"
    assert torch.allclose(factor * one, other, rtol=1e-4, atol=1e-5 * factor)


def test_what_is_added_to_all_slices_is_added_to_the_result(network):
    images, level = stacks(32, 32, others=network.others), torch.tensor([0.1, 0.1])
    assert torch.allclose(network(images + 5, level), network(images, level) + 5, atol=1e-4)


def test_every_slice_and_the_level_are_heeded(network):
    images, level = stacks(32, 32, 1, network.others), torch.tensor([0.1])
    before = network(images, level)
    assert not torch.equal(network(images, 2 * level), before)
    for number in range(images.shape[1]):
        changed = images.clone()
        changed[:, number] += torch.rand(32, 32)
        assert not torch.equal(network(changed, level), before), number


def test_a_tile_with_a_margin_agrees_with_the_whole(network):
    images, level = stacks(160, 144, 1, network.others), torch.tensor([0.2])
    whole = network(images, level)[..., 60:100, 60:90]
    tile = network(images[..., 60 - MARGIN : 100 + MARGIN, 60 - MARGIN : 90 + MARGIN], level)
    assert (whole - tile[..., MARGIN:-MARGIN, MARGIN:-MARGIN]).abs().max() < 1e-5
    changed = images.clone()
    changed[..., 80 - 2, 10] += 1
    kept = slice(72, None)  # beyond what the pixel reaches
    assert torch.equal(network(changed, level)[..., kept], network(images, level)[..., kept])
