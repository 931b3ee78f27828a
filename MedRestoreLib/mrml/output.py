"""What a restoration will add to the scene: nothing before ``add``, so a job that ends early leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import slicer
import vtk

from .. import resampling
from ..errors import InvalidPlan, MedRestoreError
from ..image import LUMA, least
from ..pipeline.trust import HALF_WIDTH, INVENTED, METHOD_SHARE, maps_of
from .display import show_alike, show_difference, show_range
from .hierarchy import place_beside
from .provenance import REPORT, Provenance
from .results import REMOVED, RESTORED, relate, removed_of, trust_of
from .sequences import add_sequence, is_sequence, proxy_of, remove, replace_frames, sequence_of
from .study import volumes_in, whole_study
from .volumes import SCALAR, array_of, copy_quantity, copy_setting

# Voxels are subtracted in pieces short enough for a window to stay alive.
_STEP_BYTES = 4_000_000
_TRUST_NAMES = {HALF_WIDTH: "± of 90 %", METHOD_SHARE: "share of the method", INVENTED: "share not measured"}


class Output:
    """A restored volume or sequence in the making.

    Args:
        node: the input: a volume, or a sequence, or with ``whole_sequence`` a volume that shows one.
        name: of the new node; "" calls it after the input and the method.
        target: an existing volume that takes the result instead of a new one; for a sequence the volume that shows an
            earlier result's frames. It keeps a name of its own; one that
            MedRestore gave follows the method. An earlier result's removed part is replaced, too, or removed.
        whole_sequence: restore all frames of the sequence that ``node`` shows.
        trust: also make room for the map of trust.
        factor: ``Plan.factor``: how many times as many rows and columns the result has. It fills the same place.

    Attributes:
        arrays: writable, one a frame, shaped as ``frames_of``'s, with ``factor`` times the rows and columns; float32,
            or the input's type for colour. To be filled, in any order and in pieces, before ``add``.
        trust_arrays: the same for the map of trust, by the names of ``trust.maps_of``, always float32 and without
            colour; empty without one.
        removed: the node of the removed part, once ``add`` has kept it; None before and without.

    Raises:
        UnsupportedImage: the input cannot be restored.
        InvalidPlan: the target cannot take the result.

    A job that fails or is cancelled lets the object go; the scene is as it was.
    """

    def __init__(
        self,
        node: slicer.vtkMRMLNode,
        name: str = "",
        target: slicer.vtkMRMLVolumeNode | None = None,
        whole_sequence: bool = False,
        trust: bool = False,
        factor: int = 1,
    ) -> None:
        node = whole_study(node) if whole_sequence else node
        self._volumes = volumes_in(node)
        if target is not None:
            _check_target(target, node, self._volumes[0])
        self._node, self._name, self._target, self._factor = node, name, target, factor
        self._scene, self._node_id, self._node_name = node.GetScene(), node.GetID(), node.GetName()
        self._before = [array_of(volume.GetImageData()) for volume in self._volumes]
        self._after = [_blank_like(volume.GetImageData(), factor) for volume in self._volumes]
        self._removed: list[vtk.vtkImageData] = []
        self.removed: slicer.vtkMRMLVolumeNode | None = None
        self.arrays = [array_of(data) for data in self._after]
        self._trust = {part: self._blank() for part in maps_of(factor)} if trust else {}
        self.trust_arrays = {part: [array_of(data) for data in frames] for part, frames in self._trust.items()}

    def removing(self) -> Iterator[None]:
        """Work out the removed part (before minus after; of the luma for colour) in steps of a few milliseconds.

        Of an enlarged study, before is its bicubic enlargement, and a step takes as long as that of one slice. For a
        window that has to stay alive; ``add`` does it in one go where it was not done.
        """
        factor, floor = self._factor, -np.inf
        if factor != 1:
            floor = min(least(_luma(before)) for before in self._before)
        removed = self._blank()
        for before, after, data in zip(self._before, self.arrays, removed, strict=True):
            difference = array_of(data)
            step = max(1, _STEP_BYTES // max(1, 4 * difference[0].size))
            for start in range(0, len(difference), step):
                piece = slice(start, start + step)
                baseline = np.maximum(resampling.enlarged(_luma(before[piece]), factor), np.float32(floor))
                difference[piece] = baseline - _luma(after[piece])
                yield
        self._removed = removed

    def _blank(self) -> list[vtk.vtkImageData]:
        """Frames of the result's size, without colour."""
        return [_blank_like(volume.GetImageData(), self._factor, components=1) for volume in self._volumes]

    def add(self, report: Mapping[str, Any], keep_removed: bool = False) -> slicer.vtkMRMLVolumeNode:
        """Add the result to the scene, beside its input.

        Args:
            report: ``Report.to_dict()`` of the run.
            keep_removed: also add what was taken out.

        Returns:
            The restored volume; of a sequence the volume that shows its frames.

        Raises:
            MedRestoreError: the input or the target is no longer in the scene; nothing was added.
        """
        for node in filter(None, (self._node, self._target)):
            if node.GetScene() is not self._scene:
                raise MedRestoreError("the input or the output volume was removed from the scene; nothing was added.")
        provenance = Provenance.of(report)
        if keep_removed and not self._removed:
            for _ in self.removing():
                pass
        former = None if self._target is None else removed_of(self._target)
        name = self._name or f"{self._node.GetName()} restored ({provenance.method})"
        kind = self._volumes[0].GetClassName()
        restored = self._add(self._after, kind, name, provenance, RESTORED, self._target)
        if keep_removed:
            name = f"{self._node.GetName()} removed"
            self.removed = self._add(self._removed, SCALAR, name, provenance, REMOVED, former)
            show_difference(self.removed, [array_of(data) for data in self._removed])
        elif former is not None:
            remove(former)
        relate(restored, self._node, self.removed, self._add_trust(provenance))
        return restored

    def _add_trust(self, provenance: Provenance) -> dict[str, slicer.vtkMRMLVolumeNode]:
        """Add the map of trust; an earlier one's volumes are filled anew, or go where there is none now."""
        former = {} if self._target is None else trust_of(self._target)
        for part in former.keys() - self._trust.keys():
            remove(former[part])
        added = {}
        for part, frames in self._trust.items():
            name = f"{self._node.GetName()} {_TRUST_NAMES[part]}"
            added[part] = self._add(frames, SCALAR, name, provenance, part, former.get(part))
            show_range(added[part], self.trust_arrays[part], None if part == HALF_WIDTH else 1.0)
        return added

    def _add(
        self,
        frames: list[vtk.vtkImageData],
        class_name: str,
        name: str,
        provenance: Provenance,
        part: str,
        node: slicer.vtkMRMLVolumeNode | None = None,
    ) -> slicer.vtkMRMLVolumeNode:
        """Add frames as a volume or a sequence; ``node`` takes them if it is given."""
        if is_sequence(self._node):
            return self._add_sequence(frames, class_name, name, provenance, part, node)
        name = self._name_for(node, name)
        if node is None:
            node = getattr(slicer, class_name)()
        node.SetName(name)
        copy_setting(node, self._node, self._factor)
        provenance.label(node, self._volumes, part)
        node.SetAttribute(REPORT, provenance.report)
        if node.GetScene() is None:
            self._scene.AddNode(node)
        self._show(node, self._node)
        # Last: a display node that is still to find its window by itself would go through all voxels for it.
        node.SetAndObserveImageData(frames[0])
        return node

    def _name_for(self, target: slicer.vtkMRMLNode | None, name: str) -> str:
        """The name of a result: its target's own; a new one where there is no target, or MedRestore named it."""
        if target is not None:
            own = target.GetName() or ""
            if not _is_named_by_us(target, self._node) or own.startswith(name):
                return own
        return self._scene.GenerateUniqueName(name)

    def _add_sequence(
        self,
        frames: list[vtk.vtkImageData],
        class_name: str,
        name: str,
        provenance: Provenance,
        part: str,
        shows: slicer.vtkMRMLVolumeNode | None,
    ) -> slicer.vtkMRMLVolumeNode:
        """Add frames as a sequence; the one that ``shows`` shows takes them if it is given."""
        sequence = None if shows is None else sequence_of(shows)[1]
        name = self._name_for(sequence, name)

        def volumes() -> Iterator[tuple[slicer.vtkMRMLVolumeNode, vtk.vtkImageData]]:
            for source, data in zip(self._volumes, frames, strict=True):
                volume = getattr(slicer, class_name)()
                volume.SetName(name)
                copy_setting(volume, source, self._factor)
                provenance.label(volume, [source], part)
                yield volume, data

        if sequence is None:
            sequence, volume = add_sequence(self._node, name, volumes())
        else:
            volume = shows
            replace_frames(sequence, self._node, volumes())
            for node in (sequence, volume):
                node.SetName(name)
        provenance.label(sequence, self._volumes, part)
        sequence.SetAttribute(REPORT, provenance.report)
        place_beside(sequence, self._node)
        shown = proxy_of(self._node)
        if shown is not None:
            copy_quantity(volume, shown)
            self._show(volume, shown)
        return volume

    def _show(self, node: slicer.vtkMRMLVolumeNode, source: slicer.vtkMRMLVolumeNode) -> None:
        """Where and as the source is shown: same transform, display and study."""
        node.SetAndObserveTransformNodeID(source.GetTransformNodeID())
        show_alike(node, source)
        place_beside(node, source)


