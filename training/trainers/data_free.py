"""Data-free distillation: a student learns from a teacher on images that a generator makes; no image is read.

The generator learns to make images on which teacher and student differ, and which the teacher's output gives back when
it is reduced. The student grows: its middle layers begin as identities and are freed one after the other. After Zhang
et al., CVPR 2021, and the paper on ultrasound video, whose three losses these are, in grey values of 255.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from MedRestoreLib.networks import resizing
from MedRestoreLib.networks.student import Student

from .. import build
from ..data import GREY
from ..networks.generator import Generator
from ..recipe import Recipe, RecipeError
from .batches import Batches
from .supervised import Supervised, autocast

TURNS = 10  # steps of the student for each of the generator
CONSISTENCY = 1.0  # weight w_R of the reduced output's difference from the image
GROWING = 0.4  # share of the recipe's steps after which every layer learns
RATE = 1e-3  # of the generator


class DataFree(Supervised):
    """``Supervised`` whose batches come from a generator; ``restorer`` names the teacher.

    ``schedule.batch`` images of ``data.arguments.patch`` pixels by the factor are made for each step; the source serves
    validation alone.
    """

    network: Student

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, precision: torch.dtype) -> None:
        super().__init__(recipe, batches, device, precision)
        if not recipe.restorer:
            raise RecipeError("a data-free training needs a teacher: name its folder as 'restorer'.")
        self.teacher = build.trained(recipe.restorer).network.to(device).requires_grad_(False)
        side = recipe.data.arguments["patch"] // self.network.factor
        torch.manual_seed(recipe.seed + 1)
        self.generator = Generator(side).to(device, memory_format=torch.channels_last)
        self.generator_optimiser = torch.optim.Adam(self.generator.parameters(), lr=RATE)
        self.generator_optimiser.param_groups[0]["initial_lr"] = RATE
        with torch.no_grad():
            for layer in self.network.middle:
                nn.init.dirac_(layer.weight)

    def step(self, number: int, rate: float) -> dict[str, float]:
        """One step of the student, and each ``TURNS`` steps one of the generator."""
        if number % TURNS == 0:
            self.last = self._generator_step(rate)
            self._grow(number)
        with torch.no_grad(), autocast(self.device, self.precision):
            images = self._images()
            taught = self.teacher(images)
        self.network.train()
        with autocast(self.device, self.precision):
            learned = self.network(images)
        loss = GREY * (learned.float() - taught.float()).abs().mean()
        gradient = self.update(self.optimiser, self.network, loss, rate)
        return {"loss": float(loss.detach()), "gradient": gradient, **self.last}

    def _generator_step(self, rate: float) -> dict[str, float]:
        self.network.eval().requires_grad_(False)
        with autocast(self.device, self.precision):
            images = self._images()
            taught, learned = self.teacher(images).float(), self.network(images).float()
        difference = GREY * (taught - learned).abs().mean()
        lost = GREY * (resizing.reduced(taught, self.network.factor) - images).abs().mean()
        loss = -torch.log1p(difference) + CONSISTENCY * lost
        self.update(self.generator_optimiser, self.generator, loss, rate)
        for layer in (self.network.head, self.network.tail):
            layer.requires_grad_(True)
        return {"generator": float(loss.detach()), "inconsistency": float(lost.detach())}

    def _images(self) -> Tensor:
        self.generator.train()
        numbers = torch.randn(self.recipe.schedule.batch, self.generator.inputs, device=self.device)
        return self.generator(numbers).float()

    def _grow(self, number: int) -> None:
        """Free the middle layers that are due; the others stay the identity."""
        layers = self.network.middle
        each = max(1, round(GROWING * self.recipe.schedule.steps / max(len(layers), 1)))
        for place, layer in enumerate(layers):
            layer.weight.requires_grad_(place < 1 + number // each)

    def state(self) -> dict[str, Any]:
        own = {
            "generator": self.generator.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "last": self.last,
        }
        return {**super().state(), **own}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.generator.load_state_dict(state["generator"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        self.last = state["last"]
