"""RCAN: groups of residual blocks whose channels are weighted by what the whole image holds of them.

Zhang, Li, Li, Wang, Zhong and Fu, ECCV 2018.
"""

from __future__ import annotations

import torch
from torch import nn

from .edsr import EDSR


class AttentionBlock(nn.Module):
    """Convolution, ReLU, convolution, channel attention; added to the input."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(width // reduction, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        change = self.layers(features)
        return features + change * self.gate(change)


class Group(nn.Module):
    """Attention blocks and a convolution; added to the input."""

    def __init__(self, blocks: int, width: int, reduction: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(AttentionBlock(width, reduction) for _ in range(blocks)), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.layers(features)


class RCAN(EDSR):
    """``EDSR`` with ten groups of twenty attention blocks of 64 channels in place of its residual blocks."""

    def __init__(
        self,
        factor: int = 2,
        groups: int = 10,
        blocks: int = 20,
        width: int = 64,
        reduction: int = 16,
        *,
        on_bicubic: bool = False,
    ) -> None:
        super().__init__(factor, 0, width, on_bicubic=on_bicubic)
        self.blocks = nn.ModuleList(Group(blocks, width, reduction) for _ in range(groups))
