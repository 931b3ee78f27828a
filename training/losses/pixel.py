"""Losses that compare pixel by pixel with the clean image.

What counts in the end is PSNR, the logarithm of the error of a whole view, at few counts as at many. The error that a
good method leaves grows as about the 0.7th power of the noise's mean variance over the view (Anscombe-BM3D on bone
scans: level^1.4), so a plain mean of squares over all levels is a mean over the worst: at level 50 one image weighs as
much as 240 at level 1. Each sample is therefore divided by its view's variance to a power, ``balance``; 0.7 makes the
gradient that of the mean PSNR, as far as that power holds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GREY = 255.0
TYPICAL = 0.04 * (10 / GREY) ** 2  # variance of a view of mean 0.04 at level 10: weights are about 1


class Weighted(nn.Module):
    """The mean over the batch of a loss per sample, each divided by (variance / TYPICAL)^``balance``.

    The variance is that of counts, ``mean`` x level²; a batch without ``mean`` (of the view that a patch was cut from)
    is taken for a typical one.
    """

    def __init__(self, balance: float = 0.0) -> None:
        super().__init__()
        self.balance = balance

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        variance = batch["level"].square() * batch.get("mean", 0.04)
        return (self.per_sample(output, batch) * (variance / TYPICAL) ** -self.balance).mean()

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The loss of each sample, ``(N,)``."""
        raise NotImplementedError


class MeanSquares(Weighted):
    """``(output - clean)²``."""

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return (output - batch["clean"]).square().mean(dim=(1, 2, 3))


class Charbonnier(Weighted):
    """``sqrt((output - clean)² + epsilon²)``: absolute differences, smooth at zero (Charbonnier et al., ICIP 1994)."""

    def __init__(self, balance: float = 0.0, epsilon: float = 1e-3) -> None:
        super().__init__(balance)
        self.epsilon = epsilon

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return torch.sqrt((output - batch["clean"]).square() + self.epsilon**2).mean(dim=(1, 2, 3))


class NoiseSquares(Weighted):
    """``(n - output)²`` for networks that tell n of ``noisy = clean (1 + n)`` (``output = "noise"`` in the recipe).

    Args:
        balance: see ``Weighted``.
        masked: leave out what is darker than one grey value of 255, where n cannot be told: the mean is over the rest.
            Without it n is 0 there.
    """

    def __init__(self, balance: float = 0.0, masked: bool = True) -> None:
        super().__init__(balance)
        self.masked = masked

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        seen = batch["clean"] >= 1 / GREY
        noise = torch.where(seen, batch["noisy"] / batch["clean"].clamp_min(1 / GREY) - 1, 0)
        squares = (output - noise).square()
        if not self.masked:
            return squares.mean(dim=(1, 2, 3))
        return (squares * seen).sum(dim=(1, 2, 3)) / seen.sum(dim=(1, 2, 3)).clamp_min(1)


class PoissonLikelihood(Weighted):
    """Poisson deviance of ``clean`` (expected or observed counts, scaled) at the restored rate, per pixel.

    ``2 (x ln(x / r) - x + r)`` in units of K = 1 / level² counts: 0 for a perfect rate. ``floor`` counts are added to
    both, so that no pixel's surprise is infinite. For networks whose output is never negative.
    """

    def __init__(self, balance: float = 0.0, floor: float = 1e-3) -> None:
        super().__init__(balance)
        self.floor = floor

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        counts = batch["level"].view(-1, 1, 1, 1) ** -2
        expected, observed = output * counts + self.floor, batch["clean"] * counts + self.floor
        deviance = 2 * (observed * torch.log(observed / expected) - observed + expected)
        return deviance.mean(dim=(1, 2, 3))
