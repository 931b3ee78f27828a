"""What happens to real B-mode frames? Lesion contrast, speckle and edges before and after, without a clean image.

Regions are found in the unrestored frame and are the same for every method. Display grey is log-compressed, so only the
ratio of ENL after and before has a meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    distance_transform_edt,
    gaussian_filter,
    gaussian_gradient_magnitude,
)

from MedRestoreLib.metrics import no_reference

from ..data import Source
from ..data.ultrasound import LABELS
from ..tables.results import Result, Values
from . import methods
from .baselines import Restorer
from .protocols import REAL, HeldOut

HEAD = LABELS.index("fetal head")  # the mask of such a frame is the head, not a lesion

NEAR, LEAST_WIDTH = 3, 8  # pixels: distance between a lesion and the ring around it; smallest width of the ring
BLOCK, STEP, PART = 24, 12, 8  # pixels: side of tissue blocks, step between them, side of a block's nine parts
BLOCKS = 8  # blocks used per frame, the most homogeneous ones
TISSUE = (0.1, 0.9)  # mean grey of a block
ENDS = 0.02  # largest share of black and white pixels in a block
EDGES, EDGE_SCALE = 0.1, 2.0  # share of the pixels that are edges, by gradient; scale of the gradient in pixels
MARGIN = 3  # pixels around burned-in graphics that no region uses


@dataclass(frozen=True)
class Regions:
    """Where a frame ``(rows, columns)`` is measured; masks are bool of that shape.

    Attributes:
        inside, around: the lesion, and a ring around it half as wide as its radius.
        tissue: ``(blocks, 2)``, the first row and column of homogeneous blocks.
        edges: the tenth of the pixels with the largest gradients.
    """

    inside: np.ndarray
    around: np.ndarray
    tissue: np.ndarray
    edges: np.ndarray


def regions(frame: np.ndarray, lesion: np.ndarray, overlays: np.ndarray | None = None) -> Regions:
    """Regions of a frame ``(rows, columns)``, display grey in [0, 1], clear of burned-in graphics."""
    drawn = np.zeros(frame.shape, bool) if overlays is None else overlays
    clear = ~binary_dilation(drawn, iterations=MARGIN)
    radius = np.sqrt(lesion.sum() / np.pi)
    distance = distance_transform_edt(~lesion)
    around = (distance > NEAR) & (distance <= NEAR + max(LEAST_WIDTH, radius / 2))
    slope = gaussian_gradient_magnitude(frame, EDGE_SCALE)
    edges = clear & (slope >= np.quantile(slope[clear], 1 - EDGES))
    return Regions(lesion & clear, around & clear, _homogeneous(frame, clear & ~lesion), edges)


def measured(frame: np.ndarray, restored: np.ndarray, where: Regions) -> dict[str, float]:
    """Lesion contrast, speckle and edges of one restored frame; with ``restored = frame``, those before.

    - ``cnr``, ``gcnr``: the lesion against its surroundings.
    - ``enl``: (mean / standard deviation)² in homogeneous tissue, the median over blocks; NaN without any.
    - ``enl_ratio``: after / before in the same block, the median over blocks.
    - ``epi``: edge preservation index, the correlation of the Laplacians at edges, which removed speckle lowers, too;
      ``epi_coarse``: the same of both images smoothed by 2 pixels, which leaves little speckle.
    """
    smooth = [gaussian_filter(image, EDGE_SCALE) for image in (restored, frame)]
    blocks = [np.s_[row : row + BLOCK, column : column + BLOCK] for row, column in where.tissue]
    looks, before = (np.array([no_reference.enl(image[block]) for block in blocks]) for image in (restored, frame))
    return {
        "cnr": no_reference.cnr(restored[where.inside], restored[where.around]),
        "gcnr": no_reference.gcnr(restored[where.inside], restored[where.around]),
        "enl": float(np.median(looks)) if blocks else float("nan"),
        "enl_ratio": float(np.median(looks / before)) if blocks else float("nan"),
        "epi": no_reference.edge_preservation(restored, frame, mask=where.edges),
        "epi_coarse": no_reference.edge_preservation(*smooth, mask=where.edges),
    }


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method; ``names`` as for ``methods.for_frames``. Raises RecipeError."""
    for name in names:
        method = methods.for_frames(name)
        values = measure(method.restore, test.ready, test.patients)
        yield Result("frames", REAL, method.name, values, method.seed, {**method.about, **test.about()})


def measure(restore: Restorer, source: Source, patients: int) -> Values:
    """``measured`` of real test frames: measure → "before" or "after" → patient → mean over the patient's frames.

    Args:
        restore: gets the frame and the library's estimate of its level.
        patients: at most; only those with a lesion count.
    """
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for id, frame, lesion, overlays in _lesions(source, patients):
        where = regions(frame, lesion, overlays)
        for moment, image in (("before", frame), ("after", restore(frame, methods.level_of(frame)))):
            for name, value in measured(frame, image, where).items():
                if np.isfinite(value):
                    found.setdefault(name, {}).setdefault(moment, {}).setdefault(str(id), []).append(value)
    return {
        name: {moment: {id: float(np.mean(v)) for id, v in of.items()} for moment, of in moments.items()}
        for name, moments in found.items()
    }


def _lesions(source: Source, patients: int) -> Iterator[tuple[int, np.ndarray, np.ndarray, Any]]:
    """(patient, frame, lesion, overlays) of the first test patients that have a lesion."""
    breasts = (one for one in map(source.patient, source.patients("test")) if one.label != HEAD)
    with_lesion = (one for one in breasts if one.lesions.any())
    for patient in islice(with_lesion, patients):
        overlays = [None] * len(patient.clean) if patient.overlays is None else patient.overlays
        for frame, lesion, drawn in zip(patient.clean, patient.lesions, overlays, strict=True):
            if lesion.any():
                yield patient.id, frame, lesion, drawn


def _homogeneous(frame: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The blocks whose nine parts differ least in their means: speckle averages out within a part, anatomy does not."""
    candidates = []
    for row in range(0, frame.shape[0] - BLOCK + 1, STEP):
        for column in range(0, frame.shape[1] - BLOCK + 1, STEP):
            block = frame[row : row + BLOCK, column : column + BLOCK]
            mean, ends = block.mean(), np.mean((block <= 0) | (block >= 1))
            if allowed[row : row + BLOCK, column : column + BLOCK].all() and ends <= ENDS and _between(mean, TISSUE):
                parts = block.reshape(BLOCK // PART, PART, BLOCK // PART, PART).mean(axis=(1, 3))
                candidates.append((parts.std() / mean, row, column))
    return np.array([place for _, *place in sorted(candidates)[:BLOCKS]], int).reshape(-1, 2)


def _between(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
