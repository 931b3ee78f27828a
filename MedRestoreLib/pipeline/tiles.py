"""Restore a study window by window, within a memory limit, so that nobody can tell it was cut.

Words, the same in all of the pipeline:

- **reach**: how many voxels away a voxel can influence a method's result.
- **window**: what is cut out of a study at once. It is read with the reach on every side, and only its **core** is
  kept: a tiled result equals the untiled one, without blending and without seams, up to rounding.

But rounding decides which of two equally similar blocks a method takes, and so it may show. Therefore windows follow
from the study, the method and the kind of device: the same plan gives the same bytes, whatever memory is allowed.

People read "tile" for window, which in radiology belongs to the grey scale.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutOfMemory
from . import device as devices

if TYPE_CHECKING:
    from .denoising import Denoising

# A core much smaller than the reach around it costs more than it saves.
SMALLEST_CORE = 16

# Of each voxel of a window of frames that are restored together: before, rotated, and after.
HELD_BYTES = 12

# Windows are kept this small even where memory allows more: a job that is cancelled stops after the one under way.
MOST_VOXELS = 4_000_000


@dataclass(frozen=True)
class Window:
    """What to read and which part of it to keep, as slices into the whole array."""

    read: tuple[slice, ...]
    core: tuple[slice, ...]

    @property
    def inner(self) -> tuple[slice, ...]:
        """The core as slices into what was read."""
        return tuple(slice(c.start - r.start, c.stop - r.start) for r, c in zip(self.read, self.core, strict=True))

    def enlarged(self, factor: int) -> Window:
        """The same place on a grid with ``factor`` times as many rows and columns."""
        read, core = (
            (*s[:-2], *(slice(factor * a.start, factor * a.stop) for a in s[-2:])) for s in (self.read, self.core)
        )
        return Window(read, core)

    @property
    def size(self) -> int:
        """How many voxels are read."""
        return math.prod(s.stop - s.start for s in self.read)


@dataclass(frozen=True, eq=False)
class Run:
    """A restored study, and how it came about.

    Attributes:
        voxels: float32 ``(frames, slices, rows, columns)``, at full strength until ``restore.run_plan`` blends them; of
            a method that enlarges with more rows and columns than the study.
        denoising: what restored them; on the CPU if the other device's memory ran out.
        limit: most voxels that a window read.
        notes: for a person: each time that memory ran out, what was done about it.
        totals_factors: what each frame was multiplied by to keep its total; empty where totals are not kept.
    """

    voxels: np.ndarray
    denoising: Denoising
    limit: int
    notes: tuple[str, ...] = ()
    totals_factors: tuple[float, ...] = ()


def run_tiled(
    denoising: Denoising, voxels: np.ndarray, memory_gb: float | None, progress: Callable[[float], None]
) -> Run:
    """Restore a study window by window.

    Where the device's memory runs out all the same, it is begun again with windows of half the size, which a note says:
    voxels may then differ by rounding. When even the smallest window is too large for a device, the CPU takes over.

    Args:
        denoising: what restores a window.
        voxels: ``(frames, slices, rows, columns)``, as the method is to see them.
        memory_gb: most working memory of a window; None for the device's default.
        progress: called before each window with the fraction done; what it raises ends the run.

    Raises:
        OutOfMemory: a window needs more than ``memory_gb``, or not even the smallest fits into the CPU's memory.
        MedRestoreError: the method returned values that are not numbers.
    """
    notes: list[str] = []
    limit = window_voxels(denoising, voxels.shape, memory_gb)
    while True:
        try:
            return Run(in_windows(denoising, voxels, limit, progress), denoising, limit, tuple(notes))
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise
        # Not before the error, whose traceback holds on to the memory, is forgotten.
        devices.release(denoising.device)
        place = denoising.device.type
        half = max(_seen(denoising, window) for window in _windows(denoising, voxels.shape, limit)) // 2
        try:
            _windows(denoising, voxels.shape, half)
        except OutOfMemory:
            if place == "cpu":
                raise
            notes.append(f"Memory ran out on {place} even with the smallest tiles: went on on the CPU.")
            denoising = replace(denoising, device=devices.resolve("cpu"))
            limit = window_voxels(denoising, voxels.shape, memory_gb)
        else:
            notes.append(f"Memory ran out on {place}: started again with tiles of half the size.")
            limit = half


def window_voxels(denoising: Denoising, shape: tuple[int, ...], memory_gb: float | None) -> int:
    """How many voxels a window of a study of this shape may read.

    As many as the device's usual memory holds. Only a method that gives the same bytes in windows of any size takes
    smaller ones within ``memory_gb``.

    Raises:
        OutOfMemory: a window of another method needs more than ``memory_gb``.
    """
    method = denoising.method
    default = devices.DEFAULT_MEMORY_GB[denoising.device.type]
    usual = method.voxels_within(max(default, method.window_gb))
    if not method.window_gb:
        usual = min(usual, MOST_VOXELS // denoising.factor**2)
    if memory_gb is None:
        return usual
    if method.stencil:
        return min(method.voxels_within(memory_gb), usual)
    largest = max(_seen(denoising, window) for window in _windows(denoising, shape, usual))
    if largest > method.voxels_within(memory_gb):
        needed = (method.least_bytes + largest * method.bytes_per_voxel) / 1e9
        raise OutOfMemory(
            f"{method.id} needs {needed:.2g} GB for a tile of this study, and {memory_gb:g} are allowed; raise the "
            "limit or choose a lighter method such as adf.",
            field="memory_gb",
        )
    return usual


def windows(shape: tuple[int, ...], reach: tuple[int, ...], align: int, limit: int) -> list[Window]:
    """Windows whose cores cover ``shape`` exactly once, each reading at most ``limit`` voxels.

    Args:
        shape: size along each axis.
        reach: along each axis; 0 where positions are independent, as in a stack: such axes are cut first.
        align: windows and cores start at multiples of this along axes with a reach, on the method's grid of blocks.
        limit: most voxels a window may read.

    Raises:
        OutOfMemory: even the smallest window reads more than ``limit``.

    >>> [w.core[0] for w in windows((5, 8, 8), (0, 2, 2), 1, 128)]
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    cores = list(shape)
    # A window's origin is a multiple of align too, or its grid of blocks would not be the whole image's.
    reach = tuple(_rounded_up(r, align) for r in reach)

    def read_sizes() -> list[int]:
        return [min(size, core + 2 * r) for size, core, r in zip(shape, cores, reach, strict=True)]

    while math.prod(read_sizes()) > limit:
        free = [axis for axis, r in enumerate(reach) if r == 0 and cores[axis] > 1]
        smaller = {axis: _next_core(shape[axis], cores[axis], align) for axis, r in enumerate(reach) if r > 0}
        bound = [axis for axis, core in smaller.items() if core < cores[axis]]
        if free:
            axis = max(free, key=lambda a: cores[a])
            rest = math.prod(read_sizes()) // cores[axis]
            cores[axis] = max(1, min(cores[axis] - 1, limit // rest))
        elif bound:
            axis = max(bound, key=lambda a: cores[a])
            cores[axis] = smaller[axis]
        else:
            raise OutOfMemory(
                f"the memory limit allows {limit:,} voxels at a time, the smallest tile needs "
                f"{math.prod(read_sizes()):,}; raise the limit or choose a lighter method such as adf.",
                field="memory_gb",
            )
    return list(_cut(shape, reach, cores))


def in_windows(denoising: Denoising, voxels: np.ndarray, limit: int, progress: Callable[[float], None]) -> np.ndarray:
    """A study restored in windows that read at most ``limit`` voxels; otherwise as ``run_tiled``."""
    factor = denoising.factor
    *planes, rows, columns = voxels.shape
    restored = np.empty((*planes, factor * rows, factor * columns), voxels.dtype)  # in C order: cut from a view
    done = 0
    source, target = (_stacked(denoising, values) for values in (voxels, restored))
    for window in _windows(denoising, voxels.shape, limit):
        progress(done / restored.size)
        noisy, finer = source[window.read], window.enlarged(factor)
        if denoising.basis is not None:
            clean = denoising(noisy, _within(progress, done, target[finer.core].size, restored.size))
        elif denoising.dimensions == 2:
            clean = denoising(noisy)
        else:  # frames are cut first, so a window may still hold several
            clean = np.stack([denoising(one) for one in noisy])
        target[finer.core] = clean[finer.inner]
        done += target[finer.core].size
    return restored


def _within(progress: Callable[[float], None], done: int, share: int, whole: int) -> Callable[[float], None]:
    """Told the fraction of a part, ``progress`` hears that of the whole."""
    return lambda fraction: progress((done + fraction * share) / whole)


def _stacked(denoising: Denoising, voxels: np.ndarray) -> np.ndarray:
    """A view in the shape that windows are cut from: ``(planes, rows, columns)`` in two dimensions."""
    if denoising.basis is not None:
        return voxels
    return voxels.reshape(-1, *voxels.shape[2:]) if denoising.dimensions == 2 else voxels


def _windows(denoising: Denoising, shape: tuple[int, ...], limit: int) -> list[Window]:
    """Windows of a study ``(frames, slices, rows, columns)``."""
    reach = denoising.reach
    if denoising.basis is not None:
        return _of_all_frames(denoising, shape, limit)
    if denoising.dimensions == 2:
        return windows((shape[0] * shape[1], *shape[2:]), (0, reach, reach), denoising.method.align, limit)
    return windows(shape, (0, reach, reach, reach), denoising.method.align, limit)


def _of_all_frames(denoising: Denoising, shape: tuple[int, ...], limit: int) -> list[Window]:
    """Windows with all frames of a place. The method sees one component at a time, but all must be held."""
    frames, *grid = shape
    reach, method = denoising.reach, denoising.method
    least = 1 + HELD_BYTES * frames / method.bytes_per_voxel
    deep = reach if denoising.dimensions == 3 else 0
    every = slice(0, frames)
    cut = windows(tuple(grid), (deep, reach, reach), method.align, int(limit / least))
    return [Window((every, *one.read), (every, *one.core)) for one in cut]


def _seen(denoising: Denoising, window: Window) -> int:
    """How many voxels the method sees at once, or memory holds as if it did."""
    if denoising.basis is None:
        return window.size
    frames = len(denoising.basis)
    return int(window.size / frames + HELD_BYTES * window.size / denoising.method.bytes_per_voxel)


def _cut(shape: tuple[int, ...], reach: tuple[int, ...], cores: list[int]) -> Iterator[Window]:
    axes = [
        [
            (slice(max(0, start - r), min(size, start + core + r)), slice(start, min(size, start + core)))
            for start in range(0, size, core)
        ]
        for size, core, r in zip(shape, cores, reach, strict=True)
    ]
    for spans in itertools.product(*axes):
        yield Window(read=tuple(s[0] for s in spans), core=tuple(s[1] for s in spans))


def _next_core(size: int, core: int, align: int) -> int:
    """The next smaller core that shares ``size`` out evenly, or ``core`` itself when it is as small as is sensible."""
    count = math.ceil(size / core)
    smallest = _rounded_up(SMALLEST_CORE, align)
    while core > smallest:
        count += 1
        even = max(smallest, _rounded_up(math.ceil(size / count), align))
        if even < core:
            return even
    return core


def _rounded_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
