"""Transforms of blocks, as matrices that multiply the flattened block."""

from __future__ import annotations

from functools import cache, reduce

import torch
from torch import Tensor


@cache
def haar(size: int, dimensions: int = 1) -> Tensor:
    """Orthonormal Haar transform, float32, of ``size`` numbers, a power of two, a side; the mean comes first.

    >>> (haar(2) * 2**0.5).round().tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    """
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        coarse = torch.kron(matrix, torch.tensor([1.0, 1.0]))
        fine = torch.kron(torch.eye(len(matrix)), torch.tensor([1.0, -1.0]))
        matrix = torch.cat([coarse, fine]) / 2**0.5
    return _separable(matrix, dimensions)


@cache
def dct(size: int, dimensions: int = 1) -> Tensor:
    """Orthonormal discrete cosine transform (DCT-II), float64, of ``size`` numbers a side; the mean comes first."""
    k = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(torch.pi / size * (k + 0.5) * k[:, None]) * (2 / size) ** 0.5
    matrix[0] /= 2**0.5
    return _separable(matrix, dimensions)


@cache
def bior15(size: int, dimensions: int = 1) -> Tensor:
    """Full periodic decomposition by the biorthogonal wavelet bior1.5, float64, of ``size`` numbers a side.

    Its rows have unit norm, so that white noise has its own standard deviation in every coefficient.
    """
    lowpass = torch.tensor([3, -3, -22, 22, 128, 128, 22, -22, -3, 3], dtype=torch.float64)
    highpass = torch.tensor([1, -1], dtype=torch.float64)
    matrix = torch.eye(size, dtype=torch.float64)
    length = size
    while length > 1:
        level = torch.zeros(length, length, dtype=torch.float64)
        for row in range(length // 2):
            level[row].index_add_(0, (2 * row - 4 + torch.arange(10)) % length, lowpass)
            level[length // 2 + row, 2 * row : 2 * row + 2] = highpass
        matrix[:length] = level @ matrix[:length]
        length //= 2
    return _separable(matrix / matrix.norm(dim=1, keepdim=True), dimensions)


def noise_variances(transform: Tensor, covariance: Tensor) -> Tensor:
    """Variance of each coefficient of a transformed block of noise, float32; ``covariance`` of its pixels, float64."""
    return (transform.double() @ covariance * transform.double()).sum(1).float()


def _separable(matrix: Tensor, dimensions: int) -> Tensor:
    """The transform of flattened blocks that transforms each dimension by ``matrix``."""
    return reduce(torch.kron, [matrix] * dimensions)
