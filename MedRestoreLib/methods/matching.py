"""Block matching: where reference blocks stand, and which blocks around them are most similar.

References stand on a lattice, and each is compared with the blocks at all positions of a window around it. What makes
it quick: |p - q|² = |p|² + |q|² - 2pq, so the distances from a batch of neighbouring references p to all blocks q of
their region are one matrix product, and the window of each reference is a view of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
from torch import Tensor

# A sort key holds the distance of a block in its upper bits, and in the lower 11 bits its index in the window. No two
# keys of a window are equal, so their order does not depend on the algorithm that sorts them.
INDICES = 1 << 11
FIRST = -(1 << 31)  # in the key of the reference itself, which comes before all others


@dataclass(frozen=True)
class Lattice:
    """Where references stand, and how far from them blocks are searched, in pixels along every axis.

    Attributes:
        side: of a block.
        stride: from a reference to the next.
        radius: of the search window.
        batch: how many neighbouring references along each axis share a matrix product.
    """

    side: int
    stride: int
    radius: int
    batch: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many pixels, or coefficients, a block has."""
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
        """How far an image must be padded along each axis, so that every batch finds its whole region."""
        return tuple(side - self.radius for side in self.region)

    def runs(self, length: int, axis: int, count: int = 0) -> list[Run]:
        """The references along an axis of ``length``: at multiples of the stride, and where the last block fits.

        Args:
            length: of the axis, in pixels.
            axis: its number.
            count: of references in a run, at most; all are valid. 0: as many as a batch has, of which some are not
                valid where the axis has fewer.
        """
        last = length - self.side
        offsets = self.stride * torch.arange(count or self.batch[axis])
        reach = int(offsets[-1])
        runs = [(origin, origin + offsets <= last) for origin in range(0, last + 1, reach + self.stride)]
        if last % self.stride:
            runs.append((last - reach, offsets == reach))
        before = self.margins[axis] - self.radius
        found = [Run(origin + before, origin + before + reach + self.window, valid) for origin, valid in runs]
        return [run.trimmed(self.stride) for run in found] if count else found


@dataclass(frozen=True)
class Run:
    """Successive references along one axis.

    Attributes:
        start, stop: of the positions that they search, in the padded image.
        valid: which of them are references, bool; the others fill the run.
    """

    start: int
    stop: int
    valid: Tensor

    def moved(self, by: int) -> Run:
        """The run with ``by`` added to its positions."""
        return replace(self, start=self.start + by, stop=self.stop + by)

    def trimmed(self, stride: int) -> Run:
        """The run from its first valid reference to its last."""
        first, last = (int(index) for index in self.valid.nonzero()[[0, -1], 0])
        after = len(self.valid) - 1 - last
        return Run(self.start + stride * first, self.stop - stride * after, self.valid[first : last + 1])


def valid_references(runs: Sequence[Run]) -> Tensor:
    """Which references of a batch are valid: those that are valid in its run along every axis."""
    return reduce(lambda valid, along: valid[..., None] & along, (run.valid for run in runs))


def positions(axes: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Indices, in a flattened array of ``shape``, of the grid of points with these coordinates along each axis.

    >>> positions([torch.arange(2), torch.arange(3)], (9, 10)).tolist()
    [[0, 1, 2], [10, 11, 12]]
    """
    flat = axes[0]
    for axis, length in zip(axes[1:], shape[1:], strict=True):
        flat = flat[..., None] * length + axis
    return flat


def distances(blocks: Tensor, energies: Tensor, lattice: Lattice) -> Tensor:
    """Squared distances of references p to the blocks q of their windows, without |p|².

    Args:
        blocks: of the region of each batch, ``(batches, *region, numbers)``.
        energies: |q|² of each block, ``(batches, *region)``; infinite for a block that must not be found.
        lattice: of the references.

    Returns:
        |q|² - 2pq, a view ``(batches, *batch, *window)``.
    """
    inner = blocks[:, *lattice.references].reshape(len(blocks), -1, blocks.shape[-1])
    products = torch.baddbmm(energies.flatten(1)[:, None], inner, blocks.flatten(1, -2).mT, alpha=-2)
    return windows(products.view(len(blocks), *lattice.batch, *lattice.region), lattice)


def windows(values: Tensor, lattice: Lattice) -> Tensor:
    """The window of each reference, ``(batches, *batch, *window)``: a view of ``(batches, *batch, *region)``."""
    dimensions = len(lattice.batch)
    first, *strides = values.stride()
    between, within = strides[:dimensions], strides[dimensions:]
    between = [step + lattice.stride * along for step, along in zip(between, within, strict=True)]
    shape = (len(values), *lattice.batch, *[lattice.window] * dimensions)
    return values.as_strided(shape, (first, *between, *within), values.storage_offset())


def most_similar(
    keys: Tensor, valid: Tensor, starts: Tensor, offsets: Tensor, most: int, farthest: int
) -> tuple[Tensor, Tensor]:
    """The blocks most similar to each valid reference, the reference itself first, then by rising distance.

    Args:
        keys: int32 ``(references, window)``, windows flattened: distance * INDICES + index. They are changed.
        valid: bool ``(references,)``, on the CPU.
        starts: position of the first block of each window, ``(references,)``.
        offsets: from the first block of a window to each, ``(window,)``.
        most: how many blocks to find.
        farthest: a block is similar if its key is less.

    Returns:
        Of each valid reference the positions of these blocks, ``(references, most)``, and how many of them are similar.
    """
    if not valid.all():
        valid = valid.to(keys.device)
        keys, starts = keys[valid], starts[valid]
    middle = keys.shape[1] // 2
    keys[:, middle] = middle + FIRST
    keys = _smallest(keys, most)
    return starts[:, None] + offsets[(keys & (INDICES - 1)).long()], (keys < farthest).sum(1)


def _smallest(keys: Tensor, count: int) -> Tensor:
    """The ``count`` smallest keys of each row, in order.

    On a CPU torch.topk is slow, and so is NumPy's partition of long rows. So each row is cut into columns of about a
    dozen keys: only the ``count`` columns with the smallest minima can hold one of the ``count`` smallest keys.
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
