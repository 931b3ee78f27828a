"""Acquired blocks of MR with pilots, which a network then refines: what ``methods.refined`` makes of them.

They are on the stabilised scale, where the noise has variance 1, as the pipeline shows them to a method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from MedRestoreLib import weights
from MedRestoreLib.methods import refined
from MedRestoreLib.noise import Spectrum, rice
from MedRestoreLib.noise.spectrum import BANDS
from training.simulate import magnetic as scanner

from . import Origin
from .kept import Kept
from .magnetic import DATA, LIMITS, Volumes

BEYOND = """\
- What it gains on BM4D is little where anatomy is fine: see `Resources/benchmarks/volumes.json` and `docs/mr.md`.
- Filters other than zero-filling and Fermi's, and contrasts other than T1w, T2w, PDw and FLAIR, it never saw."""
SECOND = "general"  # weights of the second pilot
DEPTH, SIDE = 16, 96  # of a block, voxels
MARGIN = (2, 12)  # beside it: slices, and pixels, which k-space's filters wrap around
LEVELS = (0.008, 0.17)  # standard deviation of the noise over the block's white
GAUSSIAN, WHITE = 0.35, 0.5  # shares of blocks that are no magnitudes, and whose noise is white
AROUND = 2  # slices before and after the one that is restored
COUNT = 2 * AROUND + 1
SEEN = 2 * COUNT + 2
TRIES = 4  # to cut out a patch that shows something
SHOWN = 5.0  # standard deviations: brighter is an object

Gains = Callable[[tuple[int, ...]], np.ndarray]  # of k-space, for a shape


@dataclass(frozen=True, eq=False)
class Acquired:
    """A block on the stabilised scale, all ``(DEPTH, SIDE, SIDE)``, float32."""

    noisy: np.ndarray
    pilot: np.ndarray
    second: np.ndarray
    third: np.ndarray
    clean: np.ndarray

    def stack(self, middle: int) -> np.ndarray:
        """The noisy slices around one, their pilots, and its other two, ``(SEEN, rows, columns)``."""
        window = slice(middle - AROUND, middle + AROUND + 1)
        others = (self.second[middle][None], self.third[middle][None])
        return np.concatenate((self.noisy[window], self.pilot[window], *others))


