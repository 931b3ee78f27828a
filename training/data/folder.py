"""Pictures in a folder as a source: 8-bit files of any modality. The smallest source: copy it to begin your own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from training.recipe import RecipeError

from . import SPLITS, TENTHS, WHITE, Origin, Patient, data_folder

LIMITS = """\
- It has seen the pictures of one folder alone. Unless their names tell the patients apart (``patient`` in the recipe),
  they are split by file: where several show one patient, the scores are too good (test-set leakage).
- Nobody has checked where it fails. For research use only."""


class Pictures:
    """PNG files below a folder. ``NAME_mask.png`` is the lesion mask of ``NAME.png``.

    The split follows from a hash of the name, or of the patient's part of it, so adding pictures moves none to another
    split.

    Args:
        cache: not used; nothing is kept.
        folder: absolute, or below the folder of real studies (see ``training.data.data_folder``).
        patient: regular expression that finds the patient in a picture's name; such pictures share a split. Without it
            each picture counts as one patient.
        patch: side of the square patches, pixels.
        key: of the data that an earlier training used.
    """

    def __init__(self, cache: Path, *, folder: str, patient: str = "", patch: int = 128, key: str = "") -> None:
        self.folder, self.patch = data_folder() / Path(folder).expanduser(), patch
        self.of_patient = re.compile(patient or ".*", re.DOTALL)
        self.key = hashlib.sha256("\n".join(path.name for path in self._files).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError(f"the pictures in {self.folder} are not those that the training began with.")

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin("pictures of a folder; see the recipe", LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        if strange := [path.name for path in self._files if not self.of_patient.search(path.name)]:
            raise RecipeError(f"the recipe's 'patient' does not find the patient in the name {strange[0]}.")
        if lacking := [split for split in splits if not self._members[split]]:
            raise RecipeError(
                f"none of the {len(self._files)} pictures in {self.folder} falls into the split '{lacking[0]}'; "
                "add pictures, or set MEDRESTORE_DATA to the folder of studies."
            )

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch from anywhere in a picture, flipped with probability 1/2 in either direction."""
        patient = self.patient(self._members["train"][rng.integers(len(self._members["train"]))])
        row, column = (int(rng.integers(side - self.patch + 1)) for side in patient.clean.shape[1:])
        down, across = rng.choice((1, -1), 2)
        clean, lesions = (
            np.ascontiguousarray(whole[0, row : row + self.patch, column : column + self.patch][::down, ::across])
            for whole in (patient.clean, patient.lesions)
        )
        return {"clean": clean, "lesions": lesions, "mean": np.float32(patient.clean.mean())}

    def patients(self, split: str) -> Sequence[int]:
        return self._members[split]

    def patient(self, id: int) -> Patient:
        path = self._files[id]
        mask = path.with_name(f"{path.stem}_mask.png")
        clean = self._read(path)[None]
        lesions = self._read(mask)[None] > 0.5 if mask.exists() else np.zeros(clean.shape, bool)
        return Patient(id, clean, lesions)

    @cached_property
    def _files(self) -> list[Path]:
        return [path for path in sorted(self.folder.rglob("*.png")) if not path.stem.endswith("_mask")]

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        tenth = [hashlib.sha256(self._patient(path).encode()).digest()[0] % 10 for path in self._files]
        return {split: [id for id, t in enumerate(tenth) if t in TENTHS[split]] for split in SPLITS}

    def _patient(self, path: Path) -> str:
        found = self.of_patient.search(path.name)
        return found[0] if found else path.name

    def _read(self, path: Path) -> np.ndarray:
        """float32 ``(rows, columns)`` in [0, 1], mirrored at the border to at least the size of a patch."""
        import cv2

        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / WHITE
        lacking = [(0, max(0, self.patch - side)) for side in grey.shape]
        return np.pad(grey, lacking, mode="symmetric") if any(more for _, more in lacking) else grey
