"""Matched filters: how strongly the surroundings of each voxel differ between two studies, at several widths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..noise import Noise, Spectrum
from ..progress import stop_if_asked

WIDTHS = (1.3, 2.0, 3.0, 4.5)  # voxels: standard deviations of the Gaussians, 3 to 11 voxels at half maximum
BROAD = 1.9  # voxels: in volumes, from this width on, means of 2x2x2 voxels are filtered, which costs an eighth
SURROUND = 12.0  # times the width: side of the surroundings whose mean is subtracted, as a shift of them is no blob
LEVEL_WIDTH = 1.5  # voxels: the level of the noise is taken from both studies' mean in such surroundings
MARGIN = 4  # voxels along a frame's edges, where filters are cut
WINDOW = 33  # voxels: side of the windows in which the spread of responses is measured; plus 8 widths
CLIP = 3.0  # a response beyond counts as that much in the spread, or a blob would hide itself
MIDDLE = 0.6745  # median of the absolute value of a normal variable of variance 1
CALMEST = 0.7  # of the study's spread: the least of surroundings, where the spread is the study's own
USUAL, USUAL_NORMAL = 98.0, 2.326  # percentile of the responses' absolute values, and its value for normal ones
BLOCK = 8  # voxels: side of the blocks of which the spectrum of what was removed is measured
FAINTEST = 0.1  # of the strongest band: a weaker one holds rounding and the edges of marks


@dataclass(frozen=True, eq=False)
class Responses:
    """The responses of matched filters in planes ``(planes, rows, columns)``.

    Attributes:
        z: ``(widths, planes, rows, columns)``: response over its standard deviation, 0 where nothing can be judged.
        observed, expected: the studies that were compared, over the standard deviation of the noise.
        volume: whether the filters are three-dimensional.
    """

    z: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    volume: bool

    @classmethod
    def of(cls, noisy: np.ndarray, restored: np.ndarray, noise: Noise, *, volume: bool) -> Responses:
        """Of planes in the study's unit.

        The residual is divided by the model's standard deviation. The spread of a response is then 1, or for coloured
        noise that of its low frequencies, or that of its surroundings where it is larger: noise above the model's level
        raises no alarm. What despeckling takes out is no white noise: it is divided by its own spectrum, as the ideal
        filter does, and the unit is what responses of the study usually exceed in two of a hundred places.
        """
        spectrum = noise.spectrum if volume or noise.spectrum is None else noise.spectrum.in_plane
        least = 1.0 if spectrum is None else spectrum.plateau
        where = noise.comparable(noisy, restored)
        observed, expected, std = noise.standardisation(noisy, restored, where, np.zeros(where.shape, np.int8))
        if noise.white and not noise.even:  # neither study alone tells the level: a blob may be in either
            std = noise.residual_std(_gaussian((noisy + restored) / 2, LEVEL_WIDTH, volume))
        observed, expected = observed / std, expected / std
        residual = np.where(where, observed - expected, 0).astype(np.float32)
        if not noise.white:
            residual = np.stack([_decorrelated(*plane) for plane in zip(residual, where, strict=True)])
        inside = where.astype(np.float32)
        if volume:  # the sum of 8 voxels' noise over the root of 8 has a variance of 1 again
            halves = _halved(residual) * np.float32(8**0.5), _halved(inside)
        inner = np.zeros_like(where)
        inner[:, MARGIN:-MARGIN, MARGIN:-MARGIN] = where[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
        z = np.zeros((len(WIDTHS), *where.shape), np.float32)
        for number, width in enumerate(WIDTHS):
            stop_if_asked()
            window = WINDOW + int(8 * width)
            if volume and width >= BROAD:
                found = _doubled(_scores(*halves, width / 2, window // 2, volume, least), where.shape)
            else:
                found = _scores(residual, inside, width, window, volume, least, not noise.white)
            np.copyto(z[number], found, where=inner)
        return cls(z, observed, expected, volume)

    def kind(self, number: int, place: tuple[int, int, int]) -> tuple[str, str]:
        """Whether the blob at ``place``, of width ``number``, was "lost" or "added", and is "bright" or "dark"."""
        width = WIDTHS[number]
        reach = np.array([8 * width if self.volume else 0, 8 * width, 8 * width], int)
        box = tuple(slice(max(p - r, 0), p + r + 1) for p, r in zip(place, reach, strict=True))
        middle = tuple(p - b.start for p, b in zip(place, box, strict=True))
        before, after = (
            (_gaussian(study[box], width, self.volume, "nearest") - _gaussian(study[box], 2 * width, self.volume,
             "nearest"))[middle] for study in (self.observed, self.expected)
        )  # fmt: skip
        lost = abs(before) >= abs(after)
        return "lost" if lost else "added", "bright" if (before if lost else after) > 0 else "dark"


def _scores(
    residual: np.ndarray,
    inside: np.ndarray,
    width: float,
    window: int,
    volume: bool,
    least: float,
    correlated: bool = False,
) -> np.ndarray:
    """Responses over their standard deviation; ``correlated``: in units of what is usual in the study."""
    response = _matched(residual, inside, width, volume)
    if correlated and inside.any():
        response /= max(float(np.median(np.abs(response[inside > 0]))) / MIDDLE, 1e-6)
        response /= np.maximum(_spread(response, inside, window, volume, 0.0), CALMEST)
        return response / max(float(np.percentile(np.abs(response[inside > 0]), USUAL)) / USUAL_NORMAL, 1e-6)
    return response / _spread(response, inside, window, volume, least)


def _decorrelated(residual: np.ndarray, where: np.ndarray) -> np.ndarray:
    """A plane ``(rows, columns)`` divided by its power at each frequency, the mean over blocks of equal weight."""
    from scipy.fft import dctn, irfft2, rfft2

    rows, columns = (side // BLOCK * BLOCK for side in residual.shape)
    blocks, judged = (
        plane[:rows, :columns].reshape(rows // BLOCK, BLOCK, -1, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
        for plane in (residual, where)
    )
    blocks = blocks[judged.all(axis=(1, 2))]
    blocks = blocks - blocks.mean(axis=(1, 2), keepdims=True)
    power = np.square(blocks).mean(axis=(1, 2))
    blocks = blocks[power > 1e-3 * power.mean()] if len(power) else blocks
    if not len(blocks):
        return residual
    squares = np.square(dctn(blocks, axes=(1, 2), norm="ortho"))
    variances = (squares / squares.mean(axis=(1, 2), keepdims=True)).mean(axis=0)
    variances[0, 0] = (variances[0, 1] + variances[1, 0]) / 2  # the blocks' means were taken out
    density = np.square(Spectrum.of_blocks(variances[None]).gains((1, *residual.shape))[0])
    gains = 1 / np.maximum(density, FAINTEST * density.max())
    return irfft2(rfft2(residual) * gains, s=residual.shape).astype(np.float32)


def _matched(residual: np.ndarray, inside: np.ndarray, width: float, volume: bool) -> np.ndarray:
    """Response of a Gaussian less the mean of its surroundings, of variance 1 in white noise of variance 1.

    ``inside`` is the share of a voxel that is judged: the rest counts neither in the sums nor in their variance.
    """
    surround = int(SURROUND * width) | 1
    around = _box(residual, surround, volume) / np.maximum(_box(inside, surround, volume), 0.1)
    whole = (2 * np.sqrt(np.pi) * width) ** -(3 if volume else 2)  # sum of the squared weights
    # The square of a Gaussian is a narrower one.
    energy = np.maximum(_gaussian(inside, width / np.sqrt(2), volume), 0.25) * np.float32(whole)
    response = _gaussian(residual, width, volume) - _gaussian(inside, width, volume) * around
    return np.where(inside > 0, response / np.sqrt(energy), 0)


def _spread(response: np.ndarray, inside: np.ndarray, window: int, volume: bool, least: float) -> np.ndarray:
    """Root mean square of the responses around each voxel, but that of a variance of ``least`` at least."""
    squares = inside * np.minimum(np.square(response), np.float32(CLIP**2 * (least or 1)))
    share = np.maximum(_box(inside, window, volume), 0.02)
    return np.sqrt(np.maximum(_box(squares, window, volume) / share, least))


def _halved(planes: np.ndarray) -> np.ndarray:
    """Means of 2x2x2 voxels; what is beyond the last counts as 0."""
    for axis in range(3):
        if planes.shape[axis] % 2:
            planes = np.pad(planes, [(0, int(number == axis)) for number in range(3)])
        even, odd = (planes[(slice(None),) * axis + (slice(start, None, 2),)] for start in (0, 1))
        planes = (even + odd) / 2
    return planes


def _doubled(planes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Each value for all the voxels that it is the mean of."""
    for axis in range(3):
        planes = np.repeat(planes, 2, axis).take(range(shape[axis]), axis)
    return planes


def _gaussian(planes: np.ndarray, width: float, volume: bool, mode: str = "constant") -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(planes, (width if volume else 0, width, width), mode=mode, truncate=3.5)


def _box(planes: np.ndarray, side: int, volume: bool) -> np.ndarray:
    from scipy.ndimage import uniform_filter

    return uniform_filter(planes, (side if volume else 1, side, side), mode="constant")
