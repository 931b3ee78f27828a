"""How much of a sharpened image is let pass: what the image before sharpening bears out."""

from __future__ import annotations

import torch
from torch.nn.functional import max_pool2d

from .lone_echoes import narrowed

RADIUS = 3  # pixels: how far away a grey value may be that bears another out
OVERSHOOT = 0.03  # beyond the range of these grey values, as a share of it


def blended(pair: torch.Tensor, sharpen: float) -> torch.Tensor:
    """What a person sees of a calm and a sharp image ``(N, 2, rows, columns)``: ``(N, 1, rows, columns)`` in [0, 1].

    Args:
        pair: the two images.
        sharpen: from 0, the calm one, to 1, the sharp one with ``narrowed`` echoes, as far as ``guarded`` lets it pass.
    """
    calm, sharp = pair.split(1, 1)
    if not sharpen:
        return calm.clamp(0, 1)
    sharp = torch.lerp(sharp, *narrowed(calm))
    return torch.lerp(calm, guarded(calm, sharp), sharpen).clamp(0, 1)


def guarded(calm: torch.Tensor, sharp: torch.Tensor) -> torch.Tensor:
    """``sharp`` held within the range of the grey values of ``calm`` around each pixel, widened by ``OVERSHOOT``.

    Sharpening steepens an edge between the grey values on its two sides. What goes beyond them is ringing, and an edge
    where the calm image is flat is invented: neither passes. The price is that the peak of a point does not rise: only
    what was scaled down to its old height, as ``narrowed`` echoes are, gets narrower.

    Args:
        calm, sharp: ``(N, 1, rows, columns)``, before and after sharpening.

    >>> step = torch.tensor([0.0, 0.0, 0.2, 0.8, 1.0, 1.0]).expand(1, 1, 6, 6)
    >>> sharp = guarded(step, step + 3 * (step - step.mean()))
    >>> round(sharp.min().item(), 2), round(sharp.max().item(), 2)
    (-0.03, 1.03)
    """
    side = 2 * RADIUS + 1
    highest, lowest = (sign * max_pool2d(sign * calm, side, 1, RADIUS) for sign in (1, -1))
    margin = OVERSHOOT * (highest - lowest)
    return torch.minimum(torch.maximum(sharp, lowest - margin), highest + margin)
