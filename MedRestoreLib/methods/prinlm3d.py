"""PRI-NLM3D: voxels that look alike after a first denoising are averaged (Manjon et al. 2012).

The first stage is ODCT3D with its Wiener step. Two voxels look alike if their values, and the means of their 3x3x3
neighbourhoods, agree in its result: two numbers a voxel that no rotation changes, where patches need many. Noisy
values are averaged, so what the first stage lost comes back where there are enough like it.

Deviations from the paper, measured to help: differences count in units of the noise that the first stage left in
these very voxels, which its sparsity tells, so one constant serves flat tissue and edges, weak and strong noise;
weights are Tukey's biweight, which ends. Rician noise is stabilised outside, so plain values are averaged, not squares.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InvalidPlan
from . import odct3d
from .parallel import each

# Weights end where the mean square of both differences is FARTHEST times the sum of the variances of the voxels.
FARTHEST = 6.0

STRANGE = 1e6  # guides no voxel of a volume

# Voxels that one thread takes at a time, and numbers in a temporary array: on a CPU these should fit the cache.
PIECE, TEMPORARY = 1 << 19, 1 << 16


def prinlm3d(volumes: Tensor, sigma: float, *, radius: int = 4) -> Tensor:
    """Denoise volumes that carry white Gaussian noise.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes
            are independent of each other.
        sigma: standard deviation of the noise on the same scale.
        radius: similar voxels are sought this far away in each dimension; time grows with its cube.

    Returns:
        A tensor like ``volumes``, within its range. On a CPU the same input gives the same bits.

    Raises:
        InvalidPlan: the radius is less than 1.

    Manjon, Coupe, Buades, Collins and Robles, Medical Image Analysis 16(1), 2012, section 2.2.

    >>> prinlm3d(torch.full((1, 1, 4, 4, 4), 0.5), 0.1).shape
    torch.Size([1, 1, 4, 4, 4])
    """
    if radius < 1:
        raise InvalidPlan(f"prinlm3d: the radius must be 1 or more, not {radius}.")
    return torch.stack([_restored(volume, sigma, radius)[None] for volume in volumes[:, 0]])


def reach(sigma: float, radius: int = 4) -> int:
    """How many voxels away a voxel can influence the result."""
    return radius + 1 + odct3d.reach(sigma)


def _restored(noisy: Tensor, sigma: float, radius: int) -> Tensor:
    """One volume ``(D, H, W)`` denoised.

    With a margin behind each line and each slice, and behind the volume, a shift in space is a shift in memory: pairs
    of voxels are pairs of long lines of numbers. No voxel is like one of the margin.
    """
    guide, variance = odct3d.with_variance(noisy, sigma)
    shape = [length + radius for length in noisy.shape]
    steps = range(-radius, radius + 1)
    shifts = [
        (z * shape[1] + y) * shape[2] + x for z, y, x in itertools.product(steps, repeat=3) if (z, y, x) > (0, 0, 0)
    ]
    farthest = shifts[-1]
    mean = _lined_up(_local_mean(guide), radius, farthest, STRANGE)
    guide = _lined_up(guide, radius, farthest, STRANGE)
    variance = _lined_up(variance.mul_(2 * FARTHEST), radius, farthest, 1.0)
    noisy_line = _lined_up(noisy, radius, farthest, 0.0)
    length = len(guide) - farthest
    one = noisy.new_ones(())

    def piece(start: int) -> Tensor:
        """Weighted sums, and sums of weights, over the pairs whose first voxel lies in a piece: ``(2, numbers)``."""
        stop = min(start + PIECE, length)
        sums = noisy.new_zeros(2, stop - start + farthest)
        at_once = PIECE if noisy.is_cuda else TEMPORARY
        for first in range(start, stop, at_once):
            last = min(first + at_once, stop)
            here = slice(first, last)
            total_here, weights_here = sums[:, first - start : last - start]
            for shift in shifts:
                there = slice(first + shift, last + shift)
                total_there, weights_there = sums[:, first - start + shift : last - start + shift]
                distance = (guide[here] - guide[there]).square_()
                difference = mean[here] - mean[there]
                distance.addcmul_(difference, difference)
                scale = torch.add(variance[here], variance[there], out=difference)
                weight = torch.addcdiv(one, distance, scale, value=-1, out=distance).relu_().square_()
                total_here.addcmul_(weight, noisy_line[there])
                total_there.addcmul_(weight, noisy_line[here])
                weights_here += weight
                weights_there += weight
        return sums

    total, weights = noisy_line.clone(), torch.ones_like(noisy_line)  # every voxel is like itself
    starts = list(range(0, length, PIECE))
    for start, (totals, weight) in zip(starts, each(piece, starts, noisy.device), strict=True):
        total[start : start + len(weight)] += totals
        weights[start : start + len(weight)] += weight
    inside = tuple(slice(length) for length in noisy.shape)
    return total.div_(weights)[:length].view(shape)[inside].contiguous()


def _lined_up(volume: Tensor, margin: int, end: int, value: float) -> Tensor:
    """The volume as one line, ``margin`` voxels behind each axis and ``end`` behind all; these are ``value``."""
    return F.pad(F.pad(volume, (0, margin) * 3, value=value).flatten(), (0, end), value=value)


def _local_mean(volume: Tensor) -> Tensor:
    """Mean of the 3x3x3 neighbourhood, of the part of it inside the volume."""
    for kernel in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
        padding = tuple(k // 2 for k in kernel)
        volume = F.avg_pool3d(volume[None], kernel, stride=1, padding=padding, count_include_pad=False)[0]
    return volume
