"""Pixel losses: comparisons with the clean image, pixel by pixel.

Methods are judged by PSNR, the logarithm of a view's error, at low counts as at high ones. The error that a good method
leaves grows with about the 0.7th power of the noise's mean variance (Anscombe-BM3D on bone scans: level^1.4), so in a
plain mean of squares over all levels one image at level 50 weighs as much as 240 at level 1. Each sample is therefore
divided by its view's variance to the power ``balance``; with 0.7 the gradient is that of the mean PSNR, as far as that
power law holds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ..data import GREY

MEAN = 0.04  # of a typical view
TYPICAL = MEAN * (10 / GREY) ** 2  # its variance at level 10: the divisors are about 1


class Weighted(nn.Module):
    """The mean over the batch of a loss per sample, each divided by (variance / TYPICAL)^``balance``.

    The variance is that of counts, ``mean`` x level², with the mean of the view that the patch was cut from; a batch
    without ``mean`` counts as typical.
    """

    def __init__(self, balance: float = 0.0) -> None:
        super().__init__()
        self.balance = balance

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        variance = batch["level"].square() * batch.get("mean", MEAN)
        return (self.per_sample(output, batch) * (variance / TYPICAL) ** -self.balance).mean()

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The loss of each sample, ``(N,)``."""
        raise NotImplementedError


class MeanSquares(Weighted):
    """``(output - clean)²``.

    ``soft``: beyond this mean square a sample counts by its logarithm, as it does in PSNR; 0 for never. A dark patch
    then counts no less than a bright one, whatever its noise.
    """

    def __init__(self, balance: float = 0.0, soft: float = 0.0) -> None:
        super().__init__(balance)
        self.soft = soft

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return _softened((output - batch["clean"]).square().mean(dim=(1, 2, 3)), self.soft)


class Charbonnier(Weighted):
    """``sqrt((output - clean)² + epsilon²)``: absolute differences, smooth at zero (Charbonnier et al., ICIP 1994)."""

    def __init__(self, balance: float = 0.0, epsilon: float = 1e-3) -> None:
        super().__init__(balance)
        self.epsilon = epsilon

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return torch.sqrt((output - batch["clean"]).square() + self.epsilon**2).mean(dim=(1, 2, 3))


class OverPilot(Charbonnier):
    """``Charbonnier`` over that of the pilot that the network refines, so that faint and strong noise count alike.

    A patch of which the pilot is nearly right counts no more than one with an error of ``least`` standard deviations.

    Args:
        balance, epsilon: see ``Charbonnier``.
        pilot: which slice of ``stack`` it is.
        least: error of the pilot, standard deviations of the noise.
    """

    def __init__(self, balance: float = 0.0, epsilon: float = 1e-3, pilot: int = 7, least: float = 0.1) -> None:
        super().__init__(balance, epsilon)
        self.pilot, self.least = pilot, least

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        before = super().per_sample(batch["stack"][:, self.pilot : self.pilot + 1], batch)
        return super().per_sample(output, batch) / before.clamp_min(self.least)


class CalmAndSharp(Charbonnier):
    """``Charbonnier`` of both outputs of a network with ``output = "pair"``, against ``calm`` and ``clean``.

    Args:
        balance, epsilon: see ``Charbonnier``.
        edges: weight of the mean absolute error of the differences between neighbours, which blur lowers. Without it,
            where the blur is uncertain, the best answer is the calm image.
    """

    def __init__(self, balance: float = 0.0, epsilon: float = 1e-3, edges: float = 0.0) -> None:
        super().__init__(balance, epsilon)
        self.edges = edges

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        error = output - torch.cat((batch["calm"], batch["clean"]), 1)
        slopes = [error.diff(dim=axis).abs().mean(dim=(1, 2, 3)) for axis in (2, 3)]
        return torch.sqrt(error.square() + self.epsilon**2).mean(dim=(1, 2, 3)) + self.edges * sum(slopes)


class NoiseSquares(Weighted):
    """``(n - output)²`` for networks that predict n of ``noisy = clean (1 + n)`` (``output = "noise"`` in the recipe).

    Args:
        balance: see ``Weighted``.
        masked: average over the pixels of at least one grey value of 255 only, since n is undefined in darker ones.
            Without it n is taken for 0 there.
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
    """Poisson deviance of ``clean`` (expected or observed counts, scaled) under the restored rate, per pixel.

    ``2 (x ln(x / r) - x + r)`` of x and r in counts, that is times K = 1 / level²; 0 for a perfect rate. ``floor``
    counts are added to both, so that no pixel's deviance is infinite. The network's output must not be negative.

    ``soft``: beyond this mean deviance a sample counts by its logarithm, so that sharp edges with many counts, whose
    deviance is hundreds of times as large, do not decide alone; 0 for never.
    """

    def __init__(self, balance: float = 0.0, floor: float = 1e-3, soft: float = 0.0) -> None:
        super().__init__(balance)
        self.floor, self.soft = floor, soft

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        counts = batch["level"].view(-1, 1, 1, 1) ** -2
        expected, observed = output * counts + self.floor, batch["clean"] * counts + self.floor
        deviance = 2 * (observed * torch.log(observed / expected) - observed + expected)
        return _softened(deviance.mean(dim=(1, 2, 3)), self.soft)


class LesionUptake(nn.Module):
    """Errors of uptake within lesions (``lesions`` of the batch), averaged as a small lesion averages them.

    The error is smoothed by a Gaussian of ``width`` pixels at half maximum, so that noise of single pixels counts
    little, and squared in units of the variance that counts of such a place have. Lesions are rare, and a network that
    weighs all pixels alike takes faint ones for noise. ``floor`` counts are added to the expected ones; beyond ``soft``
    variances an error counts by its logarithm. ``stabilised``: images are on the scale where noise has variance 1.
    """

    weights: Tensor

    def __init__(self, width: float = 3.5, floor: float = 0.05, soft: float = 8.0, stabilised: bool = False) -> None:
        super().__init__()
        self.floor, self.soft, self.stabilised = floor, soft, stabilised
        sigma = width / (8 * math.log(2)) ** 0.5
        offsets = torch.arange(-round(2.5 * sigma), round(2.5 * sigma) + 1)
        kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
        self.register_buffer("weights", kernel / kernel.sum(), persistent=False)

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        counts = 1 if self.stabilised else batch["level"].view(-1, 1, 1, 1) ** -2
        error = self._smoothed((output - batch["clean"]) * counts)
        around = 1 if self.stabilised else self._smoothed(batch["clean"] * counts)
        variance = around * self.weights.square().sum() ** 2 + self.floor
        inside = batch["lesions"].to(output.dtype)
        return (_softened(error.square() / variance, self.soft) * inside).sum() / inside.sum().clamp_min(1)

    def _smoothed(self, images: Tensor) -> Tensor:
        half = len(self.weights) // 2
        down = conv2d(images, self.weights.view(1, 1, -1, 1), padding=(half, 0))
        return conv2d(down, self.weights.view(1, 1, 1, -1), padding=(0, half))


def _softened(values: Tensor, soft: float) -> Tensor:
    return soft * torch.log1p(values / soft) if soft else values
