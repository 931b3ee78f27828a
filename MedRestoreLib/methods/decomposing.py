"""Many small matrices decomposed at once, by the processor also where the rest runs on a GPU.

A GPU decomposes them one after the other: ``wnnm`` of 512x512 pixels took over two minutes on a large one, where
two cores need 2 seconds for all of it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def eigh(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending ``(B, n)``, and vectors ``(B, n, n)`` of symmetric ``(B, n, n)``, on their device."""
    values, vectors = torch.linalg.eigh(_near(matrices))
    return values.to(matrices.device), vectors.to(matrices.device)


def orthonormal(columns: Tensor) -> Tensor:
    """Orthonormal columns that span the same spaces as those of ``(B, n, k)``, k at most n, on their device."""
    return torch.linalg.qr(_near(columns)).Q.to(columns.device)


def _near(matrices: Tensor) -> Tensor:
    """In the processor's memory if they are a GPU's of NVIDIA."""
    return matrices.cpu() if matrices.is_cuda else matrices
