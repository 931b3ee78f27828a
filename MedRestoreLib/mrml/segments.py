"""Segments measured on the volumes before and after restoration, in a table node.

A segmentation is laid onto the volume's own grid (nearest voxel; parent transforms count), so it may have been drawn on
another grid or consist of surfaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import slicer

from ..metrics import regions
from ..metrics import segmentation as agreement
from .grids import Cutout, cut_out
from .hierarchy import place_beside
from .tables import Column, find_table, write_table
from .volumes import unit_of

BACKGROUND = (
    f"The background is a shell {regions.NEAR:g} to {regions.FAR:g} mm around the segment (wider where "
    f"{regions.SHELL_VOXELS} voxels need more), outside every segment."
)
_CONTRAST = f"Mean of the segment minus mean of the background, over the background's standard deviation. {BACKGROUND}"
_RATIO = f"Mean of the segment over mean of the background. {BACKGROUND}"
_SD = "Standard deviation of the voxels in the segment."
_MM3_PER_ML = 1000.0
_NAN = float("nan")


def measure(
    segmentation: slicer.vtkMRMLSegmentationNode, volumes: Sequence[slicer.vtkMRMLVolumeNode]
) -> slicer.vtkMRMLTableNode:
    """Measure every segment on every volume: size, mean, deviation, range, contrast to the background.

    Args:
        segmentation: on any grid; segments without a voxel in a volume get a row that says so.
        volumes: scalar or colour volumes (of colour the luma), usually the original and the restored one. Of a
            sequence the frame on show counts.

    Returns:
        A table filed beside the last volume, a row for each segment and volume. The same nodes measured again update
        the same table.

    Raises:
        InvalidPlan: the segmentation has no segments.
        UnsupportedImage: a volume is empty or bent by a non-linear transform.
    """
    segments = zip(*cut_out(segmentation, volumes), strict=True)
    rows = [_measured(one, volume) for same in segments for one, volume in zip(same, volumes, strict=True)]
    subjects = {"segmentation": [segmentation], "volume": list(volumes)}
    table = write_table(f"{segmentation.GetName()} measured", subjects, _measured_columns(unit_of(volumes[0])), rows)
    place_beside(table, volumes[-1])
    return table


def compare(
    before: slicer.vtkMRMLSegmentationNode,
    after: slicer.vtkMRMLSegmentationNode,
    volume_before: slicer.vtkMRMLVolumeNode,
    volume_after: slicer.vtkMRMLVolumeNode,
) -> slicer.vtkMRMLTableNode:
    """Compare segments made before restoration with those made after it; "before" is the reference.

    Segments of one name belong together; those left over are paired in their order, and the table says so. Each is
    measured on its own volume; overlap and distance are taken on the grid of ``volume_before``.

    Returns:
        A table filed beside ``volume_after``, a row for each pair and for each segment without a partner. The same
        nodes compared again update the same table.

    Raises:
        InvalidPlan: a segmentation has no segments.
        UnsupportedImage: a volume is empty or bent by a non-linear transform.
    """
    (first,) = cut_out(before, [volume_before])
    second, overlaid = cut_out(after, [volume_after, volume_before])
    rows = []
    for a, b, matched in _pairs([s.name for s in first], [s.name for s in second]):
        one, other = _half(first, a, volume_before), _half(second, b, volume_after)
        agreed = (_NAN,) * 5 if a is None or b is None else _agreement(overlaid[b], first[a])
        name = " / ".join(dict.fromkeys(half[0] for half in (one, other) if half[0]))
        interleaved = [value for pair in zip(one[1:], other[1:], strict=True) for value in pair]
        rows.append((name, matched, *interleaved, *agreed))
    subjects = {"segmentation": [before, after], "volume": [volume_before, volume_after]}
    name = f"{before.GetName()} and {after.GetName()} compared"
    table = write_table(name, subjects, _compared_columns(unit_of(volume_before)), rows)
    place_beside(table, volume_after)
    return table


def table_of(
    segmentations: Sequence[slicer.vtkMRMLSegmentationNode], volumes: Sequence[slicer.vtkMRMLVolumeNode]
) -> slicer.vtkMRMLTableNode | None:
    """The table that ``measure`` (one segmentation) or ``compare`` (two) made of these nodes; None if there is none."""
    return find_table({"segmentation": list(segmentations), "volume": list(volumes)})


def _measured(segment: Cutout, volume: slicer.vtkMRMLVolumeNode) -> tuple:
    inside, around = segment.measured(volume)
    remark = "" if around.voxels else "no background around it"
    return (
        segment.name,
        volume.GetName(),
        inside.voxels,
        segment.volume,
        segment.volume / _MM3_PER_ML,
        inside.mean,
        inside.std,
        inside.minimum,
        inside.maximum,
        regions.contrast(inside, around),
        regions.ratio(inside, around),
        around.mean,
        around.std,
        remark if inside.voxels else "empty: no voxel in this volume",
    )


def _measured_columns(unit: str) -> list[Column]:
    size = "Number of voxels times the volume of one."
    return [
        Column("Segment", str),
        Column("Image", str, about="The volume that the segment was measured on."),
        Column("Voxels", int, about="Number of the volume's voxels in the segment."),
        Column("Volume mm3", float, "mm³", size, "Volume"),
        Column("Volume mL", float, "mL", size, "Volume"),
        Column("Mean", float, unit),
        Column("SD", float, unit, _SD),
        Column("Minimum", float, unit),
        Column("Maximum", float, unit),
        Column("Contrast", float, "", _CONTRAST, "Contrast to background (CNR)"),
        Column("Ratio", float, "", _RATIO, "Ratio to background"),
        Column("Background mean", float, unit, BACKGROUND),
        Column("Background SD", float, unit, BACKGROUND),
        Column("Remark", str),
    ]


def _compared_columns(unit: str) -> list[Column]:
    return [
        Column("Segment", str, "", "Its name; both names where segments of different names were paired."),
        Column("Matched", str, "", "Segments of one name belong together; what is left is paired in its order."),
        Column("Volume before", float, "mL"),
        Column("Volume after", float, "mL"),
        Column("Mean before", float, unit),
        Column("Mean after", float, unit),
        Column("SD before", float, unit, _SD),
        Column("SD after", float, unit, _SD),
        Column("Contrast before", float, "", _CONTRAST, "Contrast before (CNR)"),
        Column("Contrast after", float, "", _CONTRAST, "Contrast after (CNR)"),
        Column("Dice", float, "", "Overlap of the two, 0 to 1."),
        Column("IoU", float, "", "Intersection over union, 0 to 1."),
        Column("Precision", float, "", "Share of the segment after that lies in the segment before, 0 to 1."),
        Column("Recall", float, "", "Share of the segment before that lies in the segment after, 0 to 1."),
        Column("HD95", float, "mm", "95th percentile of the distances between the two surfaces."),
    ]


def _half(segments: list[Cutout], index: int | None, volume: slicer.vtkMRMLVolumeNode) -> tuple:
    """Name, volume (mL), mean, deviation and contrast of one side of a pair; nan where there is no segment."""
    if index is None:
        return ("", *(_NAN,) * 4)
    segment = segments[index]
    inside, around = segment.measured(volume)
    contrast = regions.contrast(inside, around)
    return segment.name, segment.volume / _MM3_PER_ML, inside.mean, inside.std, contrast


def _agreement(after: Cutout, before: Cutout) -> tuple[float, ...]:
    """Dice, IoU, precision, recall and HD95 of two segments on one grid, in the box that holds both."""
    box = _union(after.box, before.box)
    masks = [after.within(box), before.within(box)]
    masks = [mask[regions.bounding_box(masks[0] | masks[1])] for mask in masks]  # distances take time in every voxel
    measures = (agreement.dice, agreement.iou, agreement.precision, agreement.recall)
    return (*(measure(*masks) for measure in measures), agreement.hd95(*masks, spacing=before.grid.spacing))


def _union(one: regions.Box, other: regions.Box) -> regions.Box:
    boxes = [box for box in (one, other) if all(side.stop > side.start for side in box)] or [one]
    return tuple(slice(min(s.start for s in sides), max(s.stop for s in sides)) for sides in zip(*boxes, strict=True))


def _pairs(before: list[str], after: list[str]) -> Iterator[tuple[int | None, int | None, str]]:
    """Which segments belong together (indices), and why, in the order of ``before``: by name, then by order."""
    free = list(range(len(after)))
    partner: dict[int, int] = {}
    for a, name in enumerate(before):
        match = next((b for b in free if after[b] == name), None)
        if match is not None:
            partner[a] = match
            free.remove(match)
    for a in range(len(before)):
        if a in partner:
            yield a, partner[a], "by name"
        else:
            yield (a, free.pop(0), "by order") if free else (a, None, "only before")
    yield from ((None, b, "only after") for b in free)
