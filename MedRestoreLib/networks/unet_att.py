"""UNet-Att: a U-Net for speckle whose decoder features are gated by their product with the encoder's.

The attention-enhanced network of the paper on ultrasound despeckling with structural-information distillation, and the
plain U-Net that it is compared with (Ronneberger, Fischer and Brox, MICCAI 2015). The paper gives the formula of the
gate, but neither widths nor kernels, nor what the gated features replace; those are our choice.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import DoubleConvolution, Pointwise
from .encoder_decoder import EncoderDecoder, decoder, doubled, encoder, upsamplings
from .speckle import GUARD, INPUTS, OUTPUTS, PaperSpeckleNetwork, SpeckleNetwork


class Gate(nn.Module):
    """``P y_up + y_up`` with ``P = sigmoid(y_down y_up)``: features on which both paths agree are up to doubled.

    ``y_down`` and ``y_up`` are 1x1 convolutions of the encoder's and the decoder's features, ``(N, C, H, W)`` each. The
    paper calls this self-attention, but it does not relate one position to another.
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


class Backbone(EncoderDecoder):
    """The U-Net: ``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, H and W multiples of 2^``transitions``.

    Args:
        width: channels of the finest level; they double at each transition.
        norm: batch normalisation after every convolution but the last.
        gates: gate the decoder's features.
        skips: concatenate the encoder's features to the decoder's.
    """

    def __init__(
        self, inputs: int, outputs: int, *, width: int, transitions: int, norm: bool, gates: bool, skips: bool
    ) -> None:
        super().__init__()
        self.skips = skips

        def unit(before: int, after: int, level: int) -> nn.Module:
            return DoubleConvolution(before, after, norm=norm)

        widths = doubled(width, transitions)
        self.encoder = encoder(inputs, widths, unit)
        self.up = upsamplings(widths)
        self.gates = nn.ModuleList(Gate(channels, norm=norm) for channels in reversed(widths[:-1]) if gates)
        self.decoder = decoder(widths, unit, skips=skips)
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.features(x)[-1])

    def joined(self, x: torch.Tensor, skip: torch.Tensor, step: int) -> torch.Tensor:
        if self.gates:
            x = self.gates[step](skip, x)
        return torch.cat([skip, x], 1) if self.skips else x


class UNetAtt(SpeckleNetwork):
    """The recommended form: blind and local. 7.4 million parameters; the network that ships has a width of 16.

    Departures from the paper, besides those of ``SpeckleNetwork``:

    - The encoder's features are concatenated to the gated ones, which alone would blur fine detail.
    - No batch normalisation, which would mix the faint and the strong speckle of a batch.

    Args:
        width: channels of the finest level, at 2x2 pixels.
        transitions: halvings below that level.
        gates: False for the ablation.
        blurred, fine: see ``Mixture``.
    """

    def __init__(
        self, width: int = 64, transitions: int = 3, gates: bool = True, *, blurred: bool = False, fine: int = 0
    ) -> None:
        body = Backbone(INPUTS, OUTPUTS, width=width, transitions=transitions, norm=False, gates=gates, skips=True)
        super().__init__(body, multiple=2 << max(1, transitions), blurred=blurred, fine=fine)


class PaperUNetAtt(PaperSpeckleNetwork):
    """The paper's form: it predicts n, and divides by 1 + n; the inputs of the decoder are the gated features alone."""

    def __init__(self, width: int = 32, transitions: int = 4, guard: float | None = None) -> None:
        body = Backbone(1, 1, width=width, transitions=transitions, norm=True, gates=True, skips=False)
        super().__init__(body, 1 << transitions, guard)


class UNet(PaperSpeckleNetwork):
    """The paper's baseline: skips in place of gates; the division is guarded."""

    def __init__(self, width: int = 32, transitions: int = 4, guard: float | None = GUARD) -> None:
        body = Backbone(1, 1, width=width, transitions=transitions, norm=True, gates=False, skips=True)
        super().__init__(body, 1 << transitions, guard)
