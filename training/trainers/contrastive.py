"""Supervised training of a network with a contrastive loss of its own, such as the attention of ``enlcn``."""

from __future__ import annotations

from .supervised import Supervised

WEIGHT = 1e-3  # of the contrastive loss, as in the teacher's paper
AFTER = 0.1  # share of the recipe's steps without it


class Contrastive(Supervised):
    """``Supervised`` whose loss has ``WEIGHT`` times ``network.contrast``, once ``AFTER`` of the steps are done."""

    def step(self, number: int, rate: float) -> dict[str, float]:
        self.network.train()
        batch = self.batches(number)
        loss = self.losses(self.predicted(batch), batch)
        contrast = self.network.contrast
        if number >= AFTER * self.recipe.schedule.steps:
            loss = loss + WEIGHT * contrast
        gradient = self.update(self.optimiser, self.network, loss, rate)
        parts = {name: float(value.detach()) for name, value in self.losses.values.items()}
        return {"loss": float(loss.detach()), "gradient": gradient, "contrast": float(contrast.detach()), **parts}
