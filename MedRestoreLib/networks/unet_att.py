"""UNet-Att: a U-Net for speckle that weighs its features on the way up by how they agree with those on the way down.

The attention-enhanced network of the paper on ultrasound despeckling with structural-information distillation; and the
plain U-Net that it is compared with (Ronneberger, Fischer and Brox, MICCAI 2015). The paper names the U-Net and the
gate's formula, and gives neither widths nor kernels nor what the gated features replace; those are our choice.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import max_pool2d

from .blocks import DoubleConvolution, Pointwise, Upsample
from .speckle import GUARD, INPUTS, OUTPUTS, PaperSpeckleNetwork, SpeckleNetwork


class Gate(nn.Module):
    """``P y_up + y_up`` with ``P = sigmoid(y_down y_up)``: what both paths hold is made up to twice as strong.

    ``y_down`` and ``y_up`` are 1x1 convolutions of the two features, ``(N, C, H, W)`` each. The paper calls this
    self-attention, but no position sees another.
    """

    def __init__(self, channels: int, *, norm: bool) -> None:
        super().__init__()
        self.down = _projection(channels, norm=norm)
        self.up = _projection(channels, norm=norm)

    def forward(self, down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        up = self.up(up)
        return up + torch.sigmoid(self.down(down) * up) * up


def _projection(channels: int, *, norm: bool) -> nn.Sequential:
    layers = [nn.BatchNorm2d(channels)] if norm else []
    return nn.Sequential(Pointwise(channels, channels), *layers)


class Backbone(nn.Module):
    """The U-Net: ``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, H and W multiples of 2^``transitions``.

    Args:
        width: channels of the finest level; they double at each transition.
        norm: batch normalisation after every convolution but the last.
        gates: weigh the decoder's features by the encoder's.
        skips: hand the encoder's features to the decoder as well.
    """

    def __init__(
        self, inputs: int, outputs: int, *, width: int, transitions: int, norm: bool, gates: bool, skips: bool
    ) -> None:
        super().__init__()
        self.skips = skips
        widths = [width << i for i in range(transitions + 1)]
        before = [inputs, *widths]
        self.encoder = nn.ModuleList(DoubleConvolution(before[i], widths[i], norm=norm) for i in range(transitions + 1))
        upwards = list(reversed(range(transitions)))
        self.up = nn.ModuleList(Upsample(widths[i + 1], widths[i]) for i in upwards)
        self.gates = nn.ModuleList(Gate(widths[i], norm=norm) for i in upwards if gates)
        self.decoder = nn.ModuleList(DoubleConvolution((1 + skips) * widths[i], widths[i], norm=norm) for i in upwards)
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        downs = []
        for unit in self.encoder[:-1]:
            downs.append(unit(x))
            x = max_pool2d(downs[-1], 2)
        x = self.encoder[-1](x)
        for i, (up, unit) in enumerate(zip(self.up, self.decoder, strict=True)):
            down, x = downs.pop(), up(x)
            if self.gates:
                x = self.gates[i](down, x)
            x = unit(torch.cat([down, x], 1) if self.skips else x)
        return self.last(x)


class UNetAtt(SpeckleNetwork):
    """The recommended form: blind and local. 7.4 million parameters; those that ship have a width of 32 and of 16.

    Departures from the paper, besides ``SpeckleNetwork``'s:
    - The decoder sees the encoder's features beside the gated ones, which alone would blur what is fine.
    - No batch normalisation: a batch holds faint and strong speckle, and a restored frame must not depend on others.

    Args:
        width: channels of the finest level, at 2x2 pixels.
        transitions: halvings below that level.
        gates: False for the ablation.
    """

    def __init__(self, width: int = 64, transitions: int = 3, gates: bool = True) -> None:
        body = Backbone(INPUTS, OUTPUTS, width=width, transitions=transitions, norm=False, gates=gates, skips=True)
        super().__init__(body, multiple=2 << max(1, transitions))


class PaperUNetAtt(PaperSpeckleNetwork):
    """The paper's form: n is estimated and divided by; the decoder sees the gated features alone."""

    def __init__(self, width: int = 32, transitions: int = 4, guard: float | None = None) -> None:
        body = Backbone(1, 1, width=width, transitions=transitions, norm=True, gates=True, skips=False)
        super().__init__(body, 1 << transitions, guard)


class UNet(PaperSpeckleNetwork):
    """The paper's baseline: the same network with skips in place of gates; its division is guarded."""

    def __init__(self, width: int = 32, transitions: int = 4, guard: float | None = GUARD) -> None:
        body = Backbone(1, 1, width=width, transitions=transitions, norm=True, gates=False, skips=True)
        super().__init__(body, 1 << transitions, guard)
