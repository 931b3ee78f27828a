"""Building blocks that several networks share."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

STRIP_BLOCKS = 5  # length, in blocks, of the strips that local coordinate attention averages over


def mirrored(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Images ``(N, C, H, W)`` padded below and to the right by their mirror image, to multiples of ``multiple``.

    Nothing is added above or to the left, so tiles that begin at multiples of ``multiple`` share the image's grid.

    >>> mirrored(torch.arange(3.0).reshape(1, 1, 1, 3), 4).flatten().tolist()[:4]
    [0.0, 1.0, 2.0, 2.0]
    """
    for axis in (2, 3):
        size = images.shape[axis]
        wanted = -(-size // multiple) * multiple
        if wanted != size:
            index = torch.arange(wanted, device=images.device) % (2 * size)
            images = images.index_select(axis, torch.minimum(index, 2 * size - 1 - index))
    return images


def gaussian(images: torch.Tensor, sigma: float, axis: int) -> torch.Tensor:
    """A Gaussian filter of ``sigma`` pixels along ``axis``, 2 or 3, of ``(N, 1, H, W)``; the border is repeated."""
    half = math.ceil(3 * sigma)
    at = torch.arange(-half, half + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-((at / sigma) ** 2) / 2)
    shape, edges = ((1, 1, 1, -1), (half, half, 0, 0)) if axis == 3 else ((1, 1, -1, 1), (0, 0, half, half))
    return conv2d(pad(images, edges, mode="replicate"), (kernel / kernel.sum()).reshape(shape))


def plane(level: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """A number for each image ``(N,)`` as constant planes ``(N, 1, H, W)``."""
    return level.reshape(-1, 1, 1, 1).expand(-1, 1, *images.shape[2:])


class Pointwise(nn.Linear):
    """A 1x1 convolution as a matrix product: in channels_last it copies nothing, while torch's own convolution does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def start_at_zero(body: nn.Module) -> None:
    """Set weights and biases of the last layer of a network, ``body.last``, to 0: it begins by changing nothing."""
    for parameter in body.get_submodule("last").parameters(recurse=False):
        nn.init.zeros_(parameter)


def convolution(inputs: int, outputs: int, kernel: int = 3, *, norm: bool = False) -> nn.Sequential:
    """A convolution that keeps the size, batch normalisation if ``norm``, and ReLU."""
    first: nn.Module
    if kernel == 1:
        first = Pointwise(inputs, outputs, bias=not norm)
    else:
        first = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not norm)
    return nn.Sequential(first, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True))


class CoordinateAttention(nn.Module):
    """Multiplies each channel by gates that depend on the means of rows and of columns (Hou, Zhou and Feng, CVPR 2021).

    Args:
        channels: of the features.
        block: None takes means over whole rows and columns, as in the paper; the result then depends on the size of the
            image. A number of pixels takes them over strips of five blocks around a pixel, with the gates interpolated
            between blocks: the result is the same for images of any size and for tiles of them. The sizes must then be
            multiples of ``block``.
        norm: batch normalisation, as in the paper. Without it the gates are doubled, so that an untrained network keeps
            the scale of its features.
    """

    def __init__(self, channels: int, *, block: int | None = None, norm: bool = False) -> None:
        super().__init__()
        self.block, self.gain = block, 1.0 if norm else 2.0
        middle = max(8, channels // 16)
        layers = [nn.BatchNorm2d(middle)] if norm else []
        self.squeeze = nn.Sequential(Pointwise(channels, middle), *layers, nn.Hardswish())
        self.row_gate, self.column_gate = Pointwise(middle, channels), Pointwise(middle, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = self._strip_means(x, axis=3), self._strip_means(x, axis=2)
        together = torch.cat([rows.flatten(2), columns.flatten(2)], 2)[..., None]
        by_row, by_column = self.squeeze(together).split([rows[0, 0].numel(), columns[0, 0].numel()], 2)
        by_row = self._spread(self.row_gate(by_row).reshape(rows.shape), x)
        by_column = self._spread(self.column_gate(by_column).reshape(columns.shape), x)
        return x * by_row * by_column

    def _strip_means(self, x: torch.Tensor, axis: int) -> torch.Tensor:
        """Means along ``axis``: of whole rows or columns, or of the strips around each block."""
        if self.block is None:
            return x.mean(axis, keepdim=True)
        along = (lambda n: (1, n)) if axis == 3 else (lambda n: (n, 1))
        blocks = avg_pool2d(x, along(self.block))
        half = STRIP_BLOCKS // 2
        around = (0, half) if axis == 3 else (half, 0)
        return avg_pool2d(blocks, along(STRIP_BLOCKS), stride=1, padding=around, count_include_pad=False)

    def _spread(self, logits: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Gates in (0, gain), of the size of ``x`` or ready to broadcast to it."""
        gates = self.gain * torch.sigmoid(logits)
        return gates if self.block is None else interpolate(gates, x.shape[2:], mode="bilinear")


class SqueezeExcitation(nn.Module):
    """Multiplies each channel by a gate that depends on the means of all channels (Hu, Shen and Sun, CVPR 2018)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        middle = max(4, channels // reduction)
        self.gates = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, middle, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gates(x)


class ResidualDense(nn.Module):
    """EMANet's RDC block: three densely connected convolutions, coordinate attention, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, block: int | None = None, norm: bool = False) -> None:
        super().__init__()
        growth = outputs // 2
        self.dense = nn.ModuleList(convolution(inputs + i * growth, growth, norm=norm) for i in range(3))
        self.gather = convolution(inputs + 3 * growth, outputs, 1, norm=norm)
        self.attention = CoordinateAttention(outputs, block=block, norm=norm)
        self.shortcut = nn.Identity() if inputs == outputs else Pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = x
        for layer in self.dense:
            features = torch.cat([features, layer(features)], 1)
        return self.attention(self.gather(features)) + self.shortcut(x)


class DoubleConvolution(nn.Sequential):
    """Two 3x3 convolutions, as in the plain U-Net; ``block`` is not used."""

    def __init__(self, inputs: int, outputs: int, *, block: int | None = None, norm: bool = False) -> None:
        super().__init__(convolution(inputs, outputs, norm=norm), convolution(outputs, outputs, norm=norm))


class Upsample(nn.Module):
    """Twice the size by linear interpolation, then a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = Pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # A 1x1 convolution and linear interpolation commute; the convolution is cheaper on the small image.
        return interpolate(self.mix(x), scale_factor=2, mode="bilinear")
