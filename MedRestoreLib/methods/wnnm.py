"""Weighted nuclear norm minimisation (Gu, Zhang, Zuo and Feng, CVPR 2014).

A group of similar patches is a matrix of low rank under noise. The norm that is minimised weighs each singular value
with the inverse of what is left of it, so that large ones, which carry the image, are shrunk less.

Deviations from the paper: a higher threshold, near the largest singular value of pure noise, and a lower estimate of
the noise that an iteration leaves. So three or four iterations do as well as eight with the paper's threshold, and
texture is not worn away by later ones. For speed and a short reach, patches have 6 or 7 pixels a side, key patches are
4 apart and the window is smaller. Parameters were tuned on a photograph, a retina, and phantoms of MR and ultrasound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InvalidPlan
from .groups import Grid, group_means, match, regroup

BACK = 0.1  # of the noisy image put back between iterations
MATCH_EVERY = 2  # iterations
RIDGE = 1e-6  # of the trace: LAPACK's eigh fails on a few of the Gram matrices of exactly low rank
TINY = 1e-12


class Setting(NamedTuple):
    """What depends on the noise."""

    most: float  # largest standard deviation that it is for, on the scale of 8-bit images
    grid: Grid
    iterations: int
    weight: float  # of the norm, in units of sqrt(patches in a group) * variance
    left: float  # noise after an iteration, relative to what is left of it if all that was removed was noise


SETTINGS = (
    Setting(20, Grid(patch=6, stride=4, search=18, group=50, margin=18), 3, 4.8, 0.36),
    Setting(40, Grid(patch=6, stride=4, search=18, group=70, margin=18), 3, 4.5, 0.30),
    Setting(math.inf, Grid(patch=7, stride=4, search=18, group=70, margin=18), 4, 5.2, 0.37),
)


def wnnm(images: Tensor, sigma: float, *, iterations: int | None = None) -> Tensor:
    """Denoise images that carry white Gaussian noise, by minimising weighted nuclear norms of groups of patches.

    Tiles agree with the whole image when they begin at multiples of 4 and have a halo of ``reach``.

    Args:
        images: float32 ``(N, 1, H, W)``, nominally in [0, 1], on any device; sides of at least 24 (the border is
            mirrored). The N images are independent of each other.
        sigma: standard deviation of the noise on the same scale.
        iterations: passes over the image; None takes 3, and 4 above sigma = 40/255.

    Returns:
        Tensor like ``images``.

    Raises:
        InvalidPlan: a negative ``sigma`` or ``iterations``.

    Gu, Zhang, Zuo and Feng, CVPR 2014; closed form: Gu et al., IJCV 121, 2017.

    >>> wnnm(torch.full((1, 1, 24, 24), 0.5), 0.1).mean().item()
    0.5
    """
    if sigma < 0 or (iterations or 0) < 0:
        raise InvalidPlan("wnnm: the level and the iterations must not be negative.")
    _, grid, default, weight, left = _setting(sigma)
    iterations = default if iterations is None else iterations
    if sigma == 0 or iterations == 0:
        return images.clone()
    start = noisy = grid.mirrored(images)
    for iteration in range(iterations):
        if iteration % MATCH_EVERY == 0:
            groups = match(start, grid)
        removed = group_means((noisy - start).square(), groups, grid)
        variance = (sigma**2 - removed).clamp_min(0) * (left**2 if iteration else 1)
        current = grid.inside(regroup(start, groups, grid, low_rank, weight * math.sqrt(grid.group) * variance), images)
        start = torch.lerp(grid.mirrored(current), noisy, BACK)
    return current.contiguous()


def reach(sigma: float, iterations: int | None = None) -> int:
    """How many voxels away a voxel can influence the result: in each iteration from patch to key, to another patch.

    A bound: 123, and 168 in strong noise. Tiles with a halo of 96 differed from the whole by less than 2e-4.
    """
    setting = _setting(sigma)
    grid = setting.grid
    return (2 * grid.search + grid.patch - 1) * (setting.iterations if iterations is None else iterations)


def low_rank(groups: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices X that minimise ||Y - X||² / 2 plus the sum of ``penalty / x``-weighted singular values x.

    Args:
        groups: Y, ``(B, group, pixels)``; the mean patch of each is spared.
        penalty: ``(B,)``, at least 0.

    Returns:
        X, and the weights of the groups, 1 each.
    """
    mean = groups.mean(1, keepdim=True)
    groups = groups - mean
    gram = groups.mT @ groups
    unit = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    # No singular value survives where 4 penalty - gram is positive definite, which is quicker to tell than eigenvalues.
    alive = torch.linalg.cholesky_ex(4 * penalty[:, None, None] * unit - gram).info.nonzero()[:, 0]
    low = mean.repeat(1, groups.shape[1], 1)
    if len(alive):
        groups, gram, penalty = groups[alive], gram[alive], penalty[alive, None]
        ridge = RIDGE * gram.diagonal(dim1=1, dim2=2).sum(1)[:, None] + TINY
        squares, vectors = torch.linalg.eigh(gram + ridge[..., None] * unit)
        values = (squares - ridge).clamp_min(0).sqrt()
        kept = shrunk(values, penalty) / values.clamp_min(TINY)
        first = kept.shape[1] - int((kept > 0).sum(1).max())  # values ascend
        vectors, kept = vectors[..., first:], kept[:, None, first:]
        low[alive] += groups @ vectors * kept @ vectors.mT
    return low, torch.ones(len(low), dtype=low.dtype, device=low.device)


def shrunk(values: Tensor, penalty: Tensor) -> Tensor:
    """What weights of ``penalty / x`` leave of singular values: the larger root of x² - values * x + penalty, or 0.

    >>> shrunk(torch.tensor([1.0, 2.0, 2.5]), torch.tensor(1.0))
    tensor([0., 1., 2.])
    """
    discriminant = values.square() - 4 * penalty
    return torch.where(discriminant >= 0, (values + discriminant.clamp_min(0).sqrt()) / 2, 0)


def _setting(sigma: float) -> Setting:
    return next(setting for setting in SETTINGS if 255 * sigma <= setting.most)
