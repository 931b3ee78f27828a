"""What the two heads of a gamma camera see of a voxel phantom: attenuation, distance, collimator blur.

A view is made of bone cells weighted by their activity, shared between planes of equal distance on the phantom's own
grid, carried from there to the detector by any smooth warp, and blurred as far as each plane's distance asks. Linear
interpolation between the phantom's rows cancels their pitch exactly, so that slices of 8 mm leave no steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from .anatomy import KINDS, NONE
from .voxel_phantoms import Phantom

WATER, LUNG, BONE = 0.0125, 0.0040, 0.0190  # per mm at 140 keV, less what scatter puts back into the window
STEP = 120.0  # mm between the planes that points are shared between, the first at the collimator
WIDTHS = (7.0, 9.5, 12.0)  # mm, full width at half maximum of the blur at each plane
COARSE = 4  # voxels between the points at which attenuation is kept
SPARSE = 8  # pixels between those that are asked where they look


@dataclass(frozen=True, eq=False)
class Camera:
    """Both heads above and below one phantom; index 0 is the front head, 1 the back head.

    Attributes:
        skin: y (mm) of the nearest skin.
        path: float32 (2, z, coarse y, coarse x) exponent of attenuation.
        reach: float32 (2, cells) share of the photons of every bone cell that arrive.
        tissue: float32 (kinds, 2, z, x): ml behind one another as they arrive, blurred.
        outline: bool (z, x), the silhouette.
    """

    phantom: Phantom
    skin: tuple[float, float]
    path: np.ndarray
    reach: np.ndarray
    tissue: np.ndarray
    outline: np.ndarray


@lru_cache(maxsize=4)
def camera(phantom: Phantom) -> Camera:
    """Both heads about ``phantom``; a second or two, then remembered."""
    spacing = phantom.spacing
    per_mm = np.full(256, WATER, np.float32)
    per_mm[NONE], per_mm[KINDS.index("lung")] = 0, LUNG
    thickness = per_mm[phantom.tissue]
    thickness[phantom.solid] = BONE
    thickness *= spacing[1]
    front = np.cumsum(thickness, axis=1) - thickness / 2
    back = front[:, -1:] + thickness[:, -1:] / 2 - front
    body = np.nonzero(thickness.any(axis=(0, 2)))[0]
    skin = body[0] * spacing[1], body[-1] * spacing[1]
    path = np.stack([front[:, ::COARSE, ::COARSE], back[:, ::COARSE, ::COARSE]])
    return Camera(
        phantom,
        skin,
        path,
        arriving(path, spacing, phantom.position),
        _tissue(phantom, (front, back), skin),
        thickness.any(axis=1),
    )


def arriving(path: np.ndarray, spacing: tuple[float, float, float], position: np.ndarray) -> np.ndarray:
    """Share of the photons from ``position`` (n, 3) that arrive at either head: ``(2, n)``."""
    pitch = spacing[0], spacing[1] * COARSE, spacing[2] * COARSE
    at = [position[:, axis] / step for axis, step in zip((2, 1, 0), pitch, strict=True)]
    return np.exp(-np.stack([map_coordinates(exponent, at, order=1, mode="nearest") for exponent in path]))


def _tissue(phantom: Phantom, exponents: tuple[np.ndarray, np.ndarray], skin: tuple[float, float]) -> np.ndarray:
    rows, deep, columns = phantom.tissue.shape
    spacing = phantom.spacing
    z, y, x = np.nonzero(phantom.tissue != NONE)
    kind = phantom.tissue[z, y, x].astype(np.int64)
    flat = (kind * rows + z) * columns + x
    maps = np.zeros((len(KINDS), 2, rows, columns), np.float32)
    for head, exponent in enumerate(exponents):
        arrives = np.exp(-exponent[z, y, x]) * (np.prod(spacing) / 1000)
        shares = _shares(np.abs(np.arange(deep) * spacing[1] - skin[head]))
        for share, width in zip(shares, WIDTHS, strict=True):
            plane = np.bincount(flat, arrives * share[y], minlength=len(KINDS) * rows * columns)
            for kind_map, part in zip(maps[:, head], plane.reshape(len(KINDS), rows, columns), strict=True):
                sigma = width / 2.355
                kind_map += cv2.GaussianBlur(
                    part.astype(np.float32), (0, 0), sigma / spacing[2], sigmaY=sigma / spacing[0]
                )
    return maps


def _shares(distance: np.ndarray) -> np.ndarray:
    """How much of what lies at ``distance`` (mm) goes to each plane: ``(planes, n)``, summing to 1."""
    at = np.clip(distance / STEP, 0, len(WIDTHS) - 1).astype(np.float32)
    return np.stack([np.clip(1 - np.abs(at - plane), 0, 1) for plane in range(len(WIDTHS))])


@dataclass(frozen=True)
class Detector:
    """Where on the phantom each detector pixel looks.

    Attributes:
        across, down: float32 (rows, columns), column and row of the phantom's grid.
        pixel: mm.
    """

    across: np.ndarray
    down: np.ndarray
    pixel: float

    def see(self, image: np.ndarray) -> np.ndarray:
        """An image on the phantom's grid on the detector's."""
        return cv2.remap(image, self.across, self.down, cv2.INTER_LINEAR)

    def part(self, rows: slice, columns: slice) -> Detector:
        """A window of this detector."""
        return Detector(self.across[rows, columns], self.down[rows, columns], self.pixel)

    def window(self, low: np.ndarray, high: np.ndarray) -> tuple[slice, slice]:
        """Rows and columns of the pixels that look between two corners (column, row) of the phantom's grid."""
        across, down = self.across[::SPARSE, ::SPARSE], self.down[::SPARSE, ::SPARSE]
        hit = (across > low[0]) & (across < high[0]) & (down > low[1]) & (down < high[1])
        if not hit.any():
            return slice(0, 0), slice(0, 0)
        first, last = np.argwhere(hit).min(axis=0) - 1, np.argwhere(hit).max(axis=0) + 2
        return tuple(slice(max(0, SPARSE * a), SPARSE * b) for a, b in zip(first, last, strict=True))


