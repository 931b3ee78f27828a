"""Bicubic enlargement and reduction by whole factors: what networks that enlarge begin with and are judged by.

Keys' kernel with a = -1/2, stretched by the factor where an image is reduced, as MATLAB's ``imresize`` has it (Keys,
IEEE TASSP 29(6), 1981). The field of view stays: outer edges of the first and the last pixel coincide. Beyond them an
image goes on as its mirror image.
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate

REACH = 2  # pixels of the smaller image that a pixel depends on, in each direction


def enlarged(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Images ``(N, C, H, W)`` as ``(N, C, factor H, factor W)``, float32; edges may overshoot.

    >>> enlarged(torch.ones(1, 1, 4, 4), 3).shape
    torch.Size([1, 1, 12, 12])
    """
    return _bicubic(images, REACH, factor)[..., REACH * factor : -REACH * factor, REACH * factor : -REACH * factor]


def reduced(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Images ``(N, C, H, W)``, sides multiples of ``factor``, as ``(N, C, H / factor, W / factor)``, float32.

    >>> bool(torch.isclose(reduced(enlarged(torch.full((1, 1, 8, 8), 0.5), 2), 2), torch.tensor(0.5)).all())
    True
    """
    return _bicubic(images, REACH * factor, 1 / factor)[..., REACH:-REACH, REACH:-REACH]


def _bicubic(images: torch.Tensor, margin: int, scale: float) -> torch.Tensor:
    """Images with ``margin`` mirrored pixels around them, resized."""
    around = _mirrored(_mirrored(images.float(), margin, 2), margin, 3)
    size = [round(length * scale) for length in around.shape[2:]]
    # Enlarging, antialias changes nothing but a, which is -3/4 without.
    return interpolate(around, size=size, mode="bicubic", antialias=True)


def _mirrored(images: torch.Tensor, margin: int, axis: int) -> torch.Tensor:
    length = images.shape[axis]
    index = torch.arange(-margin, length + margin, device=images.device) % (2 * length)
    return images.index_select(axis, torch.minimum(index, 2 * length - 1 - index))
