"""Perceptual loss: squared differences of features instead of pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .features import Features
from .pixel import Weighted


class Perceptual(Weighted):
    """Mean squared difference of features, in the unit of a mean squared difference of pixels.

    Each channel is divided by its variance over the batch's clean images and multiplied by the variance of these
    images, so that the loss does not depend on the back-end's scale. The composite loss of Yu et al. is 0.8 ``mse`` +
    0.2 of this, on the first two layers of VGG-16.

    Args:
        balance: see ``training.losses.pixel``.
        **features: arguments of ``training.losses.features.Features``.
    """

    def __init__(self, balance: float = 0.0, **features: Any) -> None:
        super().__init__(balance)
        self.features = Features(**features).requires_grad_(False).eval()

    def per_sample(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        clean = batch["clean"]
        with torch.no_grad():
            targets = self.features(clean)
        total = torch.zeros(len(output), device=output.device)
        for found, target in zip(self.features(output), targets, strict=True):
            scale = clean.var() / (target.var(dim=(0, 2, 3), keepdim=True) + 1e-3 * target.var() + 1e-12)
            total = total + ((found - target).square() * scale).mean(dim=(1, 2, 3))
        return total / len(targets)