def project(view: Camera, detector: Detector, position: np.ndarray, activity: np.ndarray, far: float) -> np.ndarray:
    """What both heads expect of points: float32 ``(2, rows, columns)``, the back head as seen from the front.

    Args:
        position: ``(n, 3)`` mm.
        activity: ``(2, n)`` as it arrives at either head.
        far: mm from the phantom's skin to the collimator.
    """
    step_z, _, step_x = view.phantom.spacing
    column, row = position[:, 0] / step_x, np.rint(position[:, 2] / step_z).astype(np.int32)
    left = np.floor(column).astype(np.int32)
    lean = (column - left).astype(np.float32)
    first_row, first_column = row.min(), left.min()
    rows, columns = row.max() - first_row + 1, left.max() - first_column + 2
    flat = (row - first_row) * columns + left - first_column
    local = Detector(detector.across - np.float32(first_column), detector.down - np.float32(first_row), detector.pixel)
    views = np.zeros((2, *detector.across.shape), np.float32)
    if not views.size:
        return views
    for head, skin in enumerate(view.skin):
        shares = _shares(np.abs(position[:, 1] - skin) + far)
        for share, width in zip(shares, WIDTHS, strict=True):
            weight = activity[head] * share
            plane = np.bincount(flat, weight * (1 - lean), rows * columns)
            plane += np.bincount(flat + 1, weight * lean, rows * columns)
            views[head] += blur(local.see(plane.reshape(rows, columns).astype(np.float32)), width, detector.pixel)
    return views


def blur(image: np.ndarray, width: float, pixel: float) -> np.ndarray:
    """``image`` blurred by a Gaussian of full width at half maximum ``width`` mm, nothing beyond its edges."""
    return cv2.GaussianBlur(image, (0, 0), width / 2.355 / pixel, borderType=cv2.BORDER_CONSTANT)
