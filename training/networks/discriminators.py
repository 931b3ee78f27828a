"""Discriminators of trainings with a critic: logits of places, higher for real images than for generated ones."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu
from torch.nn.utils.parametrizations import spectral_norm


class MultiScale(nn.Module):
    """Four strided 4x4 convolutions on the image, on its half and on its quarter (as in Lu, Chen and Chellappa, 2019).

    Args:
        width: channels of the first convolution; 64 there.
        by_level: divide images by their noise's standard deviation: of noise that is added, only its look is judged.
    """

    def __init__(self, width: int = 64, scales: int = 3, by_level: bool = False) -> None:
        super().__init__()
        self.by_level = by_level
        self.scales = nn.ModuleList(_strided(width, (2, 2, 2, 2), nn.Conv2d(8 * width, 1, 1)) for _ in range(scales))

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        """Images ``(N, 1, H, W)`` and levels ``(N,)`` to the logits of all places at all scales, ``(N, places)``."""
        x = images / level.view(-1, 1, 1, 1) if self.by_level else 2 * images - 1
        logits = []
        for layers in self.scales:
            logits.append(layers(x).flatten(1))
            x = avg_pool2d(x, 3, 2, padding=1, count_include_pad=False)
        return torch.cat(logits, 1)


class PatchGAN(nn.Module):
    """The logit of every patch of 70x70 pixels (Isola, Zhu, Zhou and Efros, CVPR 2017), with instance normalisation.

    Args:
        width: channels of the first convolution; 64 in the paper.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = _strided(width, (2, 2, 2, 1), nn.Conv2d(8 * width, 1, 4, padding=1), norm=True)

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        """Images ``(N, 1, H, W)`` to the logits of their patches ``(N, places)``; the level is not used."""
        return self.layers(2 * images - 1).flatten(1)


class UNet(nn.Module):
    """Real-ESRGAN's: the logit of every pixel, by a spectrally normalised U-Net (Wang et al., ICCV workshops 2021).

    Args:
        width: channels at full resolution; 64 in the paper.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = [width << depth for depth in range(4)]

        def normed(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Module:
            return spectral_norm(nn.Conv2d(inputs, outputs, size, stride, padding=1, bias=False))

        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.down = nn.ModuleList(normed(a, b, 4, 2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(normed(b, a) for b, a in pairwise(widths[::-1]))
        self.fine = nn.Sequential(normed(width, width), nn.LeakyReLU(0.2), normed(width, width), nn.LeakyReLU(0.2))
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(N, 1, H, W)``, sides multiples of 8, to logits of the same shape."""
        found = [leaky_relu(self.head(images), 0.2)]
        for layer in self.down:
            found.append(leaky_relu(layer(found[-1]), 0.2))
        x = found.pop()
        for layer in self.up:
            wide = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = leaky_relu(layer(wide), 0.2) + found.pop()
        return self.last(self.fine(x))


def _strided(width: int, strides: tuple[int, ...], last: nn.Module, *, norm: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 1
    for number, stride in enumerate(strides):
        channels = width << number
        layers.append(nn.Conv2d(before, channels, 4, stride, padding=1))
        layers += [*([nn.InstanceNorm2d(channels)] if norm and number else []), nn.LeakyReLU(0.2)]
        before = channels
    return nn.Sequential(*layers, last)
