"""A classical method and a network, joined and refined by another network: ``networks.refining``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.counts import RETURNED_SIDE
from ..networks.mixture import smoothed
from ..noise import Spectrum
from ..noise.poisson import Poisson
from .bm3d import bm3d
from .bm4d import bm4d, second_step
from .learned import loaded
from .options import checked

RETURNED = 0.4  # of what was removed of counts: faint lesions keep as much contrast as by BM3D; PSNR falls by 0.1 dB
AT_ONCE = 1 << 18  # voxels that a network is shown at once, which bounds its memory


@checked
def slices(
    images: Tensor,
    sigma: float,
    *,
    weights: str | nn.Module,
    pilot: str | nn.Module,
    spectrum: Spectrum | None = None,
) -> Tensor:
    """Denoise images that carry Gaussian noise, white or of a known spectrum: BM3D and a network, refined.

    Args:
        images: float32 ``(N, 1, H, W)``, nominally in [0, 1], on any device; sides of at least 8. The N images are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        weights: of the network that refines: their name in the manifest, or the network itself.
        pilot: likewise, of the network whose result is refined together with BM3D's.
        spectrum: of coloured noise, which BM3D is told. None: white.

    Returns:
        A tensor like ``images``.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    refining, plain = (loaded(name, images.device) for name in (weights, pilot))
    restored = []
    for noisy in images.split(_at_once(images)):
        seen = torch.cat((noisy, *slices_pilots(noisy, sigma, plain, spectrum)), 1)
        restored.append(refining(seen, noisy.new_full((len(noisy),), sigma)))
    return torch.cat(restored)


def slices_pilots(
    images: Tensor, sigma: float, network: nn.Module, spectrum: Spectrum | None = None
) -> tuple[Tensor, Tensor]:
    """BM3D's and the network's result, tensors like ``images``; arguments: ``slices``.

    The network is told the level of white noise that is as strong.
    """
    with _exact(images):
        first = bm3d(images, sigma, spectrum=spectrum)
    noisy = images.contiguous(memory_format=torch.channels_last)
    white = sigma if spectrum is None else sigma * spectrum.as_white
    return first, network(noisy, noisy.new_full((len(noisy),), white))


def counts(images: Tensor, sigma: float, *, weights: str | nn.Module, pilot: str | nn.Module) -> Tensor:
    """Restore counts: BM3D on Anscombe's scale and a network of counts, refined there.

    A part of what was removed returns, smoothed, as in ``networks.counts``: faint lesions are there.

    Args:
        images: float32 ``(N, 1, H, W)``: counts over K, as for ``learned.rate``; sides of at least 8.
        sigma: 1/sqrt(K), the standard deviation of the noise where the clean image is 1.
        weights: of the network that refines: their name in the manifest, or the network itself.
        pilot: likewise, of the network of counts.

    Returns:
        The expected counts over K, a tensor like ``images``; never negative.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    refining, network = (loaded(name, images.device) for name in (weights, pilot))
    noise = Poisson(level=sigma**-2)
    restored = []
    for part in images.split(_at_once(images)):
        seen = torch.cat(counts_pilots(part, sigma, network), 1)
        rate = _by(noise.unbiased_inverse, refining(seen, seen.new_ones(len(seen))))
        removed = smoothed(part - rate, RETURNED_SIDE)
        restored.append((rate + RETURNED * removed).clamp_min(0))
    return torch.cat(restored)


def counts_pilots(images: Tensor, sigma: float, network: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Counts, BM3D's and the network's result on Anscombe's scale, tensors like ``images``; arguments: ``counts``."""
    noise = Poisson(level=sigma**-2)
    noisy = _by(noise.stabilise, images)
    low, high = (float(noise.stabilise(np.float32(end))) for end in (0, 1))
    with _exact(images):
        first = bm3d((noisy - low) / (high - low), 1 / (high - low)) * (high - low) + low
    rate = network(images.contiguous(memory_format=torch.channels_last), images.new_full((len(images),), sigma))
    return noisy, first, _by(noise.forward_mean, rate.float())


def _by(function: Callable[[np.ndarray], np.ndarray], images: Tensor) -> Tensor:
    """What a function of arrays makes of a tensor, on the tensor's device."""
    return torch.from_numpy(np.asarray(function(images.cpu().numpy()), np.float32)).to(images.device)


@checked
def refined(
    volumes: Tensor,
    sigma: float,
    *,
    weights: str | nn.Module,
    pilot: str | nn.Module,
    spectrum: Spectrum | None = None,
) -> Tensor:
    """Denoise volumes that carry Gaussian noise, white or of a known spectrum.

    The pilots are those of ``pilots_of``; they are refined slice by slice with the slices around. The slices beyond the
    first and the last are taken to be like these.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        weights: of the network that refines: their name in the manifest, or the network itself.
        pilot: likewise, of the network of single slices.
        spectrum: of coloured noise, which BM4D is told. None: white.

    Returns:
        A tensor like ``volumes``.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network, general = (loaded(name, volumes.device) for name in (weights, pilot))
    restored = torch.empty_like(volumes)
    around = torch.arange(-network.around, network.around + 1, device=volumes.device)
    for noisy, target in zip(volumes[:, 0], restored[:, 0], strict=True):
        first, *others = pilots_of(noisy, sigma, general, spectrum)
        for middles in _parts(noisy):
            stack = (middles[:, None] + around).clamp(0, len(noisy) - 1)
            seen = torch.cat((noisy[stack], first[stack], *(other[middles][:, None] for other in others)), 1)
            target[middles] = network(seen, noisy.new_full((len(seen),), sigma))[:, 0]
    return restored


def pilots_of(
    noisy: Tensor, sigma: float, general: nn.Module, spectrum: Spectrum | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Three estimates of a volume ``(D, H, W)``, like it.

    They are BM4D's; the mean of the general network's along the three axes, which is told the level of white noise that
    is as strong; and what BM4D's second step makes of the noisy volume when it is told the mean of both. The last is
    0.1 dB above BM4D in the mean where the noise is 15 % of the maximum.
    """
    with _exact(noisy):
        first = bm4d(noisy[None, None], sigma, spectrum=spectrum)[0, 0]
    second = along_all_axes(general, noisy, sigma if spectrum is None else sigma * spectrum.as_white)
    with _exact(noisy):
        return first, second, second_step(noisy, (first + second) / 2, sigma, spectrum=spectrum)


def along_all_axes(network: nn.Module, volume: Tensor, sigma: float) -> Tensor:
    """The mean of what a network of single slices makes of a volume ``(D, H, W)`` cut along each of its axes."""
    total = torch.zeros_like(volume)
    for axis in range(3):
        slices = volume.movedim(axis, 0)
        for chosen in _parts(slices):
            planes = slices[chosen][:, None].contiguous()
            total.movedim(axis, 0)[chosen] += network(planes, planes.new_full((len(planes),), sigma))[:, 0]
    return total / 3


def _exact(images: Tensor) -> torch.autocast:
    """A context of float32 whatever precision networks have: in bfloat16 the distances of blocks would be lost."""
    return torch.autocast("cuda" if images.is_cuda else "cpu", enabled=False)


def _parts(slices: Tensor) -> tuple[Tensor, ...]:
    """Numbers of slices, so many that a network is shown ``AT_ONCE`` voxels at once."""
    return torch.arange(len(slices), device=slices.device).split(_at_once(slices))


def _at_once(slices: Tensor) -> int:
    """How many slices ``(N, ..., rows, columns)`` have ``AT_ONCE`` voxels; at least one."""
    return max(1, AT_ONCE // (slices.shape[-2] * slices.shape[-1]))
