"""MR acquisitions of a clean study: complex noise in k-space, as scanners filter, fill, combine, mask and store it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Acquire = Callable[[np.ndarray, float, np.random.Generator], tuple[np.ndarray, np.ndarray]]

COILS = 4
STRONGEST, WEAKEST = 3.0, 1.0  # of uneven noise, at the centre and at the border


@dataclass(frozen=True, eq=False)
class Acquisition:
    """A simulated acquisition.

    Attributes:
        noisy: magnitudes, float32 like the clean study.
        ideal: what it would be without noise, at the same resolution.
        sigma: standard deviation of the noise in each channel (real, imaginary), the root of the mean variance where
            ``inside``; in the study's unit.
        inside: boolean, the object.
        gains: of k-space, in ``numpy.fft.fftn``'s order; None where it was not filtered.
        spread: the noise's standard deviation over ``sigma``; 1 where it is even.
    """

    noisy: np.ndarray
    ideal: np.ndarray
    sigma: float
    inside: np.ndarray
    gains: np.ndarray | None
    spread: np.ndarray | float


def acquire(clean: np.ndarray, kind: str, level: float, seed: int = 0) -> Acquisition:
    """Acquire a clean study.

    Args:
        clean: ``(slices, rows, columns)``, at least 0, float32.
        kind: one of ``KINDS``.
        level: total noise of each channel, percent of the clean study's maximum.
        seed: of the noise.

    >>> acquire(np.ones((4, 16, 16), np.float32), "white", 5.0).sigma
    0.05
    """
    rng = np.random.default_rng(seed)
    sigma = level / 100 * float(clean.max())
    inside = clean > 0.05 * clean.max()
    ideal = np.asarray(clean, np.float32)
    gains = KINDS[kind](clean.shape) if kind in FILTERS else None
    if gains is not None:
        ideal = np.maximum(filtered(ideal, gains), 0)
    spread = _uneven(clean.shape, inside) if kind == "uneven" else 1.0
    if kind == "coils":
        noisy = _combined(ideal, sigma, rng)
    else:
        channels = [coloured(rng, clean.shape, gains) * (sigma * spread) for _ in range(2)]
        noisy = np.hypot(ideal + channels[0], channels[1])
    if kind == "stripped":
        noisy, ideal = (np.where(inside, values, 0) for values in (noisy, ideal))
    if kind == "eight_bit":
        step = float(noisy.max()) / 255
        noisy = np.round(noisy / step) * step
    return Acquisition(noisy.astype(np.float32), ideal.astype(np.float32), sigma, inside, gains, spread)


def zero_filled(factor: float) -> Callable[[tuple[int, ...]], np.ndarray]:
    """Gains in k-space, in ``numpy.fft.fftn``'s order: the outer part empty along rows and columns."""

    def gains(shape: tuple[int, ...]) -> np.ndarray:
        rows, columns = (np.abs(np.fft.fftfreq(side)) < 0.5 / factor for side in shape[1:])
        return np.broadcast_to(rows[:, None] & columns, shape).astype(np.float32)

    return gains


def fermi(shape: tuple[int, ...], edge: float = 0.38, width: float = 0.05) -> np.ndarray:
    """Gains in k-space that roll off at ``edge`` cycles a voxel, over about ``width``, in all three axes."""
    squares = [np.square(np.fft.fftfreq(side)) if side > 1 else np.zeros(1) for side in shape]
    radius = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
    return (1 / (1 + np.exp((radius - edge) / width))).astype(np.float32)


FILTERS: dict[str, Callable[[tuple[int, ...]], np.ndarray]] = {
    **{f"zero_filled_{factor:g}": zero_filled(factor) for factor in (1.2, 1.5, 2.0)},
    "fermi": fermi,
}
KINDS: dict[str, Callable | None] = {**FILTERS, **dict.fromkeys(("white", "uneven", "coils", "stripped", "eight_bit"))}


def filtered(values: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Values ``(slices, rows, columns)`` times the gains in k-space."""
    return np.fft.ifftn(np.fft.fftn(values) * gains).real.astype(np.float32)


def coloured(rng: np.random.Generator, shape: tuple[int, ...], gains: np.ndarray | None) -> np.ndarray:
    """Gaussian noise of variance 1, filtered by the gains; white without."""
    white = rng.standard_normal(shape, dtype=np.float32)
    return white if gains is None else filtered(white, gains) / np.sqrt(np.square(gains).mean(), dtype=np.float32)


def _uneven(shape: tuple[int, ...], inside: np.ndarray) -> np.ndarray:
    """The noise's standard deviation over its root mean square inside the object: strong at the centre."""
    axes = [np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in shape]
    radius = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    spread = WEAKEST + (STRONGEST - WEAKEST) * np.exp(-radius / 0.3)
    return (spread / np.sqrt(np.square(spread[inside]).mean())).astype(np.float32)


def _combined(ideal: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Root of the sum of squares of coils around the object, whose sensitivities' squares sum to 1."""
    rows, columns = (np.linspace(-1, 1, side) for side in ideal.shape[1:])
    angles = 2 * np.pi * np.arange(COILS) / COILS
    maps = [np.exp(-((rows[:, None] - np.sin(a)) ** 2 + (columns - np.cos(a)) ** 2) / 2) for a in angles]
    total = np.sqrt(sum(np.square(one) for one in maps))
    power = np.zeros_like(ideal)
    for one in maps:
        signal = ideal * (one / total).astype(np.float32)
        for part in (signal, 0):
            power += np.square(part + sigma * rng.standard_normal(ideal.shape, dtype=np.float32))
    return np.sqrt(power)
