"""The measures of the video super-resolution paper: IL-NIQE and entropy. And what they say of noise, as a control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import build
from ..data import WHITE, reduced
from ..data.clips import Clips
from ..recipe import RecipeError
from ..tables.results import Result, Values
from .clips import PLAIN, Case, Enlarger, cases, enlarger, entropy
from .il_niqe import il_niqe
from .protocols import HeldOut

ORGANS = ("lung", "muscle")
FACTOR = 2
NOISE = 10 / 255  # standard deviation of the control's noise
CONTROLS = ("frames", "noise")  # the frames themselves; their bicubic enlargement with white noise


def measure(name: str, found: Sequence[Case]) -> Values:
    """Of one frame of each clip: quantity → factor and organ → clip → number.

    - ``il_niqe``: lower is more natural; ``entropy``: bits, of the 8-bit image.

    Args:
        name: one of CONTROLS, or a method as in ``clips.enlarger``.
        found: clips.
    """
    enlarge = _control(name) or enlarger(name, FACTOR)
    values: Values = {}
    for case in found:
        place = case.places[-1]
        small = reduced.eight_bits(reduced.resized(case.frames, FACTOR))
        image = case.frames[place] if name == "frames" else np.clip(enlarge(small, place), 0, 1)
        for quantity, number in (("il_niqe", il_niqe(WHITE * image)), ("entropy", entropy(image))):
            values.setdefault(quantity, {}).setdefault(f"{FACTOR} {case.organ}", {})[case.name] = number
    return values


def _control(name: str) -> Enlarger | None:
    if name not in CONTROLS:
        return None
    bicubic, rng = enlarger("bicubic", FACTOR), np.random.default_rng(0)

    def noisy(small: np.ndarray, place: int) -> np.ndarray:
        image = bicubic(small, place)
        return image + NOISE * rng.standard_normal(image.shape).astype(np.float32)

    return noisy


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method or control. Raises RecipeError."""
    source = test.ready
    if not isinstance(source, Clips):
        raise RecipeError("naturalness is measured on clips; take --data student_x2.")
    found = [case for case in cases(source) if case.organ in ORGANS]
    for name in names:
        about: dict[str, Any] = {"data": source.clips_key, "split": "test", "clips": len(found)}
        if name not in (*PLAIN, *CONTROLS) and Path(name).is_dir():
            about |= {key: build.trained(name).about[key] for key in ("steps", "minutes")}
        yield Result("naturalness", "reduced", Path(name).name, measure(name, found), 0, about)
