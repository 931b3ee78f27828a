"""The loss of enlargement: absolute differences, relative to those that bicubic enlargement leaves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MedRestoreLib.networks import resizing

LEAST = 1 / 255  # mean absolute difference of the flattest patches; below it there is nothing to learn


class Enlarged(nn.Module):
    """``sqrt((output - clean)² + epsilon²)`` of each sample, divided by (mean |bicubic - clean|)^``balance``.

    Clips are judged by PSNR, the logarithm of the error, so that a gain on a smooth clip counts as much as one on a
    grainy clip; in a plain mean the grainy clips would decide alone. ``balance`` lies between the two.

    Args:
        epsilon: differences below it count as squares; 0 for plain absolute differences.
        balance: 0 to 1.
        target: "clean", or "restored" where a teacher (``restorer`` in the recipe) says what is right.
    """

    def __init__(self, epsilon: float = 0.0, balance: float = 0.5, target: str = "clean") -> None:
        super().__init__()
        self.epsilon, self.balance, self.target = epsilon, balance, target

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        clean = batch[self.target]
        small = batch["noisy"]
        with torch.no_grad():
            start = resizing.enlarged(small, clean.shape[-1] // small.shape[-1])
            usual = (start - clean).abs().mean(dim=(1, 2, 3)).clamp_min(LEAST)
        error = torch.sqrt((output - clean).square() + self.epsilon**2) if self.epsilon else (output - clean).abs()
        return (error.mean(dim=(1, 2, 3)) / usual**self.balance).mean()
