"""Ultrasound frames, photographs and drawn scenes as one source: what blind enhancement is trained on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from training.recipe import RecipeError

from . import SPLITS, Origin
from .folder import Pictures
from .ultrasound import LIMITS, Ultrasound

FOLDERS = {"ultrasound/busi": 2, "ultrasound/hc18_half": 1, "ultrasound/infant_hip": 1}  # factor of reduction
PHOTOGRAPHS = "natural"
CREDIT = "photographs (CC0, wallpapers of Budgie, elementary and Oceanic); scenes drawn by code"
DRAWN_AT = 2  # times the size, so that edges of drawn things are smooth at the size of a pixel


class FramesAndPhotographs(Ultrasound):
    """Patches turned by any angle: of frames, with the despeckled frame beside it, of photographs and of drawn scenes.

    Breasts, fetal heads and hips of infants, each in its tenths of the splits. Frames are despeckled by NLLR once.
    Held-out patients are frames alone.

    Args:
        cache: folder that holds the frames as stored.
        patch: side of the square patches, pixels.
        frames: how many of each organ are trained on, at most; a tenth as many are held out for validation.
        tested: how many of each organ are held out for the test, at most.
        share: of photographs among the patches that are not drawn.
        drawn: share of drawn scenes, which alone have edges and points that no camera or scanner has blurred.
        folders: in place of these organs', absolute or below that of real studies; see ``Ultrasound``.
        photographs: folder of photographs, absolute or below that of real studies.
        key: of the data that an earlier training used.
    """

    def __init__(
        self,
        cache: Path,
        *,
        patch: int = 128,
        frames: int = 100,
        tested: int = 12,
        share: float = 0.5,
        drawn: float = 0.2,
        folders: list[str] | None = None,
        photographs: str = PHOTOGRAPHS,
        key: str = "",
    ) -> None:
        self.side, self.share, self.drawn = patch, share, drawn
        self.most = {"train": frames, "validation": max(1, frames // 10), "test": tested}
        window = math.ceil(patch * math.sqrt(2)) + 2  # a patch turned by any angle lies inside
        super().__init__(
            cache,
            folders=folders or list(FOLDERS),
            reduce=list(FOLDERS.values()) if folders is None else 1,
            patch=window,
            smooth=True,
        )
        self.photographs = Pictures(cache, folder=photographs, patch=window)
        all_of_it = (self.key, self.photographs.key, frames, share, drawn)
        self.key = hashlib.sha256(repr(all_of_it).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the frames or photographs are not those that the training began with.")

    @classmethod
    def origin(cls, *, folders: list[str] | None = None, **arguments: object) -> Origin:
        return Origin(f"{super().origin(folders=folders or list(FOLDERS)).data}; {CREDIT}", LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        super().prepare(splits)
        if "train" in splits and self.share:
            self.photographs.prepare(["train"])

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch: ``clean``, and of a frame also ``smooth``. Half are turned by any angle, half by right angles."""
        if rng.random() < self.drawn:
            return {"clean": scene(rng, self.side)}
        found = self.photographs.sample(rng) if rng.random() < self.share else super().sample(rng)
        angle = rng.uniform(0, 360) if rng.random() < 0.5 else 90 * rng.integers(4)
        return {name: _turned(found[name], angle, self.side) for name in ("clean", "smooth") if name in found}

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        """The first of each folder in every split, still mixed."""
        kept = {}
        for split, ids in super()._members.items():
            kept[split] = []
            seen = dict.fromkeys(self.folders, 0)
            for id in ids:
                folder = next(folder for folder in self.folders if self._files[id].is_relative_to(folder))
                seen[folder] += 1
                if seen[folder] <= self.most[split]:
                    kept[split].append(id)
        return kept


def scene(rng: np.random.Generator, side: int) -> np.ndarray:
    """Discs, bands, lines and points of any grey on a ground that may slope, ``(side, side)`` in [0, 1]."""
    import cv2

    size = side * DRAWN_AT
    row, column = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    slope = rng.normal(0, 0.2, 2)
    image = np.float32(rng.uniform(0, 0.5) ** 1.5 * 1.4) + np.float32(slope[0]) * row + np.float32(slope[1]) * column
    image = np.clip(image, 0, 1)

    def place() -> tuple[int, int]:
        return tuple(int(at) for at in rng.integers(0, size, 2))

    def grey() -> float:
        return float(rng.uniform(0, 1))

    for _ in range(rng.integers(0, 5)):
        axes = tuple(int(length) for length in rng.integers(4, size // 2, 2))
        cv2.ellipse(image, place(), axes, rng.uniform(0, 180), 0, 360, grey(), -1)
    for _ in range(rng.integers(0, 4)):
        cv2.line(image, place(), place(), grey(), int(rng.integers(1, 16)))
    for _ in range(rng.integers(0, 2) * rng.integers(1, 25)):
        cv2.circle(image, place(), int(rng.integers(1, 4 * DRAWN_AT)), float(rng.uniform(0.4, 1)), -1)
    return np.clip(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), 0, 1)


def _turned(image: np.ndarray, angle: float, side: int) -> np.ndarray:
    """The middle of ``image`` ``(rows, columns)`` turned by ``angle`` degrees, ``side`` x ``side``."""
    import cv2

    if angle % 90 == 0:
        image = np.rot90(image, angle // 90)
        top, left = ((length - side) // 2 for length in image.shape)
        return np.ascontiguousarray(image[top : top + side, left : left + side])
    rows, columns = image.shape
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), float(angle), 1.0)
    matrix[:, 2] += (side - 1) / 2 - np.array([(columns - 1) / 2, (rows - 1) / 2])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
