"""FSRCNN: features at low resolution, a narrow chain, one transposed convolution at the end.

Dong, Loy and Tang, ECCV 2016.
"""

from __future__ import annotations

import torch
from torch import nn


class FSRCNN(nn.Module):
    """Images ``(N, 1, H, W)`` to ``(N, 1, factor H, factor W)``; (d, s, m) = (56, 12, 4), about 12,800 parameters.

    The last layer begins with weights of standard deviation 0.001, as in the paper.
    """

    def __init__(self, factor: int = 2, wide: int = 56, narrow: int = 12, layers: int = 4) -> None:
        super().__init__()
        body = [nn.Conv2d(1, wide, 5, padding=2), nn.PReLU(wide), nn.Conv2d(wide, narrow, 1), nn.PReLU(narrow)]
        for _ in range(layers):
            body += [nn.Conv2d(narrow, narrow, 3, padding=1), nn.PReLU(narrow)]
        body += [nn.Conv2d(narrow, wide, 1), nn.PReLU(wide)]
        self.body = nn.Sequential(*body)
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        self.last = nn.ConvTranspose2d(wide, 1, 9, stride=factor, padding=4, output_padding=factor - 1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.body(images))
