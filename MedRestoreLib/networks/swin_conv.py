"""Swin-Conv U-Net for blind deblurring and denoising: each block joins a residual convolution and window attention.

After Zhang, Li, Liang, Cao, Zhang, Tang, Fan, Timofte and Van Gool, Machine Intelligence Research 20(6), 2023 (SCUNet),
with the cosine attention of Liu et al., CVPR 2022 (Swin Transformer V2).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, normalize, pixel_shuffle, pixel_unshuffle

from .blocks import Pointwise, gaussian, mirrored

WINDOW = 8  # positions: side of the windows of attention
SHIFT = WINDOW // 2  # of the windows of every second block

# The inverse temperature of the attention: Swin V2's at the start, and its greatest.
FIRST_TEMPERATURE, GREATEST_TEMPERATURE = 10.0, 100.0

# Standard deviations, pixels, of the filters whose removal sharpens: across the beam (columns) and along it (rows).
LATERAL, AXIAL = (1.0, 2.0, 4.0), (1.0, 2.0)
BANDS = len(LATERAL) + len(AXIAL)
FIRST = 0.1  # share of each band that is added before any training; a blur as wide as the filter needs about 1
AROUND = 4  # pixels: half of the side of the window in which energies are compared
LEAST_ENERGY = 1e-6  # relative to the energy of the calm image: below, a band counts as empty

SMALL = 0.1  # of the usual size of weights: the last layers of a block, which starts near the identity


class SwinConvUNet(nn.Module):
    """Blurred, noisy images ``(N, 1, H, W)`` to sharp, quiet ones of that shape; blind: it is given no level.

    It makes two images at once: a calm one, without the noise, and a sharp one, without the blur as well. ``pair``
    returns both, so that a person can choose how much is sharpened after the network has run; ``forward`` returns the
    sharp one. What is added to the calm image for the sharp one are bands of itself: see ``Sharpening``.

    Without biases, with ReLU and with attention that compares directions, it is homogeneous: an image k times as bright
    gives a result k times as bright, and no range has to be agreed on. Departures from SCUNet, besides that and the two
    outputs:

    - The attention is Swin V2's; its values and the perceptron after it are not normalised, which homogeneity forbids.
    - Shifted windows that would cross the border are left out instead of wrapped around, so that the result depends on
      surroundings alone.
    - In the light form the body works on 2x2 pixels as four channels, as FFDNet does (Zhang, Zuo and Zhang, IEEE TIP
      27(9), 2018), and has three levels; the last layers see the image at its own resolution.

    The light form, the default, has 570,000 parameters. The full form, ``width=64, blocks=4, levels=4, fold=1,
    head=32``, has 16 million, as many as SCUNet.

    Args:
        width: channels of the finest level; they double at each level. Half of them are convolved, half attended to.
        blocks: per level, on the way down as on the way up.
        levels: of resolution.
        fold: n x n pixels of the image are the channels of one position.
        head: channels of an attention head.
        fine: channels of the last layers, at the image's resolution.
    """

    def __init__(
        self, width: int = 32, blocks: int = 2, levels: int = 3, fold: int = 2, head: int = 16, fine: int = 16
    ) -> None:
        super().__init__()
        widths = [width << level for level in range(levels)]
        self.fold, self.multiple = fold, WINDOW * fold << (levels - 1)
        self.first = _convolution(fold**2, width)
        self.down = nn.ModuleList(_stage(channels, blocks, head) for channels in widths[:-1])
        self.coarser = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2, bias=False) for c in widths[:-1])
        self.body = _stage(widths[-1], blocks, head)
        self.finer = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2, bias=False) for c in widths[-2::-1])
        self.up = nn.ModuleList(_stage(channels, blocks, head) for channels in widths[-2::-1])
        self.expand = _convolution(width, fold**2 * fine)
        self.fine = _convolution(fine + 1, fine)
        self.last = _convolution(fine, 1, gain=SMALL)
        self.sharpening = Sharpening(fine)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.pair(images)[:, 1:]

    def pair(self, images: torch.Tensor) -> torch.Tensor:
        """The calm and the sharp image, ``(N, 2, H, W)``."""
        rows, columns = images.shape[2:]
        seen = mirrored(images, self.multiple)
        x = skip = self.first(pixel_unshuffle(seen, self.fold))
        skips = []
        for stage, coarser in zip(self.down, self.coarser, strict=True):
            x = stage(x)
            skips.append(x)
            x = coarser(x)
        x = self.body(x)
        for finer, stage in zip(self.finer, self.up, strict=True):
            x = stage(finer(x) + skips.pop())
        x = pixel_shuffle(self.expand(x + skip), self.fold).relu_()
        fine = self.fine(torch.cat((x, seen.to(x.dtype)), 1)).relu_()
        calm = seen - self.last(fine).to(images.dtype)
        sharp = calm + self.sharpening(calm, seen - calm, fine)
        return torch.cat((calm, sharp), 1)[..., :rows, :columns]


class Sharpening(nn.Module):
    """What is added to a calm image to make it sharp: a weighted sum of bands of itself.

    A band is the image minus the image under a Gaussian filter along one axis, so that adding it is unsharp masking.
    The weights differ from pixel to pixel. They follow from ratios of energies around the pixel, of which the blur and
    the noise that is left can be told, and from the directions of the network's last features.

    SCUNet has no such part. A second output of its last layer learned in 4,000 steps to remove noise, but no blur.

    Args:
        features: channels of the network's last layer.
        width: channels between.
    """

    def __init__(self, features: int, width: int = 24) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features + BANDS + 1, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            last := nn.Conv2d(width, BANDS, 1),
        )
        for parameter, value in zip(last.parameters(), (0.0, FIRST), strict=True):  # weights and biases
            nn.init.constant_(parameter, value)

    def forward(self, calm: torch.Tensor, noise: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """``calm`` and the ``noise`` taken out of it ``(N, 1, H, W)``; ``features`` ``(N, C, H, W)``."""
        with torch.autocast(calm.device.type, enabled=False):  # a band is a small difference of large numbers
            lateral = [calm - gaussian(calm, sigma, 3) for sigma in LATERAL]
            bands = torch.cat(lateral + [calm - gaussian(calm, sigma, 2) for sigma in AXIAL], 1)
        seen = torch.cat((bands, noise), 1)
        energy = calm.square().mean(1, keepdim=True)
        ratios = _around(seen.square()) / (_around(energy) + 1e-12) + LEAST_ENERGY
        directions = normalize(features.float(), dim=1)
        weights = self.body(torch.cat((directions, torch.log10(ratios) / 2 + 1), 1)).float()
        return (weights * bands).sum(1, keepdim=True)


def _around(energies: torch.Tensor) -> torch.Tensor:
    """The mean over the window around each pixel, of every channel; at the border over the pixels that exist."""
    side = 2 * AROUND + 1
    rows = avg_pool2d(energies, (side, 1), 1, (AROUND, 0), count_include_pad=False)
    return avg_pool2d(rows, (1, side), 1, (0, AROUND), count_include_pad=False)


class SwinConv(nn.Module):
    """SCUNet's block: half of the channels pass a residual convolution, half window attention; ``(N, C, H, W)``."""

    def __init__(self, channels: int, head: int, *, shifted: bool) -> None:
        super().__init__()
        half = channels // 2
        self.split = Pointwise(channels, channels, bias=False)
        self.convolution = nn.Sequential(_convolution(half, half), nn.ReLU(), _convolution(half, half, gain=SMALL))
        self.attention = WindowAttention(half, head, shift=SHIFT if shifted else 0)
        self.perceptron = nn.Sequential(
            nn.Linear(half, 2 * half, bias=False), nn.ReLU(), _small(nn.Linear(2 * half, half, bias=False))
        )
        self.merge = Pointwise(channels, channels, bias=False)
        _small(self.merge)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        convolved, attended = self.split(x).chunk(2, 1)
        convolved = convolved + self.convolution(convolved)
        attended = attended.movedim(1, -1)
        attended = attended + self.attention(attended)
        attended = (attended + self.perceptron(attended)).movedim(-1, 1)
        return x + self.merge(torch.cat((convolved, attended), 1))


