"""Unpaired denoising by disentangling content and noise: the noise's encoders, the way to noise, and the paper's form.

``translated`` of each way says which images a training compares. ``l`` is noisy, ``h`` the clean image of another
subject, both ``(N, 1, H, W)`` in about [0, 1]; H and W are multiples of 4.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, leaky_relu

from MedRestoreLib.networks.disentangled import ContentEncoder, Disentangled, Generator


class Translated(NamedTuple):
    """Images of one domain as the other's, all ``(N, 1, H, W)``.

    Attributes:
        fakeh, fakel: ``l`` without noise, ``h`` with it.
        fakehh, fakell: both translated back, to be like ``h`` and ``l``.
        kl: mean Kullback-Leibler divergence of the noise codes from the standard normal distribution, summed over the
            numbers of a code; 0 where there is none.
    """

    fakeh: Tensor
    fakel: Tensor
    fakehh: Tensor
    fakell: Tensor
    kl: Tensor


class Code(NamedTuple):
    """Means and logarithms of the variances of a noise code, ``(N, code, 1, 1)`` or ``(N, code, H / 4, W / 4)``."""

    mean: Tensor
    log_variance: Tensor

    def drawn(self) -> Tensor:
        return self.mean + (self.log_variance / 2).exp() * torch.randn_like(self.mean)

    def kl(self) -> Tensor:
        """Of each sample, the mean over places: a code of one place counts like one of many."""
        terms = 0.5 * (self.mean.square() + self.log_variance.exp() - self.log_variance - 1)
        return terms.sum(1).mean()


class PaperNoiseEncoder(nn.Module):
    """Noisy images to a global code ``(N, code, 1, 1)``: strided residual blocks, then the mean over all places."""

    def __init__(self, code: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 4, 2, padding=1, padding_mode="reflect")
        self.blocks = nn.Sequential(*(_Halving(k * width, min(k + 1, 4) * width) for k in (1, 2, 3)))
        self.heads = nn.Conv2d(4 * width, 2 * code, 1)

    def forward(self, images: Tensor) -> Code:
        found = leaky_relu(self.blocks(self.first(images)), 0.2).mean((2, 3), keepdim=True)
        return Code(*self.heads(found).float().chunk(2, 1))


class NoiseEncoder(nn.Module):
    """Noise over its standard deviation to a code of each 4 x 4 pixels, ``(N, code, H / 4, W / 4)``.

    A code of 16 channels has a number for each pixel: independent noise cannot be told in fewer.
    """

    def __init__(self, code: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 2 * width, 4, 2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 4, 2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 2 * code, 1),
        )

    def forward(self, noise: Tensor) -> Code:
        return Code(*self.layers(noise).float().chunk(2, 1))


class PaperDisentangled(nn.Module):
    """The paper's form, blind: content and a global noise code of a noisy image to a clean one.

    Instance normalisation removes grey levels, and a tanh ends the generator. The paper says nothing of layers: they are
    those of its model, Lu, Chen and Chellappa, CVPR 2019, but for the 3x3 kernel of the last.

    Args:
        width: channels at full resolution; 64 there.
        code: numbers of the noise code.
    """

    def __init__(self, width: int = 16, blocks: int = 3, code: int = 8) -> None:
        super().__init__()
        self.encoder = ContentEncoder(1, width, blocks, norm=True)
        self.noise = PaperNoiseEncoder(code, width)
        self.generator = Generator(width, blocks, code=code, norm=True)

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
        self.generator = Generator(width, blocks, code=code, norm=True)

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


class Noising(nn.Module):
    """The recommended way to noise: the code of what was removed from ``l``, decoded beside the content of ``h``.

    Noise is made in units of its standard deviation and added, so ``h`` keeps its grey levels. The code is that of the
    removed part, detached: it cannot carry what ``l`` shows, and nothing is gained by leaving noise for it.
    """

    def __init__(self, width: int = 32, blocks: int = 2, code: int = 16) -> None:
        super().__init__()
        self.noise = NoiseEncoder(code, width)
        self.generator = Generator(width, blocks, code=code, norm=False)

    def translated(self, network: Disentangled, l: Tensor, h: Tensor, level: Tensor) -> Translated:  # noqa: E741
        sigma = level.view(-1, 1, 1, 1)
        removed = network.noise_in(l, level)
        fakeh = l - sigma * removed
        code = self.noise(removed.detach())
        drawn = code.drawn()
        fakel = h + sigma * self.generator(network.content(h, level), drawn).float()
        fakell = fakeh + sigma * self.generator(network.content(fakeh, level), drawn).float()
        return Translated(fakeh, fakel, network(fakel, level), fakell, code.kl())


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
