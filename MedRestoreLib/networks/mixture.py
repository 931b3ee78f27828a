"""A body predicts, for each pixel, the weights of five smoothed copies of the image, and a correction of their mean."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, pad, pixel_shuffle, pixel_unshuffle

from .blocks import start_at_zero

COPIES = 5  # the image itself and four smoothed copies

# The body's outputs are multiplied by this to give logits, so that the weights train as fast as the correction.
LOGIT_GAIN = 4.0


class Mixture(nn.Module):
    """What the networks for counts and for speckle share.

    Args:
        body: takes 2x2 pixels as four channels, and returns 4 x (1 + COPIES) channels, of 2x2 pixels each: the
            correction, and an output for each copy. ``body.last`` is its last layer, which starts at 0.
        preferred: the copy that has most of the weight when training starts.
        blurred: the body's outputs are blurred on the image's grid, by a filter that is 0 at the Nyquist frequency. A
            body that treats the four pixels of a block differently otherwise prints a pattern of 2x2 pixels.
        fine: two convolutions of so many channels at the image's own resolution see ``inputs`` channels and the body's
            outputs, and correct these: what blurring takes from sharp edges comes back, the pattern does not. 0 for
            none.
        inputs: channels of the image and of what is known of it.
    """

    preferred: torch.Tensor

    def __init__(
        self, body: nn.Module, preferred: int, *, blurred: bool = False, fine: int = 0, inputs: int = 2
    ) -> None:
        super().__init__()
        self.body, self.blurred = body, blurred
        start_at_zero(body)
        self.fine = _Fine(inputs, fine) if fine else None
        start = torch.zeros(COPIES)
        start[preferred] = 1.0
        self.register_buffer("preferred", start.view(1, -1, 1, 1), persistent=False)

    def mixed(self, inputs: torch.Tensor, copies: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The weighted mean of the copies ``(N, 5, H, W)``, and its correction, both ``(N, 1, H, W)``.

        ``inputs`` of the body: ``(N, C, H, W)``, H and W even.
        """
        predicted = pixel_shuffle(self.body(pixel_unshuffle(inputs, 2)), 2).float()
        if self.blurred:
            predicted = without_nyquist(predicted)
        if self.fine is not None:
            predicted = predicted + self.fine(torch.cat([inputs, predicted], 1)).float()
        weights = torch.softmax(LOGIT_GAIN * (predicted[:, 1:] + self.preferred), 1)
        return (weights * copies).sum(1, keepdim=True), predicted[:, :1]


class _Fine(nn.Module):
    """A correction of the body's outputs, from these and the image; begins as nothing."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs + 1 + COPIES, width, 3, padding=1)
        self.last = nn.Conv2d(width, 1 + COPIES, 3, padding=1)
        start_at_zero(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x).relu_())


def smoothed_copies(images: torch.Tensor) -> torch.Tensor:
    """Images ``(N, 1, H, W)``, H and W multiples of 4, and copies of rising smoothness: ``(N, 5, H, W)``."""
    copies = [images, smoothed(images, 3), smoothed(images, 5)]
    for factor in (2, 4):
        small = smoothed(avg_pool2d(images, factor), 5)
        copies.append(interpolate(small, scale_factor=factor, mode="bilinear"))
    return torch.cat(copies, 1)


def without_nyquist(images: torch.Tensor) -> torch.Tensor:
    """Blurred by (1, 2, 1) / 4 along rows and columns."""
    rows, columns = images.shape[2:]
    for axis, size in ((2, rows), (3, columns)):
        padded = pad(images, (0, 0, 1, 1) if axis == 2 else (1, 1, 0, 0), mode="replicate")
        before, after = padded.narrow(axis, 0, size), padded.narrow(axis, 2, size)
        images = (before + after) / 4 + images / 2
    return images


def smoothed(images: torch.Tensor, side: int) -> torch.Tensor:
    """The mean over ``side`` x ``side`` pixels, taken twice: ``(N, 1, H, W)``; at the border over those that exist."""
    for axis in (2, 3, 2, 3):
        images = _mean(images, side, axis)
    return images


def _mean(images: torch.Tensor, side: int, axis: int) -> torch.Tensor:
    """Mean along an axis, as a sum of shifted images: for one channel, ten times as fast as torch's own pooling."""
    half, size = side // 2, images.shape[axis]
    padded = pad(images, (half, half) if axis == 3 else (0, 0, half, half))
    total = padded.narrow(axis, 0, size).clone()
    for shift in range(1, side):
        total += padded.narrow(axis, shift, size)
    index = torch.arange(size, device=images.device)
    existing = (index + half).clamp_max(size - 1) - (index - half).clamp_min(0) + 1
    return total / (existing if axis == 3 else existing[:, None])
