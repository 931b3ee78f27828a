"""DRAN: three blocks of dynamic convolutions, each beside a noise gate.

Sharif, Naqvi and Biswas, Mathematics 8(12), 2020. The text has three distinct blocks; the code released with it makes
three and passes the image through the first of them three times (``shared_blocks``).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import conv2d, leaky_relu

KERNELS = 4  # that a dynamic convolution mixes
TEMPERATURE = 34.0  # of the softmax that gives their weights: nearly equal ones

BLOCKS = 3
CONVOLUTIONS = 5  # in each block


class DynamicConvolution(nn.Module):
    """A 3x3 convolution whose kernel is a weighted mean of four; the weights depend on the image's channel means.

    ``(N, C, H, W)`` to the same shape. Chen et al., CVPR 2020.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = max(4, channels // 4)
        self.choose = nn.Sequential(nn.Linear(channels, middle), nn.ReLU(inplace=True), nn.Linear(middle, KERNELS))
        self.kernels = nn.Parameter(torch.empty(KERNELS, 9 * channels**2))  # flat: their mean is a matrix product
        nn.init.normal_(self.kernels, std=(2 / (9 * channels)) ** 0.5)  # He et al., ICCV 2015

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, rows, columns = x.shape
        weights = torch.softmax(self.choose(x.mean((2, 3))) / TEMPERATURE, 1)
        mixed = (weights @ self.kernels).reshape(batch * channels, channels, 3, 3)
        # One group of channels for each image of the batch, so that each has its own kernel.
        together = conv2d(x.reshape(1, batch * channels, rows, columns), mixed, padding=1, groups=batch)
        return together.reshape(batch, channels, rows, columns)


class NoiseGate(nn.Module):
    """A 3x3 convolution times the sigmoid of another: Yu et al., ICCV 2019. The border is mirrored."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.gate = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return leaky_relu(self.features(x) * torch.sigmoid(self.gate(x)), 0.2)


class Block(nn.Module):
    """Five dynamic convolutions, each with batch normalisation and ReLU, plus the features of a noise gate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(CONVOLUTIONS):
            layers += [DynamicConvolution(channels), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        self.residual = nn.Sequential(*layers)
        self.gate = NoiseGate(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.residual(x) + self.gate(x)


class DRAN(nn.Module):
    """The paper's form: images ``(N, 1, H, W)`` in [0, 1] to restored ones. Blind. 2.45 million parameters.

    It works on the scale [-1, 1]; what it subtracts lies within (-1, 1), the range of a hyperbolic tangent. Kernels
    depend on means over the whole image, so tiles do not agree with it.

    Args:
        width: channels.
        shared_blocks: use one block three times, as the released code does: a third of the parameters.
    """

    def __init__(self, width: int = 64, shared_blocks: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(Block(width) for _ in range(1 if shared_blocks else BLOCKS))
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scaled = 2 * images - 1
        x = torch.relu(self.first(scaled))
        for i in range(BLOCKS):
            x = self.blocks[i % len(self.blocks)](x)
        return (scaled - torch.tanh(self.last(x)).float() + 1) / 2
