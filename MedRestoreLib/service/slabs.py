"""Arrays into and out of ``.npy`` files, slab by slab: neither a window nor a cancel waits for a whole study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import OutputError

SLAB_BYTES = 2 << 20  # copied in a millisecond or two


def write(path: Path, arrays: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype | str) -> Iterator[float]:
    """Write ``arrays``, ``shape[0]`` of them and each ``shape[1:]``, as one array; yields the fraction done.

    Raises:
        OutputError: there is no room, or no such folder.
    """
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": tuple(shape)}
    try:
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for number, array in enumerate(arrays):
                for slab, fraction in _slabs(array):
                    file.write(np.ascontiguousarray(slab).data)
                    yield (number + fraction) / shape[0]
    except OSError as error:
        raise OutputError(
            f"the study cannot be written to the temporary folder ({error.strerror}); make room on that disk."
        ) from error


def read(path: Path, arrays: Sequence[np.ndarray]) -> Iterator[float]:
    """Fill ``arrays`` with what `write` wrote of arrays like them; yields the fraction done.

    Raises:
        OutputError: the file is absent, shorter, or holds other arrays.
    """
    try:
        with open(path, "rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if shape != (len(arrays), *arrays[0].shape) or dtype != arrays[0].dtype:
                raise OutputError(f"the result has shape {shape} and type {dtype}, unlike what it is for.")
            for number, array in enumerate(arrays):
                for slab, fraction in _slabs(array):
                    buffer = slab if slab.flags.c_contiguous else np.empty(slab.shape, slab.dtype)
                    if file.readinto(buffer.data) != buffer.nbytes:
                        raise OutputError("the result is incomplete; restore the study again.")
                    if buffer is not slab:
                        slab[...] = buffer
                    yield (number + fraction) / len(arrays)
    except OSError as error:
        raise OutputError(f"the result cannot be read from the temporary folder ({error.strerror}).") from error


def _slabs(array: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Views of ``(slices, rows, ...)``, at most about ``SLAB_BYTES`` each, with the fraction done after each."""
    slices, rows = array.shape[:2]
    step = max(1, SLAB_BYTES * rows // max(1, array[0].nbytes))
    if step >= rows:  # whole slices
        step //= rows
        for start in range(0, slices, step):
            yield array[start : start + step], min(start + step, slices) / slices
        return
    for number, plane in enumerate(array):
        for start in range(0, rows, step):
            yield plane[start : start + step], (number + min(start + step, rows) / rows) / slices