class Pilots(Kept, Volumes):
    """``Volumes`` whose samples hold ``stack``, see ``Acquired.stack``, and ``clean``, the middle slice.

    Args:
        cache: folder that holds volumes and blocks.
        shares: as for ``Volumes``.
        blocks: of the training split; each is used for all its slices, turned at random.
        patch: side of the square patches that are cut out of a block, pixels.
        held_out: blocks of the validation split.
        processes: that acquire blocks; 0: one per core.
        key: of the data that an earlier training used.
    """

    def __init__(
        self,
        cache: Path,
        *,
        shares: dict[str, float],
        blocks: int,
        patch: int = 64,
        held_out: int = 48,
        processes: int = 0,
        key: str = "",
    ) -> None:
        super().__init__(cache, shares=shares, patch=patch, depth=DEPTH, key=key)
        self.counts = {"train": blocks, "validation": held_out, "test": 0}  # tests are made on whole studies
        self.processes = processes
        self.kept, self.what = self.folder / f"pilots-{self.key}", "Acquiring blocks"

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(DATA, f"{BEYOND}\n{LIMITS}")

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        block = self.acquired("train", int(rng.integers(self.counts["train"])))
        middle = int(rng.integers(AROUND, DEPTH - AROUND))
        images = np.concatenate((block.stack(middle), block.clean[middle][None]))
        for _ in range(TRIES):
            row, column = rng.integers(SIDE - self.patch + 1, size=2)
            cut = images[:, row : row + self.patch, column : column + self.patch]
            left = np.square(cut[3 * AROUND + 1] - cut[-1]).mean()  # by the pilot: much, where the truth has noise, too
            if (cut[-1] > SHOWN).mean() * (1 - left) > rng.random():  # air teaches little
                break
        cut = np.rot90(cut, rng.integers(4), (1, 2))[:, :: rng.choice((1, -1))]
        if rng.random() < 0.5:  # the slices in the other order
            cut = np.concatenate((cut[:COUNT][::-1], cut[COUNT : 2 * COUNT][::-1], cut[2 * COUNT :]))
        return {"stack": np.ascontiguousarray(cut[:-1]), "clean": np.ascontiguousarray(cut[-1])}

    def held_out(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """All slices of a block of the validation split that have neighbours, ``(slices, SEEN, rows, columns)``, and
        the clean ones."""
        block = self.acquired("validation", number)
        chosen = range(AROUND, DEPTH - AROUND)
        return np.stack([block.stack(middle) for middle in chosen]), block.clean[chosen.start : chosen.stop]

    def acquired(self, split: str, number: int) -> Acquired:
        """One of a split's blocks."""
        return Acquired(*self.images(split, number))

    def made(self, rng: np.random.Generator, split: str) -> tuple[np.ndarray, ...]:
        depth, side = DEPTH + 2 * MARGIN[0], SIDE + 2 * MARGIN[1]
        return tuple(vars(acquired(self.block(rng, depth, side, split), rng)).values())


def acquired(clean: np.ndarray, rng: np.random.Generator) -> Acquired:
    """A clean block with margins, acquired with noise of a random kind and level, and its pilots."""
    sigma = np.float32(np.exp(rng.uniform(*np.log(LEVELS))))
    gains = None if rng.random() < WHITE else some_filter(rng)
    noisy, target = measured(clean, sigma, gains, rng.random() >= GAUSSIAN, rng)
    cut = tuple(
        slice(margin, length - margin) for margin, length in zip((MARGIN[0], *2 * MARGIN[1:]), clean.shape, strict=True)
    )
    noisy, target = (np.ascontiguousarray(values[cut], np.float32) for values in (noisy, target))
    return Acquired(noisy, *pilots_of(noisy, None if gains is None else spectrum_of(gains)), target)


def measured(
    clean: np.ndarray, sigma: np.float32, gains: Gains | None, magnitudes: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What a scanner makes of clean ``(slices, rows, columns)``, stabilised, and the mean of many such acquisitions.

    Args:
        sigma: standard deviation of the noise, on the scale of ``clean``.
        gains: of k-space, for a shape; None: white noise.
        magnitudes: Rician noise, else Gaussian.
    """
    of_shape = None if gains is None else gains(clean.shape)
    ideal = clean if of_shape is None else np.maximum(scanner.filtered(clean, of_shape), 0)
    channels = [scanner.coloured(rng, clean.shape, of_shape) for _ in range(2)]
    amplitude = ideal / sigma
    if not magnitudes:
        return amplitude + channels[0], amplitude
    return rice.stabilise(np.hypot(amplitude + channels[0], channels[1])), rice.expected(amplitude)


def pilots_of(noisy: np.ndarray, spectrum: Spectrum | None) -> list[np.ndarray]:
    """What the methods of ``refined.pilots_of`` make of a stabilised block ``(slices, rows, columns)``."""
    from scipy.ndimage import uniform_filter

    means = uniform_filter(noisy, (1, 3, 3))
    low, scale = float(means.min()), float(max(np.ptp(means), 1.0))
    scaled = torch.from_numpy((noisy - np.float32(low)) / np.float32(scale))
    general = weights.find(SECOND).load()
    with torch.inference_mode():
        found = refined.pilots_of(scaled, 1 / scale, general, spectrum)
    return [(pilot * scale + low).numpy() for pilot in found]


def spectrum_of(gains: Gains, deep: bool = True) -> Spectrum:
    """The spectrum of noise that a filter has coloured, in volumes or, if not ``deep``, in single slices."""
    fine = 8 * BANDS
    power = np.square(gains((fine if deep else 1, fine, fine)), dtype=np.float64)
    for axis in range(0 if deep else 1, 3):
        half = np.moveaxis(power, axis, 0)[: fine // 2]
        power = np.moveaxis(half.reshape(BANDS, -1, *half.shape[1:]).mean(1), 0, axis)
    return Spectrum(power / power.mean())


def some_filter(rng: np.random.Generator) -> Gains:
    """Gains by shape: zeros outside of a part of k-space, or a roll-off."""
    if rng.random() < 0.5:
        return scanner.zero_filled(rng.uniform(1.05, 2.0))
    edge, width = rng.uniform(0.28, 0.5), rng.uniform(0.02, 0.08)
    return lambda shape: scanner.fermi(shape, edge, width)
