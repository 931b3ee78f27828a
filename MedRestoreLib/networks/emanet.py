"""EMANet: a two-stage U-Net for bone scintigraphy. This file is its second stage; ``level_net`` is the first.

Yu, Luo, Chen, Guo and Luo, Journal of Optoelectronics Laser 34(7), 2023; not the EMANet of ICCV 2019. The text leaves
choices open, and these are ours: three dense convolutions in an RDC block; 2x2 average pooling where MD is said to pool
"globally" (its output has to match the pooled features); sigmoid gates, as in the source of coordinate attention; ReLU
for "BeLU"; the channel widths.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

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
from .encoder_decoder import EncoderDecoder, decoder, doubled, encoder, upsamplings

# Of the three MD blocks, finest level first.
DILATIONS = ((5, 7, 9), (4, 5, 6), (2, 3, 5))
TRANSITIONS = len(DILATIONS)

ATTENTION_BLOCK = 16  # side, in pixels of the image, of the blocks of local attention, at every level


class MultiDilation(nn.Module):
    """MD: three dilated convolutions and attention, at half the size: ``(N, C, H, W)`` to ``(N, C, H/2, W/2)``."""

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
    """RCAG: pooled and dilated features, C channels each, to C channels, by attention with a shortcut around it."""

    def __init__(self, channels: int, *, block: int | None = None, norm: bool = False) -> None:
        super().__init__()
        self.attention = CoordinateAttention(2 * channels, block=block, norm=norm)
        self.gather = convolution(2 * channels, channels, 1, norm=norm)

    def forward(self, pooled: torch.Tensor, dilated: torch.Tensor) -> torch.Tensor:
        both = torch.cat([pooled, dilated], 1)
        return self.gather(both + self.attention(both))


class Fusion(nn.Module):
    """CF: fuses the decoder's outputs, deepest first, into the features of the finest level."""

    def __init__(self, widths: list[int], blocks: list[int | None], *, norm: bool = False) -> None:
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


class Backbone(EncoderDecoder):
    """The U-Net with its four modules: ``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, H and W multiples of 8.

    Args:
        width: channels of the finest level; they double at each of three transitions.
        block: side of the local attention's blocks at the finest level; None for attention over whole rows and columns.
        norm: batch normalisation after every convolution but the gates' and the last.
        use_rdc, use_md, use_rcag, use_cf: the paper's modules. Without them, for the ablation: two convolutions; pooled
            features alone; a 1x1 convolution of both features; the decoder's last output.
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
        widths = doubled(width, TRANSITIONS)
        blocks = [block and max(1, block >> i) for i in range(TRANSITIONS + 1)]

        def unit(before: int, after: int, level: int) -> nn.Module:
            return (ResidualDense if use_rdc else DoubleConvolution)(before, after, block=blocks[level], norm=norm)

        self.encoder = encoder(inputs, widths, unit)
        self.dilated = nn.ModuleList(
            MultiDilation(widths[i], DILATIONS[i], block=blocks[i], norm=norm) for i in range(TRANSITIONS * use_md)
        )
        self.gates = nn.ModuleList(
            AttentionGate(widths[i], block=blocks[i + 1], norm=norm) if use_rcag else _Merge(widths[i], norm=norm)
            for i in range(TRANSITIONS * use_md)
        )
        self.up = upsamplings(widths)
        self.decoder = decoder(widths, unit)
        self.fusion = Fusion(widths[-2::-1], blocks[-2::-1], norm=norm) if use_cf else None
        self.last = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = self.features(x)
        return self.last(outputs[-1] if self.fusion is None else self.fusion(outputs))

    def halved(self, x: torch.Tensor, level: int) -> torch.Tensor:
        pooled = super().halved(x, level)
        return self.gates[level](pooled, self.dilated[level](x)) if len(self.dilated) else pooled


class _Merge(nn.Module):
    """In place of RCAG: a 1x1 convolution of both features."""

    def __init__(self, channels: int, *, norm: bool = False) -> None:
        super().__init__()
        self.gather = convolution(2 * channels, channels, 1, norm=norm)

    def forward(self, pooled: torch.Tensor, dilated: torch.Tensor) -> torch.Tensor:
        return self.gather(torch.cat([pooled, dilated], 1))


class EMANet(CountsNetwork):
    """The recommended form: counts in, rate out (``CountsNetwork``). What ships has RDC alone, 0.58 million parameters.

    Departures from the paper, besides those of ``CountsNetwork``:

    - Attention is local, so the result is the same for images of every size and for tiles of them.
    - No batch normalisation, which would mix the images of a batch, whose peaks are 26 to 65,000 counts.
    - Half the width.
    - The network that ships has no MD, RCAG or CF: on simulated scans and the real one it is as good or a little better
      without, and quicker (training/tables/p_peak.md, tables 4 and 7 and the thinned scan).

    Pixels farther than 96 pixels away were found to change nothing but rounding. The strict bound is larger, for strips
    of attention follow one another, but each passes on little of what it averages.
    """

    def __init__(self, width: int = 16, *, blurred: bool = False, returned: float = 0.0, **modules: bool) -> None:
        body = Backbone(INPUTS, OUTPUTS, width=width, block=ATTENTION_BLOCK // 2, norm=False, **modules)
        super().__init__(body, blurred=blurred, returned=returned)


class PaperEMANet(nn.Module):
    """The paper's form: from the image and its level to a noise map, which is subtracted.

    Attention averages over whole rows and columns, so the result depends on the size of the image.
    """

    def __init__(self, width: int = 32, **modules: bool) -> None:
        super().__init__()
        self.backbone = Backbone(2, 1, width=width, block=None, norm=True, **modules)

    def forward(self, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        rows, columns = images.shape[2:]
        padded = mirrored(images, 1 << TRANSITIONS)
        noise = self.backbone(torch.cat([padded, plane(level * 255 / 50, padded)], 1))
        return images - noise[..., :rows, :columns]
