"""Windows of six frames of clips, enlarged by a student and moved onto one of them: what their fusion is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from MedRestoreLib import weights

from . import SPLITS, disk, reduced
from .clips import LENGTH, REACH, TRIES, Clips
from .registration import register

BEFORE, AFTER = 2, 3  # frames of a window beside the reference
REFERENCES = (4, 10)  # frames of a burst that are references


class Neighbours(Clips):
    """``Clips`` with ``enlarged``, float32 ``(6, rows, columns)``: the reference first, then its neighbours.

    Args:
        cache: folder that holds the frames as stored.
        student: weights that ship, which enlarge each frame.
        patch: side of the square patches, pixels; a multiple of the student's factor.
        key: of the data that an earlier training used.
    """

    def __init__(self, cache: Path, *, student: str, patch: int = 96, key: str = "") -> None:
        self.student = weights.find(student)
        super().__init__(cache, patch=patch, shares=(1, 0, 0))
        self.key = hashlib.sha256(f"{self.key} {self.student.sha256}".encode()).hexdigest()[:12]
        self.windows = self.folder / f"enlarged-{self.student.sha256[:12]}"

    @classmethod
    def origin(cls, **arguments: object) -> object:
        return super().origin(shares=(1, 0, 0))

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        super().prepare(splits)
        network = None
        self.windows.mkdir(exist_ok=True)
        for id in (id for split in splits for id in self.patients(split)):
            if not self._window_file(id).exists():
                network = network or self.student.load()
                stacks = [window(frames, network) for frames, _ in self.frames_of(id)]
                disk.save(self._window_file(id), np.stack(stacks).astype(np.float16))

    def frames_of(self, id: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Each window of a clip, the reference first, ``(6, rows, columns)``; and the mask of tissue."""
        tissue, bursts = self.bursts(id)
        for burst in bursts:
            for at in REFERENCES:
                order = [at, *range(at - BEFORE, at), *range(at + 1, at + AFTER + 1)]
                yield burst[order], tissue

    def enlarged(self, id: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Each window of a clip: enlarged ``(6, rows, columns)``, the true reference, and the mask of tissue."""
        for stack, (frames, tissue) in zip(np.load(self._window_file(id)), self.frames_of(id), strict=True):
            yield stack.astype(np.float32), frames[0], tissue

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch of ``clean`` and of ``enlarged``, mirrored from left to right by chance."""
        ids = self.patients("train")
        id = ids[rng.integers(len(ids))]
        layers = np.load(self._stored(id), mmap_mode="r")
        stacks = np.load(self._window_file(id), mmap_mode="r")
        number = rng.integers(len(stacks))
        burst, reference = divmod(number, len(REFERENCES))
        frame = 1 + burst * LENGTH + REFERENCES[reference]
        factor = self.student.arguments["factor"]
        for _ in range(TRIES):
            place = [factor * int(rng.integers((side - self.patch) // factor + 1)) for side in layers.shape[1:]]
            cut = tuple(slice(begin, begin + self.patch) for begin in place)
            if layers[(0, *cut)].mean() >= REACH:
                break
        across = rng.choice((1, -1))
        clean = layers[(frame, *cut)][:, ::across] / np.float32(255)
        return {
            "clean": np.ascontiguousarray(clean),
            "enlarged": np.ascontiguousarray(stacks[(number, slice(None), *cut)][..., ::across], np.float32),
        }

    def _window_file(self, id: int) -> Path:
        return self.windows / self._stored(id).name


def window(frames: np.ndarray, network: torch.nn.Module) -> np.ndarray:
    """Frames ``(T, rows, columns)``, the reference first, reduced, enlarged by ``network`` and moved onto the first."""
    small = reduced.eight_bits(reduced.resized(reduced.cut(frames, network.factor), network.factor))
    with torch.inference_mode():
        enlarged = network(torch.from_numpy(small)[:, None])[:, 0].numpy()
    return np.concatenate((enlarged[:1], register(enlarged[1:], enlarged[0]).frames))
