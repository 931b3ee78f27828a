"""Noise in groups of blocks that overlap or lie near each other: their noise is correlated, too.

Along a group, correlated noise adds up in the mean and cancels in the differences. A coefficient of the group's
spectrum therefore has a variance that depends on where the blocks lie (Makinen, Azzari and Foi, IEEE TIP 29, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ..noise import Spectrum
from .transforms import haar


@dataclass(frozen=True, eq=False)
class GroupNoise:
    """Variances of the coefficients of groups, of noise of variance 1.

    Attributes:
        table: covariance of each coefficient of two blocks, ``(lags,) * dimensions + (numbers,)``; an index is the
            distance of the blocks along an axis.
    """

    table: Tensor

    @classmethod
    def of(cls, spectrum: Spectrum, basis: Tensor, order: Tensor, lags: int, dimensions: int) -> GroupNoise:
        """From the spectrum of the noise.

        Args:
            spectrum: of the noise.
            basis: of the blocks' separable transform along an axis, ``(side, side)``.
            order: of its coefficients in the table, ``(numbers,)``.
            lags: 1 more than the largest distance of two blocks of a group along an axis.
            dimensions: of a block, 2 or 3.
        """
        found = torch.from_numpy(spectrum.between_blocks(basis.double().numpy(), lags, dimensions))
        return cls(found.flatten(dimensions)[..., order].float().contiguous())

    def to(self, device: torch.device) -> GroupNoise:
        """The same on another device."""
        return GroupNoise(self.table.to(device))

    @property
    def of_block(self) -> Tensor:
        """Variance of each coefficient of a block, ``(numbers,)``."""
        return self.table[(0,) * (self.table.ndim - 1)]

    @property
    def shared(self) -> Tensor:
        """How much less than of independent noise the squared distance of two blocks is, ``(lags,) * dimensions``."""
        return 2 * self.table.sum(-1)

    def variances(self, members: Tensor, shape: Sequence[int]) -> Tensor:
        """Of the spectra of groups.

        Args:
            members: positions of the blocks of some groups, ``(size, groups)``.
            shape: of the array of positions, without that of images.

        Returns:
            ``(size, groups, numbers)``: Haar along the group, its mean first.
        """
        lags, numbers = self.table.shape[0], self.table.shape[-1]
        first, second = _pairs(len(members))
        if not len(first):
            return self.of_block.expand(1, members.shape[1], numbers).clone()
        rows = torch.zeros((len(first), members.shape[1]), dtype=torch.int64, device=members.device)
        step = 1
        for side, factor in zip(reversed(shape), (1, lags, lags**2), strict=False):
            coordinate = members // step % side
            rows += (coordinate[first] - coordinate[second]).abs_() * factor
            step *= side
        together = self.table.view(-1, numbers).index_select(0, rows.flatten()).view(len(first), -1)
        found = (_products(len(members)).to(members.device) @ together).view(-1, members.shape[1], numbers)
        # The variance of a weighted sum is never negative, that of a table of few bands almost.
        return found.add_(self.of_block).clamp_(min=1e-4)


@cache
def _pairs(size: int) -> tuple[Tensor, Tensor]:
    """Both members of every pair of a group."""
    first, second = torch.triu_indices(size, size, 1)
    return first, second


@cache
def _products(size: int) -> Tensor:
    """How often the covariance of a pair counts in each coefficient of the Haar transform, ``(size, pairs)``."""
    first, second = _pairs(size)
    matrix = haar(size)
    return 2 * matrix[:, first] * matrix[:, second]
