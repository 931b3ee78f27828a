"""The noise of reconstructed SPECT and PET: coloured by the reconstruction, stronger where it is brighter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import tomograms
from .base import Estimate
from .blocks import SILENT
from .curve import local_mean
from .gaussian import Gaussian

SCATTERED = 1.3  # dispersion of blocks up to which the model holds everywhere
GROWTH = 0.03  # of sigma with the blocks, up to which they are flat
DIM = 0.25  # of the brightest evened voxels: darker is air, whose noise is not that of the object
ENOUGH = 100  # overlapping blocks
# Confidence: at most, where the noise follows brightness less closely; and where there are few blocks.
LOOSE, FEW = 0.7, 0.55
STEEP, DOUBTFUL = 2.0, 0.45  # a spectrum that rises so much where anatomy is; confidence in what is extrapolated


@dataclass(frozen=True)
class Reconstructed(Gaussian):
    """``y = x + level * c(x) * n``, c of root mean square 1 from the local mean of x, n normal and coloured."""

    id: ClassVar[str] = "reconstructed"
    title: ClassVar[str] = "Reconstruction"
    unit: ClassVar[str] = "root mean square over the object, in the study's unit"
    keeps_totals: ClassVar[bool] = True

    @classmethod
    def estimate(cls, voxels: np.ndarray) -> Estimate:
        """Level, spectrum and curve from flat blocks; of single slices as if the noise were Gaussian."""
        found = tomograms.measure(voxels)
        if found is None:
            return super().estimate(voxels)
        if found.sigma < SILENT * np.ptp(voxels):
            return Estimate(0.0, 0.9, f"Standard deviation under {found.sigma:.3g} in flat blocks: nothing to remove.")
        doubt = 0.4 * max(found.dispersion - SCATTERED, 0) + 4 * max(abs(found.growth - 1) - GROWTH, 0)
        best = LOOSE if found.filtered else 0.9
        best = FEW if found.blocks < ENOUGH else best
        confidence = float(np.clip(0.9 - doubt, 0.05, best))
        where = f"Noise of {found.sigma:.3g} in {found.blocks} flat blocks"
        why = "; the blocks differ more than such noise does" if confidence <= DOUBTFUL else ""
        if found.rise > STEEP:
            confidence, why = min(confidence, DOUBTFUL), "; it is filtered so much that most of it looks like anatomy"
        shapes = (found.spectrum, found.noise_map, found.curve)
        words = "; ".join(shape.words for shape in shapes if shape is not None)
        return Estimate(found.sigma, confidence, f"{where}{why}; {words}.", *shapes)

    def covers(self, voxels: np.ndarray) -> np.ndarray:
        """In the object: what noise there is in air depends on how the study was made."""
        mean = local_mean(voxels.reshape(-1, *voxels.shape[-3:])).reshape(voxels.shape)
        return super().covers(voxels) & (mean > DIM * np.percentile(mean, 99))
