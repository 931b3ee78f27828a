"""MR slices without partners: noisy ones come from some subjects, clean ones from others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.recipe import RecipeError

from . import SPLITS, Origin
from .magnetic import Volumes

DATA = (
    "T1w heads: MS data set of the University of Ljubljana (Lesjak et al. 2016 and 2017, CC BY), Colin27 of the MNI "
    "(BSD-3), FNNDSC (Apache-2.0)"
)
LIMITS = """\
- BM3D, the general network and every method for volumes restore better at every level: use them. It is here to compare.
- Three subjects were noisy and two clean: not a population. All were T1w heads, with white noise that was added.
- Real studies have noise of their own; averaging made it weaker, not nothing: some of it counts as signal here.
- It smooths: bright tissue loses some of its value in strong noise, as the table of grey levels shows. For research use
  only."""


class UnpairedSlices(Volumes):
    """``clean``, to which noise is added, is a slice of one half of the subjects; ``other``, of the other, stays clean.

    Args:
        cache: folder that holds the volumes.
        noisy, clean: parts of the names of the files of each half; no subject may be in both.
        contrasts: of the held-out studies, as in ``Volumes``.
        shares, patch, key: as in ``Volumes``.
    """

    def __init__(
        self,
        cache: Path,
        *,
        noisy: Sequence[str],
        clean: Sequence[str],
        contrasts: Sequence[str],
        shares: dict[str, float],
        patch: int = 96,
        key: str = "",
    ) -> None:
        self.halves = [Volumes(cache, shares=shares, patch=patch, contrasts=tuple(names)) for names in (noisy, clean)]
        super().__init__(cache, shares=shares, patch=patch, contrasts=tuple(contrasts))
        keys = [self.key, *(half.key for half in self.halves)]
        self.key = hashlib.sha256(" ".join(keys).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the studies are not those that the training began with; set MEDRESTORE_DATA to them.")

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(DATA, LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        super().prepare(splits)
        for half in self.halves:
            half.prepare(splits)

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        noisy, clean = (half.sample(rng)["clean"] for half in self.halves)
        return {"clean": noisy, "other": clean}
