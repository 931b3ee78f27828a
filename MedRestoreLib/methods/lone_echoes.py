"""Echoes that stand alone: of them the blur can be told, so they are deconvolved.

A wire in water or a speck in a cyst is as wide as the scanner's point spread function, or wider. In tissue echoes
overlap, and nothing tells their width from the blur's: there nothing is done.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch.nn.functional import avg_pool2d, pad

from ..networks.blocks import gaussian

REACH = 9  # pixels: half of the side of the window that an echo has to itself
NEAR = 2.2, 3.2  # how many echoes of that width and height make up the sum of grey: up to a pair below, a crowd above
STANDS_OUT = 0.8, 0.95  # height of an echo relative to its grey value: it fades into its ground below, is alone above

STEPS = 7  # of Richardson and Lucy; from squared echoes, which are narrower already, as far as 10 from the echoes
LEAST = 0.7  # pixels: blur that stays, since pixels hold nothing narrower
SAMPLED = 0.1  # pixels²: what differences between pixels add to the variance of an echo
BLURS = 0.0, 0.9, 1.6, 3.0  # standard deviations, pixels; between them filters are mixed, beyond the last not widened
SLOPE = math.exp(-0.5)  # the steepest slope of a Gaussian of standard deviation and height 1
SUMMIT = 32  # power of the height: only the summit of an echo tells how it grew
AROUND_SUMMIT, AROUND_WIDTH = 5, 4  # pixels: half of the sides of windows of means
FLOOR = 1e-3  # of the highest echo near: below, the ratio of an echo and its estimate is held at 1
_TINY = 1e-6  # grey: against division by 0


def narrowed(calm: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The image with narrower echoes, and where they are alone: from 0, among others, to 1. Both like ``calm``.

    What is brighter than the morphological opening of the image is deconvolved by some steps of Richardson and Lucy
    (JOSA 62(1), 1972; Astronomical Journal 79(6), 1974). Width along rows and columns is read off height and steepest
    slope of the echoes within REACH. A deconvolved echo is higher; each is scaled to the height that it had, since
    bright ones are clipped already, where more height would show as more width. So an echo keeps its peak and loses
    the sum of its grey values. All of its width is taken for blur: what is small and round looks smaller than it is.

    Args:
        calm: without noise, ``(N, 1, rows, columns)``.
    """
    ground = _highest(-_highest(-calm, REACH), REACH)
    echoes = calm - ground
    highest = _highest(echoes, REACH)
    widths = [_width(echoes, highest, axis) for axis in (2, 3)]
    count = _mean(echoes, REACH) * (2 * REACH + 1) ** 2 / (2 * math.pi * widths[0] * widths[1] * highest + _TINY)
    alone = _falling(count, *NEAR) * (1 - _falling(highest / (highest + ground.clamp_min(0) + _TINY), *STANDS_OUT))
    shares = [_shares(width) for width in widths]

    def blurred(images: torch.Tensor) -> torch.Tensor:
        for axis, share in zip((2, 3), shares, strict=True):
            images = _blurred(images, share, axis)
        return images

    floor = FLOOR * highest + _TINY
    near = _highest(echoes, AROUND_SUMMIT) + _TINY
    sharp = echoes * echoes / near
    for _ in range(STEPS):
        sharp = sharp * blurred((echoes + floor) / (blurred(sharp) + floor))
    summit = (echoes / near) ** SUMMIT
    height = (_mean(summit * echoes, AROUND_SUMMIT) + _TINY) / (_mean(summit * sharp, AROUND_SUMMIT) + _TINY)
    return ground + sharp * height.clamp_max(1), alone


def _width(echoes: torch.Tensor, highest: torch.Tensor, axis: int) -> torch.Tensor:
    """Standard deviation along an axis, pixels, of a Gaussian as high and as steep as the echoes near."""
    steepest = _highest(echoes.diff(dim=axis, append=echoes.narrow(axis, -1, 1)).abs(), REACH)
    return _mean(SLOPE * highest / (steepest + _TINY), AROUND_WIDTH)


def _shares(width: torch.Tensor) -> torch.Tensor:
    """How much of each of BLURS is in the filter of a pixel, ``(N, len(BLURS), rows, columns)``: they sum up to 1.

    Two neighbours of BLURS are mixed, so that the variance is the wanted one.
    """
    known = [sigma**2 for sigma in BLURS]
    variance = (width**2 - SAMPLED - LEAST**2).clamp(known[0], known[-1])
    upward = [((variance - low) / (high - low)).clamp(0, 1) for low, high in pairwise(known)]
    ones = torch.ones_like(variance)
    return torch.cat([more - less for more, less in zip([ones, *upward], [*upward, 0 * ones], strict=True)], 1)


def _blurred(images: torch.Tensor, shares: torch.Tensor, axis: int) -> torch.Tensor:
    result = shares[:, :1] * images  # BLURS begins with none
    for number, sigma in enumerate(BLURS[1:], 1):
        result = torch.addcmul(result, shares[:, number : number + 1], gaussian(images, sigma, axis))
    return result


def _falling(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """1 below ``low``, 0 above ``high``, and a line between."""
    return ((high - values) / (high - low)).clamp(0, 1)


def _highest(images: torch.Tensor, radius: int) -> torch.Tensor:
    """The highest grey of the window around each pixel, by doubling its side: much quicker than ``max_pool2d``."""
    side = 2 * radius + 1
    images = pad(images, (radius,) * 4, value=-math.inf)
    for axis in (2, 3):
        done = 1
        while done < side:
            step = min(done, side - done)
            length = images.shape[axis] - step
            images = torch.maximum(images.narrow(axis, 0, length), images.narrow(axis, step, length))
            done += step
    return images


def _mean(images: torch.Tensor, radius: int) -> torch.Tensor:
    """Over the window around each pixel; at the border over the pixels that exist."""
    side = 2 * radius + 1
    rows = avg_pool2d(images, (1, side), 1, (0, radius), count_include_pad=False)
    return avg_pool2d(rows, (side, 1), 1, (radius, 0), count_include_pad=False)
