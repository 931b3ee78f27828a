"""A denoiser of Gaussian noise that is told the noise level and has no bias anywhere.

After Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018 (FFDNet: sub-images, noise level as a plane), and Mohan, Kadkhodaie,
Simoncelli and Fernandez-Granda, ICLR 2020 (without biases a denoiser generalises to levels that it never saw).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from .blocks import mirrored, plane, start_at_zero


class BiasFree(nn.Module):
    """Noisy images and their noise's standard deviation in, clean images out; 1.3 million parameters.

    ``(N, 1, H, W)`` of any scale and ``(N,)`` on that scale. ReLU and convolutions without bias make it homogeneous:
    an image and a level that are k times as large give a result k times as large, so no range has to be agreed on.

    Departures from FFDNet: no biases and no batch normalisation; pairs of convolutions are residual; the last layers
    see the image at its own resolution, so that they can remove the 2x2 pattern that sub-pixel layers print; halfway,
    pairs at a quarter of the resolution see further, and what they find is added; what is predicted is the noise.

    Args:
        width: channels at half the resolution.
        pairs: residual pairs of convolutions there.
        fine: channels at full resolution.
        coarse: residual pairs at a quarter of the resolution, half as many channels again; 0 for none.
    """

    def __init__(self, width: int = 64, pairs: int = 7, fine: int = 16, coarse: int = 4) -> None:
        super().__init__()
        self.first = convolution(8, width)
        self.pairs = nn.ModuleList(Pair(width) for _ in range(pairs))
        self.coarse = Coarse(width, coarse) if coarse else None
        self.expand = convolution(width, 4 * fine)
        self.fine = convolution(fine + 2, fine)
        self.last = convolution(fine, 1)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        seen = mirrored(torch.cat((images, plane(level, images)), 1), 4)
        x = self.first(pixel_unshuffle(seen, 2)).relu_()
        for number, pair in enumerate(self.pairs):
            if self.coarse is not None and number == len(self.pairs) // 2:
                x = (x + self.coarse(x)).relu_()
            x = pair(x)
        x = torch.cat((pixel_shuffle(self.expand(x), 2).relu_(), seen.to(x.dtype)), 1)
        noise = self.last(self.fine(x).relu_())
        return images - noise[..., :rows, :columns].to(images.dtype)


class Pair(nn.Module):
    """``x + convolution(ReLU(convolution(x)))``, then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = convolution(width, width), convolution(width, width)
        nn.init.zeros_(self.second.weight)  # a pair starts as the identity

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.second(self.first(x).relu_())).relu_()


class Coarse(nn.Module):
    """Pairs at half of their input's resolution, back on its grid by bilinear interpolation; begins as nothing."""

    def __init__(self, width: int, pairs: int) -> None:
        super().__init__()
        self.down = convolution(width, 3 * width // 2, stride=2)
        self.pairs = nn.Sequential(*(Pair(3 * width // 2) for _ in range(pairs)))
        self.last = convolution(3 * width // 2, width)
        start_at_zero(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.last(self.pairs(self.down(x).relu_()))
        return interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution without bias, ready for ReLU."""
    made = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
    return made
