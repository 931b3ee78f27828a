"""Transverse sections of a patient on a voxel phantom, as SPECT shows them once attenuation is corrected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from . import pose
from .anatomy import INDEX, NONE
from .projection import Camera
from .uptake import Patient
from .voxel_phantoms import Phantom

TRUNK = ("cranium", "cervical", "thoracic", "lumbar", "sacrum", "pelvis", "ribs", "sternum", "scapula", "femur")
FAINT = 0.02  # of the maximum: a lesion that gives less to this section lies elsewhere
See = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Plane:
    """What lies ``thick`` mm (standard deviation) about the height ``at`` (mm) of a phantom."""

    phantom: Phantom
    at: float
    thick: float

    def of(self, position: np.ndarray, activity: np.ndarray) -> np.ndarray:
        """Activity per ml of points ``(n, 3)`` in mm, on the phantom's grid ``(y, x)``."""
        _, step_y, step_x = self.phantom.spacing
        deep, columns = self.phantom.tissue.shape[1:]
        near = np.abs(position[:, 2] - self.at) < 3 * self.thick
        x, y, z = position[near].T
        weight = activity[near] * np.exp(-0.5 * ((z - self.at) / self.thick) ** 2)
        y = np.clip(y / step_y, 0, deep - 2)
        row, column = y.astype(int), np.clip(np.rint(x / step_x).astype(int), 0, columns - 1)
        flat, lower = row * columns + column, y - row
        image = np.bincount(flat, weight * (1 - lower), deep * columns)
        image += np.bincount(flat + columns, weight * lower, deep * columns)
        return image.reshape(deep, columns) / (np.sqrt(2 * np.pi) * self.thick * step_x * step_y / 1000)

    def tissue(self, per_ml: np.ndarray) -> np.ndarray:
        """Activity per ml of soft tissue, on the phantom's grid."""
        rows = np.arange(len(self.phantom.tissue))
        weight = np.exp(-0.5 * ((rows * self.phantom.spacing[0] - self.at) / self.thick) ** 2)
        table = np.zeros(NONE + 1)
        table[: len(per_ml)] = per_ml
        planes = (weight[row] * table[self.phantom.tissue[row]] for row in np.nonzero(weight > 0.01)[0])
        return sum(planes) / weight.sum()


def section(
    rng: np.random.Generator, heads: Camera, patient: Patient, shape: tuple[int, int], pixel: float
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Bone, everything but lesions, and each lesion alone: ``shape``, activity per ml; the arms are mostly raised."""
    phantom = heads.phantom
    lesions = [lesion for lesion in patient.lesions if len(lesion.cells)]
    trunk = np.isin(phantom.bone, [INDEX[name] for name in TRUNK])
    through = [lesion for lesion in lesions if trunk[lesion.cells].any()]
    seat = through[rng.integers(len(through))].cells if through and rng.random() < 0.6 else np.nonzero(trunk)[0]
    at = phantom.position[rng.choice(seat), 2] + rng.uniform(-4, 4)
    plane = Plane(phantom, at, max(rng.uniform(4, 6), 0.55 * phantom.spacing[0]))
    arms = pose.without_arms(heads, at) if rng.random() < 0.7 else np.float32(1)
    see = _transverse(rng, phantom, arms, rng.uniform(9, 14), shape, pixel)
    bone = see(plane.of(phantom.position, patient.bone))
    image = bone + see(plane.tissue(patient.tissue) + sum(plane.of(*organ) for organ in patient.organs))
    own = [see(plane.of(phantom.position[cells], added)) for cells, added in lesions]
    return bone, image, [part for part in own if part.max() > FAINT * image.max()]


def _transverse(
    rng: np.random.Generator, phantom: Phantom, arms: np.ndarray, width: float, shape: tuple[int, int], pixel: float
) -> See:
    """How a section on the phantom's grid comes onto the slice: blurred ``width`` mm, turned, scaled and shifted."""
    rows, columns = shape
    _, step_y, step_x = phantom.spacing
    angle, scale, shift = rng.normal(0, 0.06), rng.uniform(0.9, 1.12), rng.normal(0, 10, 2)
    x = (np.arange(columns) - columns / 2 + 0.5)[None] * pixel - shift[0]
    y = (np.arange(rows) - rows / 2 + 0.5)[:, None] * pixel - shift[1]
    across = (np.cos(angle) * x + np.sin(angle) * y) / scale + phantom.middle
    down = (np.cos(angle) * y - np.sin(angle) * x) / scale + phantom.tissue.shape[1] * step_y / 2
    where = (across / step_x).astype(np.float32), (down / step_y).astype(np.float32)
    sigma = width / 2.355

    def see(image: np.ndarray) -> np.ndarray:
        smooth = cv2.GaussianBlur((image * arms).astype(np.float32), (0, 0), sigma / step_x, sigmaY=sigma / step_y)
        return cv2.remap(smooth, *where, cv2.INTER_LINEAR)

    return see
