"""CycleGAN's generator: nine residual blocks at a quarter of the resolution (Zhu, Park, Isola and Efros, ICCV 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .disentangled import Translated


class ResNetGenerator(nn.Module):
    """Images ``(N, 1, H, W)`` in about [0, 1] to images in [0, 1]; blind. 11.4 million parameters at the paper's width.

    Args:
        width: channels at full resolution; 64 in the paper.
    """

    def __init__(self, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        layers: list[nn.Module] = [*_layer(nn.Conv2d(1, width, 7, padding=3, padding_mode="reflect"))]
        for channels in (width, 2 * width):
            layers += _layer(nn.Conv2d(channels, 2 * channels, 3, 2, padding=1))
        layers += [_Block(4 * width) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            layers += _layer(nn.ConvTranspose2d(channels, channels // 2, 3, 2, padding=1, output_padding=1))
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 7, padding=3, padding_mode="reflect"))

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        rows, columns = images.shape[2:]
        padded = nn.functional.pad(2 * images - 1, (0, -columns % 4, 0, -rows % 4), mode="replicate")
        return ((self.layers(padded).float().tanh() + 1) / 2)[..., :rows, :columns]

    def translated(self, network: nn.Module, l: Tensor, h: Tensor, level: Tensor) -> Translated:  # noqa: E741
        """This generator as the way to noise, ``network`` as the way back."""
        fakeh, fakel = network(l, level), self(h, level)
        return Translated(fakeh, fakel, network(fakel, level), self(fakeh, level), torch.zeros((), device=l.device))


class _Block(nn.Module):
    """``x`` plus two convolutions with reflected borders and instance normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect") for _ in range(2)]
        self.layers = nn.Sequential(*_layer(convolutions[0]), convolutions[1], nn.InstanceNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _layer(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, nn.InstanceNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]
