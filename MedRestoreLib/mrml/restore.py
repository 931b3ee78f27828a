"""Restore a node in this process, blocking: for the Python console, batches and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from ..errors import Cancelled, MedRestoreError
from ..image import Image
from ..pipeline.plan import decided, recommend
from ..pipeline.restore import restore as restore_image
from ..pipeline.trust import restore_with_maps
from ..progress import Progress, ignore
from .hierarchy import study_volumes
from .masks import mask_of
from .output import Output
from .study import image_of, whole_study


def restore(
    node: slicer.vtkMRMLNode,
    *,
    output: slicer.vtkMRMLVolumeNode | None = None,
    mask: Any = None,
    keep_removed: bool = False,
    trust: bool = False,
    progress: Progress | None = None,
    modality: str = "",
    whole_sequence: bool = False,
    **edits: Any,
) -> slicer.vtkMRMLVolumeNode:
    """Restore a volume, or all frames of a sequence, into a new node beside it.

    Args:
        node: a scalar or colour volume, or a sequence of them; it is not changed.
        output: an existing volume that takes the result.
        mask: restore inside only: a label map node, a segmentation node and the id or name of a segment as a pair, or
            a bool array ``(slices, rows, columns)``.
        keep_removed: also add what was taken out.
        trust: also add the map of trust (``trust_of``), which takes three times as long again.
        progress: called with a fraction (0 to 1) and what is being done; what it raises ends the job.
        modality: DICOM code, if it is known better than the node says.
        whole_sequence: where ``node`` is a volume that shows a sequence, restore all its frames, not the one on show.
        **edits: fields of ``Plan``, e.g. ``method="bm3d", level=12.0``; the others are recommended.

    Returns:
        The restored volume; of a sequence the volume that shows its frames.

    Raises:
        MedRestoreError: the node or the plan is unfit, or memory ran out. The scene is as it was, whatever is raised.
    """
    node = whole_study(node) if whole_sequence else node
    image = image_of(node, modality)
    plan = recommend(image, mask=_as_array(mask, node), **edits)
    destination = Output(node, target=output, trust=trust, factor=plan.factor)
    if trust:
        result, maps = restore_with_maps(image, plan, progress=progress)
        for part, arrays in destination.trust_arrays.items():
            _fill(arrays, maps[part])
    else:
        result = restore_image(image, plan, progress=progress)
    _fill(destination.arrays, result.image)
    return destination.add(result.report.to_dict(), keep_removed)


@dataclass(frozen=True)
class Outcome:
    """What became of one volume of a study: ``restored`` is its result; where it is None, ``message`` says why."""

    volume: slicer.vtkMRMLVolumeNode
    restored: slicer.vtkMRMLVolumeNode | None
    message: str = ""


def restore_study(
    node: slicer.vtkMRMLNode, *, keep_removed: bool = False, progress: Progress | None = None, **edits: Any
) -> list[Outcome]:
    """Restore every volume of the study (subject hierarchy) that ``node`` is of; a cine in all its frames.

    A volume that cannot be restored is an outcome with a message, and the next one follows.

    Args:
        node: a volume of the study.
        keep_removed, edits: as of `restore`.
        progress: as of `restore`, over all volumes. What it raises ends the work; what is restored stays.

    Raises:
        InvalidPlan, UnknownNoise: an edit fits no study at all; nothing is done.
        Cancelled: from ``progress``.
    """
    decided({name: value for name, value in edits.items() if name != "modality"})
    progress, outcomes = progress or ignore, []
    volumes = study_volumes(node)
    for done, volume in enumerate(volumes):

        def say(fraction: float, message: str, done: int = done) -> None:
            progress((done + fraction) / len(volumes), message)

        try:
            restored = restore(volume, keep_removed=keep_removed, progress=say, whole_sequence=True, **edits)
        except Cancelled:
            raise
        except MedRestoreError as error:
            outcomes.append(Outcome(volume, None, str(error)))
        else:
            outcomes.append(Outcome(volume, restored))
    return outcomes


def _as_array(mask: Any, node: slicer.vtkMRMLNode) -> np.ndarray | None:
    if isinstance(mask, tuple):
        segmentation, segment_id = mask
        return mask_of(segmentation, segment_id, node)
    return mask_of(mask, "", node) if isinstance(mask, slicer.vtkMRMLNode) else mask


def _fill(arrays: list[np.ndarray], image: Image) -> None:
    frames = image.voxels if image.colour is None else image.stored()
    for array, frame in zip(arrays, frames, strict=True):
        array[...] = frame
