"""The voxels of a file as bytes: as many as its header declares, or an error before they are asked for.

A header may be damaged or hostile. What it declares is compared with the size of the file, and with what the caller
allows, before memory is taken.
"""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import UnsupportedImage

_DEFLATE_LIMIT = 1032  # zlib's largest expansion; see zlib.net, "zlib technical details"
_EXPANSIONS = {"raw": 1, "bzip2": 10**6, "hex": 0.5, "text": 4}  # a digit and a space may be a number of 8 bytes
_SMALL = 2e9  # bytes that any file may take
_USUAL_EXPANSION = 50  # and how many times its own size a larger one may take: uint8 compressed tenfold comes to 50
_CHUNK = 1 << 22
_REST = 1 << 26  # bytes behind the voxels that are unpacked in search of the check sum


@dataclass(frozen=True)
class Budget:
    """How much memory reading may take: what files usually need, or ``memory_gb`` if the caller allows more."""

    memory_gb: float | None = None

    def allowed(self, *paths: Path) -> float:
        """Bytes that the voxels of these files may take."""
        usual = _USUAL_EXPANSION * sum(path.stat().st_size for path in paths)
        return max(_SMALL, usual, 1e9 * (self.memory_gb or 0.0))

    def demand(self, path: Path | Sequence[Path], shape: Sequence[int], itemsize: int, components: int = 1) -> None:
        """Raise UnsupportedImage if an image of ``shape`` in these files needs more: as stored, and as float32."""
        voxels = math.prod(int(size) for size in shape)
        needed = voxels * (components * itemsize + 4 * components + (4 if components > 1 else 0))
        paths = [path] if isinstance(path, Path) else path
        if needed > self.allowed(*paths):
            raise UnsupportedImage(
                f"{paths[0]} declares {' x '.join(map(str, shape))} voxels, which need {needed / 1e9:.1f} GB; "
                "if that is right, allow as much memory.",
                field="memory_gb",
            )


def truncated(path: Path, declared: int, there: int) -> UnsupportedImage:
    """The error for a file that holds fewer bytes of voxels than its header declares."""
    return UnsupportedImage(
        f"{path} is truncated: its header declares {declared} bytes of voxels, {there} are there; fetch it again."
    )


def demand_possible(path: Path, there: int, count: int, encoding: str = "raw") -> None:
    """Raise UnsupportedImage where ``there`` bytes of a file cannot be ``count`` bytes of voxels."""
    if count <= there * _EXPANSIONS.get(encoding, _DEFLATE_LIMIT):
        return
    if encoding == "raw":
        raise truncated(path, count, there)
    raise UnsupportedImage(
        f"{path} is truncated: its header declares {count} bytes of voxels, more than its {there} bytes can unpack to; "
        "fetch it again."
    )


def read_voxels(stream: BinaryIO, count: int, path: Path, encoding: str, dtype: np.dtype) -> np.ndarray:
    """``count`` bytes of voxels from where ``stream`` stands.

    Args:
        encoding: "raw"; compressed by "gzip", "zlib" or "bzip2"; as digits, two a byte ("hex") or as numbers ("text").
        dtype: of the voxels.

    Raises:
        UnsupportedImage: fewer are there, or they are damaged.
    """
    here = stream.tell()
    there = stream.seek(0, 2) - here
    stream.seek(here)
    demand_possible(path, there, count, encoding)
    if encoding in ("hex", "text"):
        return _spelt(stream.read(), count, path, encoding, dtype)
    opened: Any = stream
    if encoding == "gzip":
        opened = gzip.GzipFile(fileobj=stream)
    elif encoding == "zlib":
        opened = _Inflated(stream)
    elif encoding == "bzip2":
        opened = bz2.BZ2File(stream)
    voxels = fill(opened, count, path)
    if opened is not stream:
        rest(opened, path, _REST)
    return voxels


def rest(stream: Any, path: Path, most: int) -> int:
    """How many bytes follow in an open stream; ``most`` if there are as many.

    Compressed data end in a check sum, which is compared where their end is found.

    Raises:
        UnsupportedImage: the compressed data are damaged, or end too soon.
    """
    left = most
    try:
        while left and (piece := stream.read(min(_CHUNK, left))):
            left -= len(piece)
    except EOFError as error:
        raise UnsupportedImage(f"{path} is truncated: its compressed data have no end; fetch it again.") from error
    except gzip.BadGzipFile as error:
        if "CRC" in str(error) or "length" in str(error):
            raise _corrupt(path) from error  # else something that is not compressed follows
    except (zlib.error, OSError) as error:
        raise _corrupt(path) from error
    return most - left


def _corrupt(path: Path) -> UnsupportedImage:
    return UnsupportedImage(f"the compressed voxels of {path} are damaged; fetch it again.")


def _spelt(text: bytes, count: int, path: Path, encoding: str, dtype: np.dtype) -> np.ndarray:
    """Voxels that are spelt out, as bytes."""
    try:
        if encoding == "hex":
            data = np.frombuffer(bytes.fromhex(text.decode("ascii")), np.uint8)
        else:
            words = np.array(text.split()[: count // dtype.itemsize])
            exact = words.astype(np.float64 if dtype.kind == "f" else np.int64)
            voxels = exact.astype(dtype)
            if dtype.kind != "f" and not np.array_equal(voxels, exact):
                raise ValueError
            data = voxels.view(np.uint8)
    except (ValueError, OverflowError) as error:
        raise UnsupportedImage(f"the voxels of {path} are damaged: not all of them are numbers.") from error
    if data.size < count:
        raise truncated(path, count, data.size)
    return data[:count]


def fill(stream: Any, count: int, path: Path) -> np.ndarray:
    """Exactly ``count`` bytes of an open stream, as an array of uint8."""
    voxels = np.empty(count, np.uint8)  # pages are taken as they are filled
    done = 0
    try:
        while done < count:
            piece = stream.read(min(_CHUNK, count - done))
            if not piece:
                raise truncated(path, count, done)
            voxels[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
    except EOFError as error:  # what came before the end is lost with it
        raise UnsupportedImage(
            f"{path} is truncated: its compressed data end before {count} bytes of them are unpacked; fetch it again."
        ) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise _corrupt(path) from error
    return voxels


class _Inflated:
    """A zlib stream as a file that is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._inflater = stream, zlib.decompressobj()

    def read(self, count: int) -> bytes:
        while not self._inflater.eof:
            data = self._inflater.unconsumed_tail or self._stream.read(1 << 16)
            if piece := self._inflater.decompress(data, count):
                return piece
            if not data and not self._inflater.eof:
                raise EOFError
        return b""
