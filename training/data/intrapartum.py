"""Intrapartum ultrasound with outlines of pubic symphysis and fetal head, in the folders of PSFHS and FH-PS-AOP.

The data are not part of this project: Zenodo 10969427 (PSFHS, Chen et al., Scientific Data 2024) and 7851339
(FH-PS-AOP, Lu et al., Data in Brief 2022). Both hold ``image_mha/NAME.mha``, 3 x 256 x 256, and ``label_mha/NAME.mha``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from training.recipe import RecipeError

from . import SPLITS, TENTHS, WHITE, Origin, Patient, data_folder, duplicates

SYMPHYSIS, HEAD = 1, 2  # classes in label_mha
IMAGES, LABELS = "image_mha", "label_mha"

LIMITS = """\
- It has seen intrapartum frames of one collection alone. Frames of one woman are told by their looks only: the scores
  may be too good (test-set leakage).
- Nobody has checked where it fails. For research use only."""


class Intrapartum:
    """Frames with class numbers ``SYMPHYSIS`` and ``HEAD``.

    The collections are cut from videos and do not say whose: near-duplicates (see ``duplicates``) share a split, and
    the held-out splits keep one frame of each cluster.

    Args:
        cache: not used; nothing is kept.
        folder: with ``image_mha`` and ``label_mha``; absolute, or below the folder of real studies.
        patch: side of the square patches, pixels; 256 is a whole frame.
        key: of the data that an earlier training used.
    """

    def __init__(self, cache: Path, *, folder: str, patch: int = 256, key: str = "") -> None:
        self.folder, self.patch = data_folder() / Path(folder).expanduser(), patch
        self.key = hashlib.sha256("\n".join(path.name for path in self._files).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError(f"the frames in {self.folder} are not those that the training began with.")

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin("intrapartum ultrasound in the folders of PSFHS or FH-PS-AOP", LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        if not self._files:
            raise RecipeError(f"no frames in {self.folder / IMAGES}; name the unpacked folder as 'folder'.")
        if lacking := [path.name for path in self._files if not (self.folder / LABELS / path.name).exists()]:
            raise RecipeError(f"{self.folder / LABELS} lacks {lacking[0]}: each frame needs its outlines.")

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch from anywhere in a frame. It is not flipped: head and symphysis lie as scanners show them."""
        patient = self.patient(self.patients("train")[rng.integers(len(self.patients("train")))])
        row, column = (int(rng.integers(max(0, side - self.patch) + 1)) for side in patient.clean.shape[1:])
        window = np.s_[0, row : row + self.patch, column : column + self.patch]
        mean = np.float32(patient.clean.mean())
        return {"clean": patient.clean[window], "structures": patient.structures[window], "mean": mean}

    def patients(self, split: str) -> Sequence[int]:
        return self._members[split]

    def patient(self, id: int) -> Patient:
        path = self._files[id]
        structures = np.uint8(_read(self.folder / LABELS / path.name))[None]
        return Patient(id, _read(path)[None] / WHITE, structures > 0, structures=structures)

    @cached_property
    def _files(self) -> list[Path]:
        return sorted((self.folder / IMAGES).glob("*.mha"))

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        members: dict[str, list[int]] = {split: [] for split in SPLITS}
        together = duplicates.clusters([duplicates.perceptual_hash(_read(path)) for path in self._files])
        for cluster in np.unique(together):
            ids = [int(id) for id in np.flatnonzero(together == cluster)]
            tenth = hashlib.sha256(self._files[ids[0]].name.encode()).digest()[0] % 10
            split = next(split for split, tenths in TENTHS.items() if tenth in tenths)
            members[split] += ids if split == "train" else ids[:1]
        return members


def _read(path: Path) -> np.ndarray:
    """float32 ``(rows, columns)``: the mean of the channels, which lie first. Raises RecipeError."""
    import SimpleITK as sitk

    try:
        voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
    except RuntimeError:
        raise RecipeError(f"{path} is not a MetaImage file that can be read.") from None
    return voxels.mean(axis=0) if voxels.ndim == 3 else voxels
