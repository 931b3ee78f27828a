"""The noise level of counts, read off an image: EMANet's first stage, a U-Net that tells levels 1 to 50 apart.

Yu, Luo, Chen, Guo and Luo, Journal of Optoelectronics Laser 34(7), 2023. A level L stands for noise of L grey values of
255 at brightness 1. Of 50 classes in order the paper takes the likeliest; the mean over all is surer, and in between.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import max_pool2d, pixel_unshuffle

from .blocks import ResidualDense, Upsample, mirrored

LEVELS = 50
GREY = 255.0
TRANSITIONS = 2


def expected_level(logits: torch.Tensor) -> torch.Tensor:
    """Levels ``(N,)``, 1 to 50, as the mean over the classes ``(N, 50)``.

    >>> round(expected_level(torch.zeros(1, 50)).item(), 3)
    25.5
    """
    return logits.float().softmax(1) @ torch.arange(1.0, LEVELS + 1, device=logits.device)


def likeliest_level(logits: torch.Tensor) -> torch.Tensor:
    """Levels ``(N,)``, 1 to 50, as the likeliest class: the paper's read-out."""
    return 1.0 + logits.argmax(1)


class _UNet(nn.Module):
    """A U-Net of three levels with RDC blocks; the mean of its finest features, and a layer of classes."""

    def __init__(self, inputs: int, width: int, *, block: int | None, norm: bool) -> None:
        super().__init__()
        widths = [inputs, *(width << i for i in range(TRANSITIONS + 1))]
        blocks = [block and block >> i for i in range(TRANSITIONS + 1)]
        self.encoder = nn.ModuleList(
            ResidualDense(widths[i], widths[i + 1], block=blocks[i], norm=norm) for i in range(TRANSITIONS + 1)
        )
        upwards = list(reversed(range(TRANSITIONS)))
        self.up = nn.ModuleList(Upsample(widths[i + 2], widths[i + 1]) for i in upwards)
        self.decoder = nn.ModuleList(
            ResidualDense(2 * widths[i + 1], widths[i + 1], block=blocks[i], norm=norm) for i in upwards
        )
        self.classes = nn.Linear(width, LEVELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for unit in self.encoder[:-1]:
            skips.append(unit(x))
            x = max_pool2d(skips[-1], 2)
        x = self.encoder[-1](x)
        for up, unit, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = unit(torch.cat([up(x), skip], 1))
        return self.classes(x.mean((2, 3)))


class LevelNet(nn.Module):
    """The recommended form: images ``(N, 1, H, W)``, counts over K, to classes ``(N, 50)``; 144,000 parameters.

    Departures from the paper: it sees the square root of the image too, on which the noise is the same everywhere; 2x2
    pixels as four channels, which keeps every pixel and is four times as fast; local attention; no batch normalisation;
    half the width. And it begins with what counts say by themselves (``moment_level``): classes far from there are
    unlikely, how unlikely is learned, and the U-Net corrects the rest.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = _UNet(8, width, block=8, norm=False)
        nn.init.zeros_(self.body.classes.weight)
        nn.init.zeros_(self.body.classes.bias)
        self.log_width = nn.Parameter(torch.tensor(0.7))  # of the moment's distribution, about 2 levels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = mirrored(images, 16)
        classes = torch.arange(1.0, LEVELS + 1, device=images.device)
        distance = (classes - moment_level(images.float())[:, None]) * torch.exp(-self.log_width)
        corrections = self.body(pixel_unshuffle(torch.cat([images, images.clamp_min(0).sqrt()], 1), 2))
        return corrections.float() - distance.square() / 2


def moment_level(images: torch.Tensor) -> torch.Tensor:
    """Levels ``(N,)`` of images ``(N, 1, H, W)``, counts over K: from the ratio of their variance to their mean, 1/K.

    The variance is that of the difference of 2x2 pixels' diagonals, in which a blurred scan has nothing but noise.
    Within 0 (an empty image) and ``LEVELS`` + 1.

    >>> counts = torch.poisson(torch.full((1, 1, 128, 128), 4.0), generator=torch.Generator().manual_seed(0))
    >>> round(moment_level(counts / 100).item(), 1)  # K = 100: 255 / sqrt(100)
    25.8
    """
    a, b, c, d = pixel_unshuffle(images, 2).flatten(2).unbind(1)
    variance, mean = (a - b - c + d).square().sum(1), (a + b + c + d).sum(1)
    return (GREY * torch.sqrt(variance / mean.clamp_min(1 / GREY**2))).clamp(0, LEVELS + 1)


class PaperLevelNet(nn.Module):
    """The paper's form: the image alone in, attention over whole rows and columns."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.body = _UNet(1, width, block=None, norm=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(mirrored(images, 1 << TRANSITIONS))
