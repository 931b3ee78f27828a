"""VDSR: twenty convolutions on the bicubic enlargement, which they correct.

Kim, Lee and Lee, CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import nn

from MedRestoreLib.networks.resizing import enlarged


class VDSR(nn.Module):
    """Images ``(N, 1, H, W)`` to ``(N, 1, factor H, factor W)``; 664,704 parameters with 20 layers of 64 channels.

    Its first layer, 576 weights without bias, is what the fusion network sees images with.
    """

    def __init__(self, factor: int = 2, layers: int = 20, width: int = 64) -> None:
        super().__init__()
        self.factor = factor
        self.features = _convolution(1, width)
        widths = [width] * (layers - 1)
        self.layers = nn.ModuleList(_convolution(width, outputs) for outputs in [*widths[1:], 1])
        with torch.no_grad():
            self.layers[-1].weight.mul_(1e-2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        start = enlarged(images, self.factor)
        features = torch.relu(self.features(start))
        for layer in self.layers[:-1]:
            features = torch.relu(layer(features))
        return start + self.layers[-1](features).float()


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer
