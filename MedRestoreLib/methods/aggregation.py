"""Groups of similar blocks: gathered from a table, changed together, and put back where they overlap.

The table holds the block at every position of an image, one a row, so that a block in many groups is made once, and
returns to the image once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor


def by_size(positions: Tensor, similar: Tensor, at_once: int) -> Iterator[Tensor]:
    """Groups of 1, 2, 4... blocks: of each reference's similar blocks, as many of the nearest as a power of two takes.

    Args:
        positions: of the blocks most similar to each reference, in order, ``(references, most)``.
        similar: how many of them count as similar, ``(references,)``, at least 1.
        at_once: blocks in the groups that are worked on together.

    Yields:
        Positions of the members of some groups of one size, ``(size, groups)``.
    """
    for size in (1 << k for k in range(positions.shape[1].bit_length())):
        chosen = (similar >= size) & (similar < 2 * size)
        for groups in positions[chosen, :size].split(at_once // size):
            if len(groups):
                yield groups.T.contiguous()


def aggregated(tables: list[Tensor], groups: Iterable[tuple[Tensor, ...]], change: Callable) -> tuple[Tensor, Tensor]:
    """Change all groups, and add up what became of each block.

    Args:
        tables: of blocks, ``(positions, numbers)`` each. Those of the first are changed.
        groups: positions of the members of some groups, a tensor of any shape, and what else ``change`` is to know.
        change: takes the members from each table, ``(*shape, numbers)``, and what else there is; returns the changed
            members, times their weights, and the weights, which broadcast to ``shape``.

    Returns:
        The sum of the weighted blocks at every position, like the first table, and of their weights ``(positions,)``.
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
    """The sum of the blocks at all positions of an image, under a window.

    Args:
        blocks: ``(..., numbers, positions)``, both flattened.
        positions: how many there are along each axis.
        window: along each axis of a block.

    Returns:
        An image ``(..., *sides)``; a side is longer than its positions by a block less one.
    """
    side, dimensions = len(window), len(positions)
    summed = blocks.new_zeros(*blocks.shape[:-2], *(count + side - 1 for count in positions))
    for number, corner in enumerate(product(range(side), repeat=dimensions)):
        where = tuple(slice(start, start + count) for start, count in zip(corner, positions, strict=True))
        height = math.prod(window[k] for k in corner)
        summed[(..., *where)].add_(blocks[..., number, :].unflatten(-1, positions), alpha=height)
    return summed
