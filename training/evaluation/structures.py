"""Is anatomy outlined as well after restoration as before? Fetal heads, the angle of progression, ventricles.

A segmentation network outlines the structures in frames as they are and with noise added, before and after a method.
Trained on frames without added noise, it tells whether a method keeps what an outline needs; trained on restored frames
(``+retrained``), what is still in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from MedRestoreLib.metrics import segmentation

from ..data import GREY, Patient
from ..data.degradations import MODELS
from ..data.intrapartum import HEAD, SYMPHYSIS
from ..recipe import RecipeError
from ..tables.results import Result, Values
from . import methods
from .baselines import Restorer
from .protocols import HeldOut

# Of the added noise, in its model's unit, by protocol; 0 for the frame as it is.
LEVELS = {"speckle": (0.0, 0.25, 0.5), "rician": (0.0, 5.0, 10.0)}
Restore = Callable[[np.ndarray], np.ndarray]  # a frame of 8 bits in [0, 1] → restored
NAMES = {SYMPHYSIS: " symphysis", HEAD: " head"}


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method, named "method, segmenter"; "noisy" segments the frames themselves. Raises RecipeError."""
    if test.segmenter is None:
        raise RecipeError("structures need --segmenter, a folder of a training such as seunet_heads.")
    segmenter = methods.learned(test.segmenter)
    chosen = [test.ready.patient(id) for id in test.ready.patients("test")[: test.patients]]
    for name in names:
        restore, about = _method(name, test.protocol)
        values = measure(restore, segmenter.restore, chosen, test.protocol)
        about = {**about, **test.about(), "segmenter": segmenter.about}
        yield Result("structures", test.protocol, f"{name}, {segmenter.name}", values, about=about)


def measure(restore: Restore, segment: Restorer, patients: Sequence[Patient], noise: str = "speckle") -> Values:
    """Dice of each structure, of all together, and the error of the angle of progression → level → patient → value.

    Args:
        segment: returns one logit for each class, ``(classes, rows, columns)``, or one that is positive in the only
            structure.
        noise: a key of LEVELS.
    """
    found: Values = {}
    for patient in patients:
        known = patient.structures is not None
        truth, names = (patient.structures[0], NAMES) if known else (patient.lesions[0], {True: ""})
        for level in LEVELS[noise]:
            frame = degraded(patient, noise, level)
            outlined = _outlined(segment(np.clip(restore(frame), 0, 1).astype(np.float32), 0.0))
            for name, value in _agreement(outlined, truth, names).items():
                found.setdefault(name, {}).setdefault(f"{level:g}", {})[str(patient.id)] = value
    return found


def degraded(patient: Patient, noise: str, level: float) -> np.ndarray:
    """The first frame with noise, as an 8-bit file holds it; the same for every method."""
    rng = np.random.default_rng((patient.id, round(1000 * level)))
    noisy = MODELS[noise](patient.clean[0], level, rng)["noisy"] if level else patient.clean[0]
    return (np.rint(GREY * np.clip(noisy, 0, 1)) / GREY).astype(np.float32)


def angle_of_progression(structures: np.ndarray) -> float:
    """Degrees between the symphysis' long axis and the tangent from its lower end to the head's leading edge.

    ISUOG's practice guideline on intrapartum ultrasound (2018). The lower end is the one nearer to the head.

    Args:
        structures: class numbers ``(rows, columns)``.

    Returns:
        NaN where a structure is missing or the lower end lies inside the head.
    """
    symphysis, head = (_largest(structures == one) for one in (SYMPHYSIS, HEAD))
    if not symphysis.any() or not head.any():
        return float("nan")
    points, contour = (np.argwhere(mask)[:, ::-1].astype(float) for mask in (symphysis, head))
    middle, centre = points.mean(axis=0), contour.mean(axis=0)
    axis = np.linalg.svd(points - middle, full_matrices=False)[2][0]
    along = (points - middle) @ axis
    ends = [middle + axis * along.min(), middle + axis * along.max()]
    lower, upper = sorted(ends, key=lambda end: np.hypot(*(end - centre)))
    if head[tuple(np.clip(np.rint(lower[::-1]).astype(int), 0, np.array(head.shape) - 1))]:
        return float("nan")
    to_centre = _bearings(upper - lower, (centre - lower)[None])[0]
    leading = np.sign(to_centre) * _bearings(centre - lower, contour - lower)  # the head covers less than half a turn
    return float(np.degrees(abs(to_centre) + leading.max()))


def _bearings(axis: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Signed angles from ``axis`` ``(2,)`` to ``vectors`` ``(n, 2)``, in radians from -pi to pi."""
    crossed = axis[0] * vectors[:, 1] - axis[1] * vectors[:, 0]
    return np.arctan2(crossed, vectors @ axis)


def _method(name: str, noise: str) -> tuple[Restore, dict[str, Any]]:
    """A method with the level that it or the library finds, and its training. Raises RecipeError."""
    if noise not in LEVELS:
        raise RecipeError(f"structures are measured with --protocol {' or '.join(LEVELS)}; got '{noise}'.")
    if name == "noisy":
        return lambda frame: frame, {}
    if noise == "rician":
        return lambda frame: methods.by_library(name, frame, "MR"), {}
    method = methods.for_frames(name)
    return lambda frame: method.restore(frame, methods.level_of(frame)), method.about


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected region."""
    count, regions, measured, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return regions == 1 + int(np.argmax(measured[1:, cv2.CC_STAT_AREA])) if count > 1 else mask


def _outlined(logits: np.ndarray) -> np.ndarray:
    return logits.argmax(axis=0) if logits.ndim == 3 else logits > 0


def _agreement(outlined: np.ndarray, truth: np.ndarray, names: dict[int, str]) -> dict[str, float]:
    """``names``: class → the end of its measure's name."""
    there = [one for one in names if np.any(truth == one)]
    found = {f"dice{names[one]}": segmentation.dice(outlined == one, truth == one) for one in there}
    if len(there) == len(NAMES):
        found["dice all"] = segmentation.dice(outlined > 0, truth > 0)
        error = abs(angle_of_progression(outlined) - angle_of_progression(truth))
        if np.isfinite(error):
            found["angle error"] = error
    return found
