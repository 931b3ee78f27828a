"""Sources of clean images, and the noise that is added to them.

A source is one class that offers what ``Source`` says; a recipe names it as ``"module:Class"``. May import simulate and
recipe.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

SPLITS = ("train", "validation", "test")

# Where the split follows from a hash of the name: which tenths of the hashes.
TENTHS = {"validation": (0,), "test": (1,), "train": tuple(range(2, 10))}

GREY = 255.0  # white of an 8-bit picture; levels of counts are given in such grey values
WHITE = np.float32(GREY)  # divides uint8 without becoming float64


@dataclass(frozen=True)
class Patient:
    """Whole clean images of one patient, for validation and tables.

    Attributes:
        id: of the patient within the source.
        clean: float32 ``(views, rows, columns)``, at most 1.
        lesions: bool of that shape; all False where there are none or none are known.
        overlays: bool of that shape, graphics burned into the picture (calipers, text), which no measurement counts;
            None where there are none.
        label: class of the patient among the source's; -1 where there are none.
        smooth: ``clean`` without its own speckle, of that shape; None where the source does not make it.
        structures: class numbers of that shape, uint8, 0 for the background; None where the source knows none.
    """

    id: int
    clean: np.ndarray
    lesions: np.ndarray
    overlays: np.ndarray | None = None
    label: int = -1
    smooth: np.ndarray | None = None
    structures: np.ndarray | None = None


class Origin(NamedTuple):
    """What the card of a network says of its training data.

    Attributes:
        data: one phrase that names the data, their authors and licence.
        limits: what such data cannot teach; a list in Markdown.
    """

    data: str
    limits: str


def data_folder() -> Path:
    """The folder of real studies and phantoms: ``MEDRESTORE_DATA``, or ``shared/data`` beside the repository."""
    repository = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("MEDRESTORE_DATA", repository.parent / "shared" / "data"))


class Source(Protocol):
    """Clean images, split by patient before anything else.

    Built with ``cache``, a folder that it may fill, ``key``, and the arguments of the recipe. ``key`` identifies the
    exact data: a training resumes with the key that it began with, or not at all.
    """

    key: str

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        """What cards say of the data that these arguments of a recipe choose; reads no file."""

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        """Put the data of these splits on disk. The first time this may take minutes, and logs its progress."""

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One patch of the training split: ``clean``, float32 ``(rows, columns)``.

        Where known also ``lesions``, bool of that shape; ``mean``, float32, of the image that the patch was cut from;
        ``label``, int64; ``smooth`` and ``structures``, as in ``Patient``.
        """

    def patients(self, split: str) -> Sequence[int]:
        """Ids of a split's patients; no patient is in two splits."""

    def patient(self, id: int) -> Patient:
        """Whole images of one patient."""
