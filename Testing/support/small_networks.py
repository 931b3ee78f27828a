"""Networks with random weights: to look at, to restore images with, and to install as methods."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from MedRestoreLib import weights
from MedRestoreLib.methods import catalogue


def made(build: Callable[[], torch.nn.Module], seed: int = 0, *, std: float = 0.02) -> torch.nn.Module:
    """A network with random weights in every layer: the last ones of recommended forms would start from zero.

    ``std``: of the weights of these layers.
    """
    torch.manual_seed(seed)
    network = build().eval()
    for name, weight in network.named_parameters():
        if name.startswith("body.last") or (weight.dim() > 1 and not weight.any()):
            torch.nn.init.normal_(weight, std=std)
    return network


def blocks(rows: int, columns: int, batch: int, generator: torch.Generator) -> torch.Tensor:
    """Squares of 16 pixels of random brightness in [0, 1], ``(batch, 1, rows, columns)``."""
    coarse = torch.rand(batch, 1, -(-rows // 16), -(-columns // 16), generator=generator)
    return coarse.repeat_interleave(16, 2).repeat_interleave(16, 3)[..., :rows, :columns]


def counts(rows: int, columns: int, level: float = 0.2, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """Blocks with the counts of a level, divided by their peak: ``(batch, 1, rows, columns)``."""
    generator = torch.Generator().manual_seed(seed)
    clean = blocks(rows, columns, batch, generator)
    return torch.poisson(clean / level**2, generator=generator) * level**2


def speckled(rows: int, columns: int, level: float = 0.3, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """Blocks under multiplicative Gaussian speckle, ``(batch, 1, rows, columns)``."""
    generator = torch.Generator().manual_seed(seed)
    clean = blocks(rows, columns, batch, generator)
    return clean * (1 + level * torch.randn(clean.shape, generator=generator))


def row(domain: str, **attributes) -> catalogue.Method:
    """A row of the catalogue for the weights "tested", with random ones: it smooths, and errs a little."""
    usual = {"title": "A tested network", "summary": "It smooths.", "citation": "none", "bytes_per_voxel": 300}
    return catalogue.network(domain, **{**usual, "weights": "tested", **attributes})


def install(
    folder: Path, network: torch.nn.Module, name: str, monkeypatch: pytest.MonkeyPatch, *rows: catalogue.Method
) -> None:
    """Write the weights "tested" of a network of width 8, called ``"module:class"``, with a manifest that lists them.

    The library then looks for weights in ``folder``, and finds ``rows`` in place of the networks that ship.
    """
    path = folder / "tested.safetensors"
    save_file({key: value.half() for key, value in network.state_dict().items()}, path)
    lines = ["[[weights]]", 'name = "tested"', f'network = "{name}"', "arguments = { width = 8 }"]
    lines += [f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"']
    (folder / "manifest.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setenv(weights.VARIABLE, str(folder))
    classical = [other for other in catalogue.METHODS if not other.learned]
    monkeypatch.setattr(catalogue, "METHODS", (*rows, *classical))
