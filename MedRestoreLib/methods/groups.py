"""Groups of similar patches as matrices: what the low-rank methods WNNM and NLLR share.

The patches nearest to a reference are its group, one in each row of a matrix. The methods change the matrices; finding
the groups and averaging their patches in the image is done here, in strips of rows, on all threads that torch may use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, fold, pad

from .aggregation import aggregated
from .matching import Lattice, distances, positions
from .parallel import PerDevice, each

STRIP = PerDevice(cpu=32, gpu=1 << 30)  # height of a strip, in pixels, without the search around it
GROUPS = PerDevice(cpu=256, gpu=1 << 14)  # changed at once
TINY = 1e-6


@dataclass(frozen=True, kw_only=True)
class Grid(Lattice):
    """References on an image that is padded by its mirror image.

    Attributes:
        group: patches in a group.
        margin: of the padding, in pixels, at least ``radius``.
    """

    group: int
    margin: int
    batch: tuple[int, ...] = (4, 8)

    def along(self, length: int) -> int:
        """How many references a padded axis of ``length`` pixels has."""
        return (length - 2 * self.margin - self.side) // self.stride + 1

    def mirrored(self, images: Tensor) -> Tensor:
        """``(N, C, H, W)`` padded by the margin, and below and to the right to a multiple of the stride."""
        below, right = (self.margin + -(side - self.side) % self.stride for side in images.shape[2:])
        return pad(images, (self.margin, right, self.margin, below), mode="reflect")

    def inside(self, images: Tensor, like: Tensor) -> Tensor:
        """``images`` without the padding that ``mirrored`` added to ``like``."""
        rows, columns = like.shape[2:]
        return images[..., self.margin : self.margin + rows, self.margin : self.margin + columns]


class Strip(NamedTuple):
    """Some rows of references of an image, and the rows of pixels that they search."""

    image: int
    references: slice
    rows: slice


def match(images: Tensor, grid: Grid) -> Tensor:
    """The ``group`` patches nearest to every reference.

    Args:
        images: mirrored, ``(N, C, H, W)``; distances are sums of squared differences over pixels and channels.
        grid: the references.

    Returns:
        Positions of the patches in the flattened image, int64 ``(N, reference rows, reference columns, group)``, in no
        order. The reference itself is one of them.
    """
    count, _, _, width = images.shape
    down, across = (grid.along(side) for side in images.shape[2:])
    groups = torch.empty((count, down, across, grid.group), dtype=torch.long, device=images.device)

    def matched(strip: Strip) -> Tensor:
        return _match_strip(images[strip.image, :, strip.rows], across, grid)

    strips = _strips(images, grid)
    for strip, found in zip(strips, each(matched, strips, images.device), strict=True):
        groups[strip.image, strip.references] = found + strip.rows.start * (width - grid.side + 1)
    return groups


def regroup(images: Tensor, groups: Tensor, grid: Grid, change: Callable, *per_group: Tensor) -> Tensor:
    """Change all groups of patches, and average the patches where they overlap.

    Args:
        images: mirrored, ``(N, 1, H, W)``.
        groups: from ``match``.
        grid: as in ``match``.
        change: takes B groups of patches, ``(B, group, pixels)``, which it may overwrite, and ``(B,)`` of each of
            ``per_group``; returns the changed patches and the weights of the groups, ``(B,)``.
        *per_group: numbers for each group, ``(N, reference rows, reference columns)``.

    Returns:
        Tensor like ``images``; a pixel that is in no group keeps its value.
    """
    at_once = GROUPS.on(images.device)

    def weighted(patches: Tensor, *numbers: Tensor) -> tuple[Tensor, Tensor]:
        patches, weights = change(patches, *numbers)
        return patches.mul_(weights[:, None, None]), weights[:, None]

    def changed(strip: Strip) -> tuple[Tensor, Tensor]:
        pixels = images[strip.image, 0, strip.rows]
        shape = _positions(pixels, grid)
        members = groups[strip.image, strip.references].flatten(0, 1) - strip.rows.start * shape[1]
        numbers = (values[strip.image, strip.references].flatten().split(at_once) for values in per_group)
        batches = zip(members.split(at_once), *numbers, strict=True)
        total, weights = aggregated([_patches(pixels[None], grid).flatten(0, 1)], batches, weighted)
        summed = fold(total.mT[None], pixels.shape, grid.side)[0, 0]
        weights = pad(weights.view(1, *shape), (grid.side - 1,) * 4)
        return summed, avg_pool2d(weights, grid.side, 1, divisor_override=1)[0]

    summed, weights = torch.zeros_like(images), torch.zeros_like(images)
    strips = _strips(images, grid)
    for strip, (values, weight) in zip(strips, each(changed, strips, images.device), strict=True):
        summed[strip.image, 0, strip.rows] += values
        weights[strip.image, 0, strip.rows] += weight
    return torch.where(weights > TINY, summed / weights.clamp_min(TINY), images)


def group_means(maps: Tensor, groups: Tensor, grid: Grid) -> Tensor:
    """Mean of ``maps`` ``(N, 1, H, W)`` over all pixels of each group, ``(N, reference rows, reference columns)``."""
    patches = avg_pool2d(maps, grid.side, 1).flatten(1)
    return torch.stack([values[members].mean(2) for values, members in zip(patches, groups, strict=True)])


def _positions(pixels: Tensor, grid: Grid) -> tuple[int, int]:
    """How many positions patches have in an image: rows, columns."""
    return pixels.shape[-2] - grid.side + 1, pixels.shape[-1] - grid.side + 1


def _patches(image: Tensor, grid: Grid) -> Tensor:
    """The patch at every position of ``(C, H, W)``: ``(rows, columns, C * pixels)``."""
    patches = image.unfold(1, grid.side, 1).unfold(2, grid.side, 1)
    return patches.permute(1, 2, 0, 3, 4).flatten(2)


def _strips(images: Tensor, grid: Grid) -> list[Strip]:
    down = grid.along(images.shape[2])
    height = STRIP.on(images.device) // grid.stride
    strips = []
    for image in range(len(images)):
        for first in range(0, down, height):
            references = slice(first, min(first + height, down))
            top = grid.margin - grid.radius + first * grid.stride
            bottom = grid.margin + grid.radius + (references.stop - 1) * grid.stride + grid.side
            strips.append(Strip(image, references, slice(top, bottom)))
    return strips


def _match_strip(image: Tensor, across: int, grid: Grid) -> Tensor:
    """``match`` for one strip ``(C, h, W)``: ``(rows, across, group)``.

    The strip is padded to whole batches of references; valid ones never search the padding.
    """
    device, stride = image.device, grid.stride
    table = _patches(image[..., grid.margin - grid.radius :], grid)
    down = (len(table) - grid.window) // stride + 1
    batches = [-(-count // together) for count, together in zip((down, across), grid.batch, strict=True)]
    steps = [stride * together for together in grid.batch]  # from a batch to the next
    rows, columns = (step * (n - 1) + side for step, n, side in zip(steps, batches, grid.region, strict=True))
    table = pad(table, (0, 0, 0, max(columns - table.shape[1], 0), 0, max(rows - len(table), 0)))
    energy = table.square().sum(2)
    shape = _positions(image, grid)
    offsets = positions([torch.arange(grid.window, device=device)] * 2, shape).flatten()
    references = [stride * torch.arange(n * together) for n, together in zip(batches, grid.batch, strict=True)]
    corners = positions(references, shape) + grid.margin - grid.radius
    corners = corners.to(device).unflatten(1, (-1, grid.batch[1])).split(grid.batch[0])
    found = []
    for k, corner in enumerate(corners):
        lines = slice(k * steps[0], k * steps[0] + grid.region[0])
        blocks, energies = (
            values[lines].unfold(1, grid.region[1], steps[1]).movedim((1, -1), (0, 2)).contiguous()
            for values in (table, energy)
        )
        distance = distances(blocks, energies, grid) + energies[:, *grid.references, None, None]
        distance = distance.flatten(3)
        distance[..., grid.window**2 // 2] = -torch.inf  # the reference itself
        nearest = distance.topk(grid.group, dim=3, largest=False, sorted=False).indices
        found.append((corner[..., None] + offsets[nearest].transpose(0, 1)).flatten(1, 2))
    return torch.cat(found)[:down, :across]
