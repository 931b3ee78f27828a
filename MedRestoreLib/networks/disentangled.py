"""What an image shows, without its noise: a content encoder and a generator, trained on images without partners.

The idea is that of "Unsupervised MRI denoising by disentangled representation" (in Chinese, with an English abstract),
which carries Lu, Chen and Chellappa, CVPR 2019 (unpaired deblurring) over to noise. What is needed in training alone,
and the paper's own form, are in ``training.networks.disentangled``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate, relu

from .blocks import mirrored, plane, start_at_zero

FOLD = 4  # the content has a quarter of the image's rows and columns


class Disentangled(nn.Module):
    """Noisy images and their noise's standard deviation in, clean images out; 1.6 million parameters.

    ``(N, 1, H, W)`` nominally in [0, 1], with white Gaussian noise of ``(N,)``; the same shape out.

    Departures from the paper, in which instance normalisation loses the grey levels and the generator gets a noise code:

    - The generator predicts the noise over its standard deviation; it is subtracted, and grey levels hold.
    - It gets the content alone, so no noise passes it by way of a code.
    - No normalisation: the result at a place depends on its surroundings alone.

    Args:
        width: channels at full resolution; four times as many at a quarter of it.
        blocks: residual blocks of the encoder, and of the generator beside its first.
    """

    def __init__(self, width: int = 32, blocks: int = 2) -> None:
        super().__init__()
        self.encoder = ContentEncoder(2, width, blocks, norm=False)
        self.generator = Generator(width, blocks, norm=False)
        start_at_zero(self.generator)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return images - level.view(-1, 1, 1, 1) * self.noise_in(images, level)

    def noise_in(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """The noise over its standard deviation, a tensor like ``images``."""
        rows, columns = images.shape[2:]
        noise = self.generator(self.content(images, level))
        return noise[..., :rows, :columns].to(images.dtype)

    def content(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """``(N, 4 width, H / 4, W / 4)``, of sizes rounded up."""
        return self.encoder(mirrored(torch.cat((images, plane(level, images)), 1), FOLD))


class ContentEncoder(nn.Module):
    """Images ``(N, inputs, H, W)`` to ``(N, 4 width, H / 4, W / 4)``; H and W are multiples of 4.

    Args:
        norm: instance normalisation, as in the paper.
    """

    def __init__(self, inputs: int, width: int, blocks: int, *, norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 7, padding=3, padding_mode="reflect"), nn.LeakyReLU(0.01)]
        for channels in (width, 2 * width):
            layers.append(nn.Conv2d(channels, 2 * channels, 3, 2, padding=1))
            layers += [*([nn.InstanceNorm2d(2 * channels)] if norm else []), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, *(Residual(4 * width, norm=norm) for _ in range(blocks)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


class Generator(nn.Module):
    """Content ``(N, 4 width, H / 4, W / 4)`` and a noise code to one channel ``(N, 1, H, W)`` of any range.

    Args:
        code: channels of the noise code, which joins the features at every resolution; 0 for none.
        norm: instance normalisation, layer normalisation on the way up, as in the paper.
    """

    def __init__(self, width: int, blocks: int, *, code: int = 0, norm: bool) -> None:
        super().__init__()
        self.first = Residual(4 * width, norm=norm)
        channels = 4 * width + code
        self.blocks = nn.Sequential(*(Residual(channels, norm=norm) for _ in range(blocks)))
        self.up = nn.ModuleList()
        for _ in range(2):
            half = (channels + code) // 2
            layers: list[nn.Module] = [nn.ConvTranspose2d(channels + code, half, 4, 2, padding=1)]
            self.up.append(nn.Sequential(*layers, *([nn.GroupNorm(1, half)] if norm else []), nn.ReLU(inplace=True)))
            channels = half
        self.last = nn.Conv2d(channels + code, 1, 3, padding=1)

    def forward(self, content: torch.Tensor, code: torch.Tensor | None = None) -> torch.Tensor:
        """``code``: ``(N, code, 1, 1)`` for the whole image or ``(N, code, H / 4, W / 4)``."""
        x = self.blocks(_joined(self.first(content), code))
        for up in self.up:
            x = up(_joined(x, code))
        return self.last(_joined(x, code))


class Residual(nn.Module):
    """``x + convolution(ReLU(convolution(x)))``, both with instance normalisation if ``norm``."""

    def __init__(self, channels: int, *, norm: bool) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norm = nn.InstanceNorm2d(channels) if norm else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.norm(self.second(relu(self.norm(self.first(x)))))


def _joined(x: torch.Tensor, code: torch.Tensor | None) -> torch.Tensor:
    """Features with the code as further channels, repeated to their size."""
    return x if code is None else torch.cat((x, interpolate(code, x.shape[2:]).to(x.dtype)), 1)
