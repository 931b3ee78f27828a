"""Pictures and videos that end before they should: what a file's own structure declares, against its size.

Decoders fill what is missing with grey, or stop without a word.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import UnsupportedImage

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_STRIPS, _STRIP_LENGTHS, _TILES, _TILE_LENGTHS = 273, 279, 324, 325
_TIFF_TAGS = (_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _STRIPS, _STRIP_LENGTHS, _TILES, _TILE_LENGTHS)
_EXPANSION = 1 << 14  # more than any codec of TIFF makes of a byte


def demand_whole(path: Path) -> None:
    """Raise UnsupportedImage where a PNG, BMP, JPEG, TIFF, AVI, MP4, QuickTime or Matroska file is cut short.

    MPEG streams declare no length. The chunks of a PNG carry check sums, which must be right, too.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(16)
        stream.seek(0)
        try:
            end = _declared_end(start, stream, size)
        except (struct.error, IndexError):
            end = size + 1
    if end > size:
        raise UnsupportedImage(f"{path} is truncated or damaged: its parts do not end where it ends; fetch it again.")


def _declared_end(start: bytes, stream: BinaryIO, size: int) -> int:
    if start[:4] == b"\x89PNG":
        return _png_end(stream, size)
    if start[:2] == b"BM":
        return _bmp_end(stream)
    if start[:3] == b"\xff\xd8\xff":
        return _jpeg_end(stream, size)
    if start[:4] in (b"II*\0", b"MM\0*"):
        return max(_tiff_ends(stream, "<" if start[:1] == b"I" else ">", size))
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return 8 + struct.unpack("<I", start[4:8])[0]
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return _boxes_end(stream, size)
    if start[:4] == b"\x1aE\xdf\xa3":
        return _matroska_end(stream)
    return 0


def _png_end(stream: BinaryIO, size: int) -> int:
    """Where the last chunk ends; beyond the file where one is damaged or the last one is missing."""
    stream.seek(8)
    while head := stream.read(8):
        length, kind = struct.unpack(">I4s", head)
        if length > size:
            return stream.tell() + length
        data = stream.read(length)
        if struct.unpack(">I", stream.read(4))[0] != zlib.crc32(kind + data):
            return size + 1
        if kind == b"IEND":
            return stream.tell()
    return size + 1


def _bmp_end(stream: BinaryIO) -> int:
    header = stream.read(54)
    offset, length, width, height = struct.unpack_from("<IIii", header, 10)
    if length < 40:  # the oldest form, of 16-bit sizes
        width, height = struct.unpack_from("<HH", header, 18)
        bits, compression, declared = struct.unpack_from("<H", header, 24)[0], 0, 0
    else:
        bits, compression, declared = struct.unpack_from("<HII", header, 28)
    if compression not in (0, 3):
        return offset + declared
    return offset + (width * bits + 31) // 32 * 4 * abs(height)


def _jpeg_end(stream: BinaryIO, size: int) -> int:
    """The file's size where the picture's end marker stands behind its data, else one byte more."""
    data = stream.read()
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xDA:  # start of scan
            return size if data.find(b"\xff\xd9", at) >= 0 else size + 1
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return size + 1


def _tiff_ends(stream: BinaryIO, order: str, size: int) -> Iterator[int]:
    """Where each page's table and each of its strips or tiles ends; beyond the file where they are too few."""
    seen = set()
    (at,) = struct.unpack(f"{order}I", stream.read(8)[4:])
    yield 8
    while at and at not in seen:
        seen.add(at)
        stream.seek(at)
        (count,) = struct.unpack(f"{order}H", stream.read(2))
        table = stream.read(12 * count + 4)
        yield at + 2 + 12 * count + 4
        tags = dict(_tiff_tags(stream, order, table, count))
        lengths = tags.get(_STRIP_LENGTHS) or tags.get(_TILE_LENGTHS) or (0,)
        starts = tags.get(_STRIPS) or tags.get(_TILES) or (0,)
        yield from (a + n for a, n in zip(starts, lengths, strict=False))
        width, height, bits = (tags.get(tag, (1,))[0] for tag in (_WIDTH, _HEIGHT, _BITS))
        samples, compression = tags.get(_SAMPLES, (1,))[0], tags.get(_COMPRESSION, (1,))[0]
        most = sum(lengths) * (1 if compression == 1 else _EXPANSION)
        yield size + 1 if width * height * samples * bits // 8 > most else 0
        (at,) = struct.unpack_from(f"{order}I", table, 12 * count)


def _tiff_tags(stream: BinaryIO, order: str, table: bytes, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The whole numbers of a page's table that say how it is stored."""
    sizes = {1: "B", 3: "H", 4: "I"}
    for entry in range(count):
        tag, kind, number = struct.unpack_from(f"{order}HHI", table, 12 * entry)
        if tag not in _TIFF_TAGS or kind not in sizes:
            continue
        width = number * struct.calcsize(sizes[kind])
        (where,) = struct.unpack_from(f"{order}I", table, 12 * entry + 8)
        stream.seek(where)
        raw = table[12 * entry + 8 : 12 * entry + 8 + width] if width <= 4 else stream.read(width)
        yield tag, struct.unpack(f"{order}{number}{sizes[kind]}", raw)


def _boxes_end(stream: BinaryIO, size: int) -> int:
    """Where the last of an MP4's top-level boxes ends; beyond the file where there is no index (moov)."""
    at, kinds = 0, set()
    while at < size:
        stream.seek(at)
        length, kind = struct.unpack(">I4s", stream.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", stream.read(8))
        elif length == 0:  # to the end
            length = size - at
        kinds.add(kind)
        if length < 8:
            break
        at += length
    return max(at, size) if b"moov" in kinds or b"moof" in kinds else max(at, size + 1)


def _matroska_end(stream: BinaryIO) -> int:
    """Where the segment ends, if it says."""
    stream.seek(4)
    length, width = _ebml(stream)
    stream.seek(4 + width + length + 4)
    length, width = _ebml(stream)
    return 0 if length == (1 << 7 * width) - 1 else stream.tell() + length


def _ebml(stream: BinaryIO) -> tuple[int, int]:
    """A number of variable width, and its width in bytes."""
    first = stream.read(1)[0]
    width = 9 - first.bit_length()
    rest = int.from_bytes(stream.read(width - 1), "big")
    return (first & ((1 << 8 - width) - 1)) << 8 * (width - 1) | rest, width
