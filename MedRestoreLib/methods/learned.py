"""Networks as methods: one function for each domain of networks, which finds the network by the name of its weights."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn

from .. import weights as files
from ..progress import stop_if_asked
from .options import Share
from .sharpening import blended


def rate(images: torch.Tensor, sigma: float, *, weights: str | nn.Module) -> torch.Tensor:
    """Restore counts by a network of the domain "rate", such as ``networks.counts.CountsNetwork``.

    Args:
        images: float32 ``(N, 1, rows, columns)``: counts over K, the counts expected where the clean study is
            brightest.
        sigma: 1/sqrt(K), the standard deviation of the noise where the clean image is 1.
        weights: their name in the manifest, or a network that has them.

    Returns:
        The expected counts over K, a tensor like ``images``; never negative.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network = loaded(weights, images.device)
    level = images.new_full((len(images),), sigma)
    return network(images.contiguous(memory_format=torch.channels_last), level)


def linear(images: torch.Tensor, sigma: float, *, weights: str, reference: float | None = None) -> torch.Tensor:
    """Restore ultrasound by a blind network of the domain "linear", such as ``networks.speckle.SpeckleNetwork``.

    Args:
        images: float32 ``(N, 1, rows, columns)``, display grey in [0, 1], zero where there is no echo.
        sigma, reference: the speckle's relative standard deviation, and the grey at which it was measured. The network
            needs neither.
        weights: their name in the manifest.

    Returns:
        A tensor like ``images``, in [0, 1].

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network = loaded(weights, images.device)
    return network(images.contiguous(memory_format=torch.channels_last))


def stabilised(images: torch.Tensor, sigma: float, *, weights: str | nn.Module) -> torch.Tensor:
    """Restore whatever has been stabilised by a network that is told the level, such as ``networks.bias_free``.

    Args:
        images: float32 ``(N, 1, rows, columns)`` with white Gaussian noise, nominally in [0, 1].
        sigma: standard deviation of the noise on the same scale.
        weights: their name in the manifest, or a network that has them.

    Returns:
        A tensor like ``images``.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network = loaded(weights, images.device)
    level = images.new_full((len(images),), sigma)
    return network(images.contiguous(memory_format=torch.channels_last), level)


def calm_and_sharp(
    images: torch.Tensor, sigma: float, *, weights: str, sharpen: Share = 0.0, reference: float | None = None
) -> torch.Tensor:
    """Denoise and deblur ultrasound by a blind network with two images, such as ``networks.swin_conv.SwinConvUNet``.

    Args:
        images: float32 ``(N, 1, rows, columns)``, display grey in [0, 1].
        sigma, reference: as for ``linear``; the network needs neither.
        weights: their name in the manifest.
        sharpen: from 0, the calm image without noise, to 1, all of the network's sharpening that ``guarded`` lets pass.

    Returns:
        A tensor like ``images``, in [0, 1].

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network = loaded(weights, images.device)
    return blended(network.pair(images.contiguous(memory_format=torch.channels_last)), sharpen)


def loaded(weights: str | nn.Module, device: torch.device) -> nn.Module:
    """The network of that name in the manifest, or the one that is given, on the device."""
    return weights if isinstance(weights, nn.Module) else _shipped(files.find(weights), device)


@lru_cache(maxsize=4)
def _shipped(row: files.Weights, device: torch.device) -> nn.Module:
    """The network, loaded once for each device and line of the manifest, which holds the file's SHA-256.

    It can be stopped between its layers.
    """
    network = row.load(device)
    for layer in network.modules():
        layer.register_forward_pre_hook(lambda *_: stop_if_asked())
    return network
