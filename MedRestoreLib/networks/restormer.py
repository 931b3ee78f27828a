"""Restormer, reduced: attention across channels and gated perceptrons in a U-Net; a baseline.

Zamir, Arora, Khan, Hayat, Khan and Yang, CVPR 2022.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import gelu, normalize, pixel_shuffle, pixel_unshuffle

from .blocks import Pointwise, mirrored

EXPANSION = 2.66  # of channels inside a gated perceptron


class Restormer(nn.Module):
    """Images ``(N, 1, H, W)`` of unknown noise and blur to restored ones of that shape; 3.8 million parameters.

    The paper's form for Gaussian denoising, without biases: 48 channels, (4, 6, 6, 8) blocks and 26 million parameters.
    Here it is half as wide and has fewer blocks.

    Args:
        width: channels of the finest level; they double at each level, and the heads with them, from 1.
        blocks: of each level, finest first, on the way down as on the way up.
        refinement: blocks at the end, of twice the finest width.
    """

    def __init__(self, width: int = 24, blocks: tuple[int, ...] = (2, 3, 3, 4), refinement: int = 2) -> None:
        super().__init__()
        widths = [width << level for level in range(len(blocks))]
        self.multiple = 1 << (len(blocks) - 1)
        self.first = _convolution(1, width)
        stages = [_stage(c, 1 << level, count) for level, (c, count) in enumerate(zip(widths, blocks, strict=True))]
        self.down, self.bottom = nn.ModuleList(stages[:-1]), stages[-1]
        self.coarser = nn.ModuleList(_convolution(c, c // 2) for c in widths[:-1])
        above = list(enumerate(widths[:-1]))[::-1]
        self.finer = nn.ModuleList(_convolution(2 * c, 4 * c) for level, c in above)
        self.join = nn.ModuleList(Pointwise(2 * c, c, bias=False) for level, c in above if level)
        kept = [(level, c if level else 2 * c) for level, c in above]  # the finest level keeps both halves
        self.up = nn.ModuleList(_stage(c, 1 << level, blocks[level]) for level, c in kept)
        self.refine = _stage(2 * width, 1, refinement)
        self.last = _convolution(2 * width, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        x, skips = self.first(mirrored(images, self.multiple)), []
        for stage, coarser in zip(self.down, self.coarser, strict=True):
            skips.append(stage(x))
            x = pixel_unshuffle(coarser(skips[-1]), 2)
        x = self.bottom(x)
        for step, (finer, stage) in enumerate(zip(self.finer, self.up, strict=True)):
            x = torch.cat((pixel_shuffle(finer(x), 2), skips.pop()), 1)
            x = stage(self.join[step](x) if step < len(self.join) else x)
        return images + self.last(self.refine(x))[..., :rows, :columns].to(images.dtype)


class _Block(nn.Module):
    """Transposed attention, then a gated perceptron; both act on normalised features and are added."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        inner = int(EXPANSION * channels)
        self.heads = heads
        self.norms = nn.ModuleList(_Norm(channels) for _ in range(2))
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.query_key_value = nn.Sequential(Pointwise(channels, 3 * channels, bias=False), _depthwise(3 * channels))
        self.project = Pointwise(channels, channels, bias=False)
        self.expand = nn.Sequential(Pointwise(channels, 2 * inner, bias=False), _depthwise(2 * inner))
        self.contract = Pointwise(inner, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self._attended(self.norms[0](x))
        gate, value = self.expand(self.norms[1](x)).chunk(2, 1)
        return x + self.contract(gelu(gate) * value)

    def _attended(self, x: torch.Tensor) -> torch.Tensor:
        images, channels, rows, columns = x.shape
        parts = self.query_key_value(x).reshape(images, 3, self.heads, channels // self.heads, rows * columns)
        query, key, value = parts.unbind(1)
        alike = normalize(query, dim=-1) @ normalize(key, dim=-1).mT * self.temperature
        mixed = alike.softmax(-1).to(value.dtype) @ value
        return self.project(mixed.reshape(images, channels, rows, columns))


class _Norm(nn.Module):
    """Layer normalisation over channels, without bias and without subtracting the mean from the features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.float().var(1, keepdim=True, unbiased=False) + 1e-5).to(x.dtype) * self.gain


def _stage(channels: int, heads: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels, heads) for _ in range(blocks)))


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
