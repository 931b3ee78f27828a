"""Block matching: where reference blocks stand, and which blocks around them are most similar.

References stand on a lattice, and each searches a window around it. What makes it quick: the distances of a batch of
neighbouring references to all blocks of the region that they search are one matrix product, for
|p - q|² = |p|² + |q|² - 2pq; the search window of each reference is then a view of that product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
from torch import Tensor

# The last 11 bits of a sort key are the block's index in the search window, the others its distance. So no two keys are
# equal, and the most similar blocks are the same on every computer.
INDICES = 1 << 11
FIRST = -(1 << 31)  # the distance in the key of the reference itself


@dataclass(frozen=True)
class Lattice:
    """Where references stand and what they search, the same along every axis.

    Attributes:
        side: of a block.
        stride: between references.
        radius: of the search window: how far a block may lie from its reference along each axis.
        batch: along each axis, how many neighbouring references share a matrix product.
    """

    side: int
    stride: int
    radius: int
    batch: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers a block holds."""
        return self.side ** len(self.batch)

    @property
    def window(self) -> int:
        """Side of the search window, in positions of blocks."""
        return 2 * self.radius + 1

    @property
    def region(self) -> tuple[int, ...]:
        """Sides of the region that the references of a batch search, in positions of blocks."""
        return tuple(self.stride * (count - 1) + self.window for count in self.batch)

    @property
    def references(self) -> tuple[slice, ...]:
        """Where the references of a batch stand in their region."""
        return tuple(slice(self.radius, side - self.radius, self.stride) for side in self.region)

    @property
    def margins(self) -> tuple[int, ...]:
        """What an image needs around it along each axis, so that no batch searches beyond."""
        return tuple(side - self.radius for side in self.region)

    def runs(self, length: int, axis: int, count: int = 0) -> list[Run]:
        """The references along an axis of ``length``, in runs of ``count`` (0: as many as a batch has).

        They stand at the multiples of the stride and at the last position where a block fits. If that is no multiple, a
        further run ends there, of which no other reference counts.
        """
        last = length - self.side
        offsets = self.stride * torch.arange(count or self.batch[axis])
        reach = int(offsets[-1])
        runs = [(origin, origin + offsets <= last) for origin in range(0, last + 1, reach + self.stride)]
        if last % self.stride:
            runs.append((last - reach, offsets == reach))
        before = self.margins[axis] - self.radius
        return [Run(origin + before, origin + before + reach + self.window, counts) for origin, counts in runs]


@dataclass(frozen=True)
class Run:
    """References in a row along one axis: where their search begins and ends, and which of them count."""

    start: int
    stop: int
    counts: Tensor

    def moved(self, by: int) -> Run:
        """The same run where positions are counted from elsewhere."""
        return replace(self, start=self.start + by, stop=self.stop + by)

    def trimmed(self, stride: int) -> Run:
        """The run without the references at its ends that do not count."""
        first, last = (int(index) for index in self.counts.nonzero()[[0, -1], 0])
        after = len(self.counts) - 1 - last
        return Run(self.start + stride * first, self.stop - stride * after, self.counts[first : last + 1])


def counted(runs: Sequence[Run]) -> Tensor:
    """Which references count of those that some runs, one along each axis, have in common."""
    return reduce(lambda counts, along: counts[..., None] & along, (run.counts for run in runs))


def positions(axes: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Where the grid that some coordinates span lies in an array of ``shape``, whose rows follow one another.

    >>> positions([torch.arange(2), torch.arange(3)], (9, 10)).tolist()
    [[0, 1, 2], [10, 11, 12]]
    """
    flat = axes[0]
    for axis, length in zip(axes[1:], shape[1:], strict=True):
        flat = flat[..., None] * length + axis
    return flat


def distances(blocks: Tensor, energies: Tensor, lattice: Lattice) -> Tensor:
    """Squared distances between the references of some batches and the blocks of their windows, less |p|².

    Args:
        blocks: of the regions, ``(batches, *region, numbers)``.
        energies: |q|² of every block, ``(batches, *region)``; infinite for one that must not be found.
        lattice: its ``references`` are the blocks p.

    Returns:
        |q|² - 2pq, ``(batches, *batch, *window)``: a view.
    """
    inner = blocks[:, *lattice.references].reshape(len(blocks), -1, blocks.shape[-1])
    products = torch.baddbmm(energies.flatten(1)[:, None], inner, blocks.flatten(1, -2).mT, alpha=-2)
    return windows(products.view(len(blocks), *lattice.batch, *lattice.region), lattice)


def windows(values: Tensor, lattice: Lattice) -> Tensor:
    """A view of each reference's search window: ``(batches, *batch, *region)`` to ``(batches, *batch, *window)``."""
    dimensions = len(lattice.batch)
    first, *strides = values.stride()
    between, within = strides[:dimensions], strides[dimensions:]
    between = [step + lattice.stride * along for step, along in zip(between, within, strict=True)]
    shape = (len(values), *lattice.batch, *[lattice.window] * dimensions)
    return values.as_strided(shape, (first, *between, *within), values.storage_offset())


def most_similar(
    keys: Tensor, counts: Tensor, starts: Tensor, offsets: Tensor, most: int, farthest: int
) -> tuple[Tensor, Tensor]:
    """The blocks most similar to each reference, in order; the reference itself comes first.

    Args:
        keys: int32 ``(references, window)``, flattened windows: distance * INDICES + index. They are changed.
        counts: which references count, ``(references,)``, on the CPU.
        starts: position of each window's first block, ``(references,)``.
        offsets: of the window's blocks from its first, ``(window,)``.
        most: how many blocks to find.
        farthest: blocks count as similar while their keys are less.

    Returns:
        For the references that count, the blocks' positions ``(references, most)``, and how many of them are similar.
    """
    if not counts.all():
        counts = counts.to(keys.device)
        keys, starts = keys[counts], starts[counts]
    middle = keys.shape[1] // 2
    keys[:, middle] = middle + FIRST
    keys = _smallest(keys, most)
    return starts[:, None] + offsets[(keys & (INDICES - 1)).long()], (keys < farthest).sum(1)


def _smallest(keys: Tensor, count: int) -> Tensor:
    """The ``count`` smallest keys of each row, in order.

    torch.topk is slow on a CPU, NumPy's partition of short rows is not. With the keys of a row in columns of a dozen,
    only the ``count`` columns of the smallest minima can hold one of the ``count`` smallest keys.
    """
    if keys.device.type != "cpu":
        return keys.topk(count, largest=False).values
    length = keys.shape[1]
    height = max(rows for rows in range(1, 17) if length % rows == 0 and length // rows >= count)
    columns = keys.unflatten(1, (height, -1))
    minima = np.partition(columns.amin(1).numpy(), count - 1, axis=1)[:, :count]
    chosen = torch.from_numpy((minima & (INDICES - 1)) % columns.shape[2]).long()
    candidates = columns.gather(2, chosen[:, None].expand(-1, height, -1)).flatten(1)
    return torch.from_numpy(np.sort(np.partition(candidates.numpy(), count - 1, axis=1)[:, :count], axis=1))
