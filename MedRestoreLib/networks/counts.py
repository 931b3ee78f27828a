"""From counts to the expected counts: what the recommended networks for scintigraphy share."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import mirrored, plane
from .mixture import COPIES, Mixture, smoothed, smoothed_copies

PREFERRED = 2  # the copy that training starts near: as smooth as fits most of a scan

# What was removed is smoothed before a part of it is returned: means of so many pixels a side, taken twice.
RETURNED_SIDE = 5

# Channels of the body: 2x2 pixels of the image, its square root and the level; of the correction and the weights.
INPUTS, OUTPUTS = 12, 4 * (1 + COPIES)

# With the square roots of the smoothed copies, for a body whose receptive field is small.
COARSE_INPUTS = INPUTS + 4 * (COPIES - 1)

# Images are padded to multiples of this: three halvings of 2x2 pixels.
MULTIPLE = 16


class CountsNetwork(Mixture):
    """Wraps a body that predicts per-pixel softmax weights over five smoothed copies, plus a residual.

    ``forward(images, level)``: noisy images ``(N, 1, H, W)``, float32, counts over K; ``level`` ``(N,)``, 1/sqrt(K).
    Returns the expected counts over K, like ``images``, never negative.

    - The inputs of the body are the image, its level, and the square root of the counts, whose noise has the same
      standard deviation everywhere (Anscombe, Biometrika 35, 1948).
    - The residual is added to the square root of the copies' weighted mean. At a peak of 26 counts most pixels hold
      none or one; a network that predicts the noise would have to cancel each of them. Weights are learned faster than
      values (as for renderings: Bako et al., ACM TOG 36(4), 2017), and a weighted mean of counts is unbiased.
    - The body works on 2x2 pixels as four channels, as FFDNet does (Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018): a
      gamma camera does not resolve single pixels, and this is four times as fast.

    Args:
        body: ``(N, 12, H/2, W/2)`` to ``(N, 24, H/2, W/2)``; its last layer is ``body.last``.
        coarse: the square roots of the smoothed copies are inputs, too; the body takes ``COARSE_INPUTS`` channels.
        blurred: see ``Mixture``.
        returned: the share of what the network removed that a trained one returns, smoothed (twicing: Tukey, 1977).
            The least error on average takes a lesion that is as faint as the noise mostly for noise. Returned are 0.2
            to 0.3 of it, with little of the noise, as that is mostly finer.
    """

    def __init__(self, body: nn.Module, *, coarse: bool = False, blurred: bool = False, returned: float = 0.0) -> None:
        super().__init__(body, PREFERRED, blurred=blurred)
        self.coarse, self.returned = coarse, returned

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        images = mirrored(images, MULTIPLE)
        shift = 3 / 8 * level.reshape(-1, 1, 1, 1) ** 2
        copies = smoothed_copies(images)
        roots = torch.sqrt((copies if self.coarse else images) + shift)
        inputs = torch.cat([images, roots, plane(5 * level, images)], 1)
        mean, residual = self.mixed(inputs, copies)
        rate = torch.square(torch.sqrt(mean + shift) + residual)
        if self.returned and not self.training:
            removed = smoothed(images - rate, RETURNED_SIDE)
            rate = (rate + self.returned * removed).clamp_min(0)
        return rate[..., :rows, :columns]
