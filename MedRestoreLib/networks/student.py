"""The student of video super-resolution: a plain chain of convolutions at low resolution that adds detail to bicubic.

The form is that of VDSR (Kim, Lee and Lee, CVPR 2016), moved to low resolution with the pixel shuffle of ESPCN (Shi et
al., CVPR 2016), which makes it r² times as quick. The paper that we follow (multi-frame fusion and data-free
distillation for ultrasound video) grows it layer by layer; ``grown`` does.
"""

from __future__ import annotations

import torch
from torch import nn

from .resizing import enlarged

HEAD, TAIL, JITTER = 1.0, 1e-3, 0.1  # scales of the random initial weights, relative to He's; those of middle layers


class Student(nn.Module):
    """Images ``(N, 1, H, W)`` in about [0, 1] to ``(N, 1, factor H, factor W)``, float32, not clipped.

    167,328 parameters at factor 2, 168,768 at 3, 170,784 at 4; 33 billion multiplications for 510 x 384 pixels at
    factor 2. No biases, as in VDSR. The receptive field reaches ``layers`` + 2 pixels of the input.

    The bicubic enlargement is added outside (VDSR's input is already enlarged). Middle layers start near the identity:
    eighteen plain layers from random weights learn much more slowly.

    Args:
        factor: of enlargement.
        width: channels.
        layers: middle layers between the first and the last.
    """

    def __init__(self, factor: int = 2, width: int = 32, layers: int = 18) -> None:
        super().__init__()
        self.factor = factor
        self.head = _convolution(1, width, HEAD)
        self.middle = nn.ModuleList(near_identity(width, JITTER) for _ in range(layers))
        self.tail = _convolution(width, factor**2, TAIL)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.head(images))
        for layer in self.middle:
            features = torch.relu(layer(features))
        return enlarged(images, self.factor) + nn.functional.pixel_shuffle(self.tail(features).float(), self.factor)

    @torch.no_grad()
    def grown(self, layers: int) -> Student:
        """This network with middle layers up to ``layers``; the new ones stand last and change nothing yet."""
        width = self.head.out_channels
        larger = Student(self.factor, width, layers)
        larger.load_state_dict(self.state_dict(), strict=False)
        for layer in larger.middle[len(self.middle) :]:
            assert isinstance(layer, nn.Conv2d)
            nn.init.dirac_(layer.weight)
        return larger.to(self.head.weight.device)


def _convolution(inputs: int, outputs: int, scale: float) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    with torch.no_grad():
        layer.weight.mul_(scale)
    return layer


def near_identity(width: int, jitter: float) -> nn.Conv2d:
    """The identity, since features are not negative, plus random weights."""
    layer = _convolution(width, width, jitter)
    with torch.no_grad():
        layer.weight.add_(nn.init.dirac_(torch.empty_like(layer.weight)))
    return layer
