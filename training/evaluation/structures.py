"""Is anatomy outlined as well after restoration as before? Fetal heads, and the angle of progression beside them.

A segmentation network outlines the structures in frames as they are and with speckle added, before and after a method.
Trained on frames without added noise, it tells whether a method keeps what an outline needs; trained on restored frames
(``+retrained``), what is still in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from MedRestoreLib.metrics import segmentation

from ..data import GREY, Patient
from ..data.intrapartum import HEAD, SYMPHYSIS
from ..recipe import RecipeError
from ..tables.results import Result, Values
from . import methods
from .baselines import Restorer
from .protocols import HeldOut

LEVELS = (0.0, 0.25, 0.5)  # of the added speckle, relative to the signal; 0 for the frame as it is
NAMES = {SYMPHYSIS: "symphysis", HEAD: "head"}


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method, named "method, segmenter"; "noisy" segments the frames themselves. Raises RecipeError."""
    if test.segmenter is None:
        raise RecipeError("structures need --segmenter, a folder of a training of seunet_heads or seunet_intrapartum.")
    segmenter = methods.learned(test.segmenter)
    chosen = [test.ready.patient(id) for id in test.ready.patients("test")[: test.patients]]
    for name in names:
        method = None if name == "noisy" else methods.for_frames(name)
        values = measure(_unchanged if method is None else _with_estimate(method), segmenter.restore, chosen)
        both, about = f"{name}, {segmenter.name}", {**(method.about if method else {}), **test.about()}
        yield Result("structures", test.protocol, both, values, about={**about, "segmenter": segmenter.about})


def measure(restore: Callable[[np.ndarray], np.ndarray], segment: Restorer, patients: Sequence[Patient]) -> Values:
    """Dice of each structure, of all together, and the error of the angle of progression → level → patient → value.

    Args:
        restore: gets a frame of 8 bits in [0, 1].
        segment: returns one logit for each class, ``(classes, rows, columns)``, or one that is positive in a head.
    """
    found: Values = {}
    for patient in patients:
        truth = _classes(patient)
        for level in LEVELS:
            frame = speckled(patient, level)
            outlined = _outlined(segment(np.clip(restore(frame), 0, 1).astype(np.float32), 0.0))
            for name, value in _agreement(outlined, truth).items():
                found.setdefault(name, {}).setdefault(f"{level:g}", {})[str(patient.id)] = value
    return found


def speckled(patient: Patient, level: float) -> np.ndarray:
    """The frame times (1 + level n), n normal, as an 8-bit file holds it; the same for every method."""
    noise = np.random.default_rng((patient.id, round(1000 * level))).standard_normal(patient.clean[0].shape)
    return (np.rint(GREY * np.clip(patient.clean[0] * (1 + level * noise), 0, 1)) / GREY).astype(np.float32)


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


def _unchanged(frame: np.ndarray) -> np.ndarray:
    return frame


def _with_estimate(method: methods.Method) -> Callable[[np.ndarray], np.ndarray]:
    return lambda frame: method.restore(frame, methods.level_of(frame))


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected region."""
    count, regions, measured, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return regions == 1 + int(np.argmax(measured[1:, cv2.CC_STAT_AREA])) if count > 1 else mask


def _classes(patient: Patient) -> np.ndarray:
    """Class numbers ``(rows, columns)``; a source that knows no structures has heads as its masks."""
    return patient.structures[0] if patient.structures is not None else HEAD * np.uint8(patient.lesions[0])


def _outlined(logits: np.ndarray) -> np.ndarray:
    return logits.argmax(axis=0) if logits.ndim == 3 else HEAD * (logits > 0)


def _agreement(outlined: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    there = [one for one in NAMES if np.any(truth == one)]
    found = {f"dice {NAMES[one]}": segmentation.dice(outlined == one, truth == one) for one in there}
    if len(there) == len(NAMES):
        found["dice all"] = segmentation.dice(outlined > 0, truth > 0)
        error = abs(angle_of_progression(outlined) - angle_of_progression(truth))
        if np.isfinite(error):
            found["angle error"] = error
    return found
