"""EDSR: residual blocks without batch normalisation at low resolution, then pixel shuffles.

Lim, Son, Kim, Nah and Lee, CVPR workshops 2017.
"""

from __future__ import annotations

import torch
from torch import nn

from MedRestoreLib.networks.resizing import enlarged


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, times ``scale``, added to the input."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.scale = scale

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.scale * self.layers(features)


class EDSR(nn.Module):
    """Images ``(N, 1, H, W)`` to ``(N, 1, factor H, factor W)``; 40.7 million parameters in the paper, factor 2.

    Args:
        factor: of enlargement.
        blocks, width, scale: 32, 256 and 0.1 in the paper's largest; its baseline has 16, 64 and 1.
        on_bicubic: add the bicubic enlargement, which the paper does not: a CPU makes too few steps without.
    """

    def __init__(
        self, factor: int = 2, blocks: int = 32, width: int = 256, scale: float = 0.1, *, on_bicubic: bool = False
    ) -> None:
        super().__init__()
        self.factor, self.on_bicubic = factor, on_bicubic
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width, scale) for _ in range(blocks))
        self.after = nn.Conv2d(width, width, 3, padding=1)
        self.enlarging = enlarging(factor, width)
        self.tail = nn.Conv2d(width, 1, 3, padding=1)
        if on_bicubic:
            begin_faint(self.tail)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        first = self.head(images)
        output = self.tail(self.enlarging(first + self.after(self.body(first)))).float()
        return output + enlarged(images, self.factor) if self.on_bicubic else output

    def body(self, features: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            features = block(features)
        return features


def begin_faint(last: nn.Conv2d) -> None:
    """Let what a network adds to the bicubic enlargement be next to nothing at first."""
    nn.init.zeros_(last.bias)
    with torch.no_grad():
        last.weight.mul_(1e-2)


def enlarging(factor: int, width: int) -> nn.Sequential:
    """Pixel shuffles that enlarge twofold, once or twice, or threefold."""
    steps = {2: [2], 3: [3], 4: [2, 2]}[factor]
    layers: list[nn.Module] = []
    for step in steps:
        layers += [nn.Conv2d(width, width * step**2, 3, padding=1), nn.PixelShuffle(step)]
    return nn.Sequential(*layers)
