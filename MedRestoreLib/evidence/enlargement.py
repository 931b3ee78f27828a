"""What an enlarged study is worth without a reference: it agrees with the study, and what it adds was not measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .. import resampling
from ..progress import stop_if_asked

CAUTION = "Enlarged is not measured: what is finer than the study's own pixels was interpolated or learned, not seen."

CONSISTENT_DB = 40.0  # agreement from which a result does not contradict the study: 1 % of its range
CONTRADICTING_DB = 30.0  # agreement below which it does, unless bicubic interpolation agrees no better
MOST_DB = 120.0  # float32 tells no more
PLANES = 24  # that are looked at for fine detail, spread over the study
WINDOW = 3.0  # pixels of the study: standard deviation of the window of a local share
FLAT = 1e-3  # of the study's range: grey values that vary less have no detail


@dataclass(frozen=True)
class Enlargement:
    """How an enlarged study agrees with what was measured, and how much of it was not.

    Attributes:
        factor: how many times as many rows and columns.
        consistency_db: of the study against the result that is reduced again (``resampling.reduced``): range over root
            mean square of the difference; at most 120. Pixels whose surroundings reach beyond the edge do not count:
            nobody knows what is there.
        bicubic_db: the same of bicubic enlargement, which blurs.
        largest: the largest difference, in the study's unit.
        place: where it is: frame, slice, row and column of the study.
        finer: share of the result's variance, 0 to 1, at frequencies that the study's pixels cannot hold. It was
            interpolated or learned.
        bicubic_finer: the same of bicubic enlargement.
    """

    factor: int
    consistency_db: float
    bicubic_db: float
    largest: float
    place: tuple[int, int, int, int]
    finer: float
    bicubic_finer: float

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray, baseline: np.ndarray, factor: int) -> Enlargement:
        """The measures.

        Args:
            before: the study, ``(frames, slices, rows, columns)``, not constant.
            after, baseline: the result and the bicubic enlargement, on the finer grid.
        """
        spread = float(np.ptp(before))
        inner = _inner(before.shape[2:])
        largest, place = -1.0, (0, 0, 0, 0)
        squares = {"after": 0.0, "baseline": 0.0}
        for plane in np.ndindex(before.shape[:2]):
            stop_if_asked()
            for name, study in (("after", after), ("baseline", baseline)):
                difference = np.abs(resampling.reduced(study[plane], factor) - before[plane])[inner]
                squares[name] += float(np.square(difference, dtype=np.float64).sum())
                if name == "after" and difference.max() > largest:
                    largest = float(difference.max())
                    row, column = np.unravel_index(difference.argmax(), difference.shape)
                    place = (*plane, int(row) + inner[0].start, int(column) + inner[1].start)
        count = before[:, :, *inner].size
        agreement = {name: _decibels(spread, total / count) for name, total in squares.items()}
        finer = {name: _finer_share(study, factor) for name, study in (("after", after), ("baseline", baseline))}
        return cls(factor, agreement["after"], agreement["baseline"], largest, place, finer["after"], finer["baseline"])

    @property
    def consistent(self) -> bool:
        """The result does not contradict the study."""
        return self.consistency_db >= CONSISTENT_DB

    @property
    def contradicts(self) -> bool:
        """The result shows something else than the study, by more than interpolation blurs."""
        return self.consistency_db < min(CONTRADICTING_DB, self.bicubic_db - 1)

    @property
    def sentence(self) -> str:
        """For a person, a part of a sentence with a full stop."""
        return (
            f"reduced again, the result agrees with the study to {self.consistency_db:.0f} dB (bicubic enlargement: "
            f"{self.bicubic_db:.0f} dB); {100 * self.finer:.2g} % of its variance is finer than the study's pixels "
            f"and was not measured (bicubic: {100 * self.bicubic_finer:.2g} %)."
        )

    @property
    def summary(self) -> str:
        """In one line, for a figure."""
        return f"Enlarged {self.factor} times, consistent with the study to {self.consistency_db:.0f} dB; not measured"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Enlargement:
        """From ``to_dict``, also as kept in a JSON file."""
        return cls(**{**values, "place": tuple(values["place"])})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def finer_than(planes: np.ndarray, factor: int) -> np.ndarray:
    """What planes on a finer grid hold at frequencies beyond those of the coarser one.

    Args:
        planes: float32 ``(..., rows, columns)``, multiples of the factor.

    Returns:
        An array like ``planes``: the part of a cosine transform beyond the coarser grid's coefficients.
    """
    from scipy.fft import dctn, idctn

    spectrum = dctn(planes, axes=(-2, -1), norm="ortho")
    spectrum[..., : planes.shape[-2] // factor, : planes.shape[-1] // factor] = 0
    return idctn(spectrum, axes=(-2, -1), norm="ortho")


def finer_map(after: np.ndarray, factor: int) -> np.ndarray:
    """Where detail is finer than the study's pixels: its share of the variance around each voxel, 0 to 1.

    Args:
        after: the enlarged study, ``(frames, slices, rows, columns)``.

    Returns:
        Float32 like ``after``.
    """
    from scipy.ndimage import gaussian_filter

    def around(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, WINDOW * factor, mode="reflect", truncate=3.0)

    flat = (FLAT * float(np.ptp(after))) ** 2
    result = np.empty(after.shape, np.float32)
    for plane in np.ndindex(after.shape[:2]):
        stop_if_asked()
        values = after[plane]
        variance = around(np.square(values - around(values)))
        fine = around(np.square(finer_than(values, factor)))
        result[plane] = np.minimum(fine / np.maximum(variance, flat), 1) * (variance > flat)
    return result


def _finer_share(study: np.ndarray, factor: int) -> float:
    """Of the variance of planes spread over a study."""
    planes = study.reshape(-1, *study.shape[2:])
    chosen = planes[np.linspace(0, len(planes) - 1, min(PLANES, len(planes))).round().astype(int)]
    fine = whole = 0.0
    for plane in chosen:
        stop_if_asked()
        fine += float(np.square(finer_than(plane, factor), dtype=np.float64).sum())
        whole += float(np.square(plane - plane.mean(), dtype=np.float64).sum())
    return fine / whole if whole > 0 else 0.0


def _inner(sides: tuple[int, ...]) -> tuple[slice, ...]:
    """A plane without the pixels beside its edges; all of one that is hardly more than edges."""
    edge = 2 * resampling.REACH
    return tuple(slice(edge, side - edge) if side > 4 * edge else slice(0, side) for side in sides)


def _decibels(spread: float, mean_square: float) -> float:
    return MOST_DB if mean_square <= 0 else min(20 * math.log10(spread / math.sqrt(mean_square)), MOST_DB)
