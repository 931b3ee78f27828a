"""From a speckled image ``x = u (1 + n)`` to u: what the networks for ultrasound share."""

from __future__ import annotations

import math

import torch
from torch import nn

from .blocks import mirrored
from .mixture import COPIES, Mixture, smoothed_copies, without_nyquist

PREFERRED = 1  # the copy that training starts near: a triangle of five pixels

# Channels of the body: 2x2 pixels of the image and its logarithm; of log(1 + n) and the weights.
INPUTS, OUTPUTS = 8, 4 * (1 + COPIES)

LOG_GAIN = 0.3  # brings the logarithm to about the image's scale: white is 1 in both, black -0.7

# Least value of 1 + n to divide by: less would amplify errors. The largest is 255, which makes white one grey value.
GUARD = 0.1

GREY = 1 / 255  # one grey value of an 8-bit display; n, relative to the signal, is undefined where there is less


class SpeckleNetwork(Mixture):
    """Wraps a body that predicts per-pixel softmax weights over five smoothed copies, and log(1 + n) of their mean.

    ``forward(images)``: speckled images ``(N, 1, H, W)``, float32, display grey, about [0, 1]; returns the restored
    images, within [0, 1]. Blind: it is not given the level.

    - The paper divides each pixel by 1 + n. At a level of 0.75, 1 + n is below 0.1 in 11.5 % of the pixels and negative
      in 9.1 %: division cannot restore those, however well n is known. Here the weighted mean of the copies is divided,
      whose n is small. Where the image itself has all the weight, this is the paper's formula.
    - The inputs of the body are the image and its logarithm, where speckle is as strong in dark tissue as in bright.
    - The body works on 2x2 pixels as four channels, as FFDNet does (Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018): four
      times as fast, and a grain of speckle is larger than a pixel.

    Args:
        body: ``(N, 8, H/2, W/2)`` to ``(N, 24, H/2, W/2)``; its last layer is ``body.last``.
        multiple: images are padded to multiples of this; at least 4, for the smoothed copies.
        blurred, fine: see ``Mixture``; ``blurred`` holds for the smoothed copies, too.
    """

    def __init__(self, body: nn.Module, multiple: int, *, blurred: bool = False, fine: int = 0) -> None:
        super().__init__(body, PREFERRED, blurred=blurred, fine=fine)
        self.multiple = multiple

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        images = mirrored(images, self.multiple)
        logarithm = 1 + LOG_GAIN * torch.log(images.clamp_min(0) + GREY)
        copies = smoothed_copies(images)
        if self.blurred:
            # A mean over three or five pixels keeps some of the Nyquist frequency, and loses its neighbours.
            copies = torch.cat([images, without_nyquist(copies[:, 1:])], 1)
        mean, log_factor = self.mixed(torch.cat([images, logarithm], 1), copies)
        restored = mean / torch.exp(log_factor.clamp(math.log(GUARD), -math.log(GREY)))
        return restored.clamp(0, 1)[..., :rows, :columns]

    def noise(self, images: torch.Tensor) -> torch.Tensor:
        """n of each pixel, ``(N, 1, H, W)``; relative to one grey value where the restored image is darker."""
        return images / self(images).clamp_min(GREY) - 1


class PaperSpeckleNetwork(nn.Module):
    """The paper's form: a body predicts n, and ``x / (1 + n)`` is the restored image.

    Args:
        body: images ``(N, 1, H, W)`` to n of the same shape.
        multiple: images are padded to multiples of this.
        guard: least value of 1 + n to divide by; None divides by any, as the paper does.
    """

    def __init__(self, body: nn.Module, multiple: int = 1, guard: float | None = None) -> None:
        super().__init__()
        self.body, self.multiple, self.guard = body, multiple, guard

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images / (1 + self.noise(images)).clamp_min(-torch.inf if self.guard is None else self.guard)

    def noise(self, images: torch.Tensor) -> torch.Tensor:
        """n of each pixel, ``(N, 1, H, W)``."""
        rows, columns = images.shape[2:]
        return self.body(mirrored(images, self.multiple))[..., :rows, :columns].float()
