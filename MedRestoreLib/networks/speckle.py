"""From a speckled image to the one behind it, ``x = u (1 + n)``: what the networks for ultrasound share."""

from __future__ import annotations

import math

import torch
from torch import nn

from .blocks import mirrored
from .mixture import SMOOTHNESSES, Mixture, smoothnesses

# The smoothness that training starts near: triangles of five pixels.
PREFERRED = 1

# Each 2x2 pixels of the image and its logarithm as channels; log(1 + n) and weights for 2x2 pixels.
INPUTS, OUTPUTS = 8, 4 * (1 + SMOOTHNESSES)

# Brings the logarithm to about the image's own scale: white is 1 in both, black -0.7.
LOG_GAIN = 0.3

# 1 + n is taken for no less than this: below, a division would make large errors of small ones. And for no more than
# 255, which turns white into a single grey value.
GUARD = 0.1

# One grey value of an 8-bit display: n is relative to the signal, and where there is none it cannot be told.
GREY = 1 / 255


class SpeckleNetwork(Mixture):
    """Wraps ``body``, ``(N, 8, H/2, W/2)`` to ``(N, 24, H/2, W/2)``, whose last layer is ``body.last``.

    ``forward(images)``: speckled images ``(N, 1, H, W)``, float32, display grey, about [0, 1]; returns the restored
    images, within [0, 1]. Blind: nothing is told about the level.

    - What is divided by 1 + n is not the pixel but a weighted mean around it, whose n is small. At a level of 0.75,
      1 + n is below 0.1 in 11.5 % of the pixels and negative in 9.1 %: from those nothing comes back by division,
      however well n is known. ``body`` tells for every pixel the weights of five smoothnesses, as in ``CountsNetwork``,
      and log(1 + n) of that mean; where the sharpest has all the weight, this is the paper's formula.
    - Beside the image, ``body`` sees its logarithm, in which speckle is as strong in dark tissue as in bright.
    - It works on 2x2 pixels as four channels, as FFDNet does (Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018): four times
      as fast, and a grain of speckle is larger than a pixel.

    Args:
        multiple: sizes are continued to multiples of this; at least 4, for the smoothnesses.
    """

    def __init__(self, body: nn.Module, multiple: int) -> None:
        super().__init__(body, PREFERRED)
        self.multiple = multiple

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        images = mirrored(images, self.multiple)
        logarithm = 1 + LOG_GAIN * torch.log(images.clamp_min(0) + GREY)
        seen = torch.cat([images, logarithm], 1)
        mean, log_factor = self.mixed(seen, smoothnesses(images))
        restored = mean / torch.exp(log_factor.clamp(math.log(GUARD), -math.log(GREY)))
        return restored.clamp(0, 1)[..., :rows, :columns]

    def noise(self, images: torch.Tensor) -> torch.Tensor:
        """n of every pixel, ``(N, 1, H, W)``; relative to one grey value where the restored image is darker."""
        return images / self(images).clamp_min(GREY) - 1


class PaperSpeckleNetwork(nn.Module):
    """Wraps ``body``, images ``(N, 1, H, W)`` to n of the same shape; restores them by ``x / (1 + n)``.

    Args:
        multiple: sizes are continued to multiples of this.
        guard: 1 + n is taken for no less than this; None divides by whatever was found, as the paper does.
    """

    def __init__(self, body: nn.Module, multiple: int = 1, guard: float | None = None) -> None:
        super().__init__()
        self.body, self.multiple, self.guard = body, multiple, guard

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images / (1 + self.noise(images)).clamp_min(-torch.inf if self.guard is None else self.guard)

    def noise(self, images: torch.Tensor) -> torch.Tensor:
        """n of every pixel, ``(N, 1, H, W)``."""
        rows, columns = images.shape[2:]
        return self.body(mirrored(images, self.multiple))[..., :rows, :columns].float()
