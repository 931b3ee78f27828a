"""Clean count images of many kinds as one source: bone scans, other organs, phantoms, pictures and shapes.

A network that sees bone scans alone takes what is no bone for noise. Small lesions are planted in all kinds, as few of
the simulated patients have faint ones, and bright places as injections leave them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from training.recipe import RecipeError
from training.simulate import scintigrams

from . import SPLITS, Origin, Patient, bone, data_folder, mixed
from .bone import BoneScans
from .mixed import Mixed

BONE, PICTURES, ORGANS, PHANTOMS, SHAPES = "bone", "pictures", "organs", "phantoms", "shapes"
KINDS = (BONE, PICTURES, ORGANS, PHANTOMS, SHAPES)
SEEN_AS = {"photographs": 0.5, "quiet_heads": 0.25, "heads": 0.1, "hearts": 0.15}  # shares of the pictures
PICTURE_BLUR = (0.5, 2.5)  # pixels, standard deviation: a camera resolves less than a photograph

MOST_LESIONS, WIDTHS, CONTRASTS = 6, (2.5, 6.0), (0.15, 3.0)  # pixels at half maximum; relative to what is around
LEAST_AROUND = 0.02  # of the maximum: lesions are planted where it is brighter
SITES, SITE_WIDTHS, BRIGHTEST = 0.08, (2.0, 8.0), 1000.0  # share; pixels at half maximum; relative to the rest
LEAST_MEAN = 1e-3
TO_SIGMA = 1 / np.sqrt(8 * np.log(2))  # of a width at half maximum

LIMITS = """\
- It is used joined with BM3D (card `counts`): alone, bars of a few pixels are 6 to 11 dB below BM3D's.
- Of organs other than the skeleton it has seen drawings, phantoms and pictures blurred as a camera blurs: no patient.
- It wants raw counts. Filtered, interpolated or reconstructed images have correlated noise, which it takes for
  structure.
- A lesion weaker than the noise can vanish, and a cluster of counts can be taken for one: look at the removed part
  and at the report's evidence. For research use only."""


class Scintigrams:
    """Patches of all kinds in the given shares; held-out patients are those of the bone scans.

    Args:
        cache: folder that holds views and planes.
        shares: of the patches, by kind: names in ``KINDS``.
        patch: side of the square patches, pixels.
        planted: share of the patches in which lesions are planted: 1 to 6 Gaussian blobs.
        bone: further arguments of ``BoneScans``.
        key: of the data that an earlier training used.
    """

    def __init__(
        self,
        cache: Path,
        *,
        shares: dict[str, float],
        bone: dict[str, object],
        patch: int = 128,
        planted: float = 0.0,
        key: str = "",
    ) -> None:
        if unknown := set(shares) - set(KINDS):
            raise RecipeError(f"there are no images of kind '{unknown.pop()}'; there are {', '.join(KINDS)}.")
        self.patch, self.planted = patch, planted
        self.names = list(shares)
        self.chances = np.array(list(shares.values())) / sum(shares.values())
        keys = key.split("-") if key else ["", ""]
        self.bone = BoneScans(cache, patch=patch, key=keys[0], **bone)  # type: ignore[arg-type]
        self.pictures = Mixed(cache, shares=SEEN_AS, patch=patch, key=keys[1])
        self.key = f"{self.bone.key}-{self.pictures.key}"

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(f"{bone.PHANTOMS}; other organs and phantoms (Auer et al.); {mixed.DATA}", LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        self.bone.prepare(splits)
        if "train" in splits:
            self.pictures.prepare(splits)

    def patients(self, split: str) -> Sequence[int]:
        return self.bone.patients(split)

    def patient(self, id: int) -> Patient:
        return self.bone.patient(id)

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """``clean``; ``lesions``, also of those planted; ``mean`` of the view or the patch."""
        kind = self.names[rng.choice(len(self.names), p=self.chances)]
        if kind == BONE:
            sample = self.bone.sample(rng)
        else:
            clean = self._drawn(kind, rng)
            sample = {"clean": clean, "lesions": np.zeros(clean.shape, bool), "mean": _mean(clean)}
        if rng.random() < self.planted:
            sample |= with_lesions(sample["clean"], sample["lesions"], rng)
        if rng.random() < SITES:
            sample["clean"] = with_site(sample["clean"], rng)
            sample["mean"] = _mean(sample["clean"])
        return sample

    def _drawn(self, kind: str, rng: np.random.Generator) -> np.ndarray:
        if kind == ORGANS:
            return scintigrams.organs(rng, self.patch)
        if kind == PHANTOMS:
            return scintigrams.phantom(rng, self._volumes, self.patch)
        if kind == SHAPES:
            return mixed.shapes(rng, self.patch)
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(self.pictures.sample(rng)["clean"], rng.uniform(*PICTURE_BLUR))

    @cached_property
    def _volumes(self) -> list[np.ndarray]:
        return scintigrams.volumes(data_folder() / "nuclear" / "phantoms")


def _mean(clean: np.ndarray) -> np.float32:
    """Of a patch; losses divide by it."""
    return np.float32(max(float(clean.mean()), LEAST_MEAN))


def with_lesions(clean: np.ndarray, lesions: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """``clean`` with blobs where it is not dark, and ``lesions`` with the places where each has half its maximum."""
    clean, lesions = clean.copy(), lesions.copy()
    places = np.argwhere(clean > LEAST_AROUND * clean.max())
    if not len(places):
        return {"clean": clean, "lesions": lesions}
    y, x = np.indices(clean.shape)
    for row, column in places[rng.integers(len(places), size=rng.integers(1, MOST_LESIONS + 1))]:
        width, contrast = np.exp(rng.uniform(*np.log(WIDTHS))), np.exp(rng.uniform(*np.log(CONTRASTS)))
        blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * (width * TO_SIGMA) ** 2))
        clean += np.float32(contrast * clean[row, column]) * blob.astype(np.float32)
        lesions |= blob >= 0.5
    return {"clean": clean / max(np.float32(1), clean.max()), "lesions": lesions}


def with_site(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a blob anywhere, 1 to 1,000 times as bright as the rest; either the rest is dark beside it, or it exceeds 1.

    The library lets an injection site exceed the scale (``pipeline.domains.Rate``) where it is small enough.
    """
    y, x = np.indices(clean.shape)
    row, column = rng.uniform(0, clean.shape[0]), rng.uniform(0, clean.shape[1])
    width, times = np.exp(rng.uniform(*np.log(SITE_WIDTHS))), np.exp(rng.uniform(0, np.log(BRIGHTEST)))
    blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * (width * TO_SIGMA) ** 2)).astype(np.float32)
    bright = clean + np.float32(times) * blob
    return bright if rng.random() < 0.7 else bright / max(np.float32(1), bright.max())
