"""BM4D, refined by a network that looks at five slices: see ``networks.refining``."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import weights as files
from ..noise import Spectrum
from .bm4d import bm4d
from .learned import loaded
from .options import checked

AT_ONCE = 1 << 18  # voxels that the network is shown at once, which bounds its memory


@checked
def refined(volumes: Tensor, sigma: float, *, weights: str, spectrum: Spectrum | None = None) -> Tensor:
    """Denoise volumes that carry Gaussian noise, white or of a known spectrum.

    The slices beyond the first and the last are taken to be like these.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        weights: their name in the manifest.
        spectrum: of coloured noise, which BM4D is told. None: white.

    Returns:
        A tensor like ``volumes``.

    Raises:
        WeightsMissing: the weights are absent or damaged.
    """
    network = loaded(files.find(weights), volumes.device)
    pilots = bm4d(volumes, sigma, spectrum=spectrum)
    restored = torch.empty_like(volumes)
    depth, plane = volumes.shape[2], volumes.shape[3] * volumes.shape[4]
    around = torch.arange(-network.around, network.around + 1, device=volumes.device)
    for number in range(len(volumes)):
        for middles in torch.arange(depth, device=volumes.device).split(max(1, AT_ONCE // plane)):
            stack = (middles[:, None] + around).clamp(0, depth - 1)
            seen = torch.cat((volumes[number, 0][stack], pilots[number, 0][stack]), 1)
            restored[number, 0, middles] = network(seen, volumes.new_full((len(seen),), sigma))[:, 0]
    return restored
