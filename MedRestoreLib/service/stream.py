"""Frames enlarged one after the other as they come, such as those of a scanner's video output."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidPlan, UnsupportedImage
from ..image import Image, as_integers
from ..methods import catalogue
from ..methods.row import Method
from ..pipeline import checks
from ..pipeline import device as devices
from ..pipeline.clips import FRAMES

if TYPE_CHECKING:
    import torch


class Stream:
    """Enlarges frames of one clip, each as soon as it is there.

    A frame shares detail with the two before it, kept in a ring, where its method does so in clips. Those that come
    later are not waited for, so that a live picture does not lag; still tissue flickers slightly more for it.

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
        self._share = self.method.load_across(factor) if self.method.across else None
        self._latest: deque[tuple[torch.Tensor, torch.Tensor]] = deque(maxlen=FRAMES)  # the last first, and enlarged

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
        grey = torch.from_numpy(image.voxels[:1] / np.float32(self.white)).to(self._device)
        if self._latest and self._latest[0][0].shape != grey.shape:
            self._latest.clear()
        with torch.inference_mode():
            large = self._enlarge(grey, 0.0)
            if self._share is not None:
                self._latest.appendleft((grey, large))
                greys, larges = map(torch.cat, zip(*self._latest, strict=True))
                large = self._share(larges, greys)
        finer = large[0, 0].cpu().numpy()
        stored = image.enlarged(self.factor, np.maximum(finer * np.float32(self.white), 0)[None, None]).stored()[0, 0]
        return as_integers(stored, frame.dtype) if frame.dtype.kind in "iu" else stored.astype(frame.dtype)


def _first(factor: int) -> Method:
    """The first method for ultrasound that is installed."""
    rows = [row for row in catalogue.making(factor) if "US" in row.modalities]
    return next(row for row in rows if row.installed(factor))
