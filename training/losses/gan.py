"""The two sides of a Wasserstein game with gradient penalty (Gulrajani et al., NeurIPS 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def critic_loss(critic: nn.Module, real: Tensor, made: Tensor, mix: Tensor, penalty: float) -> Tensor:
    """What the critic makes small: made images scored high, real ones low, and a slope other than 1 between them.

    Args:
        real, made: ``(N, 1, H, W)``.
        mix: ``(N,)`` in [0, 1]: where between the two the slope is looked at.
        penalty: weight of the slope's squared distance from 1.
    """
    mix = mix.view(-1, 1, 1, 1)
    between = (mix * real + (1 - mix) * made).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    steepness = slope.flatten(1).norm(dim=1)
    return critic(made).mean() - critic(real).mean() + penalty * (steepness - 1).square().mean()


def generator_loss(critic: nn.Module, made: Tensor) -> Tensor:
    """What the generator makes small: a high score is a good one."""
    return -critic(made).mean()
