"""Siemens' mosaics: the slices of a volume as tiles of one DICOM image, which its private CSA header explains.

Format: https://nipy.org/nibabel/dicom/siemens_csa.html and dicom_mosaic.html; the header is read by nibabel.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from ..image import Image
from .dicom_geometry import Plane, place, plane_of
from .headers import length, texts, whole


@dataclass(frozen=True)
class Mosaic:
    """How slices are tiled: ``side`` x ``side`` tiles of ``rows`` x ``columns``, row by row; the last may be empty.

    ``reverse``: slices follow each other against the normal (row x column direction).
    """

    slices: int
    side: int
    rows: int
    columns: int
    reverse: bool

    def unfolded(self, image: Image, header: Any) -> Image:
        """An image of mosaics ``(frames, 1, rows, columns)`` as volumes, in their place."""
        parts: dict[str, Any] = {
            name: None if (array := getattr(image, name)) is None else self._unfold(array)
            for name in ("voxels", "padding", "remainder")
        }
        return dataclasses.replace(image, **parts, **self._geometry(header))

    def folded(self, volumes: np.ndarray) -> np.ndarray:
        """Volumes ``(frames, slices, rows, columns)`` as mosaics ``(frames, rows, columns)``; empty tiles are 0."""
        count = len(volumes)
        tiles = np.zeros((count, self.side**2, self.rows, self.columns), volumes.dtype)
        tiles[:, : self.slices] = volumes
        tiles = tiles.reshape(count, self.side, self.side, self.rows, self.columns).swapaxes(2, 3)
        return tiles.reshape(count, self.side * self.rows, self.side * self.columns)

    def _unfold(self, mosaics: np.ndarray) -> np.ndarray:
        tiles = mosaics.reshape(-1, self.side, self.rows, self.side, self.columns).swapaxes(2, 3)
        return np.ascontiguousarray(tiles.reshape(len(mosaics), -1, self.rows, self.columns)[:, : self.slices])

    def _geometry(self, header: Any) -> dict[str, Any]:
        """The position in the header is that of one slice as large as the mosaic, with the same centre."""
        plane = plane_of(header)
        if plane is None:
            return place([Plane(thickness=length(header, "SpacingBetweenSlices"))], stacked=True)[1]
        down, across = plane.spacing or (1.0, 1.0)
        row, column = np.array(plane.orientation[:3]), np.array(plane.orientation[3:])
        corner = np.array(plane.position)
        corner = corner + row * across * (self.side - 1) * self.columns / 2
        corner = corner + column * down * (self.side - 1) * self.rows / 2
        first = dataclasses.replace(plane, position=tuple(map(float, corner)))
        return place([first], reverse=self.reverse, stacked=True)[1]


def mosaic_of(header: Any) -> Mosaic | None:
    """How the image of a header is tiled; None where it is no mosaic.

    Raises:
        UnsupportedImage: its CSA header is missing, or does not fit the image.
    """
    if "MOSAIC" not in texts(header, "ImageType"):
        return None
    from nibabel.nicom import csareader

    try:
        csa = csareader.get_csa_header(header, "image")
        count, normal = csareader.get_n_mosaic(csa), csareader.get_slice_normal(csa)
    except Exception as error:  # nibabel raises whatever a damaged header provokes
        raise _unexplained("damaged") from error
    if not count or normal is None:
        raise _unexplained("missing")
    side = math.ceil(math.sqrt(count))
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    if rows % side or columns % side or whole(header, "NumberOfFrames", 1) != 1:
        raise _unexplained("not that of this image")
    plane = plane_of(header)
    reverse = plane is not None and float(np.dot(plane.normal, np.asarray(normal, float).ravel()[:3])) < 0
    return Mosaic(int(count), side, rows // side, columns // side, reverse)


def _unexplained(why: str) -> UnsupportedImage:
    return UnsupportedImage(
        f"the image is a mosaic of many slices, and the CSA header (0029,1010) that explains it is {why}; export it "
        "again, or convert it to slices."
    )
