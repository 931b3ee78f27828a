"""Clean Tc-99m bone scans of patients drawn from voxel phantoms: planar whole body, chest to pelvis, and SPECT slices.

Everything random comes from the seed: build, pose, uptake (see ``uptake``), collimator distance, scatter. What comes
out is the expected image; the noise is Poisson and is added later. SPECT slices are the activity, blurred as a
reconstruction blurs: attenuation counts as corrected, and the correlation that a reconstruction gives to noise is not
modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from . import pose, uptake
from .projection import WATER, Camera, Detector, arriving, blur, camera, project
from .section import section
from .uptake import Patient
from .voxel_phantoms import FILES, load

SHAPES = {"whole_body": (1024, 256), "chest_pelvis": (256, 256), "spect": (128, 128)}
PIXEL, SPECT_PIXEL = 2.26, 4.42  # mm: the usual matrices
SHOWS = 0.15  # a lesion that adds a smaller share than this to its surroundings does not show
THICKNESS = 160.0  # mm of body that fat is compared with
SPARE = 25.0  # mm around a lesion that its blur may reach


@dataclass(frozen=True)
class View:
    """What the camera expects of one patient.

    Attributes:
        clean: float32 ``(2, rows, columns)``, front and back as each head sees it (on the back view the patient's left
            is on the left), or ``(1, rows, columns)``, a transverse slice; the maximum is 1.
        lesions: bool, same shape: where a lesion that shows gives at least half its maximum.
        count: lesions that show in one view at least.
        bone_peak: brightest pixel of bone and lesions, in (0, 1]: bladder or injection site may be brighter.
        spacing: mm per pixel.
    """

    clean: np.ndarray
    lesions: np.ndarray
    count: int
    bone_peak: float
    spacing: float


def views(seed: int, phantoms: Path, *, kind: str = "whole_body") -> View:
    """The clean view of the patient that ``seed`` draws.

    Args:
        seed: another patient for another seed.
        phantoms: the folder of the phantoms' NRRD files.
        kind: ``whole_body`` (1024×256, 2.26 mm, both heads), ``chest_pelvis`` (256×256, both heads) or ``spect``
            (128×128, 4.42 mm, one transverse slice).

    Raises:
        UnsupportedImage: a phantom is not there.
    """
    rng = np.random.default_rng(seed)
    heads = camera(load(Path(phantoms) / tuple(FILES.values())[rng.integers(len(FILES))]))
    patient = uptake.draw(rng, heads.phantom)
    if kind == "spect":
        return _slice(rng, heads, patient)
    return _planar(rng, heads, patient, SHAPES[kind], whole=kind == "whole_body")


def _planar(rng: np.random.Generator, heads: Camera, patient: Patient, shape: tuple[int, int], *, whole: bool) -> View:
    phantom = heads.phantom
    detector, skin, fat = pose.detectors(rng, heads, shape, PIXEL, whole)
    thinned = np.float32(np.exp(-WATER * fat))
    far = fat + rng.uniform(0, 80)  # mm from the phantom's skin to the collimator
    position = pose.turned(rng, heads)
    bone = project(heads, detector, position, heads.reach * thinned * patient.bone, far)
    image = bone + _tissue(rng, heads, patient, skin) * (1 + fat / THICKNESS)
    for points, activity in patient.organs:
        arrives = arriving(heads.path, phantom.spacing, points) * thinned * activity
        image += project(heads, detector, points, arrives, far)
    masks, count = np.zeros(image.shape, bool), 0
    for cells, added in patient.lesions:
        window = _window(heads, detector, position[cells])
        part = detector.part(*window[1:])
        own = project(heads, part, position[cells], heads.reach[:, cells] * thinned * added, far)
        where = _shown(own, image[window])
        masks[window] |= where
        count += bool(where.any())
        image[window] += own
        bone[window] += own
    image = _scattered(rng, image)
    image += image.max() * uptake.between(rng, 3e-4, 4e-3)  # the room
    if whole:
        image *= _scanned(rng, shape)
    image[1], masks[1] = image[1, :, ::-1].copy(), masks[1, :, ::-1].copy()
    return _view(image, masks, count, bone, PIXEL)


def _slice(rng: np.random.Generator, heads: Camera, patient: Patient) -> View:
    bone, image, lesions = section(rng, heads, patient, SHAPES["spect"], SPECT_PIXEL)
    masks, count = np.zeros(image.shape, bool), 0
    for own in lesions:
        where = _shown(own[None], image[None])[0]
        masks |= where
        count += bool(where.any())
        image, bone = image + own, bone + own
    return _view(image[None], masks[None], count, bone, SPECT_PIXEL)


def _view(image: np.ndarray, masks: np.ndarray, count: int, bone: np.ndarray, pixel: float) -> View:
    peak = image.max()
    return View((image / peak).astype(np.float32), masks, count, float(min(bone.max() / peak, 1.0)), pixel)


def _tissue(rng: np.random.Generator, heads: Camera, patient: Patient, skin: Detector) -> np.ndarray:
    """Soft tissue in both views, slightly uneven."""
    maps = np.tensordot(patient.tissue, heads.tissue, 1).astype(np.float32)
    uneven = np.exp(pose.smooth(rng, skin.across.shape, 60 / PIXEL, 0.08))
    return uneven * np.stack([skin.see(view) for view in maps])


def _window(heads: Camera, detector: Detector, position: np.ndarray) -> tuple[slice, slice, slice]:
    """Both views of the part of the detector that points reach."""
    step = np.array([heads.phantom.spacing[2], heads.phantom.spacing[0]])
    low, high = position[:, (0, 2)].min(axis=0) - SPARE, position[:, (0, 2)].max(axis=0) + SPARE
    return slice(None), *detector.window(low / step, high / step)


def _shown(own: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Where a lesion gives half its maximum, in each view in which it stands out from what is ``around``."""
    shown = np.zeros(own.shape, bool)
    for mask, part, rest in zip(shown, own, around, strict=True):
        if part.size and part.max() > 0:
            where = part >= 0.5 * part.max()
            if part.max() > SHOWS * rest[where].mean():
                mask[:] = where
    return shown


def _scattered(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """With a share of the counts strewn far about."""
    share, width = rng.uniform(0.05, 0.2), rng.uniform(60, 110)
    rows, columns = image.shape[1:]
    strewn = []
    for view in image:
        small = cv2.resize(view, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
        strewn.append(cv2.resize(blur(small, width, 4 * PIXEL), (columns, rows)))
    return (1 - share) * image + share * np.stack(strewn)


def _scanned(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """1 where the heads passed, 0 in the margins that no detector covered."""
    field = np.zeros(shape, np.float32)
    top, bottom = rng.integers(0, 40, 2) * (rng.random() < 0.7)
    left, right = rng.integers(0, 14, 2) * (rng.random() < 0.7)
    field[top : shape[0] - bottom, left : shape[1] - right] = 1
    return field
