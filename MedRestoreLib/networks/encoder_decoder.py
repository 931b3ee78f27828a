"""The way down and up that all U-Nets share (Ronneberger, Fischer and Brox, MICCAI 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import max_pool2d

from .blocks import Upsample

# Makes the block of a level: (input channels, output channels, level) to a module that keeps the size.
MakeUnit = Callable[[int, int, int], nn.Module]


class EncoderDecoder(nn.Module):
    """Subclasses make the three lists, in the order in which their weights are to be drawn, and what comes after.

    Attributes:
        encoder: a unit for each level, finest first.
        up: an upsampling for each step from a level to the next finer one, deepest first.
        decoder: a unit for each of these steps, which sees ``joined`` features.
    """

    encoder: nn.ModuleList
    up: nn.ModuleList
    decoder: nn.ModuleList

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The outputs of the decoder's units, deepest first: the last has the size of ``x`` ``(N, C, H, W)``.

        H and W must be multiples of 2^(levels - 1).
        """
        skips = []
        for level, unit in enumerate(self.encoder[:-1]):
            skips.append(unit(x))
            x = self.halved(skips[-1], level)
        x = self.encoder[-1](x)
        outputs = []
        for step, (up, unit) in enumerate(zip(self.up, self.decoder, strict=True)):
            x = unit(self.joined(up(x), skips.pop(), step))
            outputs.append(x)
        return outputs

    def halved(self, x: torch.Tensor, level: int) -> torch.Tensor:
        """The features of a level at half their size, for the next one."""
        return max_pool2d(x, 2)

    def joined(self, x: torch.Tensor, skip: torch.Tensor, step: int) -> torch.Tensor:
        """What a unit of the decoder sees: upsampled features and the encoder's of the same level."""
        return torch.cat([x, skip], 1)


def doubled(width: int, transitions: int) -> list[int]:
    """Channels of each level, finest first; they double at each transition.

    >>> doubled(16, 2)
    [16, 32, 64]
    """
    return [width << level for level in range(transitions + 1)]


def encoder(inputs: int, widths: Sequence[int], unit: MakeUnit) -> nn.ModuleList:
    """The units on the way down, from ``inputs`` channels to ``widths``, finest first."""
    before = [inputs, *widths]
    return nn.ModuleList(unit(before[level], width, level) for level, width in enumerate(widths))


def upsamplings(widths: Sequence[int]) -> nn.ModuleList:
    """The steps on the way up, deepest first."""
    return nn.ModuleList(Upsample(widths[level + 1], widths[level]) for level in _upwards(widths))


def decoder(widths: Sequence[int], unit: MakeUnit, *, skips: bool = True) -> nn.ModuleList:
    """The units on the way up, deepest first, which see twice their channels where there are ``skips``."""
    return nn.ModuleList(unit((1 + skips) * widths[level], widths[level], level) for level in _upwards(widths))


def _upwards(widths: Sequence[int]) -> list[int]:
    return list(reversed(range(len(widths) - 1)))
