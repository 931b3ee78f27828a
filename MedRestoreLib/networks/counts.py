"""From counts to the rate behind them: what the recommended networks for scintigraphy share."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, pad, pixel_shuffle, pixel_unshuffle

from .blocks import mirrored, plane

# How much smoother versions of the image a network mixes; the third is as smooth as most of a scan wants it.
SMOOTHNESSES, PREFERRED = 5, 2

# Each 2x2 pixels of the image, its root and the level plane as channels; a correction and weights for 2x2 pixels.
INPUTS, OUTPUTS = 12, 4 * (1 + SMOOTHNESSES)

# The roots of the smoother versions too, for a body that does not see far.
COARSE_INPUTS = INPUTS + 4 * (SMOOTHNESSES - 1)

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

    Args:
        coarse: ``body`` also sees the roots of the smoother versions; it then takes ``COARSE_INPUTS`` channels.
    """

    def __init__(self, body: nn.Module, *, coarse: bool = False) -> None:
        super().__init__()
        self.body, self.coarse = body, coarse
        nn.init.zeros_(body.last.weight)  # training starts near the preferred smoothness
        nn.init.zeros_(body.last.bias)
        preferred = torch.zeros(SMOOTHNESSES)
        preferred[PREFERRED] = 1.0
        self.register_buffer("preferred", preferred.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        images = mirrored(images, MULTIPLE)
        shift = 3 / 8 * level.reshape(-1, 1, 1, 1) ** 2
        smoother = smoothnesses(images)
        roots = torch.sqrt((smoother if self.coarse else images) + shift)
        seen = torch.cat([images, roots, plane(5 * level, images)], 1)
        told = pixel_shuffle(self.body(pixel_unshuffle(seen, 2)), 2).float()
        weights = torch.softmax(LOGITS * (told[:, 1:] + self.preferred), 1)
        mean = (weights * smoother).sum(1, keepdim=True)
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
    for axis in (2, 3, 2, 3):
        images = _mean(images, side, axis)
    return images


def _mean(images: torch.Tensor, side: int, axis: int) -> torch.Tensor:
    """Sums of shifted images: of a single channel, ten times as fast as torch's own pooling."""
    half, size = side // 2, images.shape[axis]
    padded = pad(images, (half, half) if axis == 3 else (0, 0, half, half))
    total = padded.narrow(axis, 0, size).clone()
    for shift in range(1, side):
        total += padded.narrow(axis, shift, size)
    place = torch.arange(size, device=images.device)
    existing = (place + half).clamp_max(size - 1) - (place - half).clamp_min(0) + 1
    return total / (existing if axis == 3 else existing[:, None])
