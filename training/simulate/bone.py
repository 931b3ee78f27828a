"""A clean planar whole-body bone scan: the expected counts of a gamma camera.

Each emission point of the skeleton (see ``skeleton``) is attenuated on its way to each camera head and projected to a
pixel; the collimator's blur grows with distance. Soft tissue is added in closed form.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from MedRestoreLib.image import Image

from . import skeleton

ROWS, COLUMNS, PIXEL = 1024, 256, 2.26  # mm: the usual whole-body matrix
TOP = 90  # row of the top of the head
ATTENUATION = 0.012  # per mm: water at 140 keV (0.015), lowered by scatter into the energy window
NEAR, FAR = 8.0, 12.0  # mm: full width at half maximum of the camera at the skin and at DEEP
DEEP = 220.0  # mm
SCATTER = 0.08  # share of the counts that are scattered, by a Gaussian of SCATTER_WIDTH
SCATTER_WIDTH = 30.0  # mm, standard deviation
ROOM = 0.0006  # background of the room, share of the peak


def whole_body(seed: int = 0, peak_counts: float = 200.0) -> Image:
    """Expected counts of a planar whole-body bone scan, to which Poisson noise is added later.

    Args:
        seed: of the patient: posture, build, uptakes and three to six lesions.
        peak_counts: expected counts in the brightest pixel, > 0.

    Returns:
        Image of modality NM in counts, voxels ``(2, 1, 1024, 256)``: frame 0 from the front, frame 1 from the back as
        that camera head sees it (the patient's left on the left); 2.26 mm pixels.

    >>> whole_body(seed=1).voxels.shape
    (2, 1, 1024, 256)
    """
    views, _ = _render(seed)
    views *= peak_counts / views.max()
    views[:, TOP - 45 : TOP + 800] += ROOM * peak_counts * (1 - views[:, TOP - 45 : TOP + 800] / peak_counts)
    return Image(views[:, None], spacing=(PIXEL, PIXEL, 1.0), modality="NM", unit="counts")


def lesion_masks(seed: int = 0) -> np.ndarray:
    """The lesions of ``whole_body(seed)``: bool ``(lesions, 2, 1, 1024, 256)``, where each exceeds half its maximum."""
    _, lesions = _render(seed)
    return np.stack([views >= 0.5 * views.max(axis=(1, 2), keepdims=True) for views in lesions])[:, :, None]


def _render(seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Both views in arbitrary units, ``(2, rows, columns)``, and each lesion's contribution to them."""
    rng = np.random.default_rng(seed)
    bend = _bend(rng)
    front, back, tissue = _body(bend)
    cloud = np.concatenate([_vary(rng, skeleton.bones()), *skeleton.organs(rng)])
    views = _camera(_move(cloud, bend), front, back)
    tissue = tissue * _mottle(rng, 60.0, 0.07)
    for view, flip in zip(views, (slice(None), slice(None, None, -1)), strict=True):
        view += _blur(((1 - np.exp(-ATTENUATION * (front - back))) / ATTENUATION * tissue)[:, flip], NEAR + 2)
    lesions = [_camera(_move(lesion, bend), front, back) for lesion in skeleton.lesions(rng)]
    views += np.sum(lesions, axis=0)
    views = (1 - SCATTER) * views + SCATTER * np.stack([_blur(v, 2.355 * SCATTER_WIDTH) for v in views])
    return views.astype(np.float32), lesions


def _vary(rng: np.random.Generator, bones: list[np.ndarray]) -> np.ndarray:
    """The whole skeleton with random uptakes: one factor per bone, and a smooth pattern over all."""
    cloud = np.concatenate([bone * (1, 1, 1, rng.lognormal(0, 0.13)) for bone in bones])
    column = np.clip(cloud[:, 0] / PIXEL + COLUMNS / 2, 0, COLUMNS - 1).astype(int)
    row = np.clip(cloud[:, 1] / PIXEL + TOP, 0, ROWS - 1).astype(int)
    cloud[:, 3] *= (_mottle(rng, 10.0, 0.2) * _mottle(rng, 35.0, 0.15))[row, column]
    return cloud


def _mottle(rng: np.random.Generator, size: float, strength: float) -> np.ndarray:
    """A random pattern ``(rows, columns)`` around 1 with patches of ``size`` mm."""
    field = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), size / PIXEL / 2)
    return np.exp(strength * field / field.std())


