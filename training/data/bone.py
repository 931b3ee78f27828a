"""Simulated bone scans as a source of training patches: made once by a few processes, kept on disk, read in pieces.

One file a patient, 16-bit (the maximum 1 is 65535), so that a step costs no simulation and little memory.
"""

from __future__ import annotations

import ast
import hashlib
import io
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from MedRestoreLib.files import atomic
from training.data import SPLITS, Patient, data_folder
from training.recipe import RecipeError

WHITE = 65535
BLOCK = 16  # pixels: patches are centred on blocks drawn by their brightness
AIR = 0.02  # brightness added to every block's, so that air is drawn now and then
KINDS = ("whole_body", "chest_pelvis", "spect")
OF_SPLIT, OF_KIND = 1_000_000, 100_000  # a patient's number, which is its seed: split, kind, place
SIMULATION = Path(__file__).resolve().parent.parent / "simulate"


class BoneScans:
    """Views of simulated patients. A patient is a seed; the splits hold different seeds.

    Args:
        cache: folder that holds the views.
        patients: patients for each kind of view, in the training split.
        held_out: patients for each kind in the validation split, and in the test split.
        patch: side of the square patches, pixels.
        on_lesions: share of the patches that are centred near a lesion, where the view has one.
        phantoms: folder of the ICRP 110 and XCAT phantoms; where it is "", ``nuclear/phantoms`` in
            ``training.data.data_folder()``.
        key: of the data that an earlier training used, though the simulator may have changed since.
        processes: that simulate at the same time.
    """

    def __init__(
        self,
        cache: Path,
        *,
        patients: dict[str, int],
        held_out: int = 24,
        patch: int = 128,
        on_lesions: float = 0.0,
        phantoms: str = "",
        key: str = "",
        processes: int = 2,
    ) -> None:
        if unknown := set(patients) - set(KINDS):
            raise RecipeError(f"there are no views of kind '{unknown.pop()}'; there are {', '.join(KINDS)}.")
        self.counts = {KINDS.index(kind): count for kind, count in patients.items() if count}
        self.held_out, self.patch, self.processes = held_out, patch, processes
        self.on_lesions = on_lesions
        self.phantoms = Path(phantoms) if phantoms else data_folder() / "nuclear" / "phantoms"
        self.key = key or _fingerprint()
        self.folder = Path(cache).expanduser() / f"bone-{self.key}"

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        """Simulate what is missing."""
        wanted = [id for split in splits for id in self.patients(split)]
        missing = [id for id in wanted if not _file(self.folder, id).exists()]
        if not missing:
            return
        if self.key != _fingerprint():
            raise RecipeError(f"{len(missing)} views are gone from {self.folder}, and the simulator has changed since.")
        print(f"Simulating {len(missing)} patients into {self.folder}", flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.remove_partials(self.folder)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.processes, mp_context=context) as pool:
            make = partial(_simulate, self.folder, self.phantoms)
            jobs = [pool.submit(make, id) for id in missing]
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                if done % 100 == 0:
                    print(f"  {done} of {len(missing)}", flush=True)

    def patients(self, split: str) -> Sequence[int]:
        """Held-out patients take turns: one of each kind, then the next of each."""
        first = SPLITS.index(split) * OF_SPLIT
        if split == "train":
            return self._training
        return [first + kind * OF_KIND + place for place in range(self.held_out) for kind in self.counts]

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch, flipped left to right half of the time, mostly where there is bone or, if asked for, a lesion."""
        id = self._training[rng.integers(len(self._training))]
        views = np.load(_file(self.folder, id), mmap_mode="r")
        lesions = np.load(_lesion_file(self.folder, id), mmap_mode="r")
        view = int(rng.integers(len(views)))
        whole = np.asarray(views[view])
        near = self.on_lesions and rng.random() < self.on_lesions and lesions[view].any()
        where = self._window(self._unpacked(lesions[view], whole), rng, air=0.0) if near else self._window(whole, rng)
        clean = np.divide(whole[where], WHITE, dtype=np.float32)
        mask = self._unpacked(lesions[view][where[0]], whole)[:, where[1]].astype(bool)
        if rng.random() < 0.5:
            clean, mask = clean[:, ::-1], mask[:, ::-1]
        mean = np.float32(whole.mean() / WHITE)
        return {"clean": np.ascontiguousarray(clean), "lesions": np.ascontiguousarray(mask), "mean": mean}

    def patient(self, id: int) -> Patient:
        clean = np.divide(np.load(_file(self.folder, id)), WHITE, dtype=np.float32)
        lesions = self._unpacked(np.load(_lesion_file(self.folder, id)), clean).astype(bool)
        return Patient(id, clean, lesions)

    @staticmethod
    def _unpacked(lesions: np.ndarray, view: np.ndarray) -> np.ndarray:
        """Masks as they lie on disk, eight pixels a byte, as 0 and 1 on the columns of ``view``."""
        return np.unpackbits(lesions, axis=-1)[..., : view.shape[-1]]

    @cached_property
    def _training(self) -> list[int]:
        return [kind * OF_KIND + place for kind, count in self.counts.items() for place in range(count)]

    def _window(self, view: np.ndarray, rng: np.random.Generator, air: float = AIR) -> tuple[slice, slice]:
        """Where to cut: around a block drawn with a chance that grows with the root of its brightness."""
        rows, columns = (side // BLOCK for side in view.shape)
        blocks = view[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
        chance = np.sqrt(blocks / WHITE + air * blocks.max() / WHITE).ravel()
        row, column = divmod(int(rng.choice(chance.size, p=chance / chance.sum())), columns)
        corner = [
            int(np.clip(block * BLOCK + rng.integers(BLOCK) - self.patch // 2, 0, side - self.patch))
            for block, side in zip((row, column), view.shape, strict=True)
        ]
        return tuple(slice(first, first + self.patch) for first in corner)


def _kind(id: int) -> str:
    return KINDS[id % OF_SPLIT // OF_KIND]


def _simulate(folder: Path, phantoms: Path, id: int) -> None:
    """Write one patient's views; the lesions first, so that who finds the views finds both."""
    from training.simulate import bone_phantoms

    view = bone_phantoms.views(id, phantoms, kind=_kind(id))
    _save(_lesion_file(folder, id), np.packbits(view.lesions, axis=-1))
    _save(_file(folder, id), np.rint(view.clean / view.clean.max() * WHITE).astype(np.uint16))


def _file(folder: Path, id: int) -> Path:
    return folder / f"{_kind(id)}-{id:07d}.npy"


def _lesion_file(folder: Path, id: int) -> Path:
    return folder / f"{_kind(id)}-{id:07d}.lesions.npy"


def _save(path: Path, array: np.ndarray) -> None:
    """``numpy.save`` in one step: the file is whole or absent."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    atomic.write_bytes(path, buffer.getvalue())


def simulator_files() -> list[Path]:
    """``simulate/bone_phantoms.py`` and what it imports from beside it: they decide how views look."""
    found: list[Path] = []
    waiting = ["bone_phantoms"]
    while waiting:
        path = SIMULATION / f"{waiting.pop()}.py"
        if path in found or not path.exists():
            continue
        found.append(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                waiting += [node.module] if node.module else [alias.name for alias in node.names]
    return sorted(found)


def _fingerprint() -> str:
    """Names what the simulator's source text is now: other text, other views."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in simulator_files())).hexdigest()[:12]
