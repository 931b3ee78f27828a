"""Structural-information distillation: the restored image's features are to lie where the teacher's lie.

The paper's loss (3) on the first three blocks of ResNet-34, softened by T = 5; with weight 0.15 beside 0.85 of the loss
of n. Its formula is a cross-entropy, its text says Kullback-Leibler divergence; they differ by the teacher's entropy,
whose gradient is zero.

The paper's teacher is the noisy image. The divergence is then least where nothing was removed: it holds smoothing back,
and says nothing about noise. With the clean image as teacher, which is known in training, it asks for the right thing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from MedRestoreLib.networks.speckle import GUARD
from training.recipe import RecipeError

from .resnet import Features

AXES = {"position": -1, "channel": 1}


class Distillation(nn.Module):
    """The divergence of softened features, mean over samples and channels (or positions), sum over the three blocks.

    Args:
        back_end: of the features: "imagenet", "ultrasound" or "random".
        weights: the file of back-end "imagenet".
        temperature: features are divided by it before the softmax.
        teacher: "noisy", the paper's, or "clean".
        axis: what a softmax runs over: "position", where in the image each channel responds; or "channel", which
            channels respond at each position. The paper does not say.
        output: what the network hands to the losses: "noise", n of ``x = u (1 + n)``, or "image".
        guard: the least that 1 + n is taken for when the noisy image is divided by it, and what comes out is kept in
            [0, 1]; 0 divides as the paper does.

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
        """Logarithms of the soft labels, ``(N, channels, positions)``."""
        return log_softmax(features.flatten(2) / self.temperature, self.axis)

    def _divergence(self, target: Tensor, found: Tensor) -> Tensor:
        return kl_div(found, target, reduction="none", log_target=True).sum(self.axis).mean()