class WindowAttention(nn.Module):
    """Attention among the positions of 8x8 windows, by the cosine of queries and keys; ``(N, H, W, C)``.

    Args:
        channels: a multiple of ``head``, or less than it.
        head: channels of a head.
        shift: of the windows, positions. What they do not cover gets 0.
    """

    index: torch.Tensor

    def __init__(self, channels: int, head: int, *, shift: int) -> None:
        super().__init__()
        self.heads, self.shift = max(1, channels // head), shift
        self.query_key_value = nn.Linear(channels, 3 * channels, bias=False)
        self.project = _small(nn.Linear(channels, channels, bias=False))
        self.temperature = nn.Parameter(torch.full((self.heads, 1, 1), math.log(FIRST_TEMPERATURE)))
        self.offsets = nn.Parameter(torch.zeros(self.heads, (2 * WINDOW - 1) ** 2))
        self.register_buffer("index", _offset_index(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shift, (rows, columns) = self.shift, x.shape[1:3]
        if not shift:
            return self._attended(x)
        result = torch.zeros_like(x)
        if min(rows, columns) > WINDOW:
            inner = slice(shift, shift - WINDOW)
            result[:, inner, inner] = self._attended(x[:, inner, inner]).to(x.dtype)
        return result

    def _attended(self, x: torch.Tensor) -> torch.Tensor:
        """Sides must be multiples of the window."""
        images, rows, columns, channels = x.shape
        down, across, area = rows // WINDOW, columns // WINDOW, WINDOW**2
        windows = x.reshape(images, down, WINDOW, across, WINDOW, channels).transpose(2, 3).reshape(-1, area, channels)
        parts = self.query_key_value(windows).reshape(-1, area, 3, self.heads, channels // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        alike = normalize(query, dim=-1) @ normalize(key, dim=-1).mT
        sharpness = self.temperature.clamp_max(math.log(GREATEST_TEMPERATURE)).exp()
        weights = (alike * sharpness + self.offsets[:, self.index]).softmax(-1)
        mixed = self.project((weights.to(value.dtype) @ value).transpose(1, 2).reshape(-1, area, channels))
        return mixed.reshape(images, down, across, WINDOW, WINDOW, channels).transpose(2, 3).reshape(x.shape)


def _offset_index() -> torch.Tensor:
    """For each pair of positions in a window the number of their offset, ``(64, 64)``."""
    place = torch.stack(torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")).flatten(1)
    offset = place[:, :, None] - place[:, None] + WINDOW - 1
    return offset[0] * (2 * WINDOW - 1) + offset[1]


def _stage(channels: int, blocks: int, head: int) -> nn.Sequential:
    return nn.Sequential(*(SwinConv(channels, head, shifted=turn % 2 == 1) for turn in range(blocks)))


def _convolution(inputs: int, outputs: int, *, gain: float = 1.0) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    with torch.no_grad():
        convolution.weight.mul_(gain)
    return convolution


def _small(layer: nn.Linear) -> nn.Linear:
    with torch.no_grad():
        layer.weight.mul_(SMALL)
    return layer
