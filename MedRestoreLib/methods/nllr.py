"""Non-local low-rank despeckling, after Zhu, Fu, Brown and Heng.

From the paper's abstract: similar patches are found in a guidance image, which is smoothed, and each group of them is
restored as a matrix of low rank, whose leading component is not penalised. The rest is our choice:

- The speckle's standard deviation is proportional to the group's grey (linear images) or constant (log-compressed).
- Singular values are shrunk as is optimal for white noise (Gavish and Donoho 2017) instead of by a weighted nuclear
  norm, so nothing needs tuning to the group's size. Real speckle is correlated over a few pixels, which inflates its
  largest singular values: the correlation is measured in each group's residual and raises the threshold.
- The leading component is kept only as far as the speckle is uncorrelated: in correlated speckle it is speckle.
- A second pass starts from the result of the first with a tenth of the speckle put back, and finds patches in it.
- Only the largest singular values are computed. The others share one Wiener gain, which is 0 unless speckle is faint.
- A column-sparse term for outlier patches changed the PSNR by less than 0.02 dB and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn.functional import avg_pool2d, pad

from ..errors import InvalidPlan
from .decomposing import eigh, orthonormal
from .groups import Grid, group_means, match, regroup
from .options import NonNegativeFloat, NonNegativeInt, checked

GRID = Grid(side=8, stride=4, radius=14, group=80, margin=16)
NOISY_SHARE = 0.3  # weight of the speckled image in the first distance between patches; the guidance has 1
BACK = 0.1  # of the speckled image put back between passes

GUIDE_RADIUS, GUIDE_PASSES, GUIDE_CONTRAST = 4, 3, 0.5  # guided filter; contrast in standard deviations of the speckle

RANK = 12  # leading singular triplets that are computed; the others share one Wiener gain, 0 unless speckle is faint
POWER_STEPS = 2
THRESHOLD = 0.75  # of the white-noise shrinkage; below 1 because a group's mean is taken out and passes overlap
CORRELATION_THRESHOLD = 1.4  # relative rise of the threshold for fully correlated speckle
CORRELATION_KEPT = 0.25  # correlation of neighbours from which on the leading component is shrunk like others

TINY = 1e-6


@checked
def nonlocal_low_rank(
    images: torch.Tensor,
    sigma: float,
    *,
    iterations: NonNegativeInt = 2,
    compressed: NonNegativeFloat = 0.0,
    reference: float | None = None,
) -> torch.Tensor:
    """Restore groups of similar patches as matrices of low rank.

    Args:
        images: ``(N, 1, H, W)``, float32, in [0, 1], sides of at least 20 pixels (the border is mirrored).
        sigma: the speckle's relative standard deviation: standard deviation over mean of homogeneous tissue.
        iterations: passes over the image.
        compressed: dynamic range in dB of a log-compressed B-mode image, whose speckle has the same standard
            deviation ``sigma * reference`` at every grey; 0 where it is proportional to the grey.
        reference: mean grey of the homogeneous tissue in which ``sigma`` was measured; only for ``compressed`` > 0.

    Returns:
        Tensor like ``images``.

    Raises:
        InvalidPlan: the level or an option is negative, or ``compressed`` > 0 without ``reference``.

    After Zhu, Fu, Brown and Heng, CVPR 2017; shrinkage: Gavish and Donoho, IEEE Trans. Inf. Theory 63(4), 2017.

    >>> nonlocal_low_rank(torch.full((1, 1, 20, 20), 0.5), 0.3).mean().item()
    0.5
    """
    if compressed > 0 and reference is None:
        raise InvalidPlan("nllr: a log-compressed image needs the reference grey that the level refers to.")
    if sigma == 0 or iterations == 0:
        return images.clone()

    def speckle_std(grey: torch.Tensor) -> torch.Tensor:
        return torch.full_like(grey, sigma * reference) if compressed > 0 else sigma * grey.clamp_min(0)

    noisy = GRID.mirrored(images)
    guide = _guidance(noisy, speckle_std)
    groups = match(torch.cat([guide, math.sqrt(NOISY_SHARE) * noisy], 1), GRID)
    current = _restore(noisy, noisy, guide, groups, speckle_std)
    for _ in range(iterations - 1):
        current = _restore(noisy, torch.lerp(current, noisy, BACK), current, match(current, GRID), speckle_std)
    return GRID.inside(current, images).contiguous()


def reach(sigma: float, iterations: int = 2, **_: object) -> int:
    """How many pixels away a pixel can influence the result: the windows of all passes added up.

    That is a bound; of the default 111, nothing beyond 96 was found to matter.
    """
    return 68 + 43 * (iterations - 1)


def _guidance(images: torch.Tensor, speckle_std: Callable) -> torch.Tensor:
    """3x3 median, then a self-guided filter (He, Sun and Tang 2013), which smooths contrasts as faint as speckle."""
    padded = pad(images, (1, 1, 1, 1), mode="replicate")
    rows, columns = images.shape[2:]
    around = [padded[:, :, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    guide = torch.stack(around).median(0).values
    for _ in range(GUIDE_PASSES):
        mean = _mean(guide)
        variance = (_mean(guide.square()) - mean.square()).clamp_min_(0)
        slope = variance / (variance + (GUIDE_CONTRAST * speckle_std(mean) + TINY).square())
        guide = _mean(slope) * guide + _mean(mean - slope * mean)
    return guide


def _mean(images: torch.Tensor) -> torch.Tensor:
    """Mean over the guided filter's window; border pixels are repeated outwards."""
    side = 2 * GUIDE_RADIUS + 1
    padded = pad(images, (GUIDE_RADIUS,) * 4, mode="replicate")
    return avg_pool2d(avg_pool2d(padded, (side, 1), 1), (1, side), 1)


