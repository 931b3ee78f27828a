"""RED-CNN: five convolutions, then five transposed convolutions, with three shortcuts.

Chen, Zhang, Kalra, Lin, Chen, Liao, Zhou and Wang, IEEE TMI 36(12), 2017. Made for low-dose CT.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu

from .blocks import mirrored

LAYERS = 5
KERNEL = 5

MULTIPLE = 32  # images are padded to multiples of this: each convolution takes 4 pixels off, 20 in all


class REDCNN(nn.Module):
    """The paper's form; its results are never negative. Blind: ``level`` is not used. 1.85 million parameters.

    Departure: images are padded by their mirror image to multiples of 32 pixels, so that small ones fit.
    """

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        down = [nn.Conv2d(width, width, KERNEL) for _ in range(LAYERS - 1)]
        self.down = nn.ModuleList([nn.Conv2d(1, width, KERNEL), *down])
        up = [nn.ConvTranspose2d(width, width, KERNEL) for _ in range(LAYERS - 1)]
        self.up = nn.ModuleList([*up, nn.ConvTranspose2d(width, 1, KERNEL)])

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        x = mirrored(images, MULTIPLE)
        inputs = []  # of each convolution
        for layer in self.down:
            inputs.append(x)
            x = relu(layer(x))
        for number, layer in enumerate(self.up):
            x = layer(x)
            if number % 2 == 0:  # shortcuts from the image, the second and the fourth convolution
                x = x + inputs[-1 - number]
            x = relu(x)
        return x[..., :rows, :columns]
