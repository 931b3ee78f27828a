"""Complex studies of two real ones: magnitude and phase, or real and imaginary part."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ..errors import UnsupportedImage
from ..image import Image

# What a turn is stored as: radians, also times 1000 (GE); degrees; whole numbers of 10, 12, 13 (signed 12) and 16 bits.
_TURNS = (2 * math.pi, 2000 * math.pi, 360.0, 1023.0, 4095.0, 8190.0, 65535.0)
_CLOSE = 0.005  # of a turn: noise alone reaches as far as that


def with_phase(magnitude: Image, phase: Image) -> Image:
    """A complex study of its magnitude and its phase.

    Args:
        phase: on the same grid, in radians, degrees, or the whole numbers that scanners store a turn as.

    Raises:
        UnsupportedImage: the grids differ, the magnitude is negative somewhere, or the phase is none.
    """
    if magnitude.voxels.shape != phase.voxels.shape or not magnitude.same_grid(phase):
        raise UnsupportedImage("magnitude and phase do not lie on the same grid; give those of one acquisition.")
    if magnitude.voxels.min() < 0:
        raise UnsupportedImage("the magnitude is negative somewhere; give the magnitude of complex numbers.")
    turn = turn_of(phase)
    if turn is None:
        raise UnsupportedImage("the values of the phase fill no turn; give it in radians, or as the scanner stored it.")
    radians = phase.voxels * np.float32(2 * math.pi / turn)
    return dataclasses.replace(magnitude, phase=radians)


def with_imaginary(real: Image, imaginary: Image) -> Image:
    """A complex study of its real and its imaginary part; what it tells of its source is the real part's.

    Args:
        imaginary: on the same grid, in the same unit.

    Raises:
        UnsupportedImage: the grids differ, or a part has no value below 0.
    """
    if real.voxels.shape != imaginary.voxels.shape or not real.same_grid(imaginary):
        raise UnsupportedImage("real and imaginary part do not lie on the same grid; give those of one acquisition.")
    for name, part in (("real", real), ("imaginary", imaginary)):
        if part.voxels.min() >= 0:
            raise UnsupportedImage(f"the {name} part has no value below 0, so its 0 is not known; give the magnitude.")
    numbers = real.voxels + 1j * imaginary.voxels
    return dataclasses.replace(real, voxels=np.abs(numbers), phase=np.angle(numbers).astype(np.float32))


def turn_of(phase: Image) -> float | None:
    """What a turn is stored as in the values of a phase; None where they fill none."""
    span = float(phase.voxels.max()) - float(phase.voxels.min())
    return next((turn for turn in _TURNS if abs(span - turn) <= _CLOSE * turn), None)
