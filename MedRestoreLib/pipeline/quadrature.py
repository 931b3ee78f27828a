"""Complex studies: two parts of the complex numbers are restored, not their magnitude.

The noise of the parts is Gaussian and equal, whatever the signal; that of the magnitude is Rician, with a mean of its
own where the signal is weak. So nothing has to be corrected, and dark tissue keeps its contrast.

The parts are those in phase with the study's surroundings and a quarter turn ahead of it: a phase that turns from voxel
to voxel, as that of an echo off the middle of k-space, would make waves of anatomy, which look like noise. Turning
numbers changes nothing about their noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..image import Image

SMOOTH = 4.0  # voxels: standard deviation of the surroundings whose phase is taken


def parts(image: Image) -> Image:
    """The parts in phase of all frames, then those a quarter turn ahead, as a study of twice as many frames.

    A study that is not complex is given back as it is.
    """
    if image.phase is None:
        return image
    turned = _numbers(image) * _reference(image).conj()
    return replace(
        image.magnitude(),
        voxels=np.concatenate([turned.real, turned.imag]),
        frame_times=(),
        remainder=None,
        padding=None,
        colour=None,
    )


def joined(image: Image, restored: np.ndarray) -> Image:
    """The study with the magnitude and the phase of other ``parts``; with other voxels, where it is not complex."""
    if image.phase is None:
        return image.with_voxels(restored)
    real, imaginary = np.split(restored, 2)
    numbers = (real + 1j * imaginary) * _reference(image)
    return replace(image, voxels=np.abs(numbers), phase=np.angle(numbers).astype(np.float32), remainder=None)


def _numbers(image: Image) -> np.ndarray:
    assert image.phase is not None
    return image.voxels * np.exp(1j * image.phase).astype(np.complex64)


def _reference(image: Image) -> np.ndarray:
    """Complex numbers of length 1 with the phase of each voxel's surroundings in its plane."""
    from scipy.ndimage import gaussian_filter1d

    numbers = _numbers(image)
    ramp = np.ones_like(numbers)
    for axis in (2, 3):
        count = numbers.shape[axis]
        step = (np.take(numbers, range(1, count), axis) * np.take(numbers, range(count - 1), axis).conj()).sum((2, 3))
        places = np.arange(count).reshape([-1 if a == axis else 1 for a in range(4)])
        ramp *= np.exp(1j * np.angle(step)[:, :, None, None] * places).astype(np.complex64)
    around = numbers * ramp.conj()
    for axis in (2, 3):
        around = gaussian_filter1d(around, SMOOTH, axis, mode="nearest")
    return ramp * np.exp(1j * np.angle(around)).astype(np.complex64)