def _restore(
    noisy: torch.Tensor, start: torch.Tensor, guide: torch.Tensor, groups: torch.Tensor, speckle_std: Callable
) -> torch.Tensor:
    """``start`` with every group of its patches restored as a matrix of low rank, and overlapping patches averaged.

    The difference of ``noisy`` and ``start`` is speckle that was removed already. The grey of a group is taken from
    ``guide``, the correlation of its speckle from the difference of ``noisy`` and ``guide``.
    """
    residual = noisy - guide
    neighbours = torch.zeros_like(residual)
    neighbours[..., :-1] += residual[..., :-1] * residual[..., 1:] / 2
    neighbours[..., :-1, :] += residual[..., :-1, :] * residual[..., 1:, :] / 2
    maps = (guide, residual.square(), neighbours, (noisy - start).square())
    grey, power, covariance, removed = (group_means(values, groups, GRID) for values in maps)
    variance = speckle_std(grey).square()
    left = (1 - removed / (variance + TINY**2)).clamp_min(0)
    scales = (variance * left).sqrt() + TINY
    correlations = (covariance / (power + TINY**2)).clamp(0, 1)
    return regroup(start, groups, GRID, _low_rank, scales, correlations)


def _low_rank(
    groups: torch.Tensor, scale: torch.Tensor, correlation: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Shrink the singular values of groups in noise.

    The leading singular vectors are found by subspace iteration on the Gram matrix, which starts at its first columns.

    Args:
        groups: ``(B, group, pixels)``; the mean patch of each is kept.
        scale: standard deviation of the noise, ``(B,)``.
        correlation: of the noise in neighbouring pixels, ``(B,)``.

    Returns:
        The restored groups, and their weights in the aggregation: larger for a lower rank.
    """
    patches, pixels = groups.shape[1:]
    mean = groups.mean(1, keepdim=True)
    groups = (groups - mean).div_(scale[:, None, None])
    gram = groups @ groups.mT
    gram.diagonal(dim1=1, dim2=2).add_(TINY)  # else patches that differ by rounding alone underflow below
    vectors = groups[:, :, :RANK]
    for _ in range(POWER_STEPS):
        vectors = orthonormal(gram @ vectors)
    raw, turn = eigh(vectors.mT @ gram @ vectors)
    vectors = vectors @ turn
    threshold = THRESHOLD * (1 + CORRELATION_THRESHOLD * correlation)
    squares = raw.clamp_min(0) / threshold.square()[:, None]
    above = (squares - patches - pixels).clamp_min(0).square() - 4 * patches * pixels
    gain = above.clamp_min(0).sqrt() / squares.clamp_min(TINY)
    gain[:, -1] = gain[:, -1].maximum(1 - correlation / CORRELATION_KEPT)
    energy = gram.diagonal(dim1=1, dim2=2).sum(1, keepdim=True) - raw.sum(1, keepdim=True)
    rest = (1 - (patches - RANK) * (pixels - RANK) / energy.clamp_min(TINY)).clamp_min(0)
    low = (vectors * (gain - rest)[:, None]) @ (vectors.mT @ groups)
    low = low.addcmul_(groups, rest[..., None]).mul_(scale[:, None, None]).add_(mean)
    return low, 1 / (1 + (gain > 0).sum(1))
