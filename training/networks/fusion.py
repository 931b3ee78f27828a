"""Fusion of neighbouring frames: the paper's network of one frame from several, and ours, which refines an enlargement.

``Fusion`` is that of the multi-frame fusion paper after IFCNN (Zhang, Liu, Sun, Yan, Zhao and Zhang, Information Fusion
54, 2020): the features of a frozen layer, their maximum over the frames, three convolutions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from MedRestoreLib.networks.student import near_identity

WIDTH = 64


class Fusion(nn.Module):
    """Frames ``(N, T, H, W)`` in [0, 1], any T, to one of the same size ``(N, 1, H, W)``, not clipped.

    The first layer, 576 weights of a trained VDSR, does not learn. 75,000 other parameters; batch normalisation as in
    the paper. Edges are replicated.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.features = _replicated(1, width, bias=False)
        self.reconstruction = nn.Sequential(
            *(_normalised(width) for _ in range(2)),
            _replicated(width, 1),
        )

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        count, length = frames.shape[:2]
        features = torch.relu(self.features(frames.flatten(0, 1)[:, None]))
        return self.reconstruction(features.unflatten(0, (count, length)).amax(dim=1))


class Neighbours(nn.Module):
    """Enlarged frames ``(N, frames, r H, r W)``, moved onto the first, to the first refined ``(N, 1, r H, r W)``.

    It works at low resolution: each frame is taken apart into r² images. The last layer begins at 0, so that the
    network begins as what is asked of it: the frame enlarged alone.

    Args:
        factor: r.
        frames: their number, the frame itself included.
        width, layers: of the convolutions at low resolution.
        student: name of the weights that enlarge each frame; not used here.
    """

    def __init__(
        self, factor: int = 2, frames: int = 6, width: int = 48, layers: int = 8, student: str = "student_x2"
    ) -> None:
        super().__init__()
        self.factor = factor
        self.head = nn.Conv2d(frames * factor**2, width, 3, padding=1, bias=False)
        self.middle = nn.ModuleList(near_identity(width, 0.1) for _ in range(layers))
        self.tail = nn.Conv2d(width, factor**2, 3, padding=1, bias=False)
        nn.init.zeros_(self.tail.weight)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        first = frames[:, :1]
        relative = torch.cat((first, frames[:, 1:] - first), 1)  # what the others add stands out
        features = torch.relu(self.head(pixel_unshuffle(relative, self.factor)))
        for layer in self.middle:
            features = torch.relu(layer(features))
        return first + pixel_shuffle(self.tail(features).float(), self.factor)


def _replicated(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate", bias=bias)


def _normalised(width: int) -> nn.Sequential:
    return nn.Sequential(_replicated(width, width, bias=False), nn.BatchNorm2d(width), nn.ReLU())
