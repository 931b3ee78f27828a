"""ODCT3D: a volume is sparse in the cosine transform of its small blocks, white noise is not (Manjon et al. 2012).

The 4x4x4 block at every position is transformed, its small coefficients are set to zero, and overlapping blocks are
averaged with larger weights for sparser ones. By default the result is then the pilot of an empirical Wiener filter on
the same blocks, as in the second step of BM3D. The paper has no such filter; it gains up to 0.7 dB.

What makes it quick: the blocks of some rows are one matrix and their transform is one matrix product, all of which
stays in the cache; blocks are summed one axis at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..noise import Spectrum
from .options import checked
from .parallel import PerDevice, each
from .transforms import dct, noise_variances

BLOCK = 4
VOXELS = BLOCK**3  # in a block
THRESHOLD = 2.7  # in standard deviations of the noise
REACH = BLOCK - 1  # of one step: from a voxel to the far end of a block that contains it

BLOCKS = PerDevice(cpu=1 << 13, gpu=1 << 19)  # worked on at once; each takes about 1 kB


@checked
def odct3d(volumes: Tensor, sigma: float, *, wiener: bool = True, spectrum: Spectrum | None = None) -> Tensor:
    """Denoise volumes that carry Gaussian noise, white or of a known spectrum.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes
            are independent of each other.
        sigma: standard deviation of the noise on the same scale.
        wiener: add the Wiener filter. Without it this is the published ODCT3D: hard threshold of 2.7 sigma, the mean
            of a block kept, weights of 1 / (1 + number of coefficients kept).
        spectrum: of coloured noise: every coefficient has its own variance. None: white.

    Returns:
        A tensor like ``volumes``. On a CPU the same input gives the same bits.

    Raises:
        InvalidPlan: ``wiener`` is neither true nor false, or the level negative.

    Manjon, Coupe, Buades, Collins and Robles, Medical Image Analysis 16(1), 2012, section 2.1.

    >>> odct3d(torch.full((1, 1, 4, 4, 4), 0.5), 0.1).shape
    torch.Size([1, 1, 4, 4, 4])
    """
    return torch.stack(
        [with_variance(volume, sigma, wiener=wiener, spectrum=spectrum)[0][None] for volume in volumes[:, 0]]
    )


def reach(sigma: float, wiener: bool = True, **_: object) -> int:
    """How many voxels away a voxel can influence the result, along each axis."""
    return REACH * (1 + wiener)


def with_variance(
    noisy: Tensor, sigma: float, *, wiener: bool = True, spectrum: Spectrum | None = None
) -> tuple[Tensor, Tensor]:
    """One volume ``(D, H, W)`` denoised, and the variance of the noise left in each voxel, ``(D, H, W)``.

    Overlapping blocks share most of their noise, so averaging them does not lower the variance: it is taken for the
    mean of the variances of the blocks' estimates, with the weights of the estimates.
    """
    variance = max(float(sigma) ** 2, 1e-12)  # no 0/0 in the Wiener filter where there is no noise
    shape = None if spectrum is None else _shape(spectrum, noisy.device)
    restored, weights = _step(noisy, None, variance, shape)
    if wiener:
        restored, weights = _step(noisy, restored, variance, shape)
    covered = [_covered(length, noisy.device) for length in noisy.shape]
    blocks = covered[0][:, None, None] * covered[1][:, None] * covered[2]
    return restored, blocks.mul_(variance / VOXELS).div_(weights)


def _shape(spectrum: Spectrum, device: torch.device) -> Tensor:
    """Variance of each coefficient of a block, of mean 1, ``(64, 1)``."""
    covariance = torch.from_numpy(spectrum.covariance(*3 * [BLOCK]))
    return noise_variances(dct(BLOCK, 3), covariance).clamp_(min=1e-6)[:, None].to(device)


def _step(noisy: Tensor, pilot: Tensor | None, variance: float, shape: Tensor | None) -> tuple[Tensor, Tensor]:
    """Shrink the spectra of all blocks: by a Wiener filter that knows the pilot's, or without a pilot by a threshold.

    ``shape`` is the noise's variance in each coefficient over ``variance``, None where it is 1.

    Returns:
        The weighted mean of the blocks at every voxel, and the sum of their weights, ``(D, H, W)`` each.
    """
    transform = dct(BLOCK, 3).float().to(noisy.device)
    slices, rows, columns = (length - REACH for length in noisy.shape)
    at_once = max(1, BLOCKS.on(noisy.device) // columns)
    threshold = THRESHOLD * variance**0.5 * (1.0 if shape is None else shape.sqrt())
    noise = variance if shape is None else variance * shape

    def begun_in(first: int) -> Tensor:
        """The sum of the weighted blocks that begin in a slice, and of their weights: ``(2, 4, H, W)``."""
        sums = noisy.new_zeros(2, BLOCK, *noisy.shape[1:])
        for row in range(0, rows, at_once):
            chunk = slice(first, first + BLOCK), slice(row, row + at_once + REACH)
            spectra = transform @ _blocks(noisy[chunk])
            if pilot is None:
                gain = (spectra.abs() > threshold).float()
                gain[0] = 1
                weight = (gain if shape is None else gain * shape).sum(0).add_(1).reciprocal_()
            else:
                gain = (transform @ _blocks(pilot[chunk])).square_()
                gain /= gain + noise
                gain[0] = 1
                weight = (gain.square() if shape is None else gain.square() * shape).sum(0).reciprocal_()
            blocks = transform.T @ spectra.mul_(gain).mul_(weight)
            sums[0, :, chunk[1]] += _overlap_add(blocks.view(BLOCK, BLOCK, BLOCK, -1, columns))
            sums[1, :, chunk[1]] += _overlap_add(weight.view(-1, columns).expand(BLOCK, BLOCK, BLOCK, -1, -1))
        return sums

    total, weights = noisy.new_zeros(2, *noisy.shape)
    for first, (blocks, weight) in enumerate(each(begun_in, list(range(slices)), noisy.device)):
        total[first : first + BLOCK] += blocks
        weights[first : first + BLOCK] += weight
    return total.div_(weights), weights


def _blocks(rows: Tensor) -> Tensor:
    """The blocks at all positions of ``(4, h + 3, w + 3)``, one in each column: ``(64, h * w)``."""
    return rows.unfold(1, BLOCK, 1).unfold(2, BLOCK, 1).permute(0, 3, 4, 1, 2).reshape(VOXELS, -1)


def _overlap_add(blocks: Tensor) -> Tensor:
    """The sum of overlapping blocks ``(4, 4, 4, h, w)``, as an image ``(4, h + 3, w + 3)``."""
    return _overlap_add_axis(_overlap_add_axis(blocks, 2, -1), 1, -2)


def _overlap_add_axis(blocks: Tensor, within: int, along: int) -> Tensor:
    """Sum over the axis ``within`` a block, each voxel moved by its index in the block along the axis ``along``."""
    voxels = blocks.unbind(within)
    length = voxels[0].shape[along]
    shape = list(voxels[0].shape)
    shape[along] += REACH
    summed = blocks.new_zeros(shape)
    for offset, voxel in enumerate(voxels):
        summed.narrow(along, offset, length).add_(voxel)
    return summed


def _covered(length: int, device: torch.device) -> Tensor:
    """How many blocks contain each voxel along an axis of ``length`` voxels."""
    index = torch.arange(length, device=device)
    blocks = min(BLOCK, length - REACH)
    return torch.minimum(index, length - 1 - index).add_(1).clamp_(max=blocks).float()
