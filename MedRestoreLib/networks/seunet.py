"""A U-Net with residual blocks and channel attention that outlines lesions of the bone.

The segmenter of Yu, Luo, Chen, Guo and Luo (Journal of Optoelectronics Laser 34(7), 2023), which names its parts and no
more: the U-Net of Ronneberger, Fischer and Brox (MICCAI 2015), residual blocks (He et al., CVPR 2016) with
squeeze-and-excitation (Hu, Shen and Sun, CVPR 2018). Widths and the order of the parts are ours.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu

from .blocks import Pointwise, SqueezeExcitation, Upsample, convolution, mirrored

TRANSITIONS = 4


class SEUNet(nn.Module):
    """Images ``(N, 1, H, W)`` of any size to logits of the same shape, above 0 inside a lesion. 7.6 million parameters.

    Args:
        width: channels of the finest level; they double at each of four transitions.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = [1, *(width << i for i in range(TRANSITIONS + 1))]
        self.encoder = nn.ModuleList(_Residual(widths[i], widths[i + 1]) for i in range(TRANSITIONS + 1))
        upwards = list(reversed(range(1, TRANSITIONS + 1)))
        self.up = nn.ModuleList(Upsample(widths[i + 1], widths[i]) for i in upwards)
        self.decoder = nn.ModuleList(_Residual(2 * widths[i], widths[i]) for i in upwards)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        x = mirrored(images, 1 << TRANSITIONS)
        skips = []
        for unit in self.encoder[:-1]:
            skips.append(unit(x))
            x = max_pool2d(skips[-1], 2)
        x = self.encoder[-1](x)
        for up, unit, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = unit(torch.cat([up(x), skip], 1))
        return self.last(x)[..., :rows, :columns]


class _Residual(nn.Module):
    """Two convolutions and channel attention, with a shortcut around them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(convolution(inputs, outputs, norm=True), second, SqueezeExcitation(outputs))
        self.shortcut = nn.Identity() if inputs == outputs else Pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return relu(self.body(x) + self.shortcut(x))
