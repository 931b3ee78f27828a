"""Counts of many kinds with pilots, which a network then refines: what BM3D and EMANet make of them.

As ``slices``, on Anscombe's scale, where the noise of counts has about variance 1. Clean images are those of
``scintigrams``, with lesions planted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from MedRestoreLib.methods.learned import loaded
from MedRestoreLib.methods.refined import counts_pilots
from MedRestoreLib.noise.poisson import Poisson, peak_counts

from . import GREY, Origin, scintigrams
from .degradations import p_peak
from .kept import Kept
from .scintigrams import BONE, KINDS, PICTURES, Scintigrams

SECOND = "emanet_bone"  # weights of the second pilot
SIDE = 144  # pixels
LEVELS = (1.0, 180.0)  # 65,000 to 2 counts at the brightest pixel
TRIES, SHOWS = 5, 2.5  # to draw an image with more than one count somewhere, on Anscombe's scale
BRIGHTNESS = 0.25  # a study's brightest place is estimated, and may be that far off
LIMITS = """\
- EMANet (card `emanet_bone`) and BM3D make what it refines.
- Bars have a deviance 3 to 7 % above BM3D's; lesions as faint as the noise keep half of their contrast.
- Of organs other than the skeleton it has seen drawings, phantoms and pictures blurred as a camera blurs: no patient.
- It wants raw counts. Filtered, interpolated or reconstructed images have correlated noise, which it takes for
  structure.
- A lesion weaker than the noise can vanish, and a cluster of counts can be taken for one: look at the removed part
  and at the report's evidence. For research use only."""


class Counted(Kept, Scintigrams):
    """``Scintigrams`` whose samples hold ``stack``: the noisy image, BM3D's and EMANet's; ``clean`` and ``lesions``.

    Images are on Anscombe's scale; ``clean`` is the mean of many acquisitions there.

    Args:
        cache: folder that holds views, planes and counted images.
        shares, bone, planted, key: as for ``Scintigrams``.
        counted: images of the training split.
        patch: side of the square patches that are cut out of an image, pixels.
        held_out: images of the validation split.
        processes: that count images; 0: one per core.
    """

    def __init__(
        self,
        cache: Path,
        *,
        shares: dict[str, float],
        bone: dict[str, object],
        counted: int,
        planted: float = 0.5,
        patch: int = 80,
        held_out: int = 120,
        processes: int = 0,
        key: str = "",
    ) -> None:
        super().__init__(cache, shares=shares, bone=bone, patch=SIDE, planted=planted, key=key)
        self.cut = patch
        self.counts = {"train": counted, "validation": held_out, "test": 0}  # tests are made on whole scans
        self.processes = processes
        self.kept, self.what = Path(cache).expanduser() / f"counted-{self.key}", "Counting images"

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(Scintigrams.origin().data, LIMITS)

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        images = self.patch_of(rng, self.cut)
        return {"stack": images[:3], "clean": images[3], "lesions": images[4] > 0}

    def held_out(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """An image of the validation split as networks see it, ``(1, 3, rows, columns)``, and the clean one."""
        images = self.images("validation", number)
        return images[None, :3], images[3:4]

    def drawn(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        """``clean`` and ``lesions`` of a split; validation has other patients, and no pictures."""
        if split == "train":
            return Scintigrams.sample(self, rng)
        kind = KINDS[rng.integers(len(KINDS))]
        clean = self._of_patient(rng, split) if kind in (BONE, PICTURES) else self._drawn(kind, rng)
        found = {"clean": clean, "lesions": np.zeros(clean.shape, bool)}
        return scintigrams.with_lesions(**found, rng=rng) if rng.random() < self.planted else found

    def _of_patient(self, rng: np.random.Generator, split: str) -> np.ndarray:
        views = self.patient(int(rng.choice(self.patients(split)))).clean
        view = views[rng.integers(len(views))]
        view = np.pad(view, [(0, max(0, SIDE - side)) for side in view.shape])
        row, column = (int(rng.integers(side - SIDE + 1)) for side in view.shape)
        return view[row : row + SIDE, column : column + SIDE]

    def made(self, rng: np.random.Generator, split: str) -> tuple[np.ndarray, ...]:
        for _ in range(TRIES):
            found = self.drawn(rng, split)
            images = counted(found["clean"], rng)
            if images[-1].max() > SHOWS:
                break
        return (*images, found["lesions"].astype(np.float32))


def counted(clean: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """An image counted at a random level: noisy, BM3D's, EMANet's, and the mean of many, all on Anscombe's scale."""
    level = float(np.exp(rng.uniform(*np.log(LEVELS))))
    clean = clean * np.float32(np.exp(rng.uniform(-1, 1) * np.log1p(BRIGHTNESS)))
    made = p_peak(clean, level, rng, capped=True)
    network = loaded(SECOND, torch.device("cpu"))
    with torch.inference_mode():
        noisy = torch.from_numpy(np.ascontiguousarray(made["noisy"], np.float32))[None, None]
        found = counts_pilots(noisy, level / GREY, network)
    target = Poisson(peak_counts(level)).forward_mean(made["clean"])
    return (*(image[0, 0].numpy() for image in found), target)
