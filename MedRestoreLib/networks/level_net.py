"""The noise level of an image of counts: EMANet's first stage, a U-Net that classifies it into levels 1 to 50.

Yu, Luo, Chen, Guo and Luo, Journal of Optoelectronics Laser 34(7), 2023. At level L the standard deviation of the noise
is L of 255 grey values where the brightness is 1. The paper takes the most probable class; the expectation over the
classes has a smaller error, and is not bound to whole levels.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pixel_unshuffle

from .blocks import ResidualDense, mirrored
from .encoder_decoder import EncoderDecoder, decoder, doubled, encoder, upsamplings

LEVELS = 50
GREY = 255.0
TRANSITIONS = 2


def expected_level(logits: torch.Tensor) -> torch.Tensor:
    """Levels ``(N,)``, 1 to 50: the expectation over the classes, whose logits are ``(N, 50)``.

    >>> round(expected_level(torch.zeros(1, 50)).item(), 3)
    25.5
    """
    return logits.float().softmax(1) @ torch.arange(1.0, LEVELS + 1, device=logits.device)


def likeliest_level(logits: torch.Tensor) -> torch.Tensor:
    """Levels ``(N,)``, 1 to 50: the most probable class, as in the paper."""
    return 1.0 + logits.argmax(1)


class _UNet(EncoderDecoder):
    """A U-Net of three levels with RDC blocks, then the mean over the image and a linear layer: logits ``(N, 50)``."""

    def __init__(self, inputs: int, width: int, *, block: int | None, norm: bool) -> None:
        super().__init__()

        def unit(before: int, after: int, level: int) -> nn.Module:
            return ResidualDense(before, after, block=block and block >> level, norm=norm)

        widths = doubled(width, TRANSITIONS)
        self.encoder = encoder(inputs, widths, unit)
        self.up = upsamplings(widths)
        self.decoder = decoder(widths, unit)
        self.classes = nn.Linear(width, LEVELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.features(x)[-1].mean((2, 3)))


class LevelNet(nn.Module):
    """The recommended form: images ``(N, 1, H, W)``, counts over K, to logits ``(N, 50)``; 144,000 parameters.

    Departures from the paper: the square root of the image is an input, too, whose noise is the same everywhere; 2x2
    pixels are four channels, which is four times as fast; attention is local; no batch normalisation; half the width.
    The logits are those of a normal distribution around ``moment_level``, whose width is learned, plus corrections
    that the U-Net predicts.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = _UNet(8, width, block=8, norm=False)
        nn.init.zeros_(self.body.classes.weight)
        nn.init.zeros_(self.body.classes.bias)
        self.log_width = nn.Parameter(torch.tensor(0.7))  # exp(0.7): 2 levels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = mirrored(images, 16)
        classes = torch.arange(1.0, LEVELS + 1, device=images.device)
        distance = (classes - moment_level(images.float())[:, None]) * torch.exp(-self.log_width)
        corrections = self.body(pixel_unshuffle(torch.cat([images, images.clamp_min(0).sqrt()], 1), 2))
        return corrections.float() - distance.square() / 2


def moment_level(images: torch.Tensor) -> torch.Tensor:
    """Levels ``(N,)`` of images ``(N, 1, H, W)``, counts over K: from the ratio of their variance to their mean, 1/K.

    The variance is taken from the difference of both diagonals of 2x2 pixels, where a blurred scan has only noise.
    The levels are 0 (an empty image) to ``LEVELS`` + 1.

    >>> counts = torch.poisson(torch.full((1, 1, 128, 128), 4.0), generator=torch.Generator().manual_seed(0))
    >>> round(moment_level(counts / 100).item(), 1)  # K = 100: 255 / sqrt(100)
    25.8
    """
    a, b, c, d = pixel_unshuffle(images, 2).flatten(2).unbind(1)
    variance, mean = (a - b - c + d).square().sum(1), (a + b + c + d).sum(1)
    return (GREY * torch.sqrt(variance / mean.clamp_min(1 / GREY**2))).clamp(0, LEVELS + 1)


class PaperLevelNet(nn.Module):
    """The paper's form: the image is the only input, and attention is over whole rows and columns."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.body = _UNet(1, width, block=None, norm=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(mirrored(images, 1 << TRANSITIONS))
