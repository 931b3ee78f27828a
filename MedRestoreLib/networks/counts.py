"""From counts to the rate behind them: what the recommended networks for scintigraphy share."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, pixel_shuffle, pixel_unshuffle

from .blocks import mirrored, plane

# Each 2x2 pixels of the image, its square root and the level plane as channels; the correction of 2x2 pixels.
INPUTS, OUTPUTS = 12, 4

# Sizes are continued to multiples of this: three halvings of 2x2 pixels.
MULTIPLE = 16


class CountsNetwork(nn.Module):
    """Wraps ``body``, ``(N, 12, H/2, W/2)`` to ``(N, 4, H/2, W/2)``, whose last layer is ``body.last``.

    ``forward(images, level)``: noisy images ``(N, 1, H, W)``, float32, counts over K; ``level`` ``(N,)``, 1/sqrt(K).
    Returns the expected images (rate over K), never negative.

    - Beside the image and its level, ``body`` sees the square root of the counts: there the noise has one standard
      deviation everywhere (Anscombe, Biometrika 35, 1948).
    - It corrects the square root of the smoothed image. At 26 counts most pixels hold none or one, and a noise map
      to subtract would have to cancel each of them.
    - It works on 2x2 pixels as four channels, as FFDNet does (Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018): a gamma
      camera resolves no single pixel, and this is four times as fast.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        nn.init.zeros_(body.last.weight)  # training starts near the smoothed image
        nn.init.zeros_(body.last.bias)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        images = mirrored(images, MULTIPLE)
        shift = 3 / 8 * level.reshape(-1, 1, 1, 1) ** 2
        seen = torch.cat([images, torch.sqrt(images + shift), plane(5 * level, images)], 1)
        correction = pixel_shuffle(self.body(pixel_unshuffle(seen, 2)), 2).float()
        root = torch.sqrt(smoothed(images) + shift) + correction
        return torch.square(root)[..., :rows, :columns]


def smoothed(images: torch.Tensor) -> torch.Tensor:
    """Two means of 5x5 pixels, each over those that exist."""
    for _ in range(2):
        images = avg_pool2d(images, 5, stride=1, padding=2, count_include_pad=False)
    return images
