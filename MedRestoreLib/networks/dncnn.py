"""DnCNN: a chain of convolutions that predicts the noise.

Zhang, Zuo, Chen, Meng and Zhang, IEEE TIP 26(7), 2017.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import convolution, start_at_zero
from .counts import COARSE_INPUTS, OUTPUTS, CountsNetwork
from .speckle import GUARD, PaperSpeckleNetwork


class DnCNN(CountsNetwork):
    """The recommended form, small and fast: counts in, rate out (``CountsNetwork``), 89,000 parameters.

    Departures from the paper, besides those of ``CountsNetwork``: fewer and narrower layers; the level is an input; no
    batch normalisation, which would mix the images of a batch, whose peaks are 26 to 65,000 counts.

    Its receptive field reaches 21 pixels, and farther through the smoothed copies.
    """

    def __init__(self, layers: int = 10, width: int = 32) -> None:
        super().__init__(_Chain(COARSE_INPUTS, OUTPUTS, layers=layers, width=width, norm=False), coarse=True)


class PaperDnCNN(nn.Module):
    """The paper's form: it predicts the noise, which is subtracted; 556,000 parameters. Blind: ``level`` is not used.

    Its last layer starts at zero; the noise predicted at first would else be a hundred times too strong.
    """

    def __init__(self, layers: int = 17, width: int = 64) -> None:
        super().__init__()
        self.body = _Chain(1, 1, layers=layers, width=width, norm=True)
        start_at_zero(self.body)

    def forward(self, images: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
        return images - self.body(images)


class SpeckleDnCNN(PaperSpeckleNetwork):
    """The paper's chain for speckle, ``x = u (1 + n)``: it predicts n, and the image is divided by 1 + n."""

    def __init__(self, layers: int = 17, width: int = 64, guard: float | None = GUARD) -> None:
        super().__init__(_Chain(1, 1, layers=layers, width=width, norm=True), guard=guard)


class _Chain(nn.Module):
    """``layers`` 3x3 convolutions with ReLU between; with ``norm``, batch normalisation in all but the outer two."""

    def __init__(self, inputs: int, outputs: int, *, layers: int, width: int, norm: bool) -> None:
        super().__init__()
        inner = [convolution(width, width, norm=norm) for _ in range(layers - 2)]
        self.inner = nn.Sequential(convolution(inputs, width), *inner)
        self.last = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.inner(x))
