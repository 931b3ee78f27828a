"""PURE: the risk estimate for counts."""

from __future__ import annotations

import numpy as np

from ..noise import Noise
from .probing import Response
from .risk import Terms, Whole, block_mean, surroundings

SURROUND = 9  # voxels: side of the square around a voxel that says how bright its place is
USUAL, HOT = 99.0, 2.0  # within so many voxels of a place brighter than twice this percentile, nothing is judged


class Pure:
    """Poisson unbiased risk estimate (Luisier, Vonesch, Blu and Unser, Signal Processing 90(2), 2010), in counts.

    For counts y of mean x and a denoiser f,

        E (f(y) - x)² = E [ f(y)² - 2 y f⁻(y) + y² - y ]

    voxel by voxel, f⁻ the output of a voxel when that voxel holds one count less. The noise's own risk is y, the part
    of it that can be removed y (1 - (f - f⁻)).
    """

    name = "PURE"
    power_error = 0.0  # relative, of the noise's power at a known level: the estimate is exact

    def __init__(self, noise: Noise) -> None:
        self.noise = noise

    def judged(self, noisy: np.ndarray, covered: np.ndarray) -> np.ndarray:
        """The voxels that are judged: all if there is any count, as a voxel without one is a measurement, too.

        But for hot spots such as an injection site, whose squared errors would drown those of the anatomy. How hot a
        place is, is told by the voxels around it: chosen by its own value, the estimate would be biased.
        """
        from scipy.ndimage import maximum_filter, uniform_filter

        if not noisy.any():
            return np.zeros(noisy.shape, bool)
        squares = uniform_filter(noisy.astype(np.float32), (1, 1, SURROUND, SURROUND), mode="nearest") * SURROUND**2
        around = (squares - noisy) / (SURROUND**2 - 1)
        return maximum_filter(around, (1, 1, SURROUND, SURROUND)) <= HOT * np.percentile(around, USUAL)

    def terms(self, noisy: np.ndarray, response: Response, where: np.ndarray) -> Terms:
        """The terms of the estimate; ``noisy`` is in the study's unit, ``where`` as ``judged`` gives it."""
        counts = noisy * self.noise.level
        restored, fall = self._one_count_less(noisy, response)
        return Terms(
            power=counts,
            removable=counts * (1 - fall),
            removed=(restored - counts) ** 2,
            where=where,
            unit=1.0,
            domain="counts squared",
        )

    def whole(self, noisy: np.ndarray, restored: np.ndarray, sample: np.ndarray) -> Whole | None:
        """Of a whole study before and after, and a sample of it after, in the study's unit; None without voxels."""
        where = self.judged(noisy, np.ones(noisy.shape, bool))
        if not where.any():
            return None
        level = np.float32(self.noise.level)
        power = block_mean(noisy * level, where)[0]
        # In proportion to the counts, of which a share can be removed.
        features, sampled = (surroundings(self.noise.stabilise(study)) * study * level for study in (restored, sample))
        removed = block_mean(np.square((noisy - restored) * level), where)
        return Whole(power, *removed, features[:, where].mean(1), sampled)

    def _one_count_less(self, noisy: np.ndarray, response: Response) -> tuple[np.ndarray, np.ndarray]:
        """f, and f - f⁻, in counts.

        The step of one count is exact on the stabilised scale; the denoiser is taken to first order there and the
        inverse to second. At few counts, one count is too far for the usual first order in counts.
        """
        from scipy.ndimage import uniform_filter

        noise = self.noise
        step = response.noisy - noise.stabilise(np.maximum(noisy - np.float32(1 / noise.level), 0))
        reach = np.float32(0.25)
        here, above, below = (
            noise.unbiased_inverse(d) * noise.level
            for d in (response.denoised, response.denoised + reach, response.denoised - reach)
        )
        first, second = (above - below) / (2 * reach), (above + below - 2 * here) / reach**2
        # The square of a noisy slope would be too large; that of its mean over the surroundings is not.
        squared = np.square(uniform_filter(response.slope, (1, 1, SURROUND, SURROUND), mode="nearest"))
        return here, first * step * response.slope - second * step**2 * squared / 2
