"""The Swin-Conv U-Net, with random weights: brightness, its two images, its windows, its size."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from MedRestoreLib.networks.swin_conv import WINDOW, SwinConvUNet, WindowAttention
from Testing.support.small_networks import made, speckled

LIGHT = partial(SwinConvUNet, width=8, head=4)
FULL = partial(SwinConvUNet, width=8, blocks=2, levels=4, fold=1, head=4)
both_forms = pytest.mark.parametrize("build", [LIGHT, FULL], ids=["light", "full"])


@both_forms
@pytest.mark.parametrize("factor", [0.01, 3.0])
def test_a_brighter_image_gives_a_brighter_result_and_nothing_else(build, factor):
    network, images = made(build), speckled(72, 88)
    with torch.inference_mode():
        torch.testing.assert_close(network.pair(factor * images), factor * network.pair(images), rtol=1e-3, atol=1e-5)


@both_forms
def test_the_sharp_image_is_the_second_of_the_pair(build):
    network, images = made(build), speckled(65, 71, batch=2)
    with torch.inference_mode():
        pair = network.pair(images)
        assert pair.shape == (2, 2, 65, 71)
        torch.testing.assert_close(network(images), pair[:, 1:])
    assert (pair[:, 0] - pair[:, 1]).abs().max() > 1e-4


@pytest.mark.parametrize("shift", [0, WINDOW // 2])
def test_a_position_attends_to_its_own_window_alone(shift):
    torch.manual_seed(0)
    attention, x = WindowAttention(8, 4, shift=shift), torch.randn(1, 24, 24, 8)
    other = x.clone()
    row = column = 9  # of the window that begins at 8, or at 4 where windows are shifted
    other[0, row, column] += 1
    with torch.inference_mode():
        changed = (attention(x) - attention(other)).abs().sum(-1)[0] > 0
    start = (row - shift) // WINDOW * WINDOW + shift
    inside = torch.zeros(24, 24, dtype=torch.bool)
    inside[start : start + WINDOW, start : start + WINDOW] = True
    assert not (changed & ~inside).any()
    assert changed[inside].float().mean() > 0.9


def test_shifted_windows_leave_the_border_alone():
    torch.manual_seed(0)
    attended = WindowAttention(8, 4, shift=4)(torch.randn(1, 24, 16, 8))
    assert attended[:, 4:-4, 4:-4].abs().min() > 0
    attended[:, 4:-4, 4:-4] = 0
    assert attended.abs().max() == 0
    assert WindowAttention(8, 4, shift=4)(torch.randn(1, 8, 8, 8)).abs().max() == 0
