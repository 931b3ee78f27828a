"""Claims about the networks for counts, with random weights, and about the blocks that networks are made of."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MedRestoreLib.networks.blocks import CoordinateAttention, mirrored
from MedRestoreLib.networks.dncnn import DnCNN
from MedRestoreLib.networks.emanet import EMANet, PaperEMANet
from MedRestoreLib.networks.level_net import expected_level, likeliest_level
from MedRestoreLib.networks.wgan_vgg import Critic
from Testing.support.small_networks import counts, made


@pytest.mark.parametrize("build", [EMANet, DnCNN, lambda: EMANet(returned=0.5)])
@pytest.mark.parametrize("level", [1 / 255, 50 / 255, 1.0])
def test_rates_are_never_negative(build, level):
    network = made(build)
    with torch.inference_mode():
        assert network(counts(40, 40, level), torch.tensor([level])).min() >= 0


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


def test_blurred_outputs_have_no_pattern_of_the_blocks_that_the_body_works_on():
    """Even a body whose weights differ at random between the four pixels of a block prints nothing of period two."""
    images, level = torch.full((1, 1, 64, 64), 0.5), torch.tensor([0.1])
    across = (-1.0) ** torch.arange(32)
    pattern = {}
    for blurred in (False, True):
        with torch.inference_mode():
            rate = made(lambda blurred=blurred: EMANet(blurred=blurred))(images, level)[0, 0, 16:48, 16:48]
        swings = [rate * signs for signs in (across, across[:, None], across * across[:, None])]
        pattern[blurred] = max(abs(float(swing.mean())) for swing in swings)
    assert pattern[True] < 1e-4 < 1e-2 < pattern[False]


def test_a_trained_network_returns_a_share_of_what_it_removed_and_one_in_training_does_not():
    image, level = counts(64, 64), torch.tensor([0.1])
    plain, kind = made(EMANet), made(lambda: EMANet(returned=0.25))
    with torch.inference_mode():
        rate, kinder = plain(image, level), kind(image, level)
        assert (kinder - rate).mean().item() == pytest.approx(0.25 * (image - rate).mean().item(), rel=0.05)
        assert (kinder - rate).std() < 0.1 * (image - rate).std()  # little of the noise
        assert torch.equal(plain.train()(image, level), kind.train()(image, level))


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
    assert set(rows[columns != 32].tolist()) <= set(range(28, 40))  # its own block of rows and the neighbours
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
