"""From counts to the rate behind them: what the recommended networks for scintigraphy share."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import mirrored, plane
from .mixture import SMOOTHNESSES, Mixture, smoothnesses

# The smoothness that training starts near: as smooth as most of a scan wants it.
PREFERRED = 2

# Each 2x2 pixels of the image, its root and the level plane as channels; a correction and weights for 2x2 pixels.
INPUTS, OUTPUTS = 12, 4 * (1 + SMOOTHNESSES)

# The roots of the smoother versions too, for a body that does not see far.
COARSE_INPUTS = INPUTS + 4 * (SMOOTHNESSES - 1)

# Sizes are continued to multiples of this: three halvings of 2x2 pixels.
MULTIPLE = 16


class CountsNetwork(Mixture):
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
        super().__init__(body, PREFERRED)
        self.coarse = coarse

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        images = mirrored(images, MULTIPLE)
        shift = 3 / 8 * level.reshape(-1, 1, 1, 1) ** 2
        smoother = smoothnesses(images)
        roots = torch.sqrt((smoother if self.coarse else images) + shift)
        seen = torch.cat([images, roots, plane(5 * level, images)], 1)
        mean, correction = self.mixed(seen, smoother)
        return torch.square(torch.sqrt(mean + shift) + correction)[..., :rows, :columns]
