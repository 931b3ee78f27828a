"""Collaborative filtering: what BM3D and BM4D share (Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007).

Each of two steps groups similar blocks; transforms each group (its blocks, then Haar along the group); shrinks the
spectrum; and puts the blocks back, with larger weights for sparser spectra. The first step shrinks by a hard threshold,
the second by an empirical Wiener filter whose pilot is the result of the first.
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

KAISER_BETA = 2.0  # of the window that blocks are multiplied by when they are added up

Profile = Literal["auto", "normal", "high_noise"]


@dataclass(frozen=True)
class Step:
    """The parameters of a step.

    Attributes:
        group_size: blocks in a group, at most.
        max_distance: largest mean squared difference of similar blocks, on the scale of 8-bit images.
        threshold: hard threshold in standard deviations of the noise; None for the Wiener filter.
    """

    group_size: int
    max_distance: float
    threshold: float | None = None


def in_chunks(runs: list[Run], length: int) -> list[list[Run]]:
    """Runs in lists, in the same order; each begins less than ``length`` positions after the first of its list."""
    chunks: list[list[Run]] = []
    for run in runs:  # the last run may begin before the one in front of it
        if chunks and run.start - chunks[-1][0].start < length:
            chunks[-1].append(run)
        else:
            chunks.append([run])
    return chunks


def filtered(
    noisy: Tensor, pilot: Tensor, lattice: Lattice, axes: list[list[list[Run]]], filter_chunk: Callable
) -> Tensor:
    """One step on images, in chunks.

    Args:
        noisy: ``(..., *sides)``.
        pilot: the image whose blocks are compared, like ``noisy``.
        lattice: of the references.
        axes: for each axis of the images, the runs of references of each chunk.
        filter_chunk: takes a chunk of the noisy image and of the pilot; ``outside`` ``(*positions)``, infinite where a
            block would reach beyond the image, else 0; and the runs along each axis. Returns the sum of the restored
            blocks times their weights, and of the weights, like the chunk of the noisy image.

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
        tables: spectra of the blocks at every position of the noisy image, ``(positions, numbers)``; in the Wiener step
            of the pilot, too.
        groups: positions of the members of some groups, ``(size, groups)``.
        gains: takes the positions of the members of these groups, ``(size, groups)``, and their spectra from each
            table, ``(size, groups, numbers)``, the mean of a group at ``[0, :, 0]``; returns the factors for those of
            the noisy image, and the weights of the groups.

    Returns:
        The sums of the weighted blocks, still as spectra, and of their weights: see ``aggregated``.
    """

    def change(*found: Tensor) -> tuple[Tensor, Tensor]:
        *blocks, members = found
        haar = transforms.haar(len(members)).to(members.device)
        spectra = [_along(haar, one) for one in blocks]
        gain, weight = gains(members, *spectra)
        return _along(haar.T, spectra[0].mul_(gain.mul_(weight[:, None]))), weight

    return aggregated(tables, ((members, members) for members in groups), change)


def _along(matrix: Tensor, groups: Tensor) -> Tensor:
    """Groups ``(size, groups, numbers)``, transformed along their members."""
    return (matrix @ groups.flatten(1)).view_as(groups)


def put_back(blocks: Tensor, weights: Tensor, positions: tuple[int, ...], side: int) -> tuple[Tensor, Tensor]:
    """Blocks ``(..., numbers, positions)`` and their weights ``(..., positions)``, added up as images."""
    window = torch.kaiser_window(side, periodic=False, beta=KAISER_BETA).tolist()
    weights = weights[..., None, :].expand_as(blocks)
    return overlap_add(blocks, positions, window), overlap_add(weights, positions, window)
