"""Where clean images come from, and how noise is added to them.

An adapter is one class that offers what ``Source`` says; a recipe names it. May import simulate and recipe.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

SPLITS = ("train", "validation", "test")

# Where a split follows from a name: which tenths of all names.
TENTHS = {"validation": (0,), "test": (1,), "train": tuple(range(2, 10))}


@dataclass(frozen=True)
class Patient:
    """Whole clean images of one patient, for validation and tables.

    Attributes:
        clean: float32 ``(views, rows, columns)``, at most 1.
        lesions: bool of that shape; all False where there are none or none are known.
        id: of the patient within the source.
        overlays: bool of that shape, what a scanner or a reader drew over the picture; None where nothing is. No
            measurement counts it.
        label: which of the source's classes the patient belongs to; -1 where there are none.
        smooth: ``clean`` without its own speckle, of that shape; None where the source does not make it.
    """

    id: int
    clean: np.ndarray
    lesions: np.ndarray
    overlays: np.ndarray | None = None
    label: int = -1
    smooth: np.ndarray | None = None


def data_folder() -> Path:
    """The folder of real studies and phantoms: ``MEDRESTORE_DATA``, or ``shared/data`` beside the repository."""
    repository = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("MEDRESTORE_DATA", repository.parent / "shared" / "data"))


class Source(Protocol):
    """Clean images, split by patient before anything else.

    ``key`` names the exact data: a training is resumed with the same key or not at all.
    """

    key: str

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        """Make sure that the data of these splits are there; may take minutes the first time, and says so."""

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One patch of the training split: ``clean``, float32 ``(rows, columns)``.

        Where known also ``lesions``, bool of that shape, ``mean``, float32, of the image that it was cut from,
        ``label``, int64, and ``smooth``, as of ``Patient``.
        """

    def patients(self, split: str) -> Sequence[int]:
        """Who belongs to a split; no patient belongs to two."""

    def patient(self, id: int) -> Patient:
        """Whole images of one patient."""
