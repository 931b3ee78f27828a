"""Blobs that were lost or added: small round structures that only one of the two studies shows.

A lesion of a few voxels hardly changes the statistics of a whole residual. A matched filter sums it up: the response of
the standardised residual to a Gaussian as wide as the blob has the largest signal-to-noise ratio that a linear filter
can reach in white noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np

from ..noise import Noise
from ..progress import stop_if_asked
from .matched import MARGIN, WIDTHS, Responses

FWHM = 2.3548  # full width at half maximum over standard deviation of a Gaussian
REFERENCE_VOXELS = 65_536  # the noise models' thresholds belong to studies of this size
MOST = 100  # places that are listed
CHUNK = 4_000_000  # voxels that are worked on at once
VOLUME_SLICES, THICK = 8, 2.0  # a volume has so many slices, no thicker than so many times the pixels


class Grid(Protocol):
    """Where voxels lie: ``Image`` is one."""

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Of columns, rows and slices, mm."""

    @property
    def spacing_known(self) -> bool:
        """Whether that is a length; else it counts voxels."""

    @property
    def origin(self) -> tuple[float, float, float]:
        """LPS, mm."""

    @property
    def direction(self) -> tuple[float, ...]:
        """3x3, row-major."""


@dataclass(frozen=True)
class UnitGrid:
    """Voxels of a size that is not known."""

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    spacing_known: bool = False


@dataclass(frozen=True)
class Place:
    """One blob.

    Attributes:
        change: "lost" if the noisy study shows it and the restored one does not, "added" the other way round.
        polarity: "bright" or "dark" beside its surroundings.
        voxel: ``(frame, slice, row, column)`` of its middle, counted from 0.
        position_mm: the same, LPS; in voxels where the grid's spacing is not known, and so is the width.
        width_mm: full width at half maximum in the plane.
        score: response over threshold; 1 or more.
    """

    change: str
    polarity: str
    voxel: tuple[int, int, int, int]
    position_mm: tuple[float, float, float]
    width_mm: float
    score: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Place:
        """From ``to_dict``, also as kept in JSON."""
        found: dict[str, Any] = {field.name: values[field.name] for field in fields(cls)}
        found = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
        return cls(**found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def find(before: np.ndarray, after: np.ndarray, noise: Noise, grid: Grid) -> list[Place]:
    """Every blob that was lost or added, largest score first and at most ``MOST``: see ``Responses``.

    Untouched results exceed the threshold somewhere in at most 5 % of studies. It grows with the number of voxels as
    the maximum of noise does.

    Args:
        before, after: float32 ``(frames, slices, rows, columns)`` in the study's unit.
        noise: the model, bound to ``before``; without ``blob_thresholds`` nothing is looked for.
        grid: where the voxels lie; volumes of nearly cubic voxels are searched in three dimensions.
    """
    if not noise.blob_thresholds or min(before.shape[2:]) <= 4 * MARGIN:
        return []
    volume = noise.white and before.shape[1] >= VOLUME_SLICES and grid.spacing[2] <= THICK * min(grid.spacing[:2])
    thresholds = np.sqrt(np.square(noise.blob_thresholds) + 2 * np.log(max(before.size / REFERENCE_VOXELS, 1)))
    thresholds = thresholds.astype(np.float32)
    pixel = float(np.sqrt(grid.spacing[0] * grid.spacing[1]))
    places = []
    for start, judged, planes in _pieces(before.shape, volume):
        noisy, restored = (study.reshape(-1, *study.shape[2:])[planes] for study in (before, after))
        responses = Responses.of(noisy, restored, noise, volume=volume)
        stop_if_asked()
        for (plane, row, column), number, score in _peaks(responses.z, thresholds, volume):
            if plane in judged:
                change, polarity = responses.kind(number, (plane, row, column))
                voxel = (*divmod(start + plane, before.shape[1]), row, column)
                width = FWHM * WIDTHS[number] * pixel
                places.append(Place(change, polarity, voxel, _position(voxel, grid), width, score))
    stop_if_asked()
    return sorted(places, key=lambda place: -place.score)[:MOST]


def _pieces(shape: tuple[int, ...], volume: bool) -> Iterator[tuple[int, range, slice]]:
    """Pieces of a study: number of the first plane, which of the piece's planes are judged, and its planes."""
    frames, slices, rows, columns = shape
    halo = 2 * int(1.5 * max(WIDTHS)) if volume else 0  # even, as broad filters work on pairs of planes
    step = max(CHUNK // (rows * columns) // 2 * 2, 4 * halo, 1)
    length = slices if volume else frames * slices
    for first in range(0, frames * slices, length):
        for start in range(first, first + length, step):
            stop = min(start + step, first + length)
            low, high = max(start - halo, first), min(stop + halo, first + length)
            yield low, range(start - low, stop - low), slice(low, high)


def _peaks(z: np.ndarray, thresholds: np.ndarray, volume: bool) -> Iterator[tuple[tuple[int, int, int], int, float]]:
    """Place, number of the width and score of each peak over threshold, none within the width of a larger one."""
    from scipy.ndimage import maximum_filter

    scores = np.abs(z[0]) / thresholds[0]
    numbers = np.zeros(scores.shape, np.int8)
    for number in range(1, len(thresholds)):
        score = np.abs(z[number]) / thresholds[number]
        numbers[score > scores] = number
        np.maximum(scores, score, out=scores)
    if not (scores >= 1).any():  # as of most results; the search for peaks would take a tenth of the evidence's time
        return
    peaks = np.argwhere((scores >= 1) & (scores == maximum_filter(scores, (5 if volume else 1, 5, 5))))
    order = np.argsort(-scores[tuple(peaks.T)], kind="stable")
    taken: list[tuple[np.ndarray, float]] = []
    for peak in peaks[order][: 20 * MOST]:
        place = (int(peak[0]), int(peak[1]), int(peak[2]))
        reach = FWHM * WIDTHS[numbers[place]]
        if any(
            (volume or peak[0] == other[0]) and np.linalg.norm(peak - other) < max(reach, width)
            for other, width in taken
        ):
            continue
        taken.append((peak, reach))
        yield place, int(numbers[place]), float(scores[place])


def _position(voxel: tuple[int, int, int, int], grid: Grid) -> tuple[float, float, float]:
    """Middle of a voxel, LPS, mm."""
    x, y, z = np.reshape(grid.direction, (3, 3)) @ np.multiply(grid.spacing, voxel[:0:-1]) + grid.origin
    return float(x), float(y), float(z)
