"""Bicubic enlargement and reduction by whole factors: what networks that enlarge begin with and are judged by.

Keys' kernel with a = -1/2, stretched by the factor where an image is reduced, as MATLAB's ``imresize`` has it (Keys,
IEEE TASSP 29(6), 1981). The field of view stays: outer edges of the first and the last pixel coincide.
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate


def enlarged(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Images ``(N, C, H, W)`` as ``(N, C, factor H, factor W)``, float32; edges may overshoot.

    >>> enlarged(torch.ones(1, 1, 4, 4), 3).shape
    torch.Size([1, 1, 12, 12])
    """
    return _bicubic(images, (images.shape[2] * factor, images.shape[3] * factor))


def reduced(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Images ``(N, C, H, W)``, sides multiples of ``factor``, as ``(N, C, H / factor, W / factor)``, float32.

    >>> bool(torch.isclose(reduced(enlarged(torch.full((1, 1, 8, 8), 0.5), 2), 2), torch.tensor(0.5)).all())
    True
    """
    return _bicubic(images, (images.shape[2] // factor, images.shape[3] // factor))


def _bicubic(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    # Without antialias torch has a = -3/4; enlarging, antialias changes nothing but that.
    return interpolate(images.float(), size=size, mode="bicubic", antialias=True)
