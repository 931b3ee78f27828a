"""Weighted nuclear norm minimisation (Gu, Zhang, Zuo and Feng, CVPR 2014).

A group of similar patches is a matrix of low rank plus noise. The weight of a singular value in the nuclear norm is
inverse to the restored singular value, so large ones, which carry the image, are shrunk least.

Deviations from the paper: a higher threshold, near the largest singular value of pure noise, and a lower estimate of
the noise that an iteration leaves. Three or four iterations then do as well as eight with the paper's threshold, and
later ones do not wear texture away. For speed and a short reach, patches have 6 or 7 pixels a side, references are 4
apart and the search window is smaller. Parameters were tuned on a photograph, a retina, and phantoms of MR and
ultrasound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .decomposing import eigh
from .groups import Grid, group_means, match, regroup
from .options import NonNegativeInt, checked

BACK = 0.1  # of the noisy image put back between iterations
MATCH_EVERY = 2  # iterations
RIDGE = 1e-6  # of the trace: LAPACK's eigh fails on a few of the Gram matrices of exactly low rank
TINY = 1e-12


class Setting(NamedTuple):
    """The parameters for noise up to a level.

    Attributes:
        most: largest standard deviation of the noise, on the scale of 8-bit images.
        grid: of the references.
        iterations: how many are enough.
        weight: of the norm, in units of sqrt(patches in a group) * variance.
        left: standard deviation of the noise after an iteration, over what it would be had noise alone been removed.
    """

    most: float
    grid: Grid
    iterations: int
    weight: float
    left: float


SETTINGS = (
    Setting(20, Grid(side=6, stride=4, radius=18, group=50, margin=18), 3, 4.8, 0.36),
    Setting(40, Grid(side=6, stride=4, radius=18, group=70, margin=18), 3, 4.5, 0.30),
    Setting(math.inf, Grid(side=7, stride=4, radius=18, group=70, margin=18), 4, 5.2, 0.37),
)


@checked
def wnnm(images: Tensor, sigma: float, *, iterations: NonNegativeInt | None = None) -> Tensor:
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
        InvalidPlan: the level or ``iterations`` is negative.

    Gu, Zhang, Zuo and Feng, CVPR 2014; closed form: Gu et al., IJCV 121, 2017.

    >>> wnnm(torch.full((1, 1, 24, 24), 0.5), 0.1).mean().item()
    0.5
    """
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
    """How many pixels away a pixel can influence the result.

    In each iteration from a patch to its reference, and on to another patch of the group: 123 in all, 168 in strong
    noise. That is a bound; tiles with a halo of 96 differed from the whole by less than 2e-4.
    """
    setting = _setting(sigma)
    grid = setting.grid
    return (2 * grid.radius + grid.side - 1) * (setting.iterations if iterations is None else iterations)


def low_rank(groups: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices X that minimise ||Y - X||² / 2 plus the sum of ``penalty / x``-weighted singular values x.

    Args:
        groups: Y, ``(B, group, pixels)``; the mean patch of each is spared.
        penalty: ``(B,)``, at least 0.

    Returns:
        X, and the groups' weights in the aggregation, 1 each.
    """
    mean = groups.mean(1, keepdim=True)
    groups = groups - mean
    gram = groups.mT @ groups
    unit = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    # No singular value survives where 4 penalty - gram is positive definite: quicker to find out than eigenvalues.
    alive = torch.linalg.cholesky_ex(4 * penalty[:, None, None] * unit - gram).info.nonzero()[:, 0]
    low = mean.repeat(1, groups.shape[1], 1)
    if len(alive):
        groups, gram, penalty = groups[alive], gram[alive], penalty[alive, None]
        ridge = RIDGE * gram.diagonal(dim1=1, dim2=2).sum(1)[:, None] + TINY
        squares, vectors = eigh(gram + ridge[..., None] * unit)
        values = (squares - ridge).clamp_min(0).sqrt()
        kept = shrunk(values, penalty) / values.clamp_min(TINY)
        first = kept.shape[1] - int((kept > 0).sum(1).max())  # values ascend
        vectors, kept = vectors[..., first:], kept[:, None, first:]
        low[alive] += groups @ vectors * kept @ vectors.mT
    return low, torch.ones(len(low), dtype=low.dtype, device=low.device)


def shrunk(values: Tensor, penalty: Tensor) -> Tensor:
    """Singular values shrunk with weights of ``penalty / x``: the larger root of x² - values * x + penalty, or 0.

    >>> shrunk(torch.tensor([1.0, 2.0, 2.5]), torch.tensor(1.0))
    tensor([0., 1., 2.])
    """
    discriminant = values.square() - 4 * penalty
    return torch.where(discriminant >= 0, (values + discriminant.clamp_min(0).sqrt()) / 2, 0)


def _setting(sigma: float) -> Setting:
    return next(setting for setting in SETTINGS if 255 * sigma <= setting.most)