def _is_named_by_us(node: slicer.vtkMRMLNode, source: slicer.vtkMRMLNode) -> bool:
    return (node.GetName() or "").startswith((f"{source.GetName()} restored (", f"{source.GetName()} removed"))


def _check_target(target: slicer.vtkMRMLNode, node: slicer.vtkMRMLNode, volume: slicer.vtkMRMLVolumeNode) -> None:
    sequence = sequence_of(target)[1]
    if target is node or (is_sequence(node) and sequence is node):
        raise InvalidPlan("the result would overwrite its input; choose another output, or leave it open.")
    if target.GetClassName() != volume.GetClassName():
        raise InvalidPlan(
            f"'{target.GetName()}' is of another kind than the input and cannot take the result; leave the output open."
        )
    if is_sequence(node) and sequence is None:
        raise InvalidPlan(f"'{target.GetName()}' shows no sequence and cannot take all frames; leave the output open.")
    if not is_sequence(node) and sequence is not None:
        raise InvalidPlan(
            f"'{target.GetName()}' shows the frames of a sequence: the next frame would overwrite the result; leave "
            "the output open."
        )


def _blank_like(data: vtk.vtkImageData, factor: int = 1, components: int | None = None) -> vtk.vtkImageData:
    """Image data of the same extent: float32, but the same type for colour; ``components`` if it is to have others.

    With a factor, columns and rows are as many times as many.
    """
    components = components or data.GetNumberOfScalarComponents()
    extent = data.GetExtent()
    finer = (edge for low, high in (extent[:2], extent[2:4]) for edge in (factor * low, factor * (high + 1) - 1))
    blank = vtk.vtkImageData()
    blank.SetExtent(*finer, *extent[4:])
    blank.AllocateScalars(data.GetScalarType() if components > 1 else vtk.VTK_FLOAT, components)
    return blank


def _luma(voxels: np.ndarray) -> np.ndarray:
    if voxels.ndim == 3:
        return voxels.astype(np.float32)
    return (voxels[..., :3] @ np.array(LUMA)).astype(np.float32)
