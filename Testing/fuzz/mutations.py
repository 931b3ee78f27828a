"""Damage done to files: the same seed does the same damage."""

from __future__ import annotations

import numpy as np

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEADER = 600  # bytes at the beginning that half of the damage is done to


def mutate(data: bytes, seed: int) -> tuple[str, bytes]:
    """What was done to ``data``, and the damaged bytes."""
    rng = np.random.default_rng(seed)
    kind = ("flip", "flip", "several", "number", "number", "cut", "remove", "repeat", "insert", "zeros")[seed % 10]
    at = int(rng.integers(min(_HEADER, len(data)) if rng.random() < 0.5 else len(data)))
    changed = bytearray(data)
    length = int(rng.integers(1, 64))
    if kind == "flip":
        changed[at] ^= 1 << int(rng.integers(8))
    elif kind == "several":
        for place in rng.integers(len(data), size=int(rng.integers(2, 20))):
            changed[place] = int(rng.integers(256))
    elif kind == "number":
        width = int(rng.choice([2, 4, 8]))
        value = int(rng.choice(_EXTREMES)) & ((1 << 8 * width) - 1)
        changed[at : at + width] = value.to_bytes(width, "little" if rng.random() < 0.5 else "big")
    elif kind == "cut":
        del changed[int(rng.integers(1, len(data))) :]
    elif kind == "remove":
        del changed[at : at + length]
    elif kind == "repeat":
        changed[at:at] = changed[at : at + length]
    elif kind == "insert":
        changed[at:at] = rng.bytes(length)
    else:
        changed[at : at + length] = bytes(min(length, len(data) - at))
    return kind, bytes(changed)
