"""ESPCN: three convolutions at low resolution and a pixel shuffle.

Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert and Wang, CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import nn


class ESPCN(nn.Module):
    """Images ``(N, 1, H, W)`` to ``(N, 1, factor H, factor W)``; 21,284 parameters at factor 2."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(64, 32, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(32, factor**2, 3, padding=1),
            nn.PixelShuffle(factor),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)
