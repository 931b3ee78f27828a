"""Acquired single slices with pilots, which a network then refines: what BM3D and the plain network make of them.

As ``pilots``, for images of many kinds. The noise is Gaussian, Rician or Poisson; white, or coloured by a filter.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from MedRestoreLib.methods import refined
from MedRestoreLib.methods.learned import loaded
from MedRestoreLib.noise import Spectrum
from MedRestoreLib.noise.poisson import Poisson
from MedRestoreLib.pipeline.domains import unit_range
from training.simulate import scintigrams

from . import Origin, data_folder, mixed
from .kept import Kept
from .mixed import Mixed
from .pilots import SECOND, measured, some_filter, spectrum_of

DATA = f"{mixed.DATA}, fetal heads (HC18, van den Heuvel et al., CC BY 4.0), phantoms of nuclear medicine (Auer et al.)"
BEYOND = """\
- What it gains on BM3D and on the network alone, by kind of image: see `Resources/benchmarks/general.json`.
- What repeats itself exactly and fills the slice, such as a checkerboard, BM3D alone restores better by 3 to 6 dB.
- Noise that is neither white nor filtered as scanners filter k-space (zero-filling, Fermi), it never saw.
- Real studies have noise of their own; averaging made it weaker, not nothing: some of it counts as signal here.
- Nine heads, 38 hearts: not a population. For research use only."""
SIDE, MARGIN = 160, 12  # pixels; k-space's filters wrap around the margin
LEVELS = (0.005, 0.3)  # standard deviation of the noise over white, which BM3D's profile depends on
DIMMER = 0.4  # the darkest white of an image
WHITE, POISSON, MAGNITUDES = 0.6, 0.12, 0.25  # shares of white noise; of Poisson noise, and of Rician noise
FEWEST = 0.02  # least level of Poisson noise: 2,500 counts
NUCLEAR = 0.12  # share of organs and phantoms of nuclear medicine
KEPT_FOR_TESTS = "ludotatate_activity"
SCALED = 0.5  # share that methods are shown on the scale of what they show, as the pipeline does; else on [0, 1]


class Slices(Kept, Mixed):
    """``Mixed`` whose samples hold ``stack``: the noisy image, its pilot and its second one; and ``clean``.

    All are on the stabilised scale, where the noise has variance 1.

    Args:
        cache: folder that holds planes and acquired slices.
        shares: as for ``Mixed``; of those that are not of nuclear medicine.
        slices: of the training split.
        patch: side of the square patches that are cut out of a slice, pixels.
        held_out: slices of the validation split.
        processes: that acquire slices; 0: one per core.
        key: of the data that an earlier training used.
    """

    def __init__(
        self,
        cache: Path,
        *,
        shares: dict[str, float],
        slices: int,
        patch: int = 80,
        held_out: int = 120,
        processes: int = 0,
        key: str = "",
    ) -> None:
        super().__init__(cache, shares=shares, patch=SIDE + 2 * MARGIN, key=key)
        self.cut = patch
        self.counts = {"train": slices, "validation": held_out, "test": 0}  # tests are made on whole studies
        self.processes = processes
        self.kept, self.what = self.folder / f"slices-{self.key}", "Acquiring slices"

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(DATA, BEYOND)

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        images = self.patch_of(rng, self.cut)
        return {"stack": images[:-1], "clean": images[-1]}

    def held_out(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """A slice of the validation split as networks see it, ``(1, 3, rows, columns)``, and the clean one."""
        images = self.images("validation", number)
        return images[None, :-1], images[-1:]

    def drawn(self, rng: np.random.Generator, split: str) -> np.ndarray:
        """A clean slice with margins, in [0, 1]."""
        if rng.random() >= NUCLEAR:
            return self.image(rng, split) * np.float32(rng.uniform(DIMMER, 1))
        if rng.random() < 0.5:
            clean = scintigrams.phantom(rng, self._phantoms, self.patch)
        else:
            clean = scintigrams.organs(rng, self.patch)
        return np.sqrt(clean) if rng.random() < 0.5 else clean

    def made(self, rng: np.random.Generator, split: str) -> tuple[np.ndarray, ...]:
        return acquired(self.drawn(rng, split), rng)

    @cached_property
    def _phantoms(self) -> list[np.ndarray]:
        found = scintigrams.volumes(data_folder() / "nuclear" / "phantoms")
        return [volume for name, volume in zip(scintigrams.PHANTOMS, found, strict=True) if name != KEPT_FOR_TESTS]


def acquired(clean: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A clean slice with margins, acquired with noise of a random kind and level: noisy, its two pilots, and clean."""
    sigma, spectrum, kind = np.float32(np.exp(rng.uniform(*np.log(LEVELS)))), None, rng.random()
    if kind < POISSON:
        counts = Poisson(1 / max(sigma, FEWEST) ** 2)
        noisy, target = counts.stabilise(counts.drawn(clean, rng)), counts.forward_mean(clean)
    else:
        gains = None if rng.random() < WHITE else some_filter(rng)
        magnitudes = kind < POISSON + MAGNITUDES
        noisy, target = (found[0] for found in measured(clean[None], sigma, gains, magnitudes, rng))
        spectrum = None if gains is None else spectrum_of(gains, deep=False)
    inner = slice(MARGIN, -MARGIN)
    noisy, target = (np.ascontiguousarray(image[inner, inner], np.float32) for image in (noisy, target))
    low, scale = unit_range(noisy[None]) if rng.random() < SCALED else (0.0, float(1 / sigma))
    first, second = pilots_of(noisy, low, max(scale, 1.0), spectrum)
    return noisy, first, second, target


def pilots_of(noisy: np.ndarray, low: float, scale: float, spectrum: Spectrum | None) -> tuple[np.ndarray, np.ndarray]:
    """What BM3D and the plain general network make of a stabilised slice; ``low`` and ``scale`` bring it to [0, 1]."""
    scaled = torch.from_numpy((noisy - np.float32(low)) / np.float32(scale))[None, None]
    general = loaded(SECOND, scaled.device)
    with torch.inference_mode():
        found = refined.slices_pilots(scaled, 1 / scale, general, spectrum)
    first, second = ((pilot[0, 0] * scale + low).numpy() for pilot in found)
    return first, second
