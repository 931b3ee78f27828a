"""Structural-information distillation: divergence between features of the restored image and of a teacher image.

The paper's loss (3) on the first three blocks of ResNet-34, softened by T = 5, with weight 0.15 beside 0.85 for the
loss of n. Its formula is a cross-entropy, its text says Kullback-Leibler divergence; they differ by the teacher's
entropy, whose gradient is zero.

The paper's teacher is the noisy image. The divergence is then zero where nothing was removed: it discourages smoothing
and does not depend on the noise. Here the teacher may also be the clean image, which is known in training; the minimum
is then the right image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from MedRestoreLib.networks.speckle import GUARD

from ..recipe import RecipeError
from .resnet import Features

AXES = {"position": -1, "channel": 1}


class Distillation(nn.Module):
    """The divergence of softened features, mean over samples and channels (or positions), sum over the three blocks.

    Args:
        back_end: of the features: "imagenet", "ultrasound" or "random".
        weights: the file of back-end "imagenet".
        temperature: features are divided by it before the softmax.
        teacher: "noisy", the paper's, or "clean".
        axis: of the softmax: "position" compares where each channel responds, "channel" which channels respond at each
            position. The paper does not say.
        output: of the network: "noise", n of ``x = u (1 + n)``, or "image".
        guard: lower bound of 1 + n, by which the noisy image is divided; the quotient is clipped to [0, 1]. 0 divides
            without a bound and without clipping, as the paper does.

    Raises:
        RecipeError: an argument is none of these, or the back-end is absent.
    """

    def __init__(
        self,
        back_end: str,
        weights: str = "",
        temperature: float = 5.0,
        teacher: str = "noisy",
        axis: str = "position",
        output: str = "noise",
        guard: float = GUARD,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("teacher", teacher, ("noisy", "clean")),
            ("axis", axis, tuple(AXES)),
            ("output", output, ("noise", "image")),
        ):
            if value not in known:
                raise RecipeError(f"the distillation's {name} is {' or '.join(known)}; got '{value}'.")
        self.features = Features(back_end, weights)
        self.temperature, self.teacher, self.axis = temperature, teacher, AXES[axis]
        self.output, self.guard = output, guard

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        restored = self._divided(batch["noisy"], output) if self.output == "noise" else output
        with torch.no_grad():
            targets = [self._soft(one) for one in self.features(batch[self.teacher])]
        found = [self._soft(one) for one in self.features(restored)]
        return sum(self._divergence(target, one) for target, one in zip(targets, found, strict=True))

    def _divided(self, noisy: Tensor, noise: Tensor) -> Tensor:
        if self.guard == 0:
            return noisy / (1 + noise)
        return (noisy / (1 + noise).clamp_min(self.guard)).clamp(0, 1)

    def _soft(self, features: Tensor) -> Tensor:
        """Log-softmax of the features, ``(N, channels, positions)``."""
        return log_softmax(features.flatten(2) / self.temperature, self.axis)

    def _divergence(self, target: Tensor, found: Tensor) -> Tensor:
        return kl_div(found, target, reduction="none", log_target=True).sum(self.axis).mean()
