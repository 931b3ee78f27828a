"""Frames enlarged by networks, each for itself.

What a network adds is made consistent with the frame: reduced again, the result is the frame (back-projection: Irani
and Peleg, CVGIP 53(3), 1991).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from .. import weights as files
from ..errors import InvalidPlan
from ..networks import resizing
from ..progress import stop_if_asked

ROUNDS = 3  # of back-projection; each lowers the difference about threefold


def enlarge(frames: Tensor, sigma: float, *, factor: int = 2, weights: str) -> Tensor:
    """Enlarge frames one by one with a network such as ``networks.student.Student``.

    Args:
        frames: float32 ``(N, 1, rows, columns)``, display grey in [0, 1].
        sigma: not used: the network does not remove noise.
        factor: 2, 3 or 4; that of the weights.
        weights: their name in the manifest.

    Returns:
        float32 ``(N, 1, factor * rows, factor * columns)`` in [0, 1].

    Raises:
        InvalidPlan: the weights are of another factor.
        WeightsMissing: the weights are absent or damaged.
    """
    network = _network(files.find(weights), frames.device, factor)
    return torch.cat([consistent(run(network, frame[None]), frame[None], factor) for frame in frames])


def consistent(enlarged: Tensor, frames: Tensor, factor: int) -> Tensor:
    """``enlarged``, in [0, 1], such that it is ``frames`` when it is reduced; both ``(N, 1, ...)``."""
    for _ in range(ROUNDS):
        lacking = frames - resizing.reduced(enlarged, factor)
        enlarged = (enlarged + resizing.enlarged(lacking, factor)).clamp(0, 1)
    return enlarged


def run(network: nn.Module, images: Tensor) -> Tensor:
    """The network's output in float32, computed in bfloat16 where the processor multiplies such numbers quickly."""
    quick = images.device.type == "cpu" and _has_bfloat16()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=quick):
        return network(images.contiguous(memory_format=torch.channels_last)).float()


@lru_cache(maxsize=1)
def _has_bfloat16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())


@lru_cache(maxsize=4)
def _network(row: files.Weights, device: torch.device, factor: int) -> nn.Module:
    """The network, loaded once for each device and line of the manifest; it can be stopped between its layers."""
    if row.arguments.get("factor") != factor:
        raise InvalidPlan(
            f"the weights '{row.name}' enlarge by {row.arguments.get('factor')}, not by {factor}.", field="factor"
        )
    network = row.load(device)
    for layer in network.modules():
        layer.register_forward_pre_hook(lambda *_: stop_if_asked())
    return network
