"""Networks with random weights, and clean images to try them on."""

from __future__ import annotations

import torch


def made(build, seed: int = 0) -> torch.nn.Module:
    """A network with random weights in every layer: the last of a recommended one would start from zero."""
    torch.manual_seed(seed)
    network = build().eval()
    for name, weight in network.named_parameters():
        if name.startswith("body.last"):
            torch.nn.init.normal_(weight, std=0.02)
    return network


def blocks(rows: int, columns: int, batch: int, generator: torch.Generator) -> torch.Tensor:
    """Squares of 16 pixels of random brightness in [0, 1], ``(batch, 1, rows, columns)``."""
    coarse = torch.rand(batch, 1, -(-rows // 16), -(-columns // 16), generator=generator)
    return coarse.repeat_interleave(16, 2).repeat_interleave(16, 3)[..., :rows, :columns]
