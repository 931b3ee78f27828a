"""Images that take long to make, by pilots that see them: each is made once, has a number and is kept on disk.

They are on the stabilised scale, where the noise has variance 1.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from . import SPLITS, disk

STEPS = 256  # of the stored integers per standard deviation of the noise


class Kept:
    """For sources to inherit from first, before a source of clean images.

    Attributes:
        kept: folder of the images.
        counts: how many each split has.
        processes: that make them; 0: one per core.
        what: verb and noun of the log's line.
    """

    kept: Path
    counts: dict[str, int]
    processes: int
    what: str

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        super().prepare(splits)  # type: ignore[misc]
        jobs = [(self, split, number) for split in splits for number in range(self.counts[split])]
        if missing := [job for job in jobs if not _file(*job).exists()]:
            disk.fill(self.kept, _make, missing, self.processes, self.what)

    def made(self, rng: np.random.Generator, split: str) -> Sequence[np.ndarray]:
        """Images of one shape that belong together, for instance a noisy one, its pilots and the clean one."""
        raise NotImplementedError

    def images(self, split: str, number: int) -> np.ndarray:
        """What ``made`` made of a number, stacked, float32."""
        return np.load(_file(self, split, number)).astype(np.float32) / np.float32(STEPS)

    def patch_of(self, rng: np.random.Generator, side: int) -> np.ndarray:
        """A square of one of the training split's images, ``(images, side, side)``, turned and flipped at random."""
        images = self.images("train", int(rng.integers(self.counts["train"])))
        row, column = (int(rng.integers(length - side + 1)) for length in images.shape[-2:])
        cut = images[:, row : row + side, column : column + side]
        return np.ascontiguousarray(np.rot90(cut, rng.integers(4), (1, 2))[:, :: rng.choice((1, -1))])


def _file(source: Kept, split: str, number: int) -> Path:
    return source.kept / f"{split}-{number:05d}.npy"


def _make(source: Kept, split: str, number: int) -> None:
    if multiprocessing.parent_process() is not None:  # the others have the other cores
        torch.set_num_threads(1)
    found = np.stack(source.made(np.random.default_rng((SPLITS.index(split), number)), split))
    integers = np.clip(np.rint(found * STEPS), -32768, 32767).astype(np.int16)
    disk.save(_file(source, split, number), integers)
