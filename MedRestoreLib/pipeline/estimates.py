"""Estimates of a study's noise, remembered: every preview of a study asks for the same one."""

from __future__ import annotations

import zlib
from collections import OrderedDict

import numpy as np

from ..noise import Estimate
from ..progress import stop_if_asked
from .checks import find_noise

REMEMBERED = 8  # estimates

_known: OrderedDict[tuple, Estimate] = OrderedDict()


def estimated(voxels: np.ndarray, noise: str) -> Estimate:
    """The estimate of a noise model for a study ``(frames, slices, rows, columns)``; UnknownNoise without the model."""
    key = noise, voxels.shape, zlib.crc32(np.ascontiguousarray(voxels).data)
    found = _known.get(key) or find_noise(noise).estimate(voxels)
    stop_if_asked()
    _known[key] = found
    _known.move_to_end(key)
    while len(_known) > REMEMBERED:
        _known.popitem(last=False)
    return found
