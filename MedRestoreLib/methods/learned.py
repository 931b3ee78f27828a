"""Networks as methods: a catalogue row names the function here for its domain, and its weights."""

from __future__ import annotations

from functools import lru_cache

import torch

from .. import weights as files


def counts(images: torch.Tensor, sigma: float, *, weights: str) -> torch.Tensor:
    """Counts restored by a network of the "counts" domain (see ``networks.counts``).

    Args:
        images: ``(N, 1, H, W)``, float32: counts over K, the counts expected where the clean study is brightest.
        sigma: 1/sqrt(K), the noise's standard deviation where the clean image is 1.
        weights: their name in the manifest.

    Returns:
        The expected images, like ``images``; never negative.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network = _network(files.find(weights), images.device)
    level = images.new_full((len(images),), sigma)
    return network(images.contiguous(memory_format=torch.channels_last), level)


def grey(images: torch.Tensor, sigma: float, *, weights: str, reference: float | None = None) -> torch.Tensor:
    """Ultrasound restored by a blind network of the "speckle" domain (see ``networks.speckle``).

    Args:
        images: ``(N, 1, H, W)``, float32, display grey in [0, 1], zero at no echo.
        sigma, reference: the speckle's relative standard deviation and the grey where it was measured; the network
            finds its own, and neither is used.
        weights: their name in the manifest.

    Returns:
        Tensor like ``images``, in [0, 1].

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network = _network(files.find(weights), images.device)
    return network(images.contiguous(memory_format=torch.channels_last))


@lru_cache(maxsize=4)
def _network(row: files.Weights, device: torch.device) -> torch.nn.Module:
    """Loaded once for each file (told by its SHA-256) and device."""
    return row.load(device)
