"""Supervised training: one network, one optimiser, one sum of losses against a known target."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from .. import build
from ..losses import Losses
from ..recipe import Recipe
from . import parallel
from .batches import Batches


class Supervised:
    """``step`` makes one optimisation step; ``state`` holds all that the next one depends on.

    Attributes:
        network: the one that is averaged, validated and shipped.
    """

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, precision: torch.dtype) -> None:
        self.recipe, self.batches, self.device, self.precision = recipe, batches, device, precision
        self.network = build.network(recipe).to(device, memory_format=torch.channels_last)
        for name, weight in self.network.named_parameters():
            weight.requires_grad_(name.startswith(recipe.network.learns))
        output = recipe.network.output
        self.output = self.network if output == "image" else getattr(self.network, output)
        self.losses = Losses(recipe.losses).to(device)
        self.optimiser = build.optimiser(recipe.optimiser, self.network)

    def step(self, number: int, rate: float) -> dict[str, float]:
        """Step ``number`` (from 0) at ``rate`` times the recipe's learning rate; returns the losses."""
        self.network.train()
        batch = self.batches(number)
        loss = self.losses(self.predicted(batch), batch)
        gradient = self.update(self.optimiser, self.network, loss, rate)
        parts = {name: float(value.detach()) for name, value in self.losses.values.items()}
        return {"loss": float(loss.detach()), "gradient": gradient, **parts}

    def predicted(self, batch: dict[str, Tensor]) -> Tensor:
        """The network's output, the image or the noise as the recipe says, in float32."""
        with autocast(self.device, self.precision):
            output = self.output(*self.recipe.network.inputs_from(batch))
        return output.float()

    def update(self, optimiser: torch.optim.Optimizer, network: nn.Module, loss: Tensor, rate: float) -> float:
        """One step down the loss's gradient, its norm clipped; returns the norm before clipping."""
        for group in optimiser.param_groups:
            group["lr"] = rate * group["initial_lr"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        parallel.average_gradients(network)
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.recipe.schedule.clip)
        optimiser.step()
        return float(norm)

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


def autocast(device: torch.device, precision: torch.dtype) -> Any:
    """Mixed precision inside the context, unless ``precision`` is float32."""
    return nullcontext() if precision == torch.float32 else torch.autocast(device.type, precision)
