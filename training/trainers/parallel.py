"""Data-parallel training under ``torchrun``; in a single process nothing here has an effect."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable

import torch
from torch import distributed, nn


def rank() -> int:
    """This process's rank; rank 0 writes the files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def start(device: torch.device) -> torch.device:
    """Join the other processes if torchrun started this one; returns this process's own device."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        # Its functions' defaults keep the group that exists when it is imported, as optimisers do later: a group that
        # is never freed has threads that abort a process which ends while they let go of a tensor.
        importlib.import_module("torch.distributed.nn")
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if device.type == "cuda" else device


def stop() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def one_first(action: Callable[[], None]) -> None:
    """Rank 0 acts first, then the others, which find on disk what it made."""
    if rank() == 0:
        action()
    if distributed.is_initialized():
        distributed.barrier()
        if rank() > 0:
            action()


def average_gradients(network: nn.Module) -> None:
    """Replace each process's gradient by the mean over processes: the gradient of the whole batch."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= world_size()
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def agreed(number: float, device: torch.device) -> float:
    """Rank 0's number, in every process: clocks differ, decisions must not."""
    if world_size() == 1:
        return number
    held = torch.tensor(number, dtype=torch.float64, device=device)
    distributed.broadcast(held, 0)
    return float(held)
