"""Which device runs a method, how much memory it may use, and what counts as running out of it."""

from __future__ import annotations

import errno
import importlib.util
import sys
from typing import TYPE_CHECKING

from ..errors import InvalidPlan, MissingPackage

if TYPE_CHECKING:
    import torch

NAMES = ("auto", "cpu", "cuda", "mps")

# Working memory of a window (``tiles``) unless the plan says. Larger ones gain no speed on a CPU, and a job that is
# cancelled finishes the window under way.
DEFAULT_MEMORY_GB = {"cpu": 0.6, "mps": 2.0, "cuda": 4.0}


def has_torch() -> bool:
    """Whether torch can be imported; does not import it."""
    return importlib.util.find_spec("torch") is not None


def require_torch() -> None:
    """Raise MissingPackage unless torch can be imported; does not import it."""
    if not has_torch():
        raise MissingPackage(
            "PyTorch is not installed: run 'pip install torch', or in 3D Slicer install the PyTorch extension."
        )


def resolve(name: str) -> torch.device:
    """The device to use: for "auto" a CUDA device, else Apple's, else the CPU.

    Raises:
        InvalidPlan: the name is unknown, or there is no such device here.
        MissingPackage: torch is not installed.
    """
    require_torch()
    import torch

    check_name(name)
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, here in present.items() if here)
    elif not present[name]:
        raise InvalidPlan(f"there is no {name} device here; choose auto or cpu.", field="device")
    return torch.device(name)


def check_name(name: str) -> None:
    """Raise InvalidPlan unless ``name`` is one of ``NAMES``."""
    if name not in NAMES:
        raise InvalidPlan(f"device '{name}' is unknown; choose one of {', '.join(NAMES)}.", field="device")


def full_name(device: torch.device) -> str:
    """The device's name for a report, such as "cuda (NVIDIA A100)" or "cpu, 2 threads"."""
    import torch

    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"cpu, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is how torch or Python says that memory ran out; does not import torch."""
    if isinstance(error, (MemoryError, getattr(sys.modules.get("torch"), "OutOfMemoryError", MemoryError))):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:  # a file that cannot be mapped
        return True
    # torch's CPU allocator raises a plain RuntimeError, in other words on each system.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def release(device: torch.device) -> None:
    """Give cached device memory back before a smaller attempt."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
