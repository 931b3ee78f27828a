"""ENLCN, the teacher: EDSR with efficient non-local attention, after Xia, Hang, Tian, Yang, Liao and Zhou, AAAI 2022.

The attention is that of positive random features (Choromanski et al., ICLR 2021): its cost grows with the number of
pixels, not with its square. At the scale of the scores used here they are a poor estimate of the exact softmax, so that
the module is a learned mixture through these very features: they are a buffer among the weights and never drawn again.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from .edsr import EDSR

FEATURES, SHARPNESS, RATIO = 128, 6.0, 4  # random features; factor of the cosine; reduction of the channels
TINY = 1e-4  # added to each feature, so that no pixel's weights vanish
POSITIVE, NEGATIVE = (0.0, 15 / 2304), (50 / 2304, 65 / 2304)  # ranks of the scores that are compared, shares of all
ROWS = 128  # queries of an image that the contrastive loss looks at
MARGIN = 1.0


class EfficientNonLocal(nn.Module):
    """Attention over all pixels; ``contrast`` keeps the contrastive loss of the last call while training."""

    def __init__(self, width: int, *, features: int = FEATURES, sharpness: float = SHARPNESS) -> None:
        super().__init__()
        inner = width // RATIO
        self.query, self.key, self.value = (
            nn.Conv2d(width, inner, 1),
            nn.Conv2d(width, inner, 1),
            nn.Conv2d(width, width, 1),
        )
        self.sharpness = sharpness
        self.register_buffer("projection", orthogonal(features, inner))
        self.contrast = torch.zeros(())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        shape = images.shape
        query, key = (self._unit(layer(images)) for layer in (self.query, self.key))
        value = self.value(images).flatten(2).transpose(1, 2).float()
        if self.training:
            self.contrast = contrast(query, key)
        seen, seeking = self._features(key), self._features(query)
        context = seen.transpose(1, 2) @ value
        whole = (seeking * seen.sum(dim=1, keepdim=True)).sum(dim=2, keepdim=True)
        mixed = (seeking @ context) / whole
        return images + 0.1 * mixed.transpose(1, 2).reshape(shape)

    def _unit(self, features: torch.Tensor) -> torch.Tensor:
        """``(N, pixels, channels)`` of length sqrt(sharpness)."""
        flat = features.flatten(2).transpose(1, 2).float()
        return nn.functional.normalize(flat, dim=2, eps=5e-5) * math.sqrt(self.sharpness)

    def _features(self, flat: torch.Tensor) -> torch.Tensor:
        projected = flat @ self.projection.T
        return (torch.exp(projected - flat.square().sum(dim=2, keepdim=True) / 2) + TINY) / math.sqrt(
            len(self.projection)
        )


class ENLCN(EDSR):
    """``EDSR`` with an attention before its first block and after every ``every`` blocks.

    Its authors' size is 32 blocks of 256 channels; two cores can train 16 of 64.
    """

    def __init__(
        self,
        factor: int = 2,
        blocks: int = 16,
        width: int = 64,
        scale: float = 0.1,
        *,
        every: int = 8,
        on_bicubic: bool = False,
    ) -> None:
        super().__init__(factor, blocks, width, scale, on_bicubic=on_bicubic)
        self.every = every
        self.attention = nn.ModuleList(EfficientNonLocal(width) for _ in range(1 + blocks // every))

    def body(self, features: torch.Tensor) -> torch.Tensor:
        for number, block in enumerate(self.blocks):
            if number % self.every == 0:
                features = self.attention[number // self.every](features)
            features = block(features)
        return self.attention[-1](features)

    @property
    def contrast(self) -> torch.Tensor:
        """The contrastive loss of the last training step, averaged over the attentions."""
        return torch.stack([attention.contrast for attention in self.attention]).mean()


def contrast(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """``max(0, 1 - log(mean of the best scores / mean of the middling ones))``, which makes the attention sparse.

    Of each image ``ROWS`` queries, evenly spread, are compared with every key; both ``(N, pixels, channels)``.
    """
    chosen = query[:, :: max(1, query.shape[1] // ROWS)]
    count = key.shape[1]
    last = max(2, math.ceil(NEGATIVE[1] * count))
    ranked = torch.exp(chosen @ key.transpose(1, 2)).topk(min(last, count), dim=2).values
    best = ranked[..., : max(1, round(POSITIVE[1] * count))].mean(dim=2)
    middling = ranked[..., min(round(NEGATIVE[0] * count), ranked.shape[2] - 1) :].mean(dim=2)
    return torch.relu(MARGIN - torch.log(best / (middling + 1e-6))).mean()


def orthogonal(rows: int, columns: int) -> torch.Tensor:
    """Random rows, orthogonal in blocks of ``columns``, each as long as a normal vector of that dimension."""
    blocks = [torch.linalg.qr(torch.randn(columns, columns)).Q.T for _ in range(-(-rows // columns))]
    return torch.cat(blocks)[:rows] * torch.randn(rows, columns).norm(dim=1, keepdim=True)
