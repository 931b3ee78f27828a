"""Unpaired training: noisy images of some subjects, clean ones of others, and a discriminator for each domain.

The recipe's ``partner`` is the way from clean to noisy images, its ``critic`` the architecture of both discriminators.
Its losses are terms of this trainer, weighted:

===============  =====================================================================================
adversarial      translated images pass for images of the other domain; ``kind`` is "log" or "squares"
cycle            absolute differences of images translated there and back; ``balance`` divides those of each sample
                 by (level / 0.15) to its power, so that weak noise counts as much as strong noise
kl               divergence of noise codes from the standard normal distribution
identity         absolute differences of images that are translated into the domain that they have
perceptual       squared differences of features: ``pairs`` "paper" compares the synthetic noisy image with the
                 noisy one, which shows another subject; "mended" compares each image with its translation
===============  =====================================================================================
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from .. import build
from ..losses.gan import DISCRIMINATION
from ..losses.perceptual import Perceptual
from ..recipe import Recipe, RecipeError
from .batches import Batches
from .supervised import Supervised, autocast

TYPICAL = 0.15  # level that ``balance`` leaves as it is
TERMS = ("adversarial", "cycle", "kl", "identity", "perceptual")
Domains = tuple[Tensor, Tensor]  # clean, noisy


class Unpaired(Supervised):
    """``network`` is the way from noisy to clean images."""

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, precision: torch.dtype) -> None:
        if recipe.critic is None or recipe.partner is None:
            raise RecipeError("an unpaired recipe needs the tables [critic] and [partner].")
        if unknown := {loss.name for loss in recipe.losses} - set(TERMS):
            raise RecipeError(f"an unpaired training has no loss '{unknown.pop()}'; it has {', '.join(TERMS)}.")
        super().__init__(replace(recipe, losses=()), batches, device, precision)
        torch.manual_seed(recipe.seed + 1)
        partner, *critics = (
            build.module(part.implementation, part.arguments).to(device, memory_format=torch.channels_last)
            for part in (recipe.partner, recipe.critic, recipe.critic)
        )
        self.partner, self.critics = partner, nn.ModuleList(critics)
        self.makers = nn.ModuleList((self.network, partner))
        self.optimiser = build.optimiser(recipe.optimiser, self.makers)
        self.critic_optimiser = build.optimiser(recipe.optimiser, self.critics)
        self.weights = {loss.name: loss.weight for loss in recipe.losses}
        options = {loss.name: dict(loss.arguments) for loss in recipe.losses}
        adversarial = options.get("adversarial", {})
        self.discrimination = DISCRIMINATION[adversarial.get("kind", "squares")]
        self.pools = [Pool(adversarial.get("pool", 0)) for _ in critics]
        self.balance = options.get("cycle", {}).get("balance", 0.0)
        perceptual = options.get("perceptual", {"back_end": "random"})
        self.pairs = perceptual.pop("pairs", "mended")
        self.perceptual = Perceptual(**perceptual).to(device) if "perceptual" in self.weights else None

    def step(self, number: int, rate: float) -> dict[str, float]:
        self.network.train()
        batch = self.batches(number)
        clean, noisy, level = batch["other"], batch["noisy"], batch["level"]
        self.critics.requires_grad_(False)
        terms, made = self._terms(clean, noisy, level)
        loss = sum(self.weights[name] * value for name, value in terms.items())
        gradient = self.update(self.optimiser, self.makers, loss, rate)
        self.critics.requires_grad_(True)
        critic = self._critic_step((clean, noisy), made, level, rate)
        values = {name: float(value.detach()) for name, value in terms.items()}
        return {"loss": float(loss.detach()), "gradient": gradient, "critic": critic, **values}

    def _terms(self, clean: Tensor, noisy: Tensor, level: Tensor) -> tuple[dict[str, Tensor], Domains]:
        """The losses of the translations, and the translations: the clean and the noisy ones."""
        with autocast(self.device, self.precision):
            found = self.partner.translated(self.network, noisy, clean, level)
            scores = [critic(made, level) for critic, made in zip(self.critics, found[:2], strict=True)]
        terms = {"adversarial": sum(self.discrimination(score.float(), True) for score in scores)}
        apart = ((found.fakehh - clean).abs() + (found.fakell - noisy).abs()).mean((1, 2, 3))
        terms["cycle"] = (apart * (level / TYPICAL) ** -self.balance).mean()
        if "kl" in self.weights:
            terms["kl"] = found.kl
        if "identity" in self.weights:
            with autocast(self.device, self.precision):
                kept = self.network(clean, level), self.partner(noisy, level)
            terms["identity"] = (kept[0] - clean).abs().mean() + (kept[1] - noisy).abs().mean()
        if self.perceptual is not None:
            pairs = [(found.fakel, noisy)] if self.pairs == "paper" else [(found.fakeh, noisy), (found.fakel, clean)]
            terms["perceptual"] = sum(self.perceptual(made, {"clean": of, "level": level}) for made, of in pairs)
        return {name: terms[name] for name in self.weights}, (found.fakeh.detach(), found.fakel.detach())

    def _critic_step(self, real: Domains, made: Domains, level: Tensor, rate: float) -> float:
        loss = torch.zeros((), device=self.device)
        for critic, images, fakes, pool in zip(self.critics, real, made, self.pools, strict=True):
            with autocast(self.device, self.precision):
                scores = critic(images, level), critic(pool(fakes), level)
            loss = loss + sum(self.discrimination(s.float(), of) for s, of in zip(scores, (True, False), strict=True))
        self.update(self.critic_optimiser, self.critics, loss / 2, rate)
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        own = {
            "partner": self.partner.state_dict(),
            "critic": self.critics.state_dict(),
            "critic_optimiser": self.critic_optimiser.state_dict(),
            "pools": [pool.images for pool in self.pools],
        }
        return {**super().state(), **own}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.partner.load_state_dict(state["partner"])
        self.critics.load_state_dict(state["critic"])
        self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        for pool, images in zip(self.pools, state["pools"], strict=True):
            pool.images = [image.to(self.device) for image in images]


class Pool:
    """Earlier generated images, half of the time shown in place of new ones (Shrivastava et al., CVPR 2017).

    Args:
        size: images kept; 0 for none, when every image passes as it is.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self._one(image[None]) for image in images]) if self.size else images

    def _one(self, image: Tensor) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if torch.rand(()) < 0.5:
            return image
        place = int(torch.randint(self.size, ()))
        earlier, self.images[place] = self.images[place], image
        return earlier
