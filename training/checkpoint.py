"""What a training leaves in its folder: a checkpoint that is whole or absent, and the moving average of the weights."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from MedRestoreLib.files import atomic
from training.recipe import RecipeError

FILE = "checkpoint.pt"


def write(folder: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    atomic.write_bytes(folder / FILE, buffer.getvalue())


def read(folder: Path) -> dict[str, Any]:
    """The last checkpoint, on the CPU; tensors and plain values only are accepted. Raises RecipeError without one."""
    path = folder / FILE
    if not path.is_file():
        raise RecipeError(f"there is nothing to resume or use in {folder}: it holds no {FILE}; train first.")
    return torch.load(path, map_location="cpu", weights_only=True)


class Average:
    """The exponential moving average of a network's weights; counters and the like are copied.

    Early on it averages over the last tenth of the steps there were: the share of the newest weights is at least
    9 / (step + 10). With more, a short training would be averaged with its own beginning.
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        self.network, self.share = copy.deepcopy(network).eval().requires_grad_(False), share

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        newest = max(1 - self.share, 9 / (step + 10))
        for kept, new in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, newest)
            else:
                kept.copy_(new)
