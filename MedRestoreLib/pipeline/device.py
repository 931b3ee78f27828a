"""Which device runs a method, in which precision, with how much memory, and what counts as running out of it."""

from __future__ import annotations

import errno
import importlib.util
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ..errors import InvalidPlan, MissingPackage

if TYPE_CHECKING:
    import torch

NAMES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")

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


def check_precision(name: str) -> None:
    """Raise InvalidPlan unless ``name`` is one of ``PRECISIONS``."""
    if name not in PRECISIONS:
        raise InvalidPlan(f"precision '{name}' is unknown; choose one of {', '.join(PRECISIONS)}.", field="precision")


def precision(name: str, device: torch.device, *, learned: bool, preferred: bool) -> str:
    """The precision to use, "float32" or "bfloat16".

    Args:
        name: one of ``PRECISIONS``. "auto" is bfloat16 if it is ``preferred`` and the device calculates in it.
        learned: whether the method is a network; others always use float32.
        preferred: whether bfloat16 was measured to be worth it for the method (``Method.bfloat16``).

    Raises:
        InvalidPlan: bfloat16 was demanded of an Apple GPU, for which it was never tested.
    """
    if not learned or name == "float32" or (name == "auto" and not (preferred and has_bfloat16(device))):
        return "float32"
    if device.type == "mps":
        raise InvalidPlan("Apple's GPU is not used with bfloat16; choose auto or float32.", field="precision")
    return "bfloat16"


def has_bfloat16(device: torch.device) -> bool:
    """Whether a processor has instructions for bfloat16 (AVX512_BF16 or AMX); False for GPUs, not measured yet."""
    import torch

    found = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return device.type == "cpu" and any(supported() for supported in found if supported)


def calculating(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """A context in which networks calculate with this precision; weights, inputs and results stay float32.

    For convolutions torch takes "float32" on a GPU to mean TF32, which has three decimal digits: here it means float32.
    """
    import torch

    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()


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
