"""How well two masks agree: boolean arrays of one shape, ``(rows, columns)`` or ``(slices, rows, columns)``.

Two empty masks agree: overlaps are 1 and distances 0. If only one is empty, overlaps are 0 and distances infinite.
``spacing`` is in mm along columns, rows and slices (x, y, z), as in ``Image.spacing``. Every function raises ValueError
if the masks differ in shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient ``2 |A and B| / (|A| + |B|)``, 0 to 1.

    >>> dice(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    0.5
    """
    predicted, truth = _masks(predicted, truth)
    return _share(2 * np.sum(predicted & truth), predicted.sum() + truth.sum(), predicted, truth)


def iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union (Jaccard index), 0 to 1."""
    predicted, truth = _masks(predicted, truth)
    return _share(np.sum(predicted & truth), np.sum(predicted | truth), predicted, truth)


def precision(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Share of the predicted voxels that are true, 0 to 1; 0 if nothing was predicted and the truth is not empty."""
    predicted, truth = _masks(predicted, truth)
    return _share(np.sum(predicted & truth), predicted.sum(), predicted, truth)


def recall(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Share of the true voxels that were predicted, 0 to 1; 0 if something was predicted and the truth is empty."""
    predicted, truth = _masks(predicted, truth)
    return _share(np.sum(predicted & truth), truth.sum(), predicted, truth)


def asd(predicted: np.ndarray, truth: np.ndarray, *, spacing: tuple[float, ...]) -> float:
    """Average symmetric surface distance, mm: the mean distance of all surface voxels to the other mask's surface."""
    there, back = _surface_distances(predicted, truth, spacing)
    return float(np.mean(np.concatenate([there, back])))


def hd95(predicted: np.ndarray, truth: np.ndarray, *, spacing: tuple[float, ...]) -> float:
    """95th percentile Hausdorff distance, mm: the larger of the two directed 95th percentiles."""
    there, back = _surface_distances(predicted, truth, spacing)
    return float(max(np.percentile(there, 95, method="higher"), np.percentile(back, 95, method="higher")))


@dataclass(frozen=True)
class Detection:
    """Number of true lesions, of those that were found, and of predicted lesions that match no true one."""

    lesions: int
    found: int
    false_positives: int

    @property
    def sensitivity(self) -> float:
        """Share of the lesions that were found; 1 if there is none."""
        return self.found / self.lesions if self.lesions else 1.0


def detection(
    predicted: np.ndarray, truth: np.ndarray, *, overlap: float = 0.25, largest: int | None = None
) -> Detection:
    """How many lesions were found: those that one predicted lesion overlaps with an IoU of at least ``overlap``.

    Lesions are connected regions: neighbours share an edge, in 3-D a face.

    Args:
        largest: count only true lesions of at most this many voxels, to report small lesions separately. A prediction
            that matches a larger lesion is then still no false positive.
    """
    from scipy.ndimage import label

    predicted, truth = _masks(predicted, truth)
    claims, claimed = label(predicted)
    lesions, present = label(truth)
    shared = np.zeros((present + 1, claimed + 1), np.int64)
    np.add.at(shared, (lesions.ravel(), claims.ravel()), 1)
    sizes = shared.sum(axis=1)[1:]
    union = sizes[:, None] + shared.sum(axis=0)[1:] - shared[1:, 1:]
    match = shared[1:, 1:] / union >= overlap
    counted = sizes <= (np.inf if largest is None else largest)
    return Detection(int(counted.sum()), int(match.any(axis=1)[counted].sum()), int((~match.any(axis=0)).sum()))


def _masks(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if np.shape(predicted) != np.shape(truth):
        raise ValueError(f"masks have shapes {np.shape(predicted)} and {np.shape(truth)}")
    return np.asarray(predicted, bool), np.asarray(truth, bool)


def _share(part: int, whole: int, predicted: np.ndarray, truth: np.ndarray) -> float:
    if not predicted.any() and not truth.any():
        return 1.0
    return float(part / whole) if whole else 0.0


def _surface_distances(
    predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances, mm, of each mask's surface voxels to the nearest surface voxel of the other."""
    from scipy.ndimage import binary_erosion
    from scipy.spatial import cKDTree

    predicted, truth = _masks(predicted, truth)
    if len(spacing) < predicted.ndim:
        raise ValueError(f"{predicted.ndim}-D masks need {predicted.ndim} spacings, got {spacing}")
    if not predicted.any() or not truth.any():
        distance = 0.0 if predicted.any() == truth.any() else np.inf
        return np.array([distance]), np.array([distance])
    sampling = spacing[: predicted.ndim][::-1]
    points = [np.argwhere(mask & ~binary_erosion(mask)) * sampling for mask in (predicted, truth)]
    return cKDTree(points[1]).query(points[0])[0], cKDTree(points[0]).query(points[1])[0]
