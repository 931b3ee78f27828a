"""FDIWN: two paths of features that weight each other, made of wide residual units with shuffled attention.

Gao, Li, Li, Wang and Dong, AAAI 2022. What the paper leaves open (order of the groups, running sums, starts of the
scales) follows the authors' program (github.com/IVIPLab/FDIWN).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import channel_shuffle, leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from MedRestoreLib.networks.resizing import enlarged

from .edsr import begin_faint

PARTS = 6  # of the channels, each of which attends to itself
SLOPE = 0.05
ORDER = (0, 1, 2, 1, 2)  # of the groups after the first


class ShuffledAttention(nn.Module):
    """Half of each part's channels weighted by their mean, half by their value at each place; then mixed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // (2 * PARTS)
        self.normed = nn.GroupNorm(half, half)
        self.gains = nn.ParameterList(torch.zeros(half, 1, 1) for _ in range(2))
        self.offsets = nn.ParameterList(torch.ones(half, 1, 1) for _ in range(2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        count, channels, rows, columns = features.shape
        whole, places = features.reshape(count * PARTS, channels // PARTS, rows, columns).chunk(2, 1)
        whole = whole * torch.sigmoid(self.gains[0] * whole.mean((2, 3), keepdim=True) + self.offsets[0])
        places = places * torch.sigmoid(self.gains[1] * self.normed(places) + self.offsets[1])
        return channel_shuffle(torch.cat((whole, places), 1).reshape(features.shape), 2)


class WideUnit(nn.Module):
    """1x1 to more channels, ReLU, 1x1 to few, 3x3, attention; added to the input, both with learned scales.

    Args:
        inputs, outputs: channels. Where they differ, the input goes through a 3x3 convolution.
        wide, narrow: channels between.
    """

    def __init__(self, inputs: int, outputs: int, wide: int, narrow: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            weight_norm(nn.Conv2d(inputs, wide, 1)),
            nn.ReLU(),
            weight_norm(nn.Conv2d(wide, narrow, 1)),
            weight_norm(nn.Conv2d(narrow, outputs, 3, padding=1)),
            ShuffledAttention(outputs),
        )
        self.kept = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.scales[0] * self.change(features) + self.scales[1] * self.kept(features)


class Weighing(nn.Module):
    """How much of each channel the other path takes: from the channel's mean and from its standard deviation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_mean, self.of_deviation = (
            nn.Sequential(
                nn.Conv2d(channels, channels // 8, 1), nn.ReLU(), nn.Conv2d(channels // 8, channels, 1), nn.ReLU()
            )
            for _ in range(2)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        mean = features.mean((2, 3), keepdim=True)
        deviation = (features.var((2, 3), keepdim=True, correction=0) + 1e-8).sqrt()
        return (torch.sigmoid(self.of_mean(mean)) + torch.sigmoid(self.of_deviation(deviation))) / 2


class Interaction(nn.Module):
    """Two paths: each keeps half of its channels aside, restores the others and takes a share of the other path."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2

        def units() -> nn.ModuleList:
            return nn.ModuleList(WideUnit(width, width, 2 * width, half) for _ in range(2))

        self.before, self.after = units(), units()
        self.inner = nn.ModuleList(WideUnit(half, width, 4 * half, half) for _ in range(2))
        self.weighings = nn.ModuleList(Weighing(width) for _ in range(4))
        self.gates = nn.ModuleList(nn.Conv2d(half, width, 3, padding=1, bias=False) for _ in range(2))
        self.scales = nn.Parameter(torch.ones(2))
        self.joined = WideUnit(2 * width, width, 4 * width, width)
        self.share = nn.Conv2d(2 * width, width, 1, bias=False)
        self.attention = ShuffledAttention(width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        aside_a, one = leaky_relu(self.before[0](features), SLOPE).chunk(2, 1)
        one = self.inner[0](one)
        other = self.weighings[0](one) * one + features
        first = self.weighings[1](features) * features + one
        aside_b, two = leaky_relu(self.before[1](other), SLOPE).chunk(2, 1)
        two = self.inner[1](two)
        second = (self.weighings[2](first) * first + two) * torch.sigmoid(self.gates[0](aside_b))
        first = (self.weighings[3](two) * two + first) * torch.sigmoid(self.gates[1](aside_a))
        first, second = self.after[0](first), self.after[1](second)
        both = torch.cat((self.scales[0] * first, self.scales[1] * second), 1)
        return self.attention(self.joined(both) + torch.sigmoid(self.share(both)) * second + features)


class Group(nn.Module):
    """Three interactions whose outputs are joined."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Interaction(width) for _ in range(3))
        self.skip = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.joins = nn.ModuleList(nn.Conv2d(2 * width, width, 3, padding=1, groups=4, bias=False) for _ in range(2))
        self.unit = WideUnit(width, width, 2 * width, width // 2)
        self.scales = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        one = self.blocks[0](features)
        two = self.blocks[1](one)
        three = self.blocks[2](two + self.skip(one))
        joined = self.joins[0](channel_shuffle(torch.cat((one, two), 1), 4))
        joined = self.joins[1](channel_shuffle(torch.cat((joined, three), 1), 4))
        return self.scales[0] * (joined + three) + self.scales[1] * self.unit(features)


class FDIWN(nn.Module):
    """Images ``(N, 1, H, W)`` to ``(N, 1, factor H, factor W)``; 0.62 million parameters at factor 2.

    Args:
        factor: of enlargement.
        width, wide: channels of the groups, and before the pixel shuffle.
        on_bicubic: as in ``edsr.EDSR``.
    """

    def __init__(self, factor: int = 2, width: int = 24, wide: int = 64, *, on_bicubic: bool = False) -> None:
        super().__init__()
        self.factor, self.on_bicubic = factor, on_bicubic
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.groups = nn.ModuleList(Group(width) for _ in range(3))

        def enlarging(inputs: int, *, bias: bool) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, wide, 3, padding=1, bias=bias),
                nn.Conv2d(wide, factor**2, 3, padding=1),
                nn.PixelShuffle(factor),
            )

        self.deep, self.shallow = enlarging(width, bias=False), enlarging(1, bias=True)
        if on_bicubic:
            for branch in (self.deep, self.shallow):
                begin_faint(branch[1])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        total = last = self.groups[0](self.head(images))
        for number in ORDER:
            found = self.groups[number](last)
            total, last = total + found, last + found
        output = (self.deep(total) + self.shallow(images)).float()
        return output + enlarged(images, self.factor) if self.on_bicubic else output
