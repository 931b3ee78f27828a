"""A network that refines what other methods made of an image, or of a volume slice by slice with the slices around.

A classical method averages what is alike, wherever it lies; a network of single slices knows what images look
like. Networks after or before non-local filters: Manjon and Coupe, Patch-MI 2018. Sub-images and layers without biases
as in ``bias_free``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, pixel_shuffle, pixel_unshuffle

from .bias_free import Coarse, Pair, convolution
from .blocks import mirrored, plane, start_at_zero

GROUND = 9  # side of the squares whose mean is taken off the pilot: grey itself says nothing of the noise


class Refining(nn.Module):
    """Neighbouring noisy slices, their pilots and the noise's standard deviation in, the middle slice restored out.

    ``(N, 2 (2 around + 1) + others, H, W)`` of any scale: the noisy slices, what one method made of them, and what
    others made of the middle one; and ``(N,)`` on that scale. It begins as the first method. It is homogeneous, as
    ``bias_free.BiasFree``, and sees differences only: what is added to all slices is added to the result.

    Args:
        width: channels at half the resolution.
        pairs: residual pairs of convolutions there.
        fine: channels at full resolution.
        around: slices before and after the middle one; 0 for images.
        coarse: residual pairs at a quarter of the resolution, as in ``bias_free.BiasFree``; 0 for none.
        others: pilots of the middle slice besides the first.
    """

    def __init__(
        self, width: int = 48, pairs: int = 6, fine: int = 16, around: int = 2, coarse: int = 0, others: int = 1
    ) -> None:
        super().__init__()
        self.around, self.others = around, others
        seen = 2 * (2 * around + 1) + others + 1
        self.first = convolution(4 * seen, width)
        self.pairs = nn.ModuleList(Pair(width) for _ in range(pairs))
        self.coarse = Coarse(width, coarse) if coarse else None
        self.expand = convolution(width, 4 * fine)
        self.fine = convolution(fine + seen, fine)
        self.last = convolution(fine, 1)
        start_at_zero(self)

    def forward(self, stacks: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = stacks.shape[2:]
        stacks = mirrored(stacks, 4 if self.coarse else 2)
        count = 2 * self.around + 1
        noisy, pilots, others = stacks.split((count, count, self.others), 1)
        pilot = pilots[:, self.around : self.around + 1]
        ground = avg_pool2d(pilot, GROUND, stride=1, padding=GROUND // 2, count_include_pad=False)
        beside = [pilots[:, : self.around] - pilot, pilots[:, self.around + 1 :] - pilot]
        seen = torch.cat((noisy - pilot, *beside, others - pilot, pilot - ground, plane(level, stacks)), 1)
        x = self.first(pixel_unshuffle(seen, 2)).relu_()
        for number, pair in enumerate(self.pairs):
            if self.coarse is not None and number == len(self.pairs) // 2:
                x = (x + self.coarse(x)).relu_()
            x = pair(x)
        x = torch.cat((pixel_shuffle(self.expand(x), 2).relu_(), seen.to(x.dtype)), 1)
        change = self.last(self.fine(x).relu_()).to(stacks.dtype)
        return (pilot + change)[..., :rows, :columns]
