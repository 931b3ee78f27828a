"""A U-Net with residual blocks and channel attention, which segments lesions and anatomy.

The segmenter of Yu, Luo, Chen, Guo and Luo (Journal of Optoelectronics Laser 34(7), 2023). The paper only names its
parts: U-Net (Ronneberger, Fischer and Brox, MICCAI 2015), residual blocks (He et al., CVPR 2016) and
squeeze-and-excitation (Hu, Shen and Sun, CVPR 2018). Widths and the order of the parts are our choice.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu

from .blocks import Pointwise, SqueezeExcitation, convolution, mirrored
from .encoder_decoder import EncoderDecoder, decoder, doubled, encoder, upsamplings

TRANSITIONS = 4


class SEUNet(EncoderDecoder):
    """Images ``(N, 1, H, W)`` of any size to logits ``(N, classes, H, W)``. 7.6 million parameters.

    Args:
        width: channels of the finest level; they double at each of four transitions.
        classes: 1 for a logit that is positive in lesions; else one logit for each class, the first the background.
    """

    def __init__(self, width: int = 32, classes: int = 1) -> None:
        super().__init__()
        widths = doubled(width, TRANSITIONS)
        self.encoder = encoder(1, widths, _Residual)
        self.up = upsamplings(widths)
        self.decoder = decoder(widths, _Residual)
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        return self.last(self.features(mirrored(images, 1 << TRANSITIONS))[-1])[..., :rows, :columns]


class _Residual(nn.Module):
    """Two convolutions and channel attention, with a shortcut around them; the same at every ``level``."""

    def __init__(self, inputs: int, outputs: int, level: int) -> None:
        super().__init__()
        second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(convolution(inputs, outputs, norm=True), second, SqueezeExcitation(outputs))
        self.shortcut = nn.Identity() if inputs == outputs else Pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return relu(self.body(x) + self.shortcut(x))
