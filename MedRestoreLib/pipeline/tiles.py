"""Cut a study into windows that fit in memory, so that nobody can tell it was cut.

A window is read with a margin (halo) as wide as the method's reach and only its core is kept, so a tiled result equals
the untiled one: no blending, no seam. Cores start at multiples of the method's block grid (align).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import OutOfMemory

# A core much smaller than its margins costs more than it saves.
SMALLEST_CORE = 16


@dataclass(frozen=True)
class Window:
    """What to read and which part of it to keep, as slices into the whole array."""

    read: tuple[slice, ...]
    core: tuple[slice, ...]

    @property
    def inner(self) -> tuple[slice, ...]:
        """The core as slices into what was read."""
        return tuple(slice(c.start - r.start, c.stop - r.start) for r, c in zip(self.read, self.core, strict=True))


def windows(shape: tuple[int, ...], halo: tuple[int, ...], align: int, limit: int) -> list[Window]:
    """Windows whose cores cover ``shape`` exactly once, each reading at most ``limit`` voxels.

    Args:
        shape: size along each axis.
        halo: least margin along each axis; 0 where positions are independent, as in a stack: such axes are cut first.
        align: windows and cores start at multiples of this along axes with a halo.
        limit: most voxels a window may read.

    Raises:
        OutOfMemory: even the smallest window reads more than ``limit``.

    >>> [w.core[0] for w in windows((5, 8, 8), (0, 2, 2), 1, 128)]
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    cores = list(shape)
    # A window's origin is a multiple of align too, or its block grid would not be the whole image's.
    halo = tuple(_rounded_up(h, align) for h in halo)

    def read_sizes() -> list[int]:
        return [min(size, core + 2 * h) for size, core, h in zip(shape, cores, halo, strict=True)]

    while math.prod(read_sizes()) > limit:
        free = [axis for axis, h in enumerate(halo) if h == 0 and cores[axis] > 1]
        smaller = {axis: _next_core(shape[axis], cores[axis], align) for axis, h in enumerate(halo) if h > 0}
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
                f"the memory limit allows {limit:,} voxels at a time, the smallest piece needs "
                f"{math.prod(read_sizes()):,}; raise the limit (--memory) or choose a lighter method such as adf."
            )
    return list(_windows(shape, halo, cores))


def _windows(shape: tuple[int, ...], halo: tuple[int, ...], cores: list[int]) -> Iterator[Window]:
    axes = [
        [
            (slice(max(0, start - h), min(size, start + core + h)), slice(start, min(size, start + core)))
            for start in range(0, size, core)
        ]
        for size, core, h in zip(shape, cores, halo, strict=True)
    ]
    for parts in itertools.product(*axes):
        yield Window(read=tuple(p[0] for p in parts), core=tuple(p[1] for p in parts))


def _next_core(size: int, core: int, align: int) -> int:
    """The next smaller core that shares ``size`` out evenly, or ``core`` itself when it is as small as is sensible."""
    pieces = math.ceil(size / core)
    smallest = _rounded_up(SMALLEST_CORE, align)
    while core > smallest:
        pieces += 1
        even = max(smallest, _rounded_up(math.ceil(size / pieces), align))
        if even < core:
            return even
    return core


def _rounded_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
