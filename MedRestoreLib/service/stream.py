"""Frames enlarged one after the other as they come, such as those of a scanner's video output."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..errors import InvalidPlan, UnsupportedImage
from ..image import Image, as_integers
from ..methods import catalogue
from ..methods.row import Method
from ..pipeline import checks
from ..pipeline import device as devices


class Stream:
    """Enlarges frames of one clip, each as soon as it is there.

    A method that looks at neighbours in time is given the last frames, kept in a ring: those that come later are not
    waited for, so that a live picture does not lag.

    Args:
        method: id of a method that enlarges, which must be meant for ultrasound; "" takes the first that is installed.
        factor: how many times as many rows and columns.
        white: grey value of the brightest echoes; 255 for frames of 8 bits.
        device: as ``Plan.device``.

    Raises:
        InvalidPlan: no such method, or it does not enlarge by this factor.
        WeightsMissing, MissingPackage: what it needs is not installed.

    >>> stream = Stream("bicubic", 2)
    >>> stream.push(np.full((3, 4), 100, np.uint8)).shape
    (6, 8)
    """

    def __init__(self, method: str = "", factor: int = 2, *, white: float = 255.0, device: str = "auto") -> None:
        checks.check_factor(factor, checks.find_method(method) if method else None)
        if factor == 1:
            raise InvalidPlan("a stream is enlarged by 2 or more.", field="factor")
        self.method = checks.find_method(method) if method else _first(factor)
        self.factor, self.white = factor, float(white)
        self._device = devices.resolve(device)
        self._enlarge = self.method.load(factor)
        self._latest: deque[np.ndarray] = deque(maxlen=self.method.frames + 1)

    def push(self, frame: np.ndarray) -> np.ndarray:
        """The next frame, enlarged.

        Args:
            frame: grey ``(rows, columns)`` or colour ``(rows, columns, 3 or 4)``, of any real type; of another size
                than the one before, it begins a new clip.

        Returns:
            An array of the same type, with ``factor`` times as many rows and columns. Of colour the brightness (luma)
            is enlarged by the method, the rest bicubically.

        Raises:
            UnsupportedImage: it is no frame, or not finite.
        """
        import torch

        frame = np.asarray(frame)
        image = Image.from_array(frame, axes="yx" if frame.ndim == 2 else "yxc", modality="US")
        if not np.isfinite(image.voxels).all():
            raise UnsupportedImage("the frame holds values that are not numbers; replace them first.")
        grey = image.voxels[0] / np.float32(self.white)
        if self._latest and self._latest[-1].shape != grey.shape:
            self._latest.clear()
        self._latest.append(grey)
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(self._latest)).to(self._device)
            finer = self._enlarge(batch, 0.0)[-1, 0].cpu().numpy()
        stored = image.enlarged(self.factor, np.maximum(finer * np.float32(self.white), 0)[None, None]).stored()[0, 0]
        return as_integers(stored, frame.dtype) if frame.dtype.kind in "iu" else stored.astype(frame.dtype)


def _first(factor: int) -> Method:
    """The first method for ultrasound that needs no later frames and is installed."""
    rows = [row for row in catalogue.making(factor) if "US" in row.modalities and not row.frames]
    return next(row for row in rows if row.installed(factor))
