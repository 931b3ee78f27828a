"""The U-Net of Noise2Noise (Lehtinen et al., ICML 2018), narrower: supervised and self-supervised baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from MedRestoreLib.networks.blocks import mirrored, plane


class UNet(nn.Module):
    """Noisy images ``(N, 1, H, W)`` and their noise's standard deviation ``(N,)``; the prediction is subtracted.

    No batch normalisation, which harms small batches of different levels.

    Args:
        width: channels of every level; 48 in the paper.
        levels: resolutions, each half of the one before.
    """

    def __init__(self, width: int = 32, levels: int = 4) -> None:
        super().__init__()
        self.multiple = 1 << (levels - 1)
        self.down = nn.ModuleList(_pair(2 if level == 0 else width, width) for level in range(levels))
        self.up = nn.ModuleList(_pair(2 * width, width) for _ in range(levels - 1))
        self.last = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        rows, columns = images.shape[2:]
        x = mirrored(torch.cat((images, plane(level, images)), 1), self.multiple)
        skips: list[Tensor] = []
        for layers in self.down:
            x = layers(max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for layers, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = layers(torch.cat((interpolate(x, scale_factor=2), skip), 1))
        noise = self.last(x).float()[..., :rows, :columns]
        return images - level.view(-1, 1, 1, 1) * noise


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    convolutions = (nn.Conv2d(before, outputs, 3, padding=1) for before in (inputs, outputs))
    return nn.Sequential(*(layer for convolution in convolutions for layer in (convolution, nn.LeakyReLU(0.1))))
