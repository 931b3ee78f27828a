"""Bicubic enlargement as a method: what a study looks like larger when nothing is added."""

from __future__ import annotations

import torch

from .. import resampling


def bicubic(images: torch.Tensor, sigma: float, *, factor: int = 2) -> torch.Tensor:
    """Images with ``factor`` times as many rows and columns; see ``resampling``.

    Args:
        images: ``(N, 1, rows, columns)``.
        sigma: not used.
        factor: 1 or more.
    """
    return torch.from_numpy(resampling.enlarged(images.cpu().numpy(), factor)).to(images.device)
