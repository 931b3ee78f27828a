"""Losses of networks that name or outline: the noise level, lesions, whether a patch holds any, what it shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from .pixel import GREY


class LevelClasses(nn.Module):
    """Cross-entropy of level classes 1 to the number of outputs, ``(N, classes)``.

    The classes are in order, so the target is no single class but a Gaussian around the level, ``smoothing`` classes
    wide; 0 gives the nearest class alone.
    """

    def __init__(self, smoothing: float = 1.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        classes = torch.arange(1, output.shape[1] + 1, device=output.device)
        distance = batch["level"][:, None] * GREY - classes
        if self.smoothing == 0:
            return cross_entropy(output, distance.abs().argmin(1))
        return cross_entropy(output, torch.softmax(-0.5 * (distance / self.smoothing) ** 2, 1))


class Outline(nn.Module):
    """Binary cross-entropy plus 1 - Dice of lesion logits ``(N, 1, H, W)``, both over the whole batch."""

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        lesions = batch["lesions"].to(output.dtype)
        probability = torch.sigmoid(output)
        dice = (2 * (probability * lesions).sum() + 1) / (probability.sum() + lesions.sum() + 1)
        return binary_cross_entropy_with_logits(output, lesions) + 1 - dice


class Presence(nn.Module):
    """Binary cross-entropy of "this patch holds a lesion" ``(N,)``."""

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return binary_cross_entropy_with_logits(output, batch["lesions"].flatten(1).any(1).to(output.dtype))


class Label(nn.Module):
    """Cross-entropy of what an image shows, ``label`` ``(N,)``, under the logits ``(N, classes)``."""

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return cross_entropy(output, batch["label"])
