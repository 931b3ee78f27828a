"""Noise that is not as even as its model says: where less is removed from a study than from a copy with drawn noise.

Several coils and corrected fields make noise uneven, and an estimate may have missed it. A gain is then promised for
noise that is not there. The ratio of the two residuals tells how strong noise must be drawn to look like the study's.
"""

from __future__ import annotations

import numpy as np

WIDTHS = (7.0, 3.0)  # voxels, of the Gaussian surroundings whose residuals are compared: in planes, in volumes
UNEVEN = 0.15  # standard deviation of the ratio's logarithm; of noise that fits, edges and chance make 0.06 to 0.12
LIMITS = (0.05, 6.0)  # of the ratio
FLOOR = 0.02  # of the mean square: added, so that nothing is divided by what was hardly removed


def strength(there: np.ndarray, here: np.ndarray, where: np.ndarray) -> np.ndarray | None:
    """The power of the noise over the model's, where it is uneven; None where it is not.

    Args:
        there: standardised residual of the study, ``(frames, slices, rows, columns)``.
        here: that of noise as the model has it.
        where: boolean, the voxels that are judged.
    """
    from scipy.ndimage import gaussian_filter

    volume = where.shape[1] > 1
    width = WIDTHS[volume]
    inside = np.maximum(gaussian_filter(where.astype(np.float32), (0, width * volume, width, width)), 1e-3)
    least = FLOOR * float(np.square(here)[where].mean(dtype=np.float64))
    seen, expected = (
        gaussian_filter(np.where(where, np.square(part), 0), (0, width * volume, width, width)) / inside + least
        for part in (there, here)
    )
    ratio = np.clip(seen / expected, *LIMITS).astype(np.float32)
    return ratio if float(np.log(ratio[where]).std()) > UNEVEN else None
