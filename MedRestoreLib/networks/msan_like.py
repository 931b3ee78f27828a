"""A network with self-attention at three scales, in place of the "MSANN" of a paper that does not say what it is.

Our reconstruction of the nearest network that we know of by its abstract: Lee et al., "Multi-scale self-attention
network for denoising medical images", APSIPA Transactions on Signal and Information Processing, 2023. A baseline.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from .blocks import mirrored
from .swin_conv import WINDOW, WindowAttention

SCALES = (1, 2, 4)  # factors by which the image is reduced
BLOCKS = 4  # residual ones at each scale


class MSANLike(nn.Module):
    """Images ``(N, 1, H, W)`` of unknown noise and blur to restored ones of that shape; 1.1 million parameters.

    At each scale residual blocks and one self-attention; the features of all scales together give the residual image.
    Attention is within windows of 8x8 positions at every scale, so that a tile is restored as the whole is.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_Scale(width) for _ in SCALES)
        self.last = nn.Sequential(
            nn.Conv2d(len(SCALES) * width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 1, 3, padding=1),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        seen = mirrored(images, SCALES[-1] * WINDOW)
        features = []
        for factor, scale in zip(SCALES, self.scales, strict=True):
            found = scale(avg_pool2d(seen, factor))
            features.append(interpolate(found, seen.shape[2:], mode="bilinear") if factor > 1 else found)
        residual = self.last(torch.cat(features, 1))[..., :rows, :columns]
        return images + residual.to(images.dtype)


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_Residual(width) for _ in range(BLOCKS)))
        self.attention = WindowAttention(width, width // 2, shift=0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.first(images))
        return x + self.attention(x.movedim(1, -1)).movedim(-1, 1).to(x.dtype)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(self.first(x).relu_())