def _bend(rng: np.random.Generator) -> tuple:
    """The patient's build, tilt and smooth deviations from the straight posture of ``skeleton``."""
    build = rng.uniform(0.95, 1.05), rng.uniform(0.97, 1.03)
    lie = rng.normal(0, 8), rng.normal(0, 0.006)
    knots = np.linspace(-20, 1800, 9)
    return build, lie, PchipInterpolator(knots, rng.normal(0, 4, 9)), PchipInterpolator(knots, rng.normal(0, 3, 9))


def _move(cloud: np.ndarray, bend: tuple) -> np.ndarray:
    """Points of ``skeleton`` moved to this patient's posture: x and y change, z and activity stay."""
    (wide, tall), (shift, tilt), sway, spread = bend
    x, y = cloud[:, 0], cloud[:, 1]
    moved = cloud.copy()
    moved[:, 0] = wide * x + np.tanh(x / 120) * spread(y) + sway(y) + shift + tilt * (y - 850)
    moved[:, 1] = tall * y
    return moved


def _body(bend: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Front and back surface (z in mm) and soft-tissue uptake of each pixel; both surfaces are 0 outside the body."""
    x = (np.arange(COLUMNS) - COLUMNS / 2 + 0.5) * PIXEL
    rows = (np.arange(ROWS) - TOP) * PIXEL / bend[0][1]
    front, back, tissue = (np.zeros((ROWS, COLUMNS)) for _ in range(3))
    for knots, uptake, paired in skeleton.BODY:
        y, width, depth, centre_x, centre_z = np.array(knots, float).T
        inside = (rows > y[0]) & (rows < y[-1])
        at = rows[inside]
        width, depth, centre_x, centre_z = (PchipInterpolator(y, v)(at) for v in (width, depth, centre_x, centre_z))
        for side in (1, -1) if paired else (1,):
            centre = _move(np.column_stack([side * centre_x, at, at * 0, at]), bend)[:, :1]
            out = np.abs((x - centre) / (bend[0][0] * width[:, None]))
            half = depth[:, None] * np.clip(1 - out**2.3, 0, None) ** 0.5
            here = half > 0
            front[inside] = np.where(here, np.maximum(front[inside], centre_z[:, None] + half), front[inside])
            back[inside] = np.where(here, np.minimum(back[inside], centre_z[:, None] - half), back[inside])
            tissue[inside] = np.maximum(tissue[inside], uptake * here)
    return front, back, tissue


def _camera(cloud: np.ndarray, front: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Expected activity per pixel area of a cloud in both heads: ``(2, rows, columns)``."""
    column = np.floor(cloud[:, 0] / PIXEL + COLUMNS / 2).astype(int)
    row = np.rint(cloud[:, 1] / PIXEL + TOP).astype(int)
    kept = (column >= 0) & (column < COLUMNS) & (row >= 0) & (row < ROWS)
    column, row, z, activity = column[kept], row[kept], cloud[kept, 2], cloud[kept, 3] / PIXEL**2
    pixel = row * COLUMNS + column
    views = np.zeros((2, ROWS, COLUMNS))
    for view, depth in zip(views, (front[row, column] - z, z - back[row, column]), strict=True):
        depth = np.clip(depth, 0, None)
        counts = activity * np.exp(-ATTENUATION * depth)
        layer = np.minimum(depth / DEEP * 5, 4).astype(int)
        for k in np.unique(layer):
            here = layer == k
            flat = np.bincount(pixel[here], counts[here], minlength=ROWS * COLUMNS)
            view += _blur(flat.reshape(ROWS, COLUMNS), NEAR + (FAR - NEAR) * (k + 0.5) / 5)
    views[1] = views[1, :, ::-1].copy()
    return views


def _blur(view: np.ndarray, fwhm: float) -> np.ndarray:
    return gaussian_filter(view, fwhm / 2.355 / PIXEL)
