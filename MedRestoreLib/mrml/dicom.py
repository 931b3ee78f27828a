"""A restored volume as derived DICOM: sibling objects of those that its source was loaded from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer

from ..errors import OutputError
from ..files import studies
from ..files.series import series_of
from ..image import Image
from ..methods import catalogue
from .hierarchy import INSTANCES, METHOD
from .provenance import SOURCES, report_of
from .study import image_of, whole_study


def source_files(restored: slicer.vtkMRMLNode) -> list[Path]:
    """The DICOM files that a restored volume or sequence stems from; [] where Slicer's database does not have them."""
    database = getattr(slicer, "dicomDatabase", None)
    node = whole_study(restored)
    instances = (node.GetAttribute(SOURCES) or node.GetAttribute(INSTANCES) or "").split()
    if database is None or not database.isOpen or not instances:
        return []
    files = [database.fileForInstance(uid) for uid in instances]
    return [Path(file) for file in files] if all(files) else []


def export_dicom(restored: slicer.vtkMRMLNode, folder: str | Path) -> Path:
    """Write a result as derived DICOM into a folder, which is made: same patient and study, new series.

    Args:
        restored: a volume, or the volume that shows a sequence, that MedRestore restored.
        folder: where the objects go; it must not exist yet, or hold only what MedRestore wrote.

    Returns:
        The folder.

    Raises:
        OutputError: the source's DICOM files are not in Slicer's database, the result does not lie on their grid, or
            the folder cannot be written.
    """
    files, report = source_files(restored), report_of(restored)
    if not files or report is None:
        raise OutputError(
            f"the DICOM files of '{restored.GetName()}' are not in Slicer's DICOM database; import them first."
        )
    image = image_of(whole_study(restored))
    label = catalogue.find(restored.GetAttribute(METHOD)).title
    for series in series_of(files):  # files of one series may hold several things: the one that was restored
        source = studies.read(series.parts[0] if series.parts else series)
        restored_source = _on_grid_of(source, image)
        if restored_source is not None:
            return studies.write(restored_source, folder, derivation=report["derivation"], label=label)
    raise OutputError(f"'{restored.GetName()}' does not lie on the grid of its DICOM files any more.")


def _on_grid_of(source: Image, image: Image) -> Image | None:
    """The source with the image's voxels in its own order, enlarged if they are: Slicer may stack slices the other way.

    None for an image that lies elsewhere.
    """
    factor = max(1, image.voxels.shape[3] // source.voxels.shape[3])
    *others, rows, columns = source.voxels.shape
    if image.voxels.shape != (*others, factor * rows, factor * columns):
        return None
    restored = source.enlarged(factor, image.voxels)
    if image.same_grid(restored):
        return restored
    axes = np.reshape(image.direction, (3, 3)) * image.spacing
    last = image.voxels.shape[1] - 1
    turned = np.reshape(image.direction, (3, 3)) * [1.0, 1.0, -1.0]
    origin = np.asarray(image.origin) + axes[:, 2] * last
    flipped = Image(
        image.voxels[:, ::-1],
        spacing=image.spacing,
        origin=tuple(origin.tolist()),
        direction=tuple(turned.ravel().tolist()),
    )
    return source.enlarged(factor, flipped.voxels) if flipped.same_grid(restored) else None
