"""Simulated bone scans as a source: simulated once by several processes, kept on disk, read in patches.

One 16-bit file per patient (65535 stands for the maximum 1), so that a training step simulates nothing and needs little
memory.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from training.recipe import RecipeError

from . import SPLITS, Origin, Patient, data_folder, disk

MAXIMUM = 65535  # of 16-bit files
BLOCK = 16  # pixels: patches are centred on blocks drawn by their brightness
AIR = 0.02  # added to the brightness of every block, so that air is drawn now and then
KINDS = ("whole_body", "chest_pelvis", "spect")
OF_SPLIT, OF_KIND = 1_000_000, 100_000  # a patient's id is its seed: split * OF_SPLIT + kind * OF_KIND + number
SIMULATION = Path(__file__).resolve().parent.parent / "simulate"

PHANTOMS = "simulated bone scans, from the voxel phantoms of ICRP 110 and XCAT (Auer et al., PMB 2023)"
LIMITS = """\
- It has seen simulated patients only, made from three adult phantoms. Children, implants, other tracers and other
  organs were not among them, nor were collimators wider than 7 to 12 mm at half maximum.
- It wants raw counts. Filtered, interpolated or reconstructed images have correlated noise, which it takes for
  structure.
- A lesion weaker than the noise can vanish, and a cluster of counts can be taken for one: look at the removed part
  and at the report's evidence. For research use only."""


class BoneScans:
    """Views of simulated patients. A patient is a seed; no seed is in two splits.

    Args:
        cache: folder that holds the views.
        patients: how many of each kind of view are in the training split.
        held_out: how many of each kind are in the validation split, and in the test split.
        patch: side of the square patches, pixels.
        on_lesions: share of the patches that are centred near a lesion, where the view has one.
        phantoms: folder of the ICRP 110 and XCAT phantoms; "" is ``nuclear/phantoms`` in
            ``training.data.data_folder()``.
        key: of the data that an earlier training used, which stays valid if the simulator has changed since.
        processes: how many simulate in parallel; 0 is one per core.
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
        processes: int = 0,
    ) -> None:
        if unknown := set(patients) - set(KINDS):
            raise RecipeError(f"there are no views of kind '{unknown.pop()}'; there are {', '.join(KINDS)}.")
        self.counts = {KINDS.index(kind): count for kind, count in patients.items() if count}
        self.held_out, self.patch, self.processes = held_out, patch, processes
        self.on_lesions = on_lesions
        self.phantoms = Path(phantoms) if phantoms else data_folder() / "nuclear" / "phantoms"
        self.key = key or _fingerprint()
        self.folder = Path(cache).expanduser() / f"bone-{self.key}"

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(PHANTOMS, LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        wanted = [id for split in splits for id in self.patients(split)]
        missing = [id for id in wanted if not _file(self.folder, id).exists()]
        if not missing:
            return
        if self.key != _fingerprint():
            raise RecipeError(f"{len(missing)} views are gone from {self.folder}, and the simulator has changed since.")
        jobs = [(self.folder, self.phantoms, id) for id in missing]
        disk.fill(self.folder, _simulate, jobs, self.processes, "Simulating patients")

    def patients(self, split: str) -> Sequence[int]:
        """Held-out patients alternate between the kinds: the first of each kind, then the second of each."""
        first = SPLITS.index(split) * OF_SPLIT
        if split == "train":
            return self._training
        return [first + kind * OF_KIND + place for place in range(self.held_out) for kind in self.counts]

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch, mostly of bone or, in the share ``on_lesions``, near a lesion; mirrored with probability 1/2.

        A view that is smaller than the patch has darkness around it.
        """
        id = self._training[rng.integers(len(self._training))]
        views = np.load(_file(self.folder, id), mmap_mode="r")
        lesions = np.load(_lesion_file(self.folder, id), mmap_mode="r")
        view = int(rng.integers(len(views)))
        around = [(0, max(0, self.patch - side)) for side in views.shape[1:]]
        whole = np.pad(views[view], around)
        marked = np.pad(self._unpacked(lesions[view], views[view]), around)
        near = self.on_lesions and rng.random() < self.on_lesions and marked.any()
        where = self._window(marked, rng, air=0.0) if near else self._window(whole, rng)
        clean = np.divide(whole[where], MAXIMUM, dtype=np.float32)
        mask = marked[where].astype(bool)
        if rng.random() < 0.5:
            clean, mask = clean[:, ::-1], mask[:, ::-1]
        mean = np.float32(views[view].mean() / MAXIMUM)
        return {"clean": np.ascontiguousarray(clean), "lesions": np.ascontiguousarray(mask), "mean": mean}

    def patient(self, id: int) -> Patient:
        clean = np.divide(np.load(_file(self.folder, id)), MAXIMUM, dtype=np.float32)
        lesions = self._unpacked(np.load(_lesion_file(self.folder, id)), clean).astype(bool)
        return Patient(id, clean, lesions)

    @staticmethod
    def _unpacked(lesions: np.ndarray, view: np.ndarray) -> np.ndarray:
        """Masks as stored, eight pixels a byte, to 0 and 1 on the columns of ``view``."""
        return np.unpackbits(lesions, axis=-1)[..., : view.shape[-1]]

    @cached_property
    def _training(self) -> list[int]:
        return [kind * OF_KIND + place for kind, count in self.counts.items() for place in range(count)]

    def _window(self, view: np.ndarray, rng: np.random.Generator, air: float = AIR) -> tuple[slice, slice]:
        """Rows and columns of a patch around a block, drawn in proportion to the root of its brightness + ``air``."""
        rows, columns = (side // BLOCK for side in view.shape)
        blocks = view[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
        chance = np.sqrt(blocks / MAXIMUM + air * blocks.max() / MAXIMUM).ravel()
        row, column = divmod(int(rng.choice(chance.size, p=chance / chance.sum())), columns)
        corner = [
            int(np.clip(block * BLOCK + rng.integers(BLOCK) - self.patch // 2, 0, side - self.patch))
            for block, side in zip((row, column), view.shape, strict=True)
        ]
        return tuple(slice(first, first + self.patch) for first in corner)


def _kind(id: int) -> str:
    return KINDS[id % OF_SPLIT // OF_KIND]


def _simulate(folder: Path, phantoms: Path, id: int) -> None:
    """Write one patient's views, the lesions first: where the views exist, the lesions do."""
    from training.simulate import bone_phantoms

    view = bone_phantoms.views(id, phantoms, kind=_kind(id))
    disk.save(_lesion_file(folder, id), np.packbits(view.lesions, axis=-1))
    disk.save(_file(folder, id), np.rint(view.clean / view.clean.max() * MAXIMUM).astype(np.uint16))


def _file(folder: Path, id: int) -> Path:
    return folder / f"{_kind(id)}-{id:07d}.npy"


def _lesion_file(folder: Path, id: int) -> Path:
    return folder / f"{_kind(id)}-{id:07d}.lesions.npy"


def simulator_files() -> list[Path]:
    """``simulate/bone_phantoms.py`` and the files beside it that it imports: all that the views depend on."""
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
    """Hash of the simulator's source text: any edit, of a comment too, makes another data set."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in simulator_files())).hexdigest()[:12]
