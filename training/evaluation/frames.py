"""Real B-mode frames before and after a method, without a clean image to compare with.

Regions are found in the frame as it came and serve every method. Display grey is log-compressed, so ENL is not that of
the echoes: what counts is how many times larger it became.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    distance_transform_edt,
    gaussian_filter,
    gaussian_gradient_magnitude,
    median_filter,
)

from MedRestoreLib.image import Image
from MedRestoreLib.methods import catalogue
from MedRestoreLib.metrics import no_reference
from MedRestoreLib.noise import model
from MedRestoreLib.pipeline import device
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.plan import recommend
from MedRestoreLib.pipeline.restore import run_plan

from ..data import Source
from ..data.ultrasound import LABELS
from ..recipe import RecipeError
from . import evaluate
from .baselines import Restorer

HEAD = LABELS.index("fetal head")  # what is outlined there is no lesion

MEDIAN = "median"
MEDIAN_SIDE = 5  # pixels
TYPICAL_LEVEL = 0.13  # of the estimates in breast frames, where one frame tells none

NEAR, LEAST_WIDTH = 3, 8  # pixels: the ring around a lesion begins so far from it and is so wide at least
BLOCK, STEP, PART = 24, 12, 8  # pixels: blocks of tissue, from one to the next, and the parts that must look alike
BLOCKS = 8  # the most homogeneous ones of a frame
TISSUE = (0.1, 0.9)  # mean grey
ENDS = 0.02  # share of black and white pixels that a block may have
EDGES, EDGE_SCALE = 0.1, 2.0  # the steepest share of a frame, at a scale of so many pixels
MARGIN = 3  # pixels around what is drawn over a frame

Measured = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Regions:
    """Where a frame ``(rows, columns)`` is measured; masks are bool of that shape.

    Attributes:
        inside, around: the lesion, and a ring around it half as wide as its radius.
        tissue: ``(blocks, 2)``, the first row and column of homogeneous blocks.
        edges: the steepest tenth.
    """

    inside: np.ndarray
    around: np.ndarray
    tissue: np.ndarray
    edges: np.ndarray


def regions(frame: np.ndarray, lesion: np.ndarray, overlays: np.ndarray | None = None) -> Regions:
    """Regions of a frame ``(rows, columns)``, display grey in [0, 1], that keep clear of what is drawn over it."""
    drawn = np.zeros(frame.shape, bool) if overlays is None else overlays
    clear = ~binary_dilation(drawn, iterations=MARGIN)
    radius = np.sqrt(lesion.sum() / np.pi)
    distance = distance_transform_edt(~lesion)
    around = (distance > NEAR) & (distance <= NEAR + max(LEAST_WIDTH, radius / 2))
    slope = gaussian_gradient_magnitude(frame, EDGE_SCALE)
    edges = clear & (slope >= np.quantile(slope[clear], 1 - EDGES))
    return Regions(lesion & clear, around & clear, _homogeneous(frame, clear & ~lesion), edges)


def measured(frame: np.ndarray, restored: np.ndarray, where: Regions) -> dict[str, float]:
    """Lesion contrast, looks and edges of one restored frame; of ``restored = frame``, those before.

    - ``cnr``, ``gcnr``: the lesion against its surroundings.
    - ``enl``: (mean / standard deviation)² in homogeneous tissue, the median over blocks; NaN without any.
    - ``enl_ratio``: how many times that is the frame's in the same block, the median over blocks.
    - ``epi``: correlation with the frame's Laplacian at its edges, which counts lost speckle as well; ``epi_coarse``:
      the same of both smoothed by 2 pixels, where little of the speckle is left.
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


def measure(restore: Restorer, source: Source, patients: int) -> Measured:
    """``measured`` of real test frames: measure → "before" or "after" → patient → mean over the patient's frames.

    Args:
        restore: gets the frame as it is and the level that the library estimates in it.
        patients: how many at most; only those with a lesion count.
    """
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for id, frame, lesion, overlays in _lesions(source, patients):
        where = regions(frame, lesion, overlays)
        for moment, image in (("before", frame), ("after", restore(frame, level(frame)))):
            for name, value in measured(frame, image, where).items():
                if np.isfinite(value):
                    found.setdefault(name, {}).setdefault(moment, {}).setdefault(str(id), []).append(value)
    return {
        name: {moment: {id: float(np.mean(v)) for id, v in of.items()} for moment, of in moments.items()}
        for name, moments in found.items()
    }


def restorer(name: str) -> Restorer:
    """A method as a restorer of real frames ``(..., rows, columns)``, all told one level. Raises RecipeError.

    Args:
        name: "median", a method of MedRestore by its id, or the folder of a training.
    """
    if Path(name).is_dir():
        network = evaluate.restorer(name)
        return lambda frames, level: _each(lambda frame: network(frame, level), frames)
    if name == MEDIAN:
        return lambda frames, level: _each(lambda frame: median_filter(frame, MEDIAN_SIDE), frames)
    known = [row.id for row in catalogue.METHODS if "speckle" in row.noises]
    if name not in known:
        raise RecipeError(f"'{name}' is neither a folder of a training nor one of {', '.join([MEDIAN, *known])}.")
    return lambda frames, level: _library(name, frames, level)


def level(frames: np.ndarray) -> float:
    """The speckle that the library finds in frames ``(..., rows, columns)``, relative to the signal."""
    estimate = model("speckle").estimate(frames.reshape(-1, 1, *frames.shape[-2:]))
    return estimate.level or TYPICAL_LEVEL


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
    """The blocks whose nine parts have the most equal means: speckle averages out in a part, anatomy does not."""
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


def _library(method: str, frames: np.ndarray, level: float) -> np.ndarray:
    """As MedRestore restores a study of 8-bit frames, without the evidence."""
    grey = np.uint8(np.rint(255 * np.clip(frames, 0, 1))).reshape(-1, *frames.shape[-2:])
    study = Image.from_array(grey, axes="fyx", modality="US")
    plan = recommend(study, method=method, noise="speckle", level=level)
    denoising = Denoising.of(study, plan, device.resolve(plan.device))
    return run_plan(denoising, study.voxels, plan).voxels.reshape(frames.shape) / np.float32(255)


def _each(restore: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> np.ndarray:
    one_by_one = [restore(frame) for frame in frames.reshape(-1, *frames.shape[-2:])]
    return np.stack(one_by_one).reshape(frames.shape)
