"""Losses of classification and segmentation: of the noise level, lesions, anatomy, the kind of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from ..data import GREY


class LevelClasses(nn.Module):
    """Cross-entropy of noise levels as classes 1, 2, ... of the logits ``(N, classes)``.

    The classes are ordinal, so the target is a Gaussian around the level, of standard deviation ``smoothing`` classes;
    0 makes the nearest class the target.
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


class Segmentation(nn.Module):
    """Binary cross-entropy plus 1 - Dice of lesion logits ``(N, 1, H, W)``, both over the whole batch."""

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        lesions = batch["lesions"].to(output.dtype)
        probability = torch.sigmoid(output)
        dice = (2 * (probability * lesions).sum() + 1) / (probability.sum() + lesions.sum() + 1)
        return binary_cross_entropy_with_logits(output, lesions) + 1 - dice


class Structures(nn.Module):
    """Cross-entropy plus 1 - the mean Dice of all classes but the background, over the whole batch.

    Logits ``(N, classes, H, W)`` against ``structures``, class numbers ``(N, 1, H, W)``.
    """

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        classes = batch["structures"][:, 0].long()
        truth = one_hot(classes, output.shape[1]).movedim(-1, 1).to(output.dtype)
        probability = torch.softmax(output, 1)
        shared, sums = ((a * b).sum((0, 2, 3))[1:] for a, b in ((probability, truth), (probability + truth, 1)))
        return cross_entropy(output, classes) + 1 - ((2 * shared + 1) / (sums + 1)).mean()


class Presence(nn.Module):
    """Binary cross-entropy of "this patch contains a lesion", logits ``(N,)``."""

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return binary_cross_entropy_with_logits(output, batch["lesions"].flatten(1).any(1).to(output.dtype))


class Label(nn.Module):
    """Cross-entropy of the image's class, ``label`` ``(N,)``, under the logits ``(N, classes)``."""

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return cross_entropy(output, batch["label"])
