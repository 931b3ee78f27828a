"""Frames of a clip laid over one of them: a shift by phase correlation, then optical flow.

The flow is that of dense inverse search (Kroeger, Timofte, Dai and Van Gool, ECCV 2016), as OpenCV has it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SURE = 0.1  # response of the phase correlation from which its shift is taken for real
FITS = 0.3  # correlation of what a moved frame shows with the reference; below it the frame shows something else
COARSE = 7.0  # pixels: standard deviation of the filter whose result is taken away before frames are compared


class Registered(NamedTuple):
    """Frames as they would look at the reference's moment.

    Attributes:
        frames: float32 ``(frames, rows, columns)``; those that do not fit are the reference itself.
        fits: correlation with the reference, -1 to 1, of each.
    """

    frames: np.ndarray
    fits: np.ndarray


def register(frames: np.ndarray, reference: np.ndarray) -> Registered:
    """Move frames onto a reference: as they are, shifted, or along the flow, whichever fits best.

    Args:
        frames: float32 ``(frames, rows, columns)`` in about [0, 1].
        reference: float32 ``(rows, columns)``.
    """
    detail = _detail(reference)
    moved, fits = [], []
    for frame in frames:
        candidates = [frame, *_moved(frame, reference)]
        fitting = [correlation(_detail(candidate), detail) for candidate in candidates]
        best = int(np.argmax(fitting))
        moved.append(candidates[best] if fitting[best] >= FITS else reference)
        fits.append(fitting[best])
    return Registered(np.stack(moved), np.array(fits))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's coefficient; 0 where either is constant."""
    one, other = (image.astype(np.float64) - image.mean(dtype=np.float64) for image in (one, other))
    spread = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / spread) if spread > 0 else 0.0


def _moved(frame: np.ndarray, reference: np.ndarray) -> list[np.ndarray]:
    """The frame shifted as a whole, where a shift is found, and moved along the flow."""
    import cv2

    window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
    shift, response = cv2.phaseCorrelate(reference.copy(), frame.copy(), window)  # it may write into its arguments
    start = np.zeros((*reference.shape, 2), np.float32)
    start += shift if response > SURE else (0.0, 0.0)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setUseSpatialPropagation(False)  # it would depend on how OpenCV cuts the image among its threads
    flow = search.calc(_grey(reference), _grey(frame), start.copy())
    return [_warped(frame, flow), *([_warped(frame, start)] if response > SURE else [])]


def _warped(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The frame at ``flow`` (columns, rows) from each pixel."""
    import cv2

    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(np.float32)
    there = columns + flow[..., 0], rows + flow[..., 1]
    return cv2.remap(frame, *there, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _detail(image: np.ndarray) -> np.ndarray:
    import cv2

    return image - cv2.GaussianBlur(image, (0, 0), COARSE)


def _grey(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
