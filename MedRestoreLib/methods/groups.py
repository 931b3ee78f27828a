"""Groups of similar patches: found, changed together, and put back where they overlap.

Key patches stand on a grid. Each gathers the patches nearest to it from a window around it. What is done to a group is
the caller's; everything else that low-rank methods share is here. Images are worked through in strips of key rows,
whose patches stay near a CPU's cache, by as many threads as torch may use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, fold, pad

from .parallel import each

TILE = (4, 8)  # key patches (rows, columns) whose distances are one matrix product
STRIP = 32  # rows of key patches worked on at once: on a CPU few, for the cache; on a GPU all
AT_ONCE, AT_ONCE_GPU = 256, 1 << 14  # groups in one call of the caller's function
TINY = 1e-6


@dataclass(frozen=True)
class Grid:
    """Where key patches stand and how they gather their groups.

    Attributes:
        patch: side of a patch.
        stride: between key patches, in rows and in columns.
        search: how far from the key patch its group may lie, along each axis.
        group: patches in a group.
        margin: mirrored border around the image, at least ``search``.
    """

    patch: int
    stride: int
    search: int
    group: int
    margin: int

    @property
    def pixels(self) -> int:
        """Pixels in a patch."""
        return self.patch**2

    @property
    def window(self) -> int:
        """Side of the square of positions that a key patch compares itself with."""
        return 2 * self.search + 1

    def keys(self, length: int) -> int:
        """Key patches along a mirrored axis."""
        return (length - 2 * self.margin - self.patch) // self.stride + 1

    def mirrored(self, images: Tensor) -> Tensor:
        """``(N, C, H, W)`` with its margin, and as many rows and columns more as the last key patches need."""
        below, right = (self.margin + -(side - self.patch) % self.stride for side in images.shape[2:])
        return pad(images, (self.margin, right, self.margin, below), mode="reflect")

    def inside(self, images: Tensor, like: Tensor) -> Tensor:
        """What ``mirrored`` had added around ``like`` taken off."""
        rows, columns = like.shape[2:]
        return images[..., self.margin : self.margin + rows, self.margin : self.margin + columns]


class Strip(NamedTuple):
    """Some rows of key patches of one image, and the pixel rows that their windows reach."""

    image: int
    keys: slice
    rows: slice


def match(images: Tensor, grid: Grid) -> Tensor:
    """The ``group`` patches nearest to every key patch.

    Args:
        images: mirrored, ``(N, C, H, W)``; distances are sums of squared differences over pixels and channels.
        grid: the key patches.

    Returns:
        int64 ``(N, key rows, key columns, group)``: positions of patches, row by row from the image's first corner.
        The key patch itself is always one of them.
    """
    count, _, _, width = images.shape
    down, across = (grid.keys(side) for side in images.shape[2:])
    groups = torch.empty((count, down, across, grid.group), dtype=torch.long, device=images.device)

    def matched(strip: Strip) -> Tensor:
        return _match_strip(images[strip.image, :, strip.rows], across, grid)

    strips = _strips(images, grid)
    for strip, found in zip(strips, each(matched, strips, images.device), strict=True):
        groups[strip.image, strip.keys] = found + strip.rows.start * (width - grid.patch + 1)
    return groups


def regroup(images: Tensor, groups: Tensor, grid: Grid, change: Callable, *per_group: Tensor) -> Tensor:
    """Change all groups of patches, and average the patches where they overlap.

    Args:
        images: mirrored, ``(N, 1, H, W)``.
        groups: from ``match``.
        grid: as in ``match``.
        change: takes patches ``(B, group, pixels)``, which it may overwrite, and those B numbers of each of
            ``per_group``; returns the changed patches and the weights of the groups ``(B,)``.
        *per_group: numbers for each group, ``(N, key rows, key columns)``.

    Returns:
        Tensor like ``images``; a pixel that no patch covers keeps its value.
    """
    at_once = AT_ONCE if images.device.type == "cpu" else AT_ONCE_GPU

    def changed(strip: Strip) -> tuple[Tensor, Tensor]:
        pixels = images[strip.image, 0, strip.rows]
        patches = _patches(pixels[None], grid).view(-1, grid.pixels)
        total, weights = torch.zeros_like(patches), patches.new_zeros(len(patches))
        positions = groups[strip.image, strip.keys].flatten(0, 1) - strip.rows.start * _positions(pixels, grid)[1]
        numbers = (values[strip.image, strip.keys].flatten().split(at_once) for values in per_group)
        for members, *own in zip(positions.split(at_once), *numbers, strict=True):
            group = patches.index_select(0, members.flatten()).view(-1, grid.group, grid.pixels)
            group, weight = change(group, *own)
            group *= weight[:, None, None]
            total.index_add_(0, members.flatten(), group.view(-1, grid.pixels))
            weights.index_add_(0, members.flatten(), weight.repeat_interleave(grid.group))
        summed = fold(total.mT[None], pixels.shape, grid.patch)[0, 0]
        weights = pad(weights.view(1, *_positions(pixels, grid)), (grid.patch - 1,) * 4)
        return summed, avg_pool2d(weights, grid.patch, 1, divisor_override=1)[0]

    summed, weights = torch.zeros_like(images), torch.zeros_like(images)
    strips = _strips(images, grid)
    for strip, (values, weight) in zip(strips, each(changed, strips, images.device), strict=True):
        summed[strip.image, 0, strip.rows] += values
        weights[strip.image, 0, strip.rows] += weight
    return torch.where(weights > TINY, summed / weights.clamp_min(TINY), images)


def group_means(maps: Tensor, groups: Tensor, grid: Grid) -> Tensor:
    """Mean of ``maps`` ``(N, 1, H, W)`` over the pixels of all patches of each group ``(N, key rows, key columns)``."""
    patches = avg_pool2d(maps, grid.patch, 1).flatten(1)
    return torch.stack([values[members].mean(2) for values, members in zip(patches, groups, strict=True)])


def _positions(pixels: Tensor, grid: Grid) -> tuple[int, int]:
    """Rows and columns of patches in an image."""
    return pixels.shape[-2] - grid.patch + 1, pixels.shape[-1] - grid.patch + 1


def _patches(image: Tensor, grid: Grid) -> Tensor:
    """The patch at every position of ``(C, H, W)``: ``(rows, columns, C * pixels)``."""
    patches = image.unfold(1, grid.patch, 1).unfold(2, grid.patch, 1)
    return patches.permute(1, 2, 0, 3, 4).flatten(2)


def _strips(images: Tensor, grid: Grid) -> list[Strip]:
    down = grid.keys(images.shape[2])
    height = STRIP // grid.stride if images.device.type == "cpu" else down
    strips = []
    for image in range(len(images)):
        for first in range(0, down, height):
            keys = slice(first, min(first + height, down))
            top = grid.margin - grid.search + first * grid.stride
            bottom = grid.margin + grid.search + (keys.stop - 1) * grid.stride + grid.patch
            strips.append(Strip(image, keys, slice(top, bottom)))
    return strips


def _match_strip(image: Tensor, across: int, grid: Grid) -> Tensor:
    """``match`` for one strip of ``(C, h, W)``: ``(key rows, across, group)``.

    Distances are |p|² + |q|² - 2pq, of which the products of a tile of keys p with all candidates q are one matrix
    product. The strip is made larger, by candidates that are never chosen, to hold whole tiles.
    """
    stride, reach, window = grid.stride, grid.search, grid.window
    table = _patches(image[..., grid.margin - reach :], grid)
    down = (len(table) - window) // stride + 1
    tiles = -(-down // TILE[0]), -(-across // TILE[1])
    region = [stride * (count - 1) + window for count in TILE]
    rows, columns = (stride * tile * (n - 1) + side for tile, n, side in zip(TILE, tiles, region, strict=True))
    table = pad(table, (0, 0, 0, max(columns - table.shape[1], 0), 0, max(rows - len(table), 0)))
    energy = table.square().sum(2)
    width = image.shape[2] - grid.patch + 1  # positions in a row of the whole image
    around = torch.arange(window, device=image.device)
    around = (around[:, None] * width + around).flatten()
    key_rows = stride * torch.arange(tiles[0] * TILE[0], device=image.device).view(-1, 1, TILE[0], 1)
    key_columns = stride * torch.arange(tiles[1] * TILE[1], device=image.device).view(-1, 1, TILE[1])
    corners = key_rows * width + key_columns + grid.margin - reach
    inner = [slice(reach, side - reach, stride) for side in region]
    found = []
    for corner, top in zip(corners, range(0, rows, stride * TILE[0]), strict=False):
        lines = slice(top, top + region[0])
        candidates = table[lines].unfold(1, region[1], stride * TILE[1]).permute(1, 2, 0, 3)
        candidates = candidates.reshape(tiles[1], -1, *region)
        squares = energy[lines].unfold(1, region[1], stride * TILE[1]).permute(1, 0, 2)
        products = torch.bmm(candidates[:, :, *inner].flatten(2).mT, candidates.flatten(2))
        distances = _windows(products.view(-1, *TILE, *region), grid).mul(-2)
        distances += _windows(squares[:, None, None].expand(-1, *TILE, -1, -1), grid)
        distances += squares[:, *inner, None, None]
        distances = distances.flatten(3)
        distances[..., window**2 // 2] = -torch.inf  # the key patch itself
        nearest = distances.topk(grid.group, dim=3, largest=False, sorted=False).indices
        found.append((corner[..., None] + around[nearest]).transpose(0, 1).flatten(1, 2))
    return torch.cat(found)[:down, :across]


def _windows(values: Tensor, grid: Grid) -> Tensor:
    """The window of every key in a tile's region: ``(tiles, *TILE, rows, columns)`` to ``(..., window, window)``."""
    tile, y, x, row, column = values.stride()
    strides = (tile, y + grid.stride * row, x + grid.stride * column, row, column)
    return values.as_strided((len(values), *TILE, grid.window, grid.window), strides, values.storage_offset())
