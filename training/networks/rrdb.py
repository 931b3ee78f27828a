"""RRDB: dense blocks within residual blocks, as ESRGAN and Real-ESRGAN have them.

Wang, Yu, Wu, Gu, Liu, Dong, Qiao and Loy, ECCV workshops 2018; Wang, Xie, Dong and Shan, ICCV workshops 2021.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate, leaky_relu, pixel_unshuffle

from MedRestoreLib.networks.resizing import enlarged

from .edsr import begin_faint

SLOPE, SHARE = 0.2, 0.2  # of the leaky ReLU, and of a block's change that is added


class Dense(nn.Module):
    """Five convolutions, each of which sees all before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        outputs = (growth, growth, growth, growth, width)
        self.layers = nn.ModuleList(nn.Conv2d(width + k * growth, n, 3, padding=1) for k, n in enumerate(outputs))
        for layer in self.layers:  # a tenth of the usual start, as the authors have it
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight.mul_(0.1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        seen = features
        for layer in self.layers[:-1]:
            seen = torch.cat((seen, leaky_relu(layer(seen), SLOPE)), 1)
        return features + SHARE * self.layers[-1](seen)


class RRDB(nn.Module):
    """Images ``(N, 1, H, W)`` to ``(N, 1, factor H, factor W)``, factor 2 or 4; 16.7 million parameters in the paper.

    At factor 2 the network works on blocks of 2x2 pixels, as the authors' does.

    Args:
        factor: of enlargement.
        blocks, width, growth: 23, 64 and 32 in the paper.
        on_bicubic: as in ``edsr.EDSR``.
    """

    def __init__(
        self, factor: int = 4, blocks: int = 23, width: int = 64, growth: int = 32, *, on_bicubic: bool = False
    ) -> None:
        super().__init__()
        self.factor, self.on_bicubic = factor, on_bicubic
        self.head = nn.Conv2d((4 // factor) ** 2, width, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Sequential(*(Dense(width, growth) for _ in range(3))) for _ in range(blocks))
        self.after, self.first, self.second, self.fine = (nn.Conv2d(width, width, 3, padding=1) for _ in range(4))
        self.tail = nn.Conv2d(width, 1, 3, padding=1)
        if on_bicubic:
            begin_faint(self.tail)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = (self.factor * side for side in images.shape[2:])
        seen = images
        if self.factor == 2:
            odd = [side % 2 for side in images.shape[2:]]
            seen = pixel_unshuffle(nn.functional.pad(images, (0, odd[1], 0, odd[0]), mode="replicate"), 2)
        first = self.head(seen)
        x = first
        for block in self.blocks:
            x = x + SHARE * block(x)
        x = first + self.after(x)
        for layer in (self.first, self.second):
            x = leaky_relu(layer(interpolate(x, scale_factor=2, mode="nearest")), SLOPE)
        output = self.tail(leaky_relu(self.fine(x), SLOPE)).float()[..., :rows, :columns]
        return output + enlarged(images, self.factor) if self.on_bicubic else output
