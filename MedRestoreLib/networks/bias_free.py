"""A denoiser of Gaussian noise that is told the noise level and has no bias anywhere.

After Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018 (FFDNet: sub-images, noise level as a plane), and Mohan, Kadkhodaie,
Simoncelli and Fernandez-Granda, ICLR 2020 (without biases a denoiser generalises to levels that it never saw).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from .blocks import mirrored, plane


class BiasFree(nn.Module):
    """Noisy images and their noise's standard deviation in, clean images out; 560,000 parameters.

    ``(N, 1, H, W)`` of any scale and ``(N,)`` on that scale. ReLU and convolutions without bias make it homogeneous:
    an image and a level that are k times as large give a result k times as large, so no range has to be agreed on.

    Departures from FFDNet: no biases and no batch normalisation; pairs of convolutions are residual; the last layers
    see the image at its own resolution, so that they can remove the 2x2 pattern that sub-pixel layers print; what is
    predicted is the noise.

    Args:
        width: channels at half the resolution.
        pairs: residual pairs of convolutions there.
        fine: channels at full resolution.
    """

    def __init__(self, width: int = 64, pairs: int = 7, fine: int = 16) -> None:
        super().__init__()
        self.first = _convolution(8, width)
        self.pairs = nn.ModuleList(_Pair(width) for _ in range(pairs))
        self.expand = _convolution(width, 4 * fine)
        self.fine = _convolution(fine + 2, fine)
        self.last = _convolution(fine, 1)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        seen = mirrored(torch.cat((images, plane(level, images)), 1), 2)
        x = self.first(pixel_unshuffle(seen, 2)).relu_()
        for pair in self.pairs:
            x = pair(x)
        x = torch.cat((pixel_shuffle(self.expand(x), 2).relu_(), seen.to(x.dtype)), 1)
        noise = self.last(self.fine(x).relu_())
        return images - noise[..., :rows, :columns].to(images.dtype)


class _Pair(nn.Module):
    """``x + convolution(ReLU(convolution(x)))``, then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)
        nn.init.zeros_(self.second.weight)  # a pair starts as the identity

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.second(self.first(x).relu_())).relu_()


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return convolution
