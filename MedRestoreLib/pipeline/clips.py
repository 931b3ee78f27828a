"""Frames of a clip that share detail, once each was enlarged for itself: see ``methods.steadying``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from .denoising import Denoising

FRAMES = 3  # that share detail, the frame itself among them


def neighbours(place: int, count: int) -> slice:
    """The FRAMES frames of ``count`` that the one at ``place`` shares detail with, itself among them; all of fewer.

    >>> neighbours(0, 9), neighbours(4, 9), neighbours(8, 9)
    (slice(0, 3, None), slice(3, 6, None), slice(6, 9, None))
    """
    first = max(0, min(place - FRAMES // 2, count - FRAMES))
    return slice(first, min(first + FRAMES, count))


def steady(denoising: Denoising, voxels: np.ndarray, enlarged: np.ndarray, progress: Callable[[float], None]) -> None:
    """Let the frames of each slice share their detail, in place.

    Args:
        denoising: of a method with frames together.
        voxels: ``(frames, slices, rows, columns)``.
        enlarged: the same, enlarged frame by frame; changed.
        progress: called before each frame with the fraction done.
    """
    frames, slices = voxels.shape[:2]
    for number in range(slices):
        waiting: deque[np.ndarray] = deque()  # frames are replaced when no other needs them as they were
        for place in range(frames):
            progress((number * frames + place) / (slices * frames))
            near = neighbours(place, frames)
            order = [place, *(at for at in range(near.start, near.stop) if at != place)]
            waiting.append(denoising.steadied(voxels[order, number], enlarged[order, number]))
            if len(waiting) == FRAMES:
                enlarged[place - FRAMES + 1, number] = waiting.popleft()
        for place, frame in enumerate(waiting, frames - len(waiting)):
            enlarged[place, number] = frame
