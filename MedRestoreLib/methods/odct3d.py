"""ODCT3D: a volume is sparse in the cosine transform of its small blocks, white noise is not (Manjon et al. 2012).

Every 4x4x4 block at every position is transformed, its small coefficients are set to zero, and the blocks are averaged
where they overlap, sparse ones counting more. By default the result then serves as the pilot of an empirical Wiener
filter on the same blocks, as in the second step of BM3D; that is ours, and gains up to 0.7 dB.

What makes it quick: the blocks of some rows are one matrix and their transform is one matrix product, all of which
stays in the cache; blocks are summed one axis at a time.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from .parallel import each

BLOCK = 4
NUMBERS = BLOCK**3  # in a block
THRESHOLD = 2.7  # in standard deviations of the noise
REACH = BLOCK - 1  # of one step: from a voxel to the far side of a block that holds it

# Blocks worked on at once; each takes about 1 kB. On a CPU they should fit the cache, while a GPU wants long arrays.
BLOCKS, BLOCKS_GPU = 1 << 13, 1 << 19


def odct3d(volumes: Tensor, sigma: float, *, wiener: bool = True) -> Tensor:
    """Denoise volumes that carry white Gaussian noise.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes
            are independent of each other.
        sigma: standard deviation of the noise on the same scale.
        wiener: whether the Wiener filter follows. Without it this is the published ODCT3D: hard threshold of 2.7
            sigma, the mean of a block kept; weights 1 / (1 + number of coefficients kept).

    Returns:
        A tensor like ``volumes``. On a CPU the same input gives the same bits.

    Manjon, Coupe, Buades, Collins and Robles, Medical Image Analysis 16(1), 2012, section 2.1.

    >>> odct3d(torch.full((1, 1, 4, 4, 4), 0.5), 0.1).shape
    torch.Size([1, 1, 4, 4, 4])
    """
    return torch.stack([with_variance(volume, sigma, wiener=wiener)[0][None] for volume in volumes[:, 0]])


def reach(sigma: float, wiener: bool = True) -> int:
    """How many voxels away a voxel can influence the result."""
    return REACH * (1 + wiener)


def with_variance(noisy: Tensor, sigma: float, *, wiener: bool = True) -> tuple[Tensor, Tensor]:
    """One volume ``(D, H, W)`` denoised, and the variance of the noise left in each of its voxels.

    The variance is that of one block's estimate of a voxel, averaged like the estimates themselves: overlapping blocks
    share most of their noise.
    """
    variance = max(float(sigma) ** 2, 1e-12)  # no 0/0 in the Wiener filter where there is no noise
    restored, weights = _step(noisy, None, variance)
    if wiener:
        restored, weights = _step(noisy, restored, variance)
    covered = [_covered(length, noisy.device) for length in noisy.shape]
    blocks = covered[0][:, None, None] * covered[1][:, None] * covered[2]
    return restored, blocks.mul_(variance / NUMBERS).div_(weights)


def _step(noisy: Tensor, pilot: Tensor | None, variance: float) -> tuple[Tensor, Tensor]:
    """Shrink the spectra of all blocks: by the pilot's, or without one by a hard threshold.

    Returns:
        The weighted mean of the blocks at every voxel, and the sum of their weights.
    """
    transform = _dct().to(noisy.device)
    layers, rows, columns = (length - REACH for length in noisy.shape)
    at_once = max(1, (BLOCKS_GPU if noisy.is_cuda else BLOCKS) // columns)

    def layer(first: int) -> Tensor:
        """The sum of the weighted blocks that begin in a slice, and of their weights: ``(2, 4, H, W)``."""
        sums = noisy.new_zeros(2, BLOCK, *noisy.shape[1:])
        for row in range(0, rows, at_once):
            part = slice(first, first + BLOCK), slice(row, row + at_once + REACH)
            spectra = transform @ _blocks(noisy[part])
            if pilot is None:
                gain = (spectra.abs() > THRESHOLD * variance**0.5).float()
                gain[0] = 1
                weight = gain.sum(0).add_(1).reciprocal_()
            else:
                gain = (transform @ _blocks(pilot[part])).square_()
                gain /= gain + variance
                gain[0] = 1
                weight = gain.square().sum(0).reciprocal_()
            blocks = transform.T @ spectra.mul_(gain).mul_(weight)
            sums[0, :, part[1]] += _overlap_add(blocks.view(BLOCK, BLOCK, BLOCK, -1, columns))
            sums[1, :, part[1]] += _overlap_add(weight.view(-1, columns).expand(BLOCK, BLOCK, BLOCK, -1, -1))
        return sums

    total, weights = noisy.new_zeros(2, *noisy.shape)
    for first, (blocks, weight) in enumerate(each(layer, list(range(layers)), noisy.device)):
        total[first : first + BLOCK] += blocks
        weights[first : first + BLOCK] += weight
    return total.div_(weights), weights


def _blocks(rows: Tensor) -> Tensor:
    """The blocks at all positions of ``(4, h + 3, w + 3)``, one a column: ``(64, h * w)``."""
    return rows.unfold(1, BLOCK, 1).unfold(2, BLOCK, 1).permute(0, 3, 4, 1, 2).reshape(NUMBERS, -1)


def _overlap_add(blocks: Tensor) -> Tensor:
    """Sum blocks ``(4, 4, 4, h, w)`` where they overlap, into ``(4, h + 3, w + 3)``."""
    return _overlap_add_axis(_overlap_add_axis(blocks, 2, -1), 1, -2)


def _overlap_add_axis(blocks: Tensor, within: int, along: int) -> Tensor:
    """Sum over the axis ``within`` blocks, each entry shifted by its index along the axis ``along``."""
    parts = blocks.unbind(within)
    length = parts[0].shape[along]
    shape = list(parts[0].shape)
    shape[along] += REACH
    summed = blocks.new_zeros(shape)
    for offset, part in enumerate(parts):
        summed.narrow(along, offset, length).add_(part)
    return summed


def _covered(length: int, device: torch.device) -> Tensor:
    """How many blocks hold each voxel of a line of ``length`` voxels."""
    place = torch.arange(length, device=device)
    most = min(BLOCK, length - REACH)
    return torch.minimum(place, length - 1 - place).add_(1).clamp_(max=most).float()


@cache
def _dct() -> Tensor:
    """Orthonormal 3-D DCT-II of flattened blocks; the mean comes first."""
    k = torch.arange(BLOCK, dtype=torch.float64)
    matrix = torch.cos(torch.pi / BLOCK * (k + 0.5) * k[:, None]) * (2 / BLOCK) ** 0.5
    matrix[0] /= 2**0.5
    return torch.kron(torch.kron(matrix, matrix), matrix).float()
