"""Collaborative filtering: what BM3D and BM4D share (Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007).

Two steps do the same four things: match blocks; take the spectrum of each group of similar blocks (of each block, then
Haar along the group); shrink it; put the blocks back, weighted by how sparse their spectrum was. The first step shrinks
by a hard threshold, the second by an empirical Wiener filter whose pilot is the result of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from . import transforms
from .aggregation import aggregated, overlap_add
from .matching import Lattice, Run
from .parallel import each

KAISER_BETA = 2.0  # of the window under which blocks are added

Profile = Literal["auto", "normal", "high_noise"]


@dataclass(frozen=True)
class Step:
    """What differs between the steps; ``match`` is on the scale of 8-bit images."""

    group: int  # blocks at most
    match: float  # largest mean squared difference of similar blocks
    threshold: float | None = None  # hard threshold in standard deviations of the noise; None in the Wiener step


def in_chunks(runs: list[Run], length: int) -> list[list[Run]]:
    """Runs that begin within ``length`` positions of each other, together."""
    chunks = []
    while runs:
        chunks.append([run for run in runs if run.start - runs[0].start < length])
        runs = runs[len(chunks[-1]) :]
    return chunks


def filtered(
    noisy: Tensor, pilot: Tensor, lattice: Lattice, axes: list[list[list[Run]]], filter_chunk: Callable
) -> Tensor:
    """One step on images, one chunk after the other.

    Args:
        noisy: ``(..., *sides)``.
        pilot: where blocks are compared, like ``noisy``.
        lattice: of the references.
        axes: for each axis of the images, the runs of references of each chunk.
        filter_chunk: takes the noisy image and the pilot of a chunk; ``outside``, infinite where a block would reach
            beyond the image and 0 elsewhere, ``(*positions)``; and the runs along each axis. Returns the weighted sum
            of the restored blocks, and of their weights, like the noisy image.

    Returns:
        The weighted mean of all restored blocks, like ``noisy``.
    """
    sides, device = noisy.shape[-len(axes) :], noisy.device
    around = [margin for margin in reversed(lattice.margins) for _ in range(2)]
    outside = F.pad(torch.zeros([side - lattice.side + 1 for side in sides], device=device), around, value=torch.inf)
    noisy, pilot = F.pad(noisy, around), F.pad(pilot, around)
    total, weights = torch.zeros_like(noisy), torch.zeros_like(noisy)

    def restored(chunk: tuple[list[Run], ...]) -> tuple[tuple, Tensor, Tensor]:
        ends = [(min(run.start for run in axis), max(run.stop for run in axis)) for axis in chunk]
        pixels = (..., *(slice(start, stop + lattice.side - 1) for start, stop in ends))
        beyond = outside[tuple(slice(*axis) for axis in ends)]
        runs = [[run.moved(-start) for run in axis] for axis, (start, _) in zip(chunk, ends, strict=True)]
        return pixels, *filter_chunk(noisy[pixels], pilot[pixels], beyond, runs)

    for pixels, blocks, weight in each(restored, list(product(*axes)), device):
        total[pixels] += blocks
        weights[pixels] += weight
    inside = (..., *(slice(margin, margin + side) for margin, side in zip(lattice.margins, sides, strict=True)))
    return total[inside] / weights[inside]


def shrunk(tables: list[Tensor], groups: Iterable[Tensor], gains: Callable) -> tuple[Tensor, Tensor]:
    """Shrink the spectra of all groups.

    Args:
        tables: the spectra of all blocks, ``(positions, numbers)``; in the Wiener step those of the pilot's, too.
        groups: positions of the members of some groups, ``(size, groups)``.
        gains: takes the groups' spectra from each table, ``(size, groups, numbers)``, the mean of a group first;
            returns what to multiply those of the first by, and the weights of the groups.

    Returns:
        The weighted sum of the changed blocks at every position, and of their weights, as ``aggregated`` does.
    """

    def change(*members: Tensor) -> tuple[Tensor, Tensor]:
        haar = transforms.haar(len(members[0])).to(members[0].device)
        spectra = [_along(haar, blocks) for blocks in members]
        gain, weight = gains(*spectra)
        return _along(haar.T, spectra[0].mul_(gain.mul_(weight[:, None]))), weight

    return aggregated(tables, ((members,) for members in groups), change)


def _along(matrix: Tensor, groups: Tensor) -> Tensor:
    """Groups ``(size, groups, numbers)``, each transformed from member to member."""
    return (matrix @ groups.flatten(1)).view_as(groups)


def put_back(blocks: Tensor, weights: Tensor, positions: tuple[int, ...], side: int) -> tuple[Tensor, Tensor]:
    """Blocks ``(..., numbers, positions)`` and their weights ``(..., positions)``, added where blocks overlap."""
    window = torch.kaiser_window(side, periodic=False, beta=KAISER_BETA).tolist()
    weights = weights[..., None, :].expand_as(blocks)
    return overlap_add(blocks, positions, window), overlap_add(weights, positions, window)
