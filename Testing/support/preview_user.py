"""A person who looks at the preview: a study on show, the preview over it, and what the slice views draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from Testing.support.compare_user import SAGITTAL
from Testing.support.panel_user import User, add_volume

SHAPE = (6, 40, 48)
LEVEL = 20.0


class Preview:
    """The preview in a person's hands.

    Attributes:
        asked: the requests that the preview sent to the worker.
        cancelled: those of them that were cancelled.
    """

    def __init__(self, user: User) -> None:
        self.user = user
        self.asked: list[Any] = []
        self.cancelled: list[Any] = []
        workers = user.panel.workers
        request = workers.request

        def noted(do, *arguments, **options):
            if do not in ("preview", "glance"):
                return request(do, *arguments, **options)
            number = len(self.asked)
            sent = request(do, *arguments, **options, onCancelled=lambda: self.cancelled.append(self.asked[number]))
            self.asked.append(sent)
            return sent

        workers.request = noted

    def close(self) -> None:
        del self.user.panel.workers.request

    @property
    def ui(self) -> Any:
        return self.user.ui

    @property
    def p(self) -> Any:
        return self.user.p

    @property
    def text(self) -> str:
        return self.ui.previewLabel.text

    def volume(
        self, axes: np.ndarray = SAGITTAL, shape: tuple = SHAPE, dtype: type = np.float32, shown: bool = True
    ) -> Any:
        """A noisy study, on show in every view at once; its own plane is the one that the yellow view shows."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = axes * [1.0, 1.2, 3.0], (5, -8, 12)
        rng = np.random.default_rng(0)
        ramp = np.linspace(50, 200, shape[1])[:, None] + np.arange(shape[0])[:, None, None] * 5
        voxels = rng.normal(np.broadcast_to(ramp, shape[:3])[..., None], 15, (*shape[:3], 3))
        voxels = voxels.clip(0, 255) if len(shape) == 4 else voxels[..., 0]
        return add_volume(voxels.astype(dtype), "study", matrix, "CT", shown)

    def open(self, node: Any, **values: Any) -> None:
        """Choose a study, and a method and level that take a moment only."""
        self.user.open(node, method="adf", level=LEVEL, **values)

    def start(self, **kind: Any) -> Any:
        """A study, its preview switched on and on show."""
        node = self.volume(**kind)
        self.open(node)
        self.switch_on()
        return node

    def switch_on(self, shown: bool = True, view: str = "Yellow") -> None:
        self.choose(preview=True)
        self.wait(shown, view)

    def choose(self, **values: Any) -> None:
        self.user.choose(**values)

    def wait(self, shown: bool = True, view: str = "Yellow") -> None:
        """Until the preview is on show (or, with False, until it has said why it is not)."""
        self.user.rest()

        def settled():
            return self.layer(view) is not None and not self.text if shown else self.text and "..." not in self.text

        self.user.wait(settled)

    def logic(self, view: str = "Yellow") -> Any:
        import slicer

        return slicer.app.layoutManager().sliceWidget(view).sliceLogic()

    def layer(self, view: str = "Yellow") -> Any:
        """The preview's node, if a view shows it over the study."""
        import slicer

        composite = self.logic(view).GetSliceCompositeNode()
        node = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID() or "")
        return node if node is not None and node.GetHideFromEditors() else None

    def picture(self, view: str = "Yellow") -> np.ndarray:
        """What the view draws, grey levels ``(rows, columns)``, by Slicer's own slicing and blending."""
        from vtk.util.numpy_support import vtk_to_numpy

        pipeline = self.logic(view).GetImageDataConnection().GetProducer()
        pipeline.Update()
        data = pipeline.GetOutput()
        columns, rows, _ = data.GetDimensions()
        return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(rows, columns, -1)[..., 0].astype(float)

    def slice(self, view: str = "Yellow") -> int | None:
        """The slice of the study that a view shows."""
        from MedRestorePanel.slices import sliceOnShow

        return sliceOnShow(self.logic(view), self.p.inputVolume)

    def scroll(self, index: int) -> None:
        from MedRestorePanel.slices import showSlice

        showSlice(self.logic().GetSliceNode(), self.p.inputVolume, index)


def place(node: Any, *ijk: float) -> tuple[float, float, float]:
    """Where a voxel lies, RAS."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix.MultiplyPoint((*ijk, 1.0))[:3]
