"""For every pixel a weighted mean of ever smoother versions of the image, and a number to correct it by."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, pad, pixel_shuffle, pixel_unshuffle

# How many versions there are, the image as it is among them.
SMOOTHNESSES = 5

# What the weights' logits are multiplied by, so that they change as fast in training as the correction should.
LOGITS = 4.0


class Mixture(nn.Module):
    """What the networks for counts and for speckle share; ``body.last`` is the last layer of ``body``.

    ``body`` works on 2x2 pixels as four channels and gives 4 x (1 + SMOOTHNESSES) of them.

    Args:
        preferred: the smoothness that training starts near.
    """

    def __init__(self, body: nn.Module, preferred: int) -> None:
        super().__init__()
        self.body = body
        nn.init.zeros_(body.last.weight)
        nn.init.zeros_(body.last.bias)
        start = torch.zeros(SMOOTHNESSES)
        start[preferred] = 1.0
        self.register_buffer("preferred", start.view(1, -1, 1, 1), persistent=False)

    def mixed(self, seen: torch.Tensor, smoother: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The weighted mean of ``smoother`` ``(N, 5, H, W)`` and the correction, both ``(N, 1, H, W)``.

        ``seen``: what ``body`` looks at, ``(N, C, H, W)``.
        """
        told = pixel_shuffle(self.body(pixel_unshuffle(seen, 2)), 2).float()
        weights = torch.softmax(LOGITS * (told[:, 1:] + self.preferred), 1)
        return (weights * smoother).sum(1, keepdim=True), told[:, :1]


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
