"""Adversarial training: a critic learns beside the network, and its judgement is added to the recipe's losses.

Each step of the network follows several steps of the critic, each on a batch of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import build
from ..losses import gan
from ..recipe import Recipe, RecipeError
from .batches import Batches
from .supervised import Supervised


class Adversarial(Supervised):
    """``Supervised`` with a critic; ``network`` is the generator."""

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, precision: torch.dtype) -> None:
        super().__init__(recipe, batches, device, precision)
        if recipe.critic is None:
            raise RecipeError("an adversarial recipe needs a table [critic].")
        if recipe.critic.kind not in (kinds := ("wasserstein", *gan.DISCRIMINATION)):
            raise RecipeError(f"there is no critic of the kind '{recipe.critic.kind}'; there are {', '.join(kinds)}.")
        torch.manual_seed(recipe.seed + 1)
        critic = build.module(recipe.critic.implementation, recipe.critic.arguments)
        self.critic = critic.to(device, memory_format=torch.channels_last)
        self.critic_optimiser = build.optimiser(recipe.optimiser, self.critic)

    def step(self, number: int, rate: float) -> dict[str, float]:
        self.network.train()
        critic_steps = self.recipe.critic.steps
        first = number * (critic_steps + 1)
        for turn in range(critic_steps):
            gap = self._critic_step(first + turn, rate)
        batch = self.batches(first + critic_steps)
        generated = self.predicted(batch)
        self.critic.requires_grad_(False)
        loss = self.losses(generated, batch) + self.recipe.critic.weight * self._judged(generated)
        self.update(self.optimiser, self.network, loss, rate)
        self.critic.requires_grad_(True)
        parts = {name: float(value.detach()) for name, value in self.losses.values.items()}
        return {"loss": float(loss.detach()), "critic": gap, **parts}

    def _judged(self, generated: Tensor) -> Tensor:
        """The adversarial loss of the network."""
        discriminated = gan.DISCRIMINATION.get(self.recipe.critic.kind)
        return (
            discriminated(self.critic(generated), True) if discriminated else gan.generator_loss(self.critic, generated)
        )

    def _critic_step(self, number: int, rate: float) -> float:
        batch = self.batches(number)
        with torch.no_grad():
            generated = self.predicted(batch)
        if discriminated := gan.DISCRIMINATION.get(self.recipe.critic.kind):
            loss = discriminated(self.critic(batch["clean"]), True) + discriminated(self.critic(generated), False)
        else:
            mix = torch.rand(len(generated), device=generated.device)
            loss = gan.critic_loss(self.critic, batch["clean"], generated, mix, self.recipe.critic.penalty)
        self.update(self.critic_optimiser, self.critic, loss, rate)
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        own = {"critic": self.critic.state_dict(), "critic_optimiser": self.critic_optimiser.state_dict()}
        return {**super().state(), **own}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.critic.load_state_dict(state["critic"])
        self.critic_optimiser.load_state_dict(state["critic_optimiser"])
