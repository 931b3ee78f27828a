"""From counts to the rate behind them: what the recommended networks for scintigraphy share."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, pixel_shuffle, pixel_unshuffle

from .blocks import mirrored, plane

# How much smoother versions of the image a network mixes; the third is as smooth as most of a scan wants it.
SMOOTHNESSES, PREFERRED = 5, 2

# Each 2x2 pixels of the image, its square root and the level plane as channels; a correction and weights for 2x2 pixels.
INPUTS, OUTPUTS = 12, 4 * (1 + SMOOTHNESSES)

# What the weights' logits are multiplied by, so that they change as fast in training as the correction should.
LOGITS = 4.0

# Sizes are continued to multiples of this: three halvings of 2x2 pixels.
MULTIPLE = 16


class CountsNetwork(nn.Module):
    """Wraps ``body``, ``(N, 12, H/2, W/2)`` to ``(N, 24, H/2, W/2)``, whose last layer is ``body.last``.

    ``forward(images, level)``: noisy images ``(N, 1, H, W)``, float32, counts over K; ``level`` ``(N,)``, 1/sqrt(K).
    Returns the expected images (rate over K), never negative.

    - Beside the image and its level, ``body`` sees the square root of the counts: there the noise has one standard
      deviation everywhere (Anscombe, Biometrika 35, 1948).
    - It says for every pixel how much smoothing the image wants there (weights for five smoothnesses) and corrects the
      square root of that mean. At 26 counts most pixels hold none or one, and a noise map to subtract would have to
      cancel each of them. Weights are learned sooner than values (as in renderings: Bako et al., ACM TOG 36(4), 2017),
      and a weighted mean of counts has no bias of its own.
    - It works on 2x2 pixels as four channels, as FFDNet does (Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018): a gamma
      camera resolves no single pixel, and this is four times as fast.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        nn.init.zeros_(body.last.weight)  # training starts near the preferred smoothness
        nn.init.zeros_(body.last.bias)
        preferred = torch.zeros(SMOOTHNESSES)
        preferred[PREFERRED] = 1.0
        self.register_buffer("preferred", preferred.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        images = mirrored(images, MULTIPLE)
        shift = 3 / 8 * level.reshape(-1, 1, 1, 1) ** 2
        seen = torch.cat([images, torch.sqrt(images + shift), plane(5 * level, images)], 1)
        told = pixel_shuffle(self.body(pixel_unshuffle(seen, 2)), 2).float()
        weights = torch.softmax(LOGITS * (told[:, 1:] + self.preferred), 1)
        mean = (weights * smoothnesses(images)).sum(1, keepdim=True)
        return torch.square(torch.sqrt(mean + shift) + told[:, :1])[..., :rows, :columns]


def smoothnesses(images: torch.Tensor) -> torch.Tensor:
    """Images ``(N, 1, H, W)``, H and W multiples of 4, ever smoother: ``(N, 5, H, W)``, the first as they are."""
    found = [images, _means(images, 3), _means(images, 5)]
    for factor in (2, 4):
        small = _means(avg_pool2d(images, factor), 5)
        found.append(interpolate(small, scale_factor=factor, mode="bilinear"))
    return torch.cat(found, 1)


def _means(images: torch.Tensor, side: int) -> torch.Tensor:
    """Two means of ``side`` x ``side`` pixels, each over those that exist."""
    for _ in range(2):
        images = avg_pool2d(images, (side, 1), stride=1, padding=(side // 2, 0), count_include_pad=False)
        images = avg_pool2d(images, (1, side), stride=1, padding=(0, side // 2), count_include_pad=False)
    return images
