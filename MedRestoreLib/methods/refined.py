"""BM4D and the general network, joined and refined by a network that looks at five slices: ``networks.refining``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..noise import Spectrum
from .bm4d import bm4d, second_step
from .learned import loaded
from .options import checked

SECOND = "general"  # weights of the second pilot
AT_ONCE = 1 << 18  # voxels that a network is shown at once, which bounds its memory


@checked
def refined(
    volumes: Tensor, sigma: float, *, weights: str | torch.nn.Module, spectrum: Spectrum | None = None
) -> Tensor:
    """Denoise volumes that carry Gaussian noise, white or of a known spectrum.

    The pilots are those of ``pilots_of``. The slices beyond the first and the last are taken to be like these.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        weights: their name in the manifest, or the network itself.
        spectrum: of coloured noise, which BM4D is told. None: white.

    Returns:
        A tensor like ``volumes``.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network, general = (loaded(name, volumes.device) for name in (weights, SECOND))
    restored = torch.empty_like(volumes)
    around = torch.arange(-network.around, network.around + 1, device=volumes.device)
    for noisy, target in zip(volumes[:, 0], restored[:, 0], strict=True):
        pilot, *others = pilots_of(noisy, sigma, general, spectrum)
        for middles in _parts(noisy):
            stack = (middles[:, None] + around).clamp(0, len(noisy) - 1)
            seen = torch.cat((noisy[stack], pilot[stack], *(other[middles][:, None] for other in others)), 1)
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
    first = bm4d(noisy[None, None], sigma, spectrum=spectrum)[0, 0]
    second = along_all_axes(general, noisy, sigma if spectrum is None else sigma * spectrum.as_white)
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


def _parts(slices: Tensor) -> tuple[Tensor, ...]:
    """Numbers of slices, so many that a network is shown ``AT_ONCE`` voxels at once."""
    plane = slices.shape[1] * slices.shape[2]
    return torch.arange(len(slices), device=slices.device).split(max(1, AT_ONCE // plane))
