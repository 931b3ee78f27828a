"""What the recommended form of unpaired denoising needs in training alone: codes of noise, and the way to noise.

``translated`` of a way to noise says which images a training compares. ``l`` is noisy, ``h`` the clean image of another
subject, both ``(N, 1, H, W)`` in about [0, 1]; H and W are multiples of 4. The paper's form: ``disentangled_paper``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from MedRestoreLib.networks.bias_free import Pair, convolution
from MedRestoreLib.networks.blocks import start_at_zero
from MedRestoreLib.networks.disentangled import FOLD, PIXELS, Disentangled


class Translated(NamedTuple):
    """Images of one domain as the other's, all ``(N, 1, H, W)``.

    Attributes:
        fakeh, fakel: ``l`` without noise, ``h`` with it.
        fakehh, fakell: both translated back, to be like ``h`` and ``l``.
        kl: mean Kullback-Leibler divergence of the noise codes from the standard normal distribution, summed over the
            numbers of a code; 0 where there is none.
    """

    fakeh: Tensor
    fakel: Tensor
    fakehh: Tensor
    fakell: Tensor
    kl: Tensor


class Code(NamedTuple):
    """Means and logarithms of the variances of a noise code, ``(N, code, 1, 1)`` or ``(N, code, H / 4, W / 4)``."""

    mean: Tensor
    log_variance: Tensor

    def drawn(self) -> Tensor:
        return self.mean + (self.log_variance / 2).exp() * torch.randn_like(self.mean)

    def kl(self) -> Tensor:
        """Of each sample, the mean over places: a code of one place counts like one of many."""
        terms = 0.5 * (self.mean.square() + self.log_variance.exp() - self.log_variance - 1)
        return terms.sum(1).mean()


class NoiseEncoder(nn.Module):
    """Noise over its standard deviation to a code of each 4 x 4 pixels, ``(N, 16, H / 4, W / 4)``.

    It begins as the noise itself, a number for each pixel: independent noise cannot be told in fewer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = convolution(PIXELS, width), convolution(width, 2 * PIXELS)
        start_at_zero(self)

    def forward(self, noise: Tensor) -> Code:
        numbers = pixel_unshuffle(noise, FOLD)
        mean, log_variance = self.last(self.first(numbers).relu_()).float().chunk(2, 1)
        return Code(numbers + mean, log_variance)


class Noising(nn.Module):
    """The recommended way to noise: a code of the noise, decoded beside the content of a clean image, and added.

    In the stabilised domain noise is nearly white and of known strength. So a code is a number for each pixel, and the
    generator, which begins as the code itself, has to learn only how noise differs from white.

    - ``h`` gets noise of a code that is drawn, so nothing that ``l`` shows can reach it.
    - ``l`` is translated back with the code of what was removed from it.
    - The way from ``fakel`` back teaches the denoiser alone: noise is not to become easy to remove.

    Args:
        width: channels of the network's content.
        blocks: residual blocks.
        inner: channels of the blocks.
    """

    def __init__(self, width: int = 96, blocks: int = 2, inner: int = 48) -> None:
        super().__init__()
        self.encoder = NoiseEncoder(inner)
        self.first = convolution(width + PIXELS, inner)
        self.blocks = nn.Sequential(*(Pair(inner) for _ in range(blocks)))
        self.last = convolution(inner, PIXELS)
        start_at_zero(self)

    def noise(self, content: Tensor, code: Tensor) -> Tensor:
        """Noise over its standard deviation, ``(N, 1, H, W)``."""
        inner = self.first(torch.cat((content, code.to(content.dtype)), 1)).relu_()
        return pixel_shuffle(code + self.last(self.blocks(inner)).float(), FOLD)

    def translated(self, network: Disentangled, l: Tensor, h: Tensor, level: Tensor) -> Translated:  # noqa: E741
        sigma = level.view(-1, 1, 1, 1)
        fakeh = network(l, level)
        content = network.content(h, level)
        drawn = torch.randn(len(h), PIXELS, *content.shape[2:], device=h.device)
        fakel = h + sigma * self.noise(content, drawn)
        code = self.encoder((l - fakeh) / sigma)
        fakell = fakeh + sigma * self.noise(network.content(fakeh, level), code.drawn())
        return Translated(fakeh, fakel, network(fakel.detach(), level), fakell, code.kl())
