"""PRI-NLM3D: non-local means whose weights come from a first denoising, the guide (Manjon et al. 2012).

The guide is ODCT3D with its Wiener step. Two voxels are similar if their values agree in the guide and the means of
their 3x3x3 neighbourhoods agree, too: two numbers for each voxel, which rotation does not change, instead of patches.
The noisy values of similar voxels are averaged, so detail that the guide lost returns where enough voxels share it.

Deviations from the paper, each measured to help:

- Squared differences are divided by the variance of the noise left in the guide at the two voxels, which ODCT3D
  estimates from the sparsity of its blocks. One constant then fits flat tissue and edges, weak and strong noise.
- The weights are Tukey's biweight, which is exactly 0 for dissimilar voxels.
- Rician noise is stabilised before, so values are averaged and not their squares.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

from ..noise import Spectrum
from . import odct3d, returning
from .options import PositiveInt, checked
from .parallel import PerDevice, each

# The weight is 0 where the mean of both squared differences is CUTOFF times the sum of both variances, or more.
CUTOFF = 6.0

PADDING = 1e6  # value of the guide where there is no voxel: similar to none

CHUNK = 1 << 19  # voxels that a thread takes at a time
TEMPORARY = PerDevice(cpu=1 << 16, gpu=CHUNK)  # numbers in a temporary array


@checked
def prinlm3d(
    volumes: Tensor,
    sigma: float,
    *,
    radius: PositiveInt = 4,
    keep_means: bool = False,
    spectrum: Spectrum | None = None,
) -> Tensor:
    """Denoise volumes that carry Gaussian noise, white or of a known spectrum.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes
            are independent of each other.
        sigma: standard deviation of the noise on the same scale.
        radius: of the search window, in voxels along each axis; time grows with its cube.
        keep_means: give back what was taken from the means of small regions, with a little of the noise; see
            ``returning``.
        spectrum: of coloured noise, for the guide and what is left in it. None: white.

    Returns:
        A tensor like ``volumes``; without ``keep_means`` within its range. On a CPU the same input gives the same bits.

    Raises:
        InvalidPlan: the radius is less than 1, or the level negative.

    Manjon, Coupe, Buades, Collins and Robles, Medical Image Analysis 16(1), 2012, section 2.2.

    >>> prinlm3d(torch.full((1, 1, 4, 4, 4), 0.5), 0.1).shape
    torch.Size([1, 1, 4, 4, 4])
    """
    return torch.stack([_restored(volume, sigma, radius, keep_means, spectrum)[None] for volume in volumes[:, 0]])


def reach(sigma: float, radius: int = 4, keep_means: bool = False, **_: object) -> int:
    """How many voxels away a voxel can influence the result, along each axis."""
    return radius + 1 + odct3d.reach(sigma) + keep_means * returning.reach()


def _restored(noisy: Tensor, sigma: float, radius: int, keep_means: bool, spectrum: Spectrum | None) -> Tensor:
    """One volume ``(D, H, W)`` denoised.

    Rows and slices are padded at their ends, so that every offset in three dimensions is one offset in the flattened
    volume. Padding has a guide value of 1e6, hence weight 0.
    """
    guide, variance = odct3d.with_variance(noisy, sigma, spectrum=spectrum)
    shape = [length + radius for length in noisy.shape]
    steps = range(-radius, radius + 1)
    offsets = [  # half of them: a pair of voxels is compared once
        (z * shape[1] + y) * shape[2] + x for z, y, x in itertools.product(steps, repeat=3) if (z, y, x) > (0, 0, 0)
    ]
    farthest = offsets[-1]
    mean = _flattened(_local_mean(guide), radius, farthest, PADDING)
    guide = _flattened(guide, radius, farthest, PADDING)
    variance = _flattened(variance.mul_(2 * CUTOFF), radius, farthest, 1.0)
    values = _flattened(noisy, radius, farthest, 0.0)
    length = len(guide) - farthest
    at_once = TEMPORARY.on(noisy.device)
    one = noisy.new_ones(())

    def chunk(start: int) -> Tensor:
        """Sums of weighted values and of weights, of the pairs whose first voxel is in a chunk: ``(2, numbers)``."""
        stop = min(start + CHUNK, length)
        sums = noisy.new_zeros(2, stop - start + farthest)
        for first in range(start, stop, at_once):
            last = min(first + at_once, stop)
            here = slice(first, last)
            total_here, weights_here = sums[:, first - start : last - start]
            for offset in offsets:
                there = slice(first + offset, last + offset)
                total_there, weights_there = sums[:, first - start + offset : last - start + offset]
                distance = (guide[here] - guide[there]).square_()
                difference = mean[here] - mean[there]
                distance.addcmul_(difference, difference)
                scale = torch.add(variance[here], variance[there], out=difference)
                weight = torch.addcdiv(one, distance, scale, value=-1, out=distance).relu_().square_()
                total_here.addcmul_(weight, values[there])
                total_there.addcmul_(weight, values[here])
                weights_here += weight
                weights_there += weight
        return sums

    total, weights = values.clone(), torch.ones_like(values)  # a voxel has weight 1 in its own mean
    starts = list(range(0, length, CHUNK))
    for start, (totals, weight) in zip(starts, each(chunk, starts, noisy.device), strict=True):
        total[start : start + len(weight)] += totals
        weights[start : start + len(weight)] += weight
    inside = tuple(slice(side) for side in noisy.shape)
    restored = total.div_(weights)[:length].view(shape)[inside].contiguous()
    return returning.returned(noisy, restored, sigma, spectrum) if keep_means else restored


def _flattened(volume: Tensor, margin: int, end: int, value: float) -> Tensor:
    """The volume flattened, padded by ``value``: ``margin`` voxels after each axis, ``end`` after all."""
    return F.pad(F.pad(volume, (0, margin) * 3, value=value).flatten(), (0, end), value=value)


def _local_mean(volume: Tensor) -> Tensor:
    """Mean of each voxel's 3x3x3 neighbourhood, as far as it lies inside the volume."""
    for kernel in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
        padding = tuple(k // 2 for k in kernel)
        volume = F.avg_pool3d(volume[None], kernel, stride=1, padding=padding, count_include_pad=False)[0]
    return volume
