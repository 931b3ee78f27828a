"""Losses of a Wasserstein GAN with gradient penalty (Gulrajani et al., NeurIPS 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def critic_loss(critic: nn.Module, real: Tensor, generated: Tensor, mix: Tensor, penalty: float) -> Tensor:
    """The critic's loss: mean score of generated minus real images, plus the gradient penalty between them.

    Args:
        real, generated: ``(N, 1, H, W)``.
        mix: ``(N,)`` in [0, 1]: where between the two the gradient is taken.
        penalty: weight of the squared difference of the gradient's norm from 1.
    """
    mix = mix.view(-1, 1, 1, 1)
    between = (mix * real + (1 - mix) * generated).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm = gradient.flatten(1).norm(dim=1)
    return critic(generated).mean() - critic(real).mean() + penalty * (norm - 1).square().mean()


def generator_loss(critic: nn.Module, generated: Tensor) -> Tensor:
    """The generator's loss: the negative mean score."""
    return -critic(generated).mean()
