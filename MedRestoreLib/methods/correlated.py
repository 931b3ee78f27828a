"""Noise in groups of blocks that overlap or lie near each other: their noise is correlated, too.

Along a group, correlated noise adds up in the mean and cancels in the differences. A coefficient of the group's
spectrum therefore has a variance that depends on where the blocks lie (Makinen, Azzari and Foi, IEEE TIP 29, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..noise import Spectrum


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
        size, groups = members.shape
        lags, numbers = self.table.shape[0], self.table.shape[-1]
        table, coordinates = self.table.view(-1, numbers), _coordinates(members.T, shape)
        # Covariances of the pairs within each run of so many blocks, summed.
        within, length = table.new_zeros(size, groups, numbers), 1
        found = []
        while length < size:  # the Haar transform subtracts the second half of a longer run from the first
            rows = torch.zeros(groups, size // (2 * length), length, length, dtype=torch.int64, device=members.device)
            for coordinate in coordinates:
                first, second = coordinate.view(groups, -1, 2, length).unbind(2)
                rows.mul_(lags).add_((first[..., None] - second[..., None, :]).abs_())
            rows = rows.transpose(0, 1).reshape(-1, length**2)
            between = F.embedding_bag(rows, table, mode="sum").view(-1, groups, numbers)
            within = within[0::2] + within[1::2]
            found.insert(0, (within - between) / length)
            within, length = within + between, 2 * length
        spectra = torch.cat([within * (2 / size), *found])
        # The variance of a weighted sum is never negative, that of a table of few bands almost.
        return spectra.add_(self.of_block).clamp_(min=1e-4)


def _coordinates(positions: Tensor, shape: Sequence[int]) -> list[Tensor]:
    """Along each axis, of positions in a flattened array of ``shape``."""
    found = []
    for side in reversed(shape):
        found.insert(0, positions % side)
        positions = positions // side
    return found
