"""What a compressed picture says of itself, before a decoder is trusted with it."""

from __future__ import annotations

import struct
from typing import NamedTuple

STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # JPEG and JPEG-LS; JPEG 2000
_FRAME_MARKERS = {*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7}


class Picture(NamedTuple):
    """Size and components that a codestream declares."""

    rows: int
    columns: int
    components: int


def declared(code: bytes) -> Picture | None:
    """What a JPEG, JPEG-LS or JPEG 2000 codestream declares; None when it is no such thing, or damaged."""
    try:
        if code.startswith(STARTS[1]):
            x, y, left, top = struct.unpack_from(">4I", code, 8)
            return Picture(y - top, x - left, struct.unpack_from(">H", code, 40)[0])
        if code.startswith(STARTS[0]):
            return _jpeg(code)
    except struct.error:
        return None
    return None


def _jpeg(code: bytes) -> Picture | None:
    at = 2
    while at + 4 <= len(code) and code[at] == 0xFF:
        marker = code[at + 1]
        if marker in _FRAME_MARKERS:
            rows, columns, components = struct.unpack_from(">HHB", code, at + 5)
            return Picture(rows, columns, components)
        if marker == 0xFF:
            at += 1
        elif marker == 0xDA:
            return None
        else:
            at += 2 + struct.unpack_from(">H", code, at + 2)[0]
    return None
