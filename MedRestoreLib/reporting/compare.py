"""Two studies side by side in numbers: what changed, and with a reference how far each is from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UnsupportedImage
from ..image import Image


@dataclass(frozen=True)
class Measure:
    """One row of a comparison. ``before`` is None where the measure is of the change from one to the other."""

    measure: str
    before: float | None
    after: float | None
    unit: str = ""


def compare(before: Image, after: Image, reference: Image | None = None) -> list[Measure]:
    """Measure ``before`` and ``after``, which lie on the same grid.

    Totals, means and the mean square of the difference need nothing else; PSNR, SSIM and RMSE are against
    ``reference``, over the whole frame, with the reference's own range as the peak.

    Raises:
        UnsupportedImage: the images do not lie on the same grid.
    """
    for name, other in (("after", after), ("reference", reference)):
        if other is not None and (other.voxels.shape != before.voxels.shape or not other.same_grid(before)):
            raise UnsupportedImage(f"the '{name}' study does not lie on the grid of 'before'; resample it first.")
    unit = before.unit
    x, y = before.voxels, after.voxels
    change = y.astype(np.float64) - x
    rows = [
        Measure("total", float(x.sum(dtype=np.float64)), float(y.sum(dtype=np.float64)), unit),
        Measure("mean", float(x.mean(dtype=np.float64)), float(y.mean(dtype=np.float64)), unit),
        Measure("standard deviation", float(x.std(dtype=np.float64)), float(y.std(dtype=np.float64)), unit),
        Measure("minimum", float(x.min()), float(y.min()), unit),
        Measure("maximum", float(x.max()), float(y.max()), unit),
        Measure("change, root mean square", None, float(np.sqrt(np.mean(change**2))), unit),
    ]
    if reference is not None:
        from ..metrics.fidelity import psnr, rmse, ssim

        truth = reference.voxels
        data_range = float(truth.max() - truth.min())
        if data_range == 0:
            raise UnsupportedImage("the reference is constant: nothing can be compared with it.")
        rows += [
            Measure("RMSE to reference", rmse(x, truth), rmse(y, truth), unit),
            Measure("PSNR", psnr(x, truth, data_range=data_range), psnr(y, truth, data_range=data_range), "dB"),
            Measure("SSIM", ssim(x, truth, data_range=data_range), ssim(y, truth, data_range=data_range)),
        ]
    return rows
