"""Networks: sizes, ranges and what they must not depend on. None is trained here."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.networks.blocks import CoordinateAttention, mirrored
from MedRestoreLib.networks.dncnn import DnCNN, PaperDnCNN
from MedRestoreLib.networks.emanet import EMANet, PaperEMANet
from MedRestoreLib.networks.level_net import LevelNet, PaperLevelNet, expected_level, likeliest_level
from MedRestoreLib.networks.redcnn import REDCNN
from MedRestoreLib.networks.seunet import SEUNet
from MedRestoreLib.networks.wgan_vgg import Critic, Generator
from Testing.support.small_networks import blocks, made

RECOMMENDED = {"EMANet": EMANet, "DnCNN": DnCNN}
BLIND = {"PaperDnCNN": PaperDnCNN, "REDCNN": lambda: REDCNN(width=8), "Generator": Generator}
RESTORERS = {**RECOMMENDED, **BLIND, "PaperEMANet": lambda: PaperEMANet(width=8)}
SEGMENTERS_AND_ESTIMATORS = {"SEUNet": SEUNet, "LevelNet": LevelNet, "PaperLevelNet": PaperLevelNet}

# Margins, on the networks' grid, beyond which nothing can be told; the catalogue's rows carry no smaller ones.
REACH = {"EMANet": 96, "DnCNN": 32}


def counts(rows: int, columns: int, level: float = 0.2, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """Blocks of random brightness in [0, 1] with the counts of a level, ``(batch, 1, rows, columns)``."""
    generator = torch.Generator().manual_seed(seed)
    clean = blocks(rows, columns, batch, generator)
    return torch.poisson(clean / level**2, generator=generator) * level**2


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (EMANet, 693_448),
        (PaperEMANet, 2_721_141),
        (DnCNN, 89_016),
        (PaperDnCNN, 556_097),
        (REDCNN, 1_848_865),
        (Generator, 56_097),
        (LevelNet, 144_475),
        (PaperLevelNet, 559_930),
        (SEUNet, 7_646_241),
        (Critic, 17_923_521),
    ],
)
def test_networks_have_as_many_parameters_as_they_say(build, parameters):
    assert sum(p.numel() for p in build().parameters()) == parameters


@pytest.mark.parametrize("name", RESTORERS)
def test_images_of_any_size_come_back_in_their_size(name):
    network = made(RESTORERS[name])

    @settings(max_examples=8, deadline=None)
    @given(st.integers(16, 50), st.integers(16, 50))
    def check(rows, columns):
        with torch.inference_mode():
            restored = network(counts(rows, columns, batch=2), torch.full((2,), 0.2))
        assert restored.shape == (2, 1, rows, columns)
        assert restored.dtype == torch.float32
        assert restored.isfinite().all()

    check()


@pytest.mark.parametrize("name", RECOMMENDED)
@pytest.mark.parametrize("level", [1 / 255, 50 / 255, 1.0])
def test_rates_are_never_negative(name, level):
    network = made(RECOMMENDED[name])
    with torch.inference_mode():
        assert network(counts(40, 40, level), torch.tensor([level])).min() >= 0


@pytest.mark.parametrize("name", RECOMMENDED)
def test_a_tile_with_a_margin_agrees_with_the_whole(name):
    network, reach, level = made(RECOMMENDED[name]), REACH[name], torch.tensor([0.2])
    image = counts(320, 288)
    first, last = 112, 176
    tile = image[..., first - reach : last + reach, first - reach : last + reach]
    with torch.inference_mode():
        whole = network(image, level)[..., first:last, first:last]
        inner = network(tile, level)[..., reach : reach + last - first, reach : reach + last - first]
    assert (whole - inner).abs().max() < 1e-5 < 1e-2 * whole.std()


@pytest.mark.parametrize("name", RECOMMENDED)
def test_an_odd_size_is_restored_like_the_larger_image_that_it_is_part_of(name):
    network, level = made(RECOMMENDED[name]), torch.tensor([0.2])
    image = counts(256, 256)
    with torch.inference_mode():
        whole, part = network(image, level), network(image[..., :239, :201], level)
    keep = 239 - REACH[name] - 16, 201 - REACH[name] - 16
    assert (whole[..., : keep[0], : keep[1]] - part[..., : keep[0], : keep[1]]).abs().max() < 1e-5


@pytest.mark.parametrize("name", RESTORERS)
def test_each_image_of_a_batch_is_restored_at_its_own_level(name):
    network = made(RESTORERS[name])
    levels = torch.tensor([0.02, 0.2])
    images = torch.cat([counts(48, 32, 0.02, seed=1), counts(48, 32, 0.2, seed=2)])
    with torch.inference_mode():
        together = network(images, levels)
        for i in range(2):
            alone = network(images[i : i + 1], levels[i : i + 1])
            torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)
        swapped = network(images, levels.flip(0))
    assert torch.equal(swapped, together) == (name in BLIND)


def test_batch_normalisation_is_for_the_literal_forms_alone():
    def normalised(network):
        return any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())

    assert not any(normalised(build()) for build in (EMANet, DnCNN, LevelNet, REDCNN, Generator, Critic))
    assert all(normalised(build()) for build in (PaperEMANet, PaperDnCNN, PaperLevelNet))


@pytest.mark.parametrize("build", [EMANet, PaperEMANet])
def test_each_module_of_emanet_can_be_left_out(build):
    image, level = counts(32, 48), torch.tensor([0.2])
    sizes = []
    for missing in ("", "use_rdc", "use_md", "use_rcag", "use_cf"):
        network = made(lambda missing=missing: build(width=8, **({missing: False} if missing else {})))
        assert network(image, level).shape == image.shape
        sizes.append(sum(p.numel() for p in network.parameters()))
    assert len(set(sizes)) == len(sizes)
    assert min(sizes[2:]) < sizes[0]


def test_every_weight_of_emanet_learns():
    network, level = made(EMANet).train(), torch.tensor([0.2, 0.1])
    network(counts(32, 32, batch=2), level).square().mean().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


def test_local_attention_sees_no_farther_than_its_strips():
    torch.manual_seed(0)
    attention = CoordinateAttention(8, block=4)
    image = torch.rand(1, 8, 64, 64)
    changed = image.clone()
    changed[..., 32, 32] += 100
    with torch.inference_mode():
        moved = (attention(changed) - attention(image)).abs().amax((0, 1)) > 1e-6
    rows, columns = torch.nonzero(moved, as_tuple=True)
    assert set(rows[columns != 32].tolist()) <= set(
        range(28, 40)
    )  # the row, spread over its own block and its neighbours
    assert 8 < columns.max() - 32 < 16  # two blocks of the strip and one of interpolation
    assert columns.min() > 16


def test_global_attention_sees_the_whole_row_and_column():
    torch.manual_seed(0)
    attention = CoordinateAttention(8)
    image = torch.rand(1, 8, 64, 48)
    changed = image.clone()
    changed[..., 32, 24] += 100
    with torch.inference_mode():
        moved = (attention(changed) - attention(image)).abs().amax((0, 1)) > 1e-6
    assert moved[32].all()
    assert moved[:, 24].all()
    assert moved.sum() == 64 + 48 - 1


@given(st.integers(1, 40), st.sampled_from([8, 16, 32]))
def test_continued_images_are_mirrored_at_their_edge(size, multiple):
    image = torch.rand(1, 1, size, 3)
    longer = mirrored(image, multiple)
    assert longer.shape[2] % multiple == 0
    assert 0 <= longer.shape[2] - size < multiple
    assert torch.equal(longer[:, :, :size, :3], image)
    extra = min(size, longer.shape[2] - size)
    assert torch.equal(longer[:, :, size : size + extra, :3], image.flip(2)[:, :, :extra])


@pytest.mark.parametrize("name", SEGMENTERS_AND_ESTIMATORS)
def test_segmenter_and_estimators_take_any_size(name):
    network = made(SEGMENTERS_AND_ESTIMATORS[name])
    with torch.inference_mode():
        for rows, columns in ((16, 16), (17, 45)):
            found = network(counts(rows, columns, batch=2))
            assert found.shape == ((2, 1, rows, columns) if name == "SEUNet" else (2, 50))


def test_levels_are_read_as_the_mean_or_the_likeliest_class():
    logits = torch.full((1, 50), -1e4)
    logits[0, 9], logits[0, 10] = 1.0, 1.0 + torch.log(torch.tensor(3.0))  # 1:3 between level 10 and level 11
    assert expected_level(logits).item() == pytest.approx(10.75, abs=1e-4)
    assert likeliest_level(logits).item() == 11


@given(st.integers(0, 1000))
def test_expected_levels_stay_within_the_classes(seed):
    level = expected_level(100 * torch.randn(3, 50, generator=torch.Generator().manual_seed(seed)))
    assert ((level >= 1 - 1e-4) & (level <= 50 + 1e-4)).all()


def test_the_critic_gives_one_number_for_each_patch():
    critic = made(lambda: Critic(patch=32, width=16))
    patches = torch.rand(3, 1, 32, 32)
    judged = critic(patches)
    assert judged.shape == (3,)
    torch.testing.assert_close(judged[1:2], critic(patches[1:2]))
