"""The paper's form of unpaired denoising by disentanglement: global noise codes, instance normalisation.

The paper says nothing of layers; they are those of its model, Lu, Chen and Chellappa, CVPR 2019, but for kernels of 4
on the way up and of 3 in the last layer. Sizes are multiples of 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, relu

from .disentangled import Code, Translated


class ContentEncoder(nn.Module):
    """Images ``(N, 1, H, W)`` to ``(N, 4 width, H / 4, W / 4)``."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, width, 7, padding=3, padding_mode="reflect"), nn.LeakyReLU(0.01)]
        for channels in (width, 2 * width):
            layers.append(nn.Conv2d(channels, 2 * channels, 3, 2, padding=1))
            layers += [nn.InstanceNorm2d(2 * channels), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, *(_Residual(4 * width) for _ in range(blocks)))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class Generator(nn.Module):
    """Content and a noise code ``(N, code, 1, 1)``, which joins it at every resolution, to ``(N, 1, H, W)``."""

    def __init__(self, width: int, blocks: int, code: int) -> None:
        super().__init__()
        self.first = _Residual(4 * width)
        channels = 4 * width + code
        self.blocks = nn.Sequential(*(_Residual(channels) for _ in range(blocks)))
        self.up = nn.ModuleList()
        for _ in range(2):
            half = (channels + code) // 2
            up = nn.ConvTranspose2d(channels + code, half, 4, 2, padding=1)
            self.up.append(nn.Sequential(up, nn.GroupNorm(1, half), nn.ReLU(inplace=True)))
            channels = half
        self.last = nn.Conv2d(channels + code, 1, 3, padding=1)

    def forward(self, content: Tensor, code: Tensor) -> Tensor:
        x = self.blocks(_joined(self.first(content), code))
        for up in self.up:
            x = up(_joined(x, code))
        return self.last(_joined(x, code))


class NoiseEncoder(nn.Module):
    """Noisy images to a global code ``(N, code, 1, 1)``: strided residual blocks, then the mean over all places."""

    def __init__(self, code: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 4, 2, padding=1, padding_mode="reflect")
        self.blocks = nn.Sequential(*(_Halving(k * width, min(k + 1, 4) * width) for k in (1, 2, 3)))
        self.heads = nn.Conv2d(4 * width, 2 * code, 1)

    def forward(self, images: Tensor) -> Code:
        found = leaky_relu(self.blocks(self.first(images)), 0.2).mean((2, 3), keepdim=True)
        return Code(*self.heads(found).float().chunk(2, 1))


class PaperDisentangled(nn.Module):
    """The paper's form, blind: content and a global noise code of a noisy image to a clean one.

    Instance normalisation removes grey levels, and a tanh ends the generator.

    Args:
        width: channels at full resolution; 64 there.
        code: numbers of the noise code.
    """

    def __init__(self, width: int = 16, blocks: int = 3, code: int = 8) -> None:
        super().__init__()
        self.encoder = ContentEncoder(width, blocks)
        self.noise = NoiseEncoder(code, width)
        self.generator = Generator(width, blocks, code)

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        rows, columns = images.shape[2:]
        padded = nn.functional.pad(images, (0, -columns % 4, 0, -rows % 4), mode="replicate")
        return self.clean(self.content(padded), self.code(padded).mean)[..., :rows, :columns]

    def content(self, images: Tensor) -> Tensor:
        return self.encoder(2 * images - 1)

    def code(self, images: Tensor) -> Code:
        return self.noise(2 * images - 1)

    def clean(self, content: Tensor, code: Tensor) -> Tensor:
        return _unit(self.generator(content, code))


class PaperNoising(nn.Module):
    """The paper's way to noise: content and a noise code of another image to a noisy image.

    The noise code of the synthetic noisy image drives both ways back, as the paper and its model have it.
    """

    def __init__(self, width: int = 16, blocks: int = 3, code: int = 8) -> None:
        super().__init__()
        self.generator = Generator(width, blocks, code)

    def noisy(self, content: Tensor, code: Tensor) -> Tensor:
        return _unit(self.generator(content, code))

    def translated(self, network: PaperDisentangled, l: Tensor, h: Tensor, level: Tensor) -> Translated:  # noqa: E741
        code = network.code(l)
        drawn = code.drawn()
        fakeh, fakel = network.clean(network.content(l), drawn), self.noisy(network.content(h), drawn)
        again = network.code(fakel).drawn()
        fakehh = network.clean(network.content(fakel), again)
        fakell = self.noisy(network.content(fakeh), again)
        return Translated(fakeh, fakel, fakehh, fakell, code.kl())


class _Residual(nn.Module):
    """``x + convolution(ReLU(convolution(x)))``, both with instance normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norm = nn.InstanceNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm(self.second(relu(self.norm(self.first(x)))))


class _Halving(nn.Module):
    """A residual block that halves rows and columns by means of 2 x 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.second = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = avg_pool2d(self.second(leaky_relu(self.first(leaky_relu(x, 0.2)), 0.2)), 2)
        return inner + self.shortcut(avg_pool2d(x, 2))


def _unit(values: Tensor) -> Tensor:
    """From any range to [0, 1] by a tanh."""
    return (values.float().tanh() + 1) / 2


def _joined(x: Tensor, code: Tensor) -> Tensor:
    """Features with the code as further channels, repeated to their size."""
    return torch.cat((x, interpolate(code, x.shape[2:]).to(x.dtype)), 1)
