"""Frozen feature extractors, and the three origins of their weights; reports must name which it was.

- ``imagenet``: torchvision's weights, from a file that the user provides.
- a domain, such as ``bone`` or ``ultrasound``: trained here on images of that domain; the file lies beside this one.
- ``random``: untrained, which still measures structure, though weakly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..recipe import RecipeError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which torchvision's weights expect


class FrozenFeatures(nn.Module):
    """``layers`` with frozen weights, in evaluation mode; gradients pass through to the images.

    Args:
        back_end: "imagenet", a domain of ``own``, or "random".
        weights: the file of back-end "imagenet".
        own: domain → file.

    Raises:
        RecipeError: the back-end or its file is absent, or lacks a layer.
    """

    def __init__(self, layers: nn.Module, back_end: str, weights: str, own: Mapping[str, Path]) -> None:
        super().__init__()
        self.layers = layers
        _fill(layers, back_end, weights, own)
        self.requires_grad_(False).eval()
        mean, std = (MEAN, STD) if back_end == "imagenet" else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Stays in evaluation mode: normalisation never uses the batch's statistics."""
        return super().train(False)

    def seen(self, images: Tensor) -> Tensor:
        """Grey images ``(N, 1, H, W)`` in about [0, 1] as the three channels that the layers expect."""
        return (images.expand(-1, 3, -1, -1) - self.mean) / self.std


def _fill(layers: nn.Module, back_end: str, weights: str, own: Mapping[str, Path]) -> None:
    if back_end == "random":
        _draw(layers)
        return
    if back_end in own:
        from safetensors.torch import load_file

        path, read = own[back_end], load_file
    elif back_end == "imagenet":
        path, read = Path(weights).expanduser(), lambda p: torch.load(p, map_location="cpu", weights_only=True)
    else:
        known = ", ".join(["imagenet", *own])
        raise RecipeError(f"there is no feature back-end '{back_end}'; there are {known} and random.")
    if not path.is_file():
        raise RecipeError(f"the features '{back_end}' need the file {path}; name another one or train it first.")
    saved = {name.removeprefix("features."): value.float() for name, value in read(path).items()}
    wanted = {name: value for name, value in layers.state_dict().items() if value.is_floating_point()}
    lacking = sorted(name for name in wanted if name not in saved or saved[name].shape != wanted[name].shape)
    if lacking:
        raise RecipeError(f"{path.name} does not hold layer {lacking[0]} of these features; use another file.")
    layers.load_state_dict({name: saved[name] for name in wanted}, strict=False)


def _draw(layers: nn.Module) -> None:
    """Fill with the same random weights every time; the global generator keeps its state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in layers.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
