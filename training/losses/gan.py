"""Losses of adversarial trainings: of a Wasserstein critic with gradient penalty, and of two classic discriminators."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus


def critic_loss(critic: nn.Module, real: Tensor, generated: Tensor, mix: Tensor, penalty: float) -> Tensor:
    """The critic's loss: mean score of generated minus real images, plus the gradient penalty between them.

    Gulrajani et al., NeurIPS 2017.

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


def log_loss(logits: Tensor, real: bool) -> Tensor:
    """``-log D`` for real images, ``-log(1 - D)`` for others, D the sigmoid of the logits (Goodfellow et al., 2014).

    The generator minimises ``log_loss(logits, True)``, the form whose gradient does not vanish.

    >>> round(float(log_loss(torch.zeros(1, 4), True)), 4)
    0.6931
    """
    return softplus(-logits if real else logits).mean()


def squared_loss(logits: Tensor, real: bool) -> Tensor:
    """Squared difference of the scores from 1 for real images, from 0 for others (Mao et al., ICCV 2017).

    >>> float(squared_loss(torch.ones(1, 4), True))
    0.0
    """
    return (logits - float(real)).square().mean()


DISCRIMINATION: dict[str, Callable[[Tensor, bool], Tensor]] = {"log": log_loss, "squares": squared_loss}
