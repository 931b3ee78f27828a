"""Checkpoints, and the moving average of the weights that is validated and shipped."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from MedRestoreLib.files import atomic

from .recipe import RecipeError

FILE = "checkpoint.pt"


def write(folder: Path, state: dict[str, Any]) -> None:
    """Replace the folder's checkpoint; the file is whole or absent."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    atomic.write_bytes(folder / FILE, buffer.getvalue())


def read(folder: Path) -> dict[str, Any]:
    """The last checkpoint, on the CPU; only tensors and plain values are accepted. Raises RecipeError without one."""
    path = folder / FILE
    if not path.is_file():
        raise RecipeError(f"there is nothing to resume or use in {folder}: it holds no {FILE}; train first.")
    return torch.load(path, map_location="cpu", weights_only=True)


class MovingAverage:
    """The exponential moving average (EMA) of a network's weights; integer buffers such as counters are copied.

    The newest weights count at least 9 / (step + 10), which averages over about the last tenth of the steps so far: a
    fixed decay would average a short training with its own beginning.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = copy.deepcopy(network).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        newest = max(1 - self.decay, 9 / (step + 10))
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        kept, new = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
        torch._foreach_lerp_(list(kept), list(new), newest)  # at once: a GPU waits for every call
        for before, now in pairs:
            if not before.is_floating_point():
                before.copy_(now)
