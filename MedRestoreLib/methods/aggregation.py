"""Groups of similar blocks: gathered, changed together, and put back where they overlap.

A table holds the block at every position of an image, one in each row. A block that is in many groups is thus made
once, and returns to the image once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor


def by_size(positions: Tensor, similar: Tensor, at_once: int) -> Iterator[Tensor]:
    """The group of each reference: its most similar blocks, 1, 2, 4... of them.

    Args:
        positions: of the blocks most similar to each reference, by rising distance, ``(references, most)``.
        similar: how many of them are similar enough, ``(references,)``, at least 1. The size of the group is the
            largest power of two up to that.
        at_once: blocks to yield at once, at most.

    Yields:
        Positions of the members of some groups of the same size, ``(size, groups)``.
    """
    for size in (1 << k for k in range(positions.shape[1].bit_length())):
        chosen = (similar >= size) & (similar < 2 * size)
        for groups in positions[chosen, :size].split(at_once // size):
            if len(groups):
                yield groups.T.contiguous()


def aggregated(tables: list[Tensor], groups: Iterable[tuple[Tensor, ...]], change: Callable) -> tuple[Tensor, Tensor]:
    """Change groups of blocks, and add up the results for each position.

    Args:
        tables: of blocks, ``(positions, numbers)`` each; those of the first are changed.
        groups: for some groups at a time, the positions of their members, a tensor of any shape, and further arguments
            of ``change``.
        change: takes the members from each table, ``(*shape, numbers)``, and the further arguments; returns the changed
            members times their weights, and the weights, which broadcast to ``shape``.

    Returns:
        The sums of the weighted blocks, like the first table, and the sums of the weights, ``(positions,)``.
    """
    total, weights = torch.zeros_like(tables[0]), tables[0].new_zeros(len(tables[0]))
    for members, *own in groups:
        index = members.flatten()
        gathered = (table.index_select(0, index).unflatten(0, members.shape) for table in tables)
        changed, weight = change(*gathered, *own)
        total.index_add_(0, index, changed.view(len(index), -1))
        weights.index_add_(0, index, weight.expand(members.shape).flatten())
    return total, weights


def overlap_add(blocks: Tensor, positions: Sequence[int], window: Sequence[float]) -> Tensor:
    """The sum of overlapping blocks, multiplied by a separable window.

    Args:
        blocks: flattened, at all positions of an image, flattened: ``(..., numbers, positions)``.
        positions: their number along each axis.
        window: along an axis of a block; the same along every axis.

    Returns:
        An image, ``(..., *sides)``: along each axis as many pixels as positions, and a block's less one more.
    """
    side, dimensions = len(window), len(positions)
    summed = blocks.new_zeros(*blocks.shape[:-2], *(count + side - 1 for count in positions))
    for number, corner in enumerate(product(range(side), repeat=dimensions)):
        where = tuple(slice(start, start + count) for start, count in zip(corner, positions, strict=True))
        height = math.prod(window[k] for k in corner)
        summed[(..., *where)].add_(blocks[..., number, :].unflatten(-1, positions), alpha=height)
    return summed
