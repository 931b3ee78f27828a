"""EMANet: a two-stage U-Net for bone scintigraphy. This file is its second stage; ``level_net`` is the first.

Yu, Luo, Chen, Guo and Luo, Journal of Optoelectronics Laser 34(7), 2023. Where its text leaves a choice, the
reconstruction is ours: three dense convolutions in an RDC block; 2x2 average pooling where MD is said to pool
"globally" (its output has to match the pooled features); sigmoid gates, as in the source of coordinate attention; ReLU
for "BeLU"; the channel widths. Not to be confused with the EMANet of ICCV 2019.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d

from .blocks import (
    CoordinateAttention,
    DoubleConvolution,
    Pointwise,
    ResidualDense,
    Upsample,
    convolution,
    mirrored,
    plane,
)
from .counts import INPUTS, OUTPUTS, CountsNetwork

# Dilations of the three MD blocks, finest level first.
DILATIONS = ((5, 7, 9), (4, 5, 6), (2, 3, 5))
TRANSITIONS = len(DILATIONS)

# Local attention: strips of five blocks of so many pixels of the image, at every level of the network.
ATTENTION_BLOCK = 16


class MultiDilation(nn.Module):
    """MD: the level's features through three dilated convolutions, at half the size. ``(N, C, H, W)`` to H/2, W/2."""

    def __init__(
        self, channels: int, dilations: tuple[int, ...], *, block: int | None = None, norm: bool = False
    ) -> None:
        super().__init__()
        half = channels // 2
        self.branches = nn.ModuleList(nn.Conv2d(channels, half, 3, padding=d, dilation=d) for d in dilations)
        self.attention = CoordinateAttention(half * len(dilations), block=block, norm=norm)
        self.gather = convolution(half * len(dilations), channels, 1, norm=norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        together = torch.cat([branch(x) for branch in self.branches], 1)
        return avg_pool2d(self.gather(self.attention(together)), 2)


class AttentionGate(nn.Module):
    """RCAG: two sets of C features to one, by coordinate attention with a shortcut around it."""

    def __init__(self, channels: int, *, block: int | None = None, norm: bool = False) -> None:
        super().__init__()
        self.attention = CoordinateAttention(2 * channels, block=block, norm=norm)
        self.gather = convolution(2 * channels, channels, 1, norm=norm)

    def forward(self, pooled: torch.Tensor, dilated: torch.Tensor) -> torch.Tensor:
        both = torch.cat([pooled, dilated], 1)
        return self.gather(both + self.attention(both))


class Fusion(nn.Module):
    """CF: the decoder's outputs, deepest first, fused into the finest level's features."""

    def __init__(self, widths: tuple[int, ...], blocks: tuple[int | None, ...], *, norm: bool = False) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.up = nn.ModuleList(Upsample(deep, fine) for deep, fine in pairs)
        self.gather = nn.ModuleList(Pointwise(2 * fine, fine) for _, fine in pairs)
        self.attention = nn.ModuleList(
            CoordinateAttention(fine, block=block, norm=norm)
            for (_, fine), block in zip(pairs, blocks[1:], strict=True)
        )

    def forward(self, outputs: list[torch.Tensor]) -> torch.Tensor:
        fused = outputs[0]
        for finer, up, gather, attention in zip(outputs[1:], self.up, self.gather, self.attention, strict=True):
            fused = attention(gather(torch.cat([finer, up(fused)], 1)))
        return fused


class Backbone(nn.Module):
    """The U-Net with its four modules: ``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, H and W multiples of 8.

    Args:
        width: channels of the finest level; they double at each of three transitions.
        block: side of the local attention's blocks at the finest level; None for attention over whole rows and columns.
        norm: batch normalisation after every convolution but the gates' and the last.
        use_rdc, use_md, use_rcag, use_cf: switch the modules off for the ablation. In their places: two convolutions;
            nothing; a 1x1 convolution of both features; the last decoder output alone.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        block: int | None,
        norm: bool,
        use_rdc: bool = True,
        use_md: bool = True,
        use_rcag: bool = True,
        use_cf: bool = True,
    ) -> None:
        super().__init__()
        widths = [width << i for i in range(TRANSITIONS + 1)]
        blocks = [block and max(1, block >> i) for i in range(TRANSITIONS + 1)]
        unit = ResidualDense if use_rdc else DoubleConvolution
        before = [inputs, *widths]
        self.encoder = nn.ModuleList(
            unit(before[i], widths[i], block=blocks[i], norm=norm) for i in range(TRANSITIONS + 1)
        )
        self.dilated = nn.ModuleList(
            MultiDilation(widths[i], DILATIONS[i], block=blocks[i], norm=norm) for i in range(TRANSITIONS * use_md)
        )
        self.gates = nn.ModuleList(
            AttentionGate(widths[i], block=blocks[i + 1], norm=norm) if use_rcag else _Merge(widths[i], norm=norm)
            for i in range(TRANSITIONS * use_md)
        )
        upwards = list(reversed(range(TRANSITIONS)))
        self.up = nn.ModuleList(Upsample(widths[i + 1], widths[i]) for i in upwards)
        self.decoder = nn.ModuleList(unit(2 * widths[i], widths[i], block=blocks[i], norm=norm) for i in upwards)
        self.fusion = (
            Fusion(tuple(widths[i] for i in upwards), tuple(blocks[i] for i in upwards), norm=norm) if use_cf else None
        )
        self.last = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for i, unit in enumerate(self.encoder[:-1]):
            skips.append(unit(x))
            x = self._halved(skips[-1], i)
        x = self.encoder[-1](x)
        outputs = []
        for up, unit, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = unit(torch.cat([up(x), skip], 1))
            outputs.append(x)
        return self.last(self.fusion(outputs) if self.fusion is not None else x)

    def _halved(self, x: torch.Tensor, i: int) -> torch.Tensor:
        pooled = max_pool2d(x, 2)
        return self.gates[i](pooled, self.dilated[i](x)) if len(self.dilated) else pooled


class _Merge(nn.Module):
    """Without RCAG: both features through a 1x1 convolution."""

    def __init__(self, channels: int, *, norm: bool = False) -> None:
        super().__init__()
        self.gather = convolution(2 * channels, channels, 1, norm=norm)

    def forward(self, pooled: torch.Tensor, dilated: torch.Tensor) -> torch.Tensor:
        return self.gather(torch.cat([pooled, dilated], 1))


class EMANet(CountsNetwork):
    """The recommended form: counts in, rate out (``CountsNetwork``). What ships has RDC alone, 0.58 million parameters.

    Departures from the paper, besides ``CountsNetwork``'s:
    - Attention is local, so that images and tiles of every size are treated alike.
    - No batch normalisation: a batch holds images of 26 counts and of 65,000, and normalising would mix them.
    - Half the width.
    - What ships leaves MD, RCAG and CF out: on simulated scans and the real one it is as good or a little better
      without, and quicker (training/tables/p_peak.md, tables 4 and 7 and the thinned scan).

    A pixel farther than 96 pixels away changes nothing by more than rounding does. (No strict bound is as small: strips
    of attention follow one another, but each passes on a small part of what it averages.)
    """

    def __init__(self, width: int = 16, **modules: bool) -> None:
        super().__init__(Backbone(INPUTS, OUTPUTS, width=width, block=ATTENTION_BLOCK // 2, norm=False, **modules))


class PaperEMANet(nn.Module):
    """The paper's form: image and level plane in, noise map out, which is subtracted.

    Attention averages over whole rows and columns, so its result depends on the size of the image.
    """

    def __init__(self, width: int = 32, **modules: bool) -> None:
        super().__init__()
        self.backbone = Backbone(2, 1, width=width, block=None, norm=True, **modules)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        padded = mirrored(images, 1 << TRANSITIONS)
        noise = self.backbone(torch.cat([padded, plane(level * 255 / 50, padded)], 1))
        return images - noise[..., :rows, :columns]
