"""A person who compares: a study and its restored volume in the scene, and what the slice views show of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from Testing.support.panel_user import User, add_volume, show

# How image axes lie in RAS for studies acquired in different planes (columns: along rows, along columns, along slices).
AXIAL = np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]])
SAGITTAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
CORONAL = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
TILT = np.array([[1, 0, 0], [0, math.cos(0.5), -math.sin(0.5)], [0, math.sin(0.5), math.cos(0.5)]])

BUTTONS = {"sideBySide": "sideBySideButton", "removed": "removedButton", "fade": "fadeButton"}


class Compare:
    """The Compare section in a person's hands."""

    def __init__(self, user: User) -> None:
        self.user = user

    @property
    def ui(self) -> Any:
        return self.user.ui

    @property
    def p(self) -> Any:
        return self.user.p

    @property
    def mode(self) -> str:
        """The button that is down; "" for none."""
        return next((mode for mode, name in BUTTONS.items() if getattr(self.ui, name).checked), "")

    def volume(self, name: str, axes: np.ndarray = AXIAL, shape: tuple = (5, 20, 30), source: Any = None) -> Any:
        matrix = np.eye(4)
        matrix[:3, :3] = axes * [1.0, 1.0, 2.5]
        voxels = np.random.default_rng(0).normal(100, 20, shape).astype(np.float32)
        node = add_volume(voxels, name, matrix, "MR", shown=False)
        if source is not None:
            as_result(node, source)
        return node

    def study(self, removed: bool = True, **kind: Any) -> tuple[Any, Any, Any]:
        """Before, after and removed part, chosen in the panel; the study is on show in every view."""
        before = self.volume("study", **kind)
        after = self.volume("study restored", source=before, **kind)
        out = self.volume("study removed", **kind) if removed else None
        show(before)
        as_result(after, before, out)
        self.user.choose(inputVolume=before, lastOutput=after)
        return before, after, out

    def press(self, mode: str) -> None:
        self.user.press(BUTTONS[mode])
        self.rest()

    def former(self) -> None:
        self.user.press("formerLayoutButton")
        self.rest()

    def choose(self, **values: Any) -> None:
        self.user.choose(**values)

    def rest(self) -> None:
        self.user.rest(0.15)


def as_result(node: Any, source: Any, removed: Any = None) -> None:
    """Let a volume, or the cine that it shows, be what a restoration made."""
    from MedRestoreLib.mrml import results, sequence_of

    results.relate(node, source, removed)
    sequence = sequence_of(node)[1]
    frames = [] if sequence is None else map(sequence.GetNthDataNode, range(sequence.GetNumberOfDataNodes()))
    for each in (node, *frames):
        each.SetAttribute(results.PART, results.RESTORED)


def layout() -> int:
    import slicer

    return slicer.app.layoutManager().layoutLogic().GetLayoutNode().GetViewArrangement()


def slice_node(view: str) -> Any:
    import slicer

    return slicer.app.layoutManager().sliceWidget(view).mrmlSliceNode()


def slice_logic(view: str) -> Any:
    import slicer

    return slicer.app.layoutManager().sliceWidget(view).sliceLogic()


def composite(view: str) -> Any:
    import slicer

    return slicer.app.layoutManager().sliceWidget(view).sliceLogic().GetSliceCompositeNode()


def panes() -> list[tuple]:
    """(label, background's name, foreground's name) of each slice view on show, from left to right."""
    import slicer

    from MedRestorePanel.slices import sliceLogics

    def name(id):
        return None if id is None else slicer.mrmlScene.GetNodeByID(id).GetName()

    found = []
    for logic in sliceLogics():
        layers = logic.GetSliceCompositeNode()
        label = logic.GetSliceNode().GetLayoutLabel()
        found.append((label, name(layers.GetBackgroundVolumeID()), name(layers.GetForegroundVolumeID())))
    return found


def layers_of_all() -> dict[str, tuple]:
    """What every slice view but those of the comparison shows."""
    import slicer

    return {
        node.GetLayoutName(): (
            node.GetBackgroundVolumeID(),
            node.GetForegroundVolumeID(),
            node.GetForegroundOpacity(),
            node.GetLabelVolumeID(),
            node.GetLinkedControl(),
        )
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        if not node.GetLayoutName().startswith("MedRestore")
    }


def window(volume: Any) -> tuple[float, float]:
    return volume.GetDisplayNode().GetWindow(), volume.GetDisplayNode().GetLevel()
