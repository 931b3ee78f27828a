"""A method on one picture or volume, and how good the result is: for the tests of ``MedRestoreLib.methods``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from MedRestoreLib.metrics import fidelity

psnr = partial(fidelity.psnr, data_range=1.0)
"""``psnr(image, clean)`` in dB, of arrays or CPU tensors of any shape, in [0, 1]."""


def tensor(image: np.ndarray) -> torch.Tensor:
    """``(rows, columns)`` or ``(slices, rows, columns)`` as methods take it: float32 ``(1, 1, ...)``."""
    return torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]


def restored(method: Callable, image: np.ndarray, sigma: float, **options: Any) -> np.ndarray:
    """The method on one picture or volume, as an array.

    >>> from MedRestoreLib.methods.adf import anisotropic_diffusion
    >>> restored(anisotropic_diffusion, np.full((4, 4), 0.5), 0.1).tolist()[0]
    [0.5, 0.5, 0.5, 0.5]
    """
    return method(tensor(image), sigma, **options)[0, 0].numpy()


def assert_same(image: np.ndarray, expected: np.ndarray, *, rms: float = 2e-5, most: float = 2e-3) -> None:
    """Equal, but for voxels where a rounding error decided otherwise between two choices that are equally good.

    Blocks that are equally similar change places, coefficients cross a threshold: far below any noise.

    Args:
        rms, most: how far apart all voxels may be on average, and one voxel.
    """
    difference = np.abs(np.asarray(image, np.float64) - np.asarray(expected, np.float64))
    assert np.sqrt(np.mean(difference**2)) < rms
    assert difference.max() < most
