"""The unsupervised loss of fusion, L_UF: how much of the frames' structure one image holds.

After Ma, Zeng and Wang, IEEE TIP 24(11), 2015 (MEF-SSIM), in the form of convolutions. In each window the wanted image
has the largest contrast of any frame, and the frames' structures, weighted by contrast.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

WINDOW, SIGMA = 11, 1.5  # pixels
C = 9e-4  # stabilises flat windows
TINY = 1e-8
STEEPEST = 10.0  # exponent of the contrast where all structures agree


class FusionLoss(nn.Module):
    """1 - Q of the output, ``(N, 1, H, W)``, against ``batch["clean"]``, ``(N, T, H, W)``; 0 is perfect.

    Args:
        form: "literal", the paper's: it does not see brightness, which is free to drift; "recommended" adds
            ``brightness`` times the mean absolute difference of the local means.
        brightness: that weight.
    """

    def __init__(self, form: str = "recommended", brightness: float = 0.1) -> None:
        super().__init__()
        self.brightness = brightness if form == "recommended" else 0.0
        position = torch.arange(WINDOW) - (WINDOW - 1) / 2
        profile = torch.exp(-(position**2) / (2 * SIGMA**2))
        kernel = profile[:, None] * profile
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None])

    def forward(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        frames = batch["clean"].float()
        loss = 1 - self.quality(output.float(), frames).mean()
        if self.brightness:
            drift = self._mean(output.float()) - self._mean(frames).mean(dim=1, keepdim=True)
            loss = loss + self.brightness * drift.abs().mean()
        return loss

    def quality(self, output: Tensor, frames: Tensor) -> Tensor:
        """Q of each whole window, ``(N, 1, H - 10, W - 10)``, at most 1."""
        length = frames.shape[1]
        means = self._mean(frames)
        second = self._mean((frames[:, :, None] * frames[:, None]).flatten(1, 2)).unflatten(1, (length, length))
        covariance = second - means[:, :, None] * means[:, None]
        contrast = (torch.diagonal(covariance, dim1=1, dim2=2).movedim(-1, 1).clamp_min(0) + TINY).sqrt()
        largest = contrast.amax(dim=1, keepdim=True)
        together = covariance.sum(dim=(1, 2)).clamp_min(0).sqrt()[:, None]
        agreement = (together / contrast.sum(dim=1, keepdim=True)).clamp(0, 1 - 1e-6)
        exponent = torch.tan(agreement * (math.pi / 2)).clamp_max(STEEPEST)
        weight = (contrast / largest) ** exponent  # a common factor of the weights cancels
        scaled = weight / contrast
        length_of_mean = (scaled[:, :, None] * scaled[:, None] * covariance).sum(dim=(1, 2))[:, None]
        mean = self._mean(output)
        variance = self._mean(output.square()) - mean.square()
        shared = self._mean(frames * output) - means * mean
        wanted = largest * (scaled * shared).sum(dim=1, keepdim=True) / (length_of_mean.clamp_min(0) + TINY).sqrt()
        return (2 * wanted + C) / (largest.square() + variance + C)

    def _mean(self, images: Tensor) -> Tensor:
        """Each channel's weighted mean in every window that lies wholly inside."""
        flat = images.flatten(0, 1)[:, None]
        means = conv2d(conv2d(flat, self._profile[:, :, :, None]), self._profile[:, :, None, :])
        return means.unflatten(0, images.shape[:2])[:, :, 0]

    @property
    def _profile(self) -> Tensor:
        return self.kernel.sum(dim=3)
