"""The generator of data-free distillation: random numbers to images that a student cannot yet enlarge as its teacher.

After Zhang, Chen, Chen, Xu, Xu and Xu, CVPR 2021 (data-free knowledge distillation for image super-resolution).
"""

from __future__ import annotations

import torch
from torch import nn

GROWTH = 4  # each of two steps doubles the sides


class Generator(nn.Module):
    """Normal random numbers ``(N, inputs)`` to images ``(N, 1, side, side)`` in (0, 1).

    Three convolutions of 128, 128 and 64 channels, each with batch normalisation and ReLU, as in the paper; and an
    output layer, which the paper does not mention.
    """

    def __init__(self, side: int = 48, inputs: int = 256) -> None:
        super().__init__()
        self.inputs, self.begin = inputs, side // GROWTH
        self.linear = nn.Linear(inputs, 128 * self.begin**2)
        self.layers = nn.Sequential(
            *_step(128, 128),
            nn.Upsample(scale_factor=2),
            *_step(128, 128),
            nn.Upsample(scale_factor=2),
            *_step(128, 64),
            nn.Conv2d(64, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return self.layers(self.linear(numbers).unflatten(1, (128, self.begin, self.begin)))


def _step(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
