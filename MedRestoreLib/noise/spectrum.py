"""The spectrum of stationary noise: how strong it is at each frequency, as a table that no study's size enters.

Scanners filter k-space, fill it with zeros and interpolate, so that the noise of an image is rarely white. What methods
need to know of it are the variances of the coefficients of small blocks, which follow from its covariance (Makinen,
Azzari and Foi, IEEE TIP 29, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np

BANDS = 8  # of equal width along an axis, from frequency 0 to half a cycle a voxel
EMPTY = 1e-4  # of the strongest band: below, k-space was filled with zeros there
LOUDEST = 2.0  # times the variance, at most, for methods that take all noise for white
_FITTED = 20  # iterations: later ones fit the errors of the variances
_FAINT = 0.5  # of the strongest band: a weaker one is a sign of a filter


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Power spectral density of noise of variance 1, even in every frequency.

    Attributes:
        density: ``(slices, rows, columns)``, ``BANDS`` along each axis or 1 where the noise is white along it; of mean
            1. Index k is the band from k / 16 to (k + 1) / 16 cycles a voxel.
    """

    density: np.ndarray

    @classmethod
    def of_blocks(cls, variances: np.ndarray) -> Spectrum:
        """From the variances of the orthonormal cosine transform of blocks of the noise.

        Args:
            variances: ``(slices, rows, columns)``, 8 along each axis or 1. Their scale does not matter.

        The coefficients of a block see neighbouring bands, too. The density that gives these variances, nowhere
        negative, is found by Richardson and Lucy's iteration.
        """
        matrices = [_seen(side) for side in variances.shape]
        aims = np.maximum(variances / variances.mean(), 1e-9)
        density = np.ones_like(aims)
        for _ in range(_FITTED):
            back = _along([matrix.T for matrix in matrices], aims / _along(matrices, density))
            density = density * back / _along([matrix.T for matrix in matrices], np.ones_like(aims))
        return cls(density / density.mean())

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> Spectrum:
        """From ``to_list``."""
        return cls(np.asarray(values, np.float64))

    def to_list(self) -> list[Any]:
        """Nested lists of plain numbers, of four digits."""
        return [[[float(f"{value:.4g}") for value in row] for row in plane] for plane in self.density]

    @property
    def plateau(self) -> float:
        """Density at low frequencies, where most of an image's structure is: 1 for white noise."""
        low = tuple(slice(1, 3) if side > 1 else slice(1) for side in self.density.shape)
        return float(self.density[low].mean())

    @property
    def as_white(self) -> float:
        """Times the noise's standard deviation: what methods are told that take all noise for white.

        Structure is in low frequencies, and so is the noise that they must tell it from; told more, they blur.
        """
        return min(self.plateau, LOUDEST) ** 0.5

    @property
    def end(self) -> float:
        """Density at the highest frequencies of rows or of columns, whichever is less, over the greatest."""
        return float(min(profile[-1] / profile.max() for profile in self.profiles[1:]))

    def covariance(self, *sides: int) -> np.ndarray:
        """Covariance of the voxels of a block, flattened: ``(voxels, voxels)``, 1 on the diagonal.

        Args:
            sides: of the block, 2 or 3 of at most 8 voxels; of two, rows and columns.
        """
        lags = (1,) * (3 - len(sides)) + sides
        matrices = [_cosines(side, bands) for side, bands in zip(lags, self.density.shape, strict=True)]
        correlation = _along(matrices, self.density)
        distance = [np.abs(np.subtract.outer(np.arange(side), np.arange(side))) for side in lags]
        (a, b, c), size = distance, int(np.prod(lags))
        block = correlation[
            a[:, None, None, :, None, None], b[None, :, None, None, :, None], c[None, None, :, None, None]
        ]
        return block.reshape(size, size)

    def between_blocks(self, basis: np.ndarray, lags: int, dimensions: int) -> np.ndarray:
        """Covariance of each coefficient of a block with the same one of another block, some voxels away.

        Args:
            basis: of the separable transform, of one axis, a coefficient a row: ``(side, side)``.
            lags: distances along each axis from 0, less than this.
            dimensions: 2, of rows and columns, or 3.

        Returns:
            ``(lags,) * dimensions + (side,) * dimensions``.
        """
        matrices = [_seen_apart(basis, lags, bands) for bands in self.density.shape[3 - dimensions :]]
        found = self.density if dimensions == 3 else self.density.mean(axis=0)
        for matrix in matrices:  # the first axis is used up, its lags and coefficients go to the end
            found = np.tensordot(found, matrix, axes=(0, 0))
        order = [*range(0, 2 * dimensions, 2), *range(1, 2 * dimensions, 2)]
        return found.transpose(order)

    def autocorrelation(self, lags: int) -> np.ndarray:
        """At 1, 2... ``lags`` voxels, the mean of rows and columns: ``(lags,)``."""
        rows, columns = (_cosines(lags + 1, len(profile)) @ profile for profile in self.profiles[1:])
        return (rows + columns)[1:] / 2

    @property
    def in_plane(self) -> Spectrum:
        """That of single slices."""
        return Spectrum(self.density.mean(axis=0, keepdims=True))

    def gains(self, shape: Sequence[int]) -> np.ndarray:
        """The square root of the density at the frequencies of ``numpy.fft.rfftn`` of ``(slices, rows, columns)``."""
        axes = [np.abs(np.fft.fftfreq(side)) for side in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
        places = [_places(axis, bands) for axis, bands in zip(axes, self.density.shape, strict=True)]
        return np.sqrt(np.maximum(_along(places, self.density), 0)).astype(np.float32)

    def coloured(self, white: np.ndarray) -> np.ndarray:
        """White noise ``(..., slices, rows, columns)``, filtered to have this spectrum; its variance stays 1."""
        return _filtered(white, self.gains(white.shape[-3:]))

    def whitened(self, noise: np.ndarray, floor: float = 0.05) -> np.ndarray:
        """Noise ``(..., slices, rows, columns)`` of this spectrum, filtered to be white with variance 1 if it can be.

        Args:
            noise: float32.
            floor: bands with less of the strongest one's power are left out: there is nothing but rounding.
        """
        gains = self.gains(noise.shape[-3:])
        kept = gains > np.sqrt(floor) * gains.max()
        # Where bands are left out, the rest must carry the variance.
        return _filtered(noise, np.where(kept, 1 / np.where(kept, gains, 1), 0) / np.sqrt(kept.mean(dtype=np.float64)))

    @property
    def words(self) -> str:
        """What made it so, for a person."""
        names = ("slices", "rows", "columns")
        faint = [
            name for name, profile in zip(names, self.profiles, strict=True) if profile[-1] < _FAINT * profile.max()
        ]
        along = " and ".join(faint) if len(faint) < 3 else "all axes"
        return f"coloured: filtered in k-space along {along}" if faint else "coloured: correlated between neighbours"

    @property
    def profiles(self) -> list[np.ndarray]:
        """Density along each axis, the mean over the two others."""
        return [self.density.mean(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]


def _along(matrices: Sequence[np.ndarray], values: np.ndarray) -> np.ndarray:
    """Each matrix applied along its axis."""
    return reduce(
        lambda left, axis: np.moveaxis(np.tensordot(matrices[axis], left, axes=(1, axis)), 0, axis), range(3), values
    )


@cache
def _seen(side: int) -> np.ndarray:
    """How much each coefficient of a block of 8 sees of each band: rows sum to 1; ``[[1]]`` for a single voxel."""
    if side == 1:
        return np.ones((1, 1))
    fine = (np.arange(BANDS * 64) + 0.5) / (2 * BANDS * 64)
    k, n = np.arange(side)[:, None], np.arange(side)
    basis = np.cos(np.pi / side * (n + 0.5) * k) * np.sqrt(np.where(k == 0, 1, 2) / side)
    power = np.abs(basis @ np.exp(-2j * np.pi * fine * n[:, None])) ** 2
    return power.reshape(side, BANDS, 64).mean(axis=2) / BANDS


def _seen_apart(basis: np.ndarray, lags: int, bands: int) -> np.ndarray:
    """What each band adds to the covariance of coefficients of two blocks apart: ``(bands, lags, side)``."""
    fine = (np.arange(BANDS * 64) + 0.5) / (2 * BANDS * 64)
    power = np.abs(basis @ np.exp(-2j * np.pi * fine * np.arange(basis.shape[1])[:, None])) ** 2
    apart = np.cos(2 * np.pi * fine * np.arange(lags)[:, None])
    return (apart[:, None] * power).reshape(lags, len(basis), bands, -1).mean(axis=3).transpose(2, 0, 1) / bands


@cache
def _cosines(lags: int, bands: int) -> np.ndarray:
    """From densities to correlations at lags of 0, 1, 2...: the mean of the cosine over each band."""
    if bands == 1:
        return np.eye(lags, 1)
    fine = (np.arange(bands * 64) + 0.5) / (2 * bands * 64)
    return np.cos(2 * np.pi * fine * np.arange(lags)[:, None]).reshape(lags, bands, 64).mean(axis=2) / bands


def _places(frequencies: np.ndarray, bands: int) -> np.ndarray:
    """Linear interpolation from the middles of the bands to frequencies, as a matrix."""
    at = np.clip(2 * bands * frequencies - 0.5, 0, bands - 1)
    return np.maximum(1 - np.abs(at[:, None] - np.arange(bands)), 0)


def _filtered(values: np.ndarray, gains: np.ndarray) -> np.ndarray:
    from scipy.fft import irfftn, rfftn

    axes = (-3, -2, -1)
    return irfftn(rfftn(values, axes=axes) * gains, s=values.shape[-3:], axes=axes).astype(np.float32)
