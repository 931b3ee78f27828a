"""WGAN-VGG: a generator trained by a Wasserstein critic and by the features of a VGG network.

Yang, Yan, Zhang, Yu, Shi, Mou, Kalra, Zhang, Sun and Wang, IEEE TMI 37(6), 2018. Its loss compares no pixels, so
structures of the result may look right without being in the image.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import convolution

INITIAL_BIAS = 0.1  # of the last convolution: on dark images its ReLU would else be 0, and its gradient, too

# Output channels and stride of the critic's convolutions.
CRITIC = ((64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2))


class Generator(nn.Module):
    """Eight 3x3 convolutions, each with ReLU: 56,000 parameters. Never negative. Blind: ``level`` is not used."""

    def __init__(self, layers: int = 8, width: int = 32) -> None:
        super().__init__()
        widths = [1, *[width] * (layers - 1), 1]
        self.layers = nn.Sequential(*(convolution(widths[i], widths[i + 1]) for i in range(layers)))
        last = [module for module in self.layers.modules() if isinstance(module, nn.Conv2d)][-1]
        assert last.bias is not None
        nn.init.constant_(last.bias, INITIAL_BIAS)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


class Critic(nn.Module):
    """Patches ``(N, 1, P, P)`` to scores ``(N,)``, higher for clean images than for restored ones.

    No batch normalisation, which the gradient penalty rules out (Gulrajani et al., NeurIPS 2017).

    Args:
        patch: the side P, a multiple of 8.
        width: channels of the first convolution.
    """

    def __init__(self, patch: int = 64, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels, stride in CRITIC:
            channels = channels * width // CRITIC[0][0]
            layers += [nn.Conv2d(before, channels, 3, stride, padding=1), nn.LeakyReLU(0.2)]
            before = channels
        features = before * (patch // 8) ** 2
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(features, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1), nn.Flatten(0)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)
