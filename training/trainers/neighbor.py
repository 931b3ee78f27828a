"""Neighbor2Neighbor (Huang, Li, Jia, Lu and Liu, CVPR 2021): noisy images alone, no clean one of any subject."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pixel_unshuffle

from .supervised import Supervised, autocast

WEIGHT = 2.0  # of the regularisation at the recipe's last step; it grows with the steps

# Two neighbours among the pixels of a 2 x 2 cell, numbered row by row.
NEIGHBOURS = ((0, 1), (0, 2), (1, 3), (2, 3), (1, 0), (2, 0), (3, 1), (3, 2))


class NeighborToNeighbor(Supervised):
    """Of every 2 x 2 pixels one is the input, a neighbour the target; the recipe has no losses.

    Neighbours do not show quite the same. The regularisation asks for the difference that the restored image, cut the
    same way, has between them. Errors are counted in standard deviations of the noise.
    """

    def step(self, number: int, rate: float) -> dict[str, float]:
        self.network.train()
        batch = self.batches(number)
        noisy, level = batch["noisy"], batch["level"]
        places = torch.tensor(NEIGHBOURS)[torch.randint(len(NEIGHBOURS), (noisy.shape[2] // 2, noisy.shape[3] // 2))]
        first, second = (one.to(noisy.device) for one in places.unbind(-1))
        with torch.no_grad(), autocast(self.device, self.precision):
            whole = self.network(noisy, level).float()
        with autocast(self.device, self.precision):
            restored = self.network(chosen(noisy, first), level)
        sigma = level.view(-1, 1, 1, 1)
        difference = (restored.float() - chosen(noisy, second)) / sigma
        expected = (chosen(whole, first) - chosen(whole, second)) / sigma
        likeness, regularity = difference.square().mean(), (difference - expected).square().mean()
        share = min(number / max(self.recipe.schedule.steps, 1), 1.0)
        loss = likeness + WEIGHT * share * regularity
        gradient = self.update(self.optimiser, self.network, loss, rate)
        parts = {"likeness": float(likeness.detach()), "regularity": float(regularity.detach())}
        return {"loss": float(loss.detach()), "gradient": gradient, **parts}


def chosen(images: Tensor, place: Tensor) -> Tensor:
    """Images ``(N, 1, H, W)`` of half the size: of each 2 x 2 pixels the one with the number in ``place`` (H/2, W/2).

    >>> chosen(torch.arange(4.0).view(1, 1, 2, 2), torch.tensor([[3]])).item()
    3.0
    """
    return pixel_unshuffle(images, 2).gather(1, place.expand(len(images), 1, *place.shape))
