"""Does enlarging help to recognise what a frame shows? The video super-resolution paper's classification, and its leak.

The paper's 37 classes are its 37 test videos, and other frames of each video are trained on: it is asked which video a
frame belongs to. Here a frame is given what is known of the most similar of the others, once among other frames of all
clips (the paper's split: its neighbours in time are there), once among clips of other people. Nothing is learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ..data import reduced
from ..data.clips import BURSTS, Clips
from ..recipe import RecipeError
from ..tables.results import Result, Values
from .clips import Enlarger, enlarger
from .protocols import HeldOut

FACTOR = 2
SHOWN, ASKED = (3, 9), (4, 10)  # places in a burst of frames that are compared with, and of those that are asked for
HELD_OUT = ("validation", "test")  # clips that are asked for; those of the other people are in the split "train"
HEALTHY = "Reg"  # how names of clips of healthy lungs begin
SIDE = 16  # pixels of a thumbnail
OCTAVES = 4


class Clip(NamedTuple):
    """Features of a clip's frames, ``(frames, features)``: of those SHOWN, and of those ASKED."""

    name: str
    held_out: bool
    shown: np.ndarray
    asked: np.ndarray


def thumbnail(image: np.ndarray) -> np.ndarray:
    """The image at SIDE x SIDE pixels: where is something bright?"""
    rows, columns = (np.linspace(0, length, SIDE + 1).astype(int)[:-1] for length in image.shape)
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
    pixels = np.outer(
        *(np.diff([*starts, length]) for starts, length in zip((rows, columns), image.shape, strict=True))
    )
    return (sums / pixels).ravel()


def texture(image: np.ndarray) -> np.ndarray:
    """Logarithms of the standard deviations in OCTAVES bands, the finest of which enlarging has to invent."""
    blurred = [image, *(ndimage.gaussian_filter(image, 2.0**octave / 2) for octave in range(OCTAVES))]
    return np.log([np.std(fine - coarse) + 1e-4 for fine, coarse in pairwise(blurred)])


FEATURES = {"thumbnail": thumbnail, "texture": texture}


def described(source: Clips, enlarge: Enlarger | None) -> dict[str, list[Clip]]:
    """Every clip by each of FEATURES: its frames reduced and enlarged by a method, or as they are."""
    found: dict[str, list[Clip]] = {name: [] for name in FEATURES}
    for split in ("train", *HELD_OUT):
        for id in source.patients(split):
            _, bursts = source.bursts(id)
            images = [
                [_image(bursts[burst], place, enlarge) for burst in range(BURSTS) for place in places]
                for places in (SHOWN, ASKED)
            ]
            for name, describe in FEATURES.items():
                shown, asked = (np.stack([describe(image) for image in of]) for of in images)
                found[name].append(Clip(source.name(id), split in HELD_OUT, shown, asked))
    return found


def _image(frames: np.ndarray, place: int, enlarge: Enlarger | None) -> np.ndarray:
    if enlarge is None:
        return frames[place]
    return np.clip(enlarge(reduced.eight_bits(reduced.resized(frames, FACTOR)), place), 0, 1)


def recognised(clips: Sequence[Clip]) -> dict[str, dict[str, float]]:
    """Question → held-out clip → share of its frames for which the answer is right.

    - ``video, frames apart``: the paper's question: which clip is this? Chance is one in all clips;
    - ``healthy or ill, frames apart`` and ``healthy or ill, people apart``: of what kind is the most similar frame?

    >>> one, other = (Clip(name, True, *np.full((2, 1, 1), place)) for name, place in (("a", 0), ("b", 9)))
    >>> recognised([one, other])["video, frames apart"]
    {'a': 1.0, 'b': 1.0}
    """
    others = [clip for clip in clips if not clip.held_out]
    answers: dict[str, dict[str, float]] = {}
    for clip in (clip for clip in clips if clip.held_out):

        def put(question: str, right: list[bool], name: str = clip.name) -> None:
            answers.setdefault(question, {})[name] = float(np.mean(right))

        near = _nearest(clip.asked, clips)
        put("video, frames apart", [name == clip.name for name in near])
        put("healthy or ill, frames apart", [_ill(name) == _ill(clip.name) for name in near])
        if others:
            far = _nearest(clip.asked, others)
            put("healthy or ill, people apart", [_ill(name) == _ill(clip.name) for name in far])
    return answers


def _nearest(asked: np.ndarray, clips: Sequence[Clip]) -> list[str]:
    """The name of the clip that holds the frame most similar to each."""
    distances = [np.square(asked[:, None] - clip.shown[None]).sum(axis=2).min(axis=1) for clip in clips]
    return [clips[at].name for at in np.argmin(distances, axis=0)]


def _ill(name: str) -> bool:
    return not name.startswith(HEALTHY)


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method, or for "frames": the frames themselves. Raises RecipeError."""
    source = test.source
    if not isinstance(source, Clips):
        raise RecipeError("recognition is measured on clips; take --data student_x2.")
    source.prepare()
    for name in names:
        found = described(source, None if name == "frames" else enlarger(name, FACTOR))
        values: Values = {}
        for feature, clips in found.items():
            for question, shares in recognised(clips).items():
                values.setdefault("right", {})[f"{feature}, {question}"] = shares
        about = {"data": source.clips_key, "split": "validation, test", "clips": sum(clip.held_out for clip in clips)}
        yield Result("recognition", "reduced", Path(name).name, values, 0, about)
