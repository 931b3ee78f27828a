"""Frames of a clip, each enlarged for itself, made to flicker no more than their bicubic enlargement.

A network sharpens the noise of each frame with its detail, so still tissue flickers. What it adds to the bicubic
enlargement is averaged over three frames, where they show the same; the bicubic part stays each frame's own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..networks import resizing

SHARE = 0.4  # of each of two other frames; the frame itself has 0.2. With equal shares it flickers more than bicubic.
SAME = 8 / 255  # of the grey range: difference of local means from which two frames rather show different things
LOCAL = 2.0  # pixels of the study: standard deviation of the window of a local mean, which averages noise out


def steadied(enlarged: Tensor, frames: Tensor, *, factor: int) -> Tensor:
    """The first of some frames, with its detail averaged with that of the others.

    Nothing is moved: a frame has no share where it shows something else. On clips of lungs optical flow gained nothing,
    since it follows the noise.

    Args:
        enlarged: float32 ``(N, 1, factor * rows, factor * columns)``, in [0, 1], each frame enlarged for itself.
        frames: float32 ``(N, 1, rows, columns)``, what was enlarged.
        factor: 2, 3 or 4.

    Returns:
        float32 ``(1, 1, factor * rows, factor * columns)`` in [0, 1]; of one frame alone ``enlarged`` itself.
    """
    if len(frames) == 1:
        return enlarged
    change = frames[1:] - frames[:1]
    weight = resizing.enlarged(alike(change), factor).clamp(0, 1)
    detail = enlarged[1:] - enlarged[:1] - resizing.enlarged(change, factor)
    return (enlarged[:1] + SHARE * (weight * detail).sum(dim=0, keepdim=True)).clamp(0, 1)


def alike(change: Tensor, local: float = LOCAL) -> Tensor:
    """How far two frames show the same around each pixel, 0 to 1, from their difference ``(N, 1, rows, columns)``.

    Args:
        change: in [-1, 1], of the grey range.
        local: pixels, standard deviation of the window of a local mean.
    """
    return torch.exp(-local_mean(change, local).square() / (2 * SAME**2))


def local_mean(images: Tensor, deviation: float) -> Tensor:
    """``(N, 1, rows, columns)`` filtered by a Gaussian; edges are replicated."""
    reach = round(3 * deviation)
    places = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-places.square() / (2 * deviation**2))
    kernel = kernel / kernel.sum()
    around = torch.nn.functional.pad(images, (reach,) * 4, mode="replicate")
    across = torch.nn.functional.conv2d(around, kernel[None, None, None])
    return torch.nn.functional.conv2d(across, kernel[None, None, :, None])
