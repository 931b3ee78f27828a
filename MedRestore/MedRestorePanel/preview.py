"""The preview: the slice on show, restored in place while method, level and strength are being chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .slices import SameWindow, SliceLayers, showVolume, sliceLogics, sliceOnShow
from .words import explained

if TYPE_CHECKING:
    import numpy as np

    from MedRestoreLib import MedRestoreError

    from .parameters import MedRestoreParameterNode
    from .study import StudySection
    from .workers import Workers

# Segmentation, segment and the state of the segmentation: what a mask was worked out from.
MaskKey = tuple[str, str, int]

DELAY_MS = 300  # after the last change, before the worker is asked


class Place(NamedTuple):
    """What a preview is of: frame and slice of a volume, and the state of its voxels."""

    volumeID: str
    frame: int
    slice: int
    voxels: int


class Preview(VTKObservationMixin):
    """Restores the slice on show in the worker and lays it over the original, in views that show the acquired plane.

    It follows the parameters, the slice and the frame. The worker restores at full strength: any other strength is a
    blend, which is made here at once. What it puts into the scene is hidden, never saved, and taken out again.
    Troubles are a quiet text: nobody asked for a result yet.

    Args:
        ui: the panel's widgets.
        workers: read, preview and restore.
        study: the ``StudySection``: what would be restored and how.
    """

    def __init__(self, ui: Any, workers: Workers, study: StudySection) -> None:
        VTKObservationMixin.__init__(self)
        self.ui, self.workers, self.study = ui, workers, study
        self._parameterNode = None
        self._request = None
        self._wanted = None  # place and parameters that were last asked for
        self._shown = None  # the place of the slice in the views
        self._restored = None  # that slice at full strength
        self._strength = None  # at which it is on show
        self._turned = None  # id of the volume that was put into the views because none showed it in its plane
        self._node = None
        self._mask = (None, None)
        self._layers = SliceLayers()
        self._window = SameWindow()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = DELAY_MS
        self._timer.timeout.connect(self._ask)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        if parameterNode is not self._parameterNode:
            self._stop()
        self._parameterNode = parameterNode

    def update(self) -> None:
        """Follow what changed: ask again where the slice on show would look different."""
        if self._parameterNode is None:
            return
        if not self._parameterNode.preview:
            self._stop()
            return
        self._observe()
        message = self.study.missing()
        place = None if message else self._place() or self._placeAfterTurning()
        if place is None:
            self._forget()
            self._say(message or _("No slice view shows the input in its acquired plane."))
            return
        if place != self._shown:
            self._takeAway()
        wanted = (place, self._parameters())
        if wanted != self._wanted:
            self._cancel()
            self._wanted = wanted
            self._say(_("Restoring the slice on show..."))
            self._timer.start()
        elif self._shown is not None and self._strength != self._parameterNode.strength:
            self._blend()

    def remove(self) -> None:
        """End the preview, as if it had been switched off."""
        if self._parameterNode is not None and self._parameterNode.preview:
            self._parameterNode.preview = False
        self._stop()

    def cleanup(self) -> None:
        self._stop()
        self._parameterNode = None

    # What is wanted

    def _place(self) -> Place | None:
        """What is on show; None where no view shows the input in its plane."""
        volume = self._parameterNode.inputVolume
        index = next((sliceOnShow(logic, volume) for logic in self._viewsOf(volume)), None)
        if index is None:
            return None
        return Place(volume.GetID(), self._frame(volume), index, volume.GetImageData().GetMTime())

    def _placeAfterTurning(self) -> Place | None:
        """Put the input into the views, one of them in its plane; once only, as a person may want to look elsewhere."""
        volume = self._parameterNode.inputVolume
        if self._turned == volume.GetID():
            return None
        self._turned = volume.GetID()
        showVolume(volume)
        return self._place()

    def _viewsOf(self, volume: slicer.vtkMRMLVolumeNode) -> list[slicer.vtkMRMLSliceLogic]:
        """The views whose background is the volume, in its acquired plane."""
        return [
            logic
            for logic in sliceLogics()
            if logic.GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
            and sliceOnShow(logic, volume) is not None
        ]

    def _frame(self, volume: slicer.vtkMRMLVolumeNode) -> int:
        """The number of the frame on show in the study that is restored."""
        study = self.study.study()
        if study is volume:
            return 0
        from MedRestoreLib import mrml

        browser, sequence = mrml.sequence_of(volume)
        time = browser.GetMasterSequenceNode().GetNthIndexValue(browser.GetSelectedItemNumber())
        return max(0, sequence.GetItemNumberFromIndexValue(time, False))

    def _parameters(self) -> tuple[dict[str, Any], MaskKey | None]:
        segmentation = self._parameterNode.maskSegmentation
        mask = None
        if segmentation is not None:
            mask = (segmentation.GetID(), self._parameterNode.maskSegment, segmentation.GetSegmentation().GetMTime())
        return ({**self.study.edits(), "strength": 1.0}, mask)

    # Asking

    def _ask(self) -> None:
        """Ask for the slice; where a method works on a volume, for a glance first, which is there at once."""
        self._request = None
        self._askFor("glance" if self.study.isInVolume() else "preview")

    def _askFor(self, do: str) -> None:
        from MedRestoreLib import MedRestoreError

        place, (edits, mask) = self._wanted
        request = None

        def done(reply: dict[str, Any]) -> None:
            voxels = self.workers.result(request, reply["id"])  # taken in any case: a file is left otherwise
            if self._request is not request:
                return
            self._show(place, voxels[0, 0])
            if do == "glance":
                text = _("A first look, by {method} from the slices nearby. The exact one follows...")
                self._say(text.format(method=self.study.lookedAtBy()))
                self._askFor("preview")

        def failed(error: MedRestoreError) -> None:
            if self._request is request:
                self._request = None
                self._takeAway()
                self._say(explained(error))

        try:
            study = self.study.study()
            request = self._request = self.workers.request(
                do,
                study,
                edits,
                at=(place.frame, place.slice),
                mask=self._maskOf(mask, study),
                onDone=done,
                onError=failed,
            )
        except MedRestoreError as error:
            self._say(explained(error))

    def _maskOf(self, key: MaskKey | None, study: slicer.vtkMRMLNode) -> np.ndarray | None:
        """The mask that belongs to a key of ``_parameters``; worked out once."""
        if key is None:
            return None
        from MedRestoreLib import mrml

        if self._mask[0] != key:
            p = self._parameterNode
            self._mask = (key, mrml.mask_of(p.maskSegmentation, p.maskSegment, study))
        return self._mask[1]

    def _cancel(self) -> None:
        self._timer.stop()
        request, self._request = self._request, None
        if request is not None:
            self.workers.cancel(request)

    # Showing

    def _show(self, place: Place, voxels: np.ndarray) -> None:
        """Lay a restored slice ``(rows, columns[, components])`` over the original."""
        from MedRestoreLib.mrml.display import show_alike
        from MedRestoreLib.mrml.volumes import refine

        self._request = None
        self._shown = place  # before anything below makes the views ask what is on show
        volume = slicer.mrmlScene.GetNodeByID(place.volumeID)
        if self._node is None:
            self._node = getattr(slicer, volume.GetClassName())()
            self._node.SetName("MedRestore preview")
            _hideFromEditorsAndSaving(self._node)
            slicer.mrmlScene.AddNode(self._node)
        self._restored = voxels
        self._blend()
        ijkToRAS = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(ijkToRAS)
        origin = ijkToRAS.MultiplyPoint((0.0, 0.0, float(place.slice), 1.0))
        self._node.SetIJKToRASMatrix(ijkToRAS)
        self._node.SetOrigin(origin[:3])
        refine(self._node, self._factor(volume))
        self._node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        show_alike(self._node, volume)
        _hideFromEditorsAndSaving(self._node.GetDisplayNode())
        for logic in self._viewsOf(volume):
            if sliceOnShow(logic, volume) == place.slice:
                self._layers.show(logic.GetSliceCompositeNode(), volume, self._node, 1.0)
        self._window.start(volume, self._node)
        self._say("")

    def _blend(self) -> None:
        """Show the restored slice as strong as it is wanted."""
        volume = slicer.mrmlScene.GetNodeByID(self._shown.volumeID)
        self._strength = strength = self._parameterNode.strength
        original = slicer.util.arrayFromVolume(volume)[self._shown.slice]
        if strength < 1:
            original = _enlarged(original, self._factor(volume))
            voxels = original + strength * (self._restored.astype("float32") - original)
        else:
            voxels = self._restored.astype("float32")
        if self._restored.dtype.kind in "iu":  # colours
            voxels = voxels.round()
        slicer.util.updateVolumeFromArray(self._node, voxels.astype(self._restored.dtype)[None])

    def _factor(self, volume: slicer.vtkMRMLVolumeNode) -> int:
        """How many times as many rows the restored slice has."""
        return len(self._restored) // volume.GetImageData().GetDimensions()[1]

    def _takeAway(self) -> None:
        """Give the views back what they showed, and the scene what it was."""
        self._shown = self._restored = None
        self._window.stop()
        self._layers.giveBack()
        node, self._node = self._node, None
        if node is not None and node.GetScene() is not None:
            for displayNode in [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]:
                slicer.mrmlScene.RemoveNode(displayNode)
            slicer.mrmlScene.RemoveNode(node)

    def _forget(self) -> None:
        """Nothing is wanted and nothing is shown."""
        self._cancel()
        self._takeAway()
        self._wanted = None

    def _stop(self) -> None:
        self.removeObservers()
        self._forget()
        self._mask = (None, None)
        self._turned = None
        self._say("")

    def _say(self, text: str) -> None:
        self.ui.previewLabel.text = text
        self.ui.previewLabel.visible = bool(text)

    # Following the views

    def _observe(self) -> None:
        """Follow every slice view there is, the voxels on show, and the saving of the scene."""
        scene = slicer.mrmlScene
        followed = [
            (self._parameterNode.inputVolume, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self._onChanged),
            (scene.GetFirstNodeByClass("vtkMRMLLayoutNode"), vtk.vtkCommand.ModifiedEvent, self._onLayoutChanged),
            (scene, scene.StartSaveEvent, self._onStartSave),
            (scene, scene.EndSaveEvent, self._onChanged),
        ]
        for kind in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
            followed += [(n, vtk.vtkCommand.ModifiedEvent, self._onChanged) for n in slicer.util.getNodesByClass(kind)]
        for node, event, method in followed:
            if node is not None and not self.hasObserver(node, event, method):
                self.addObserver(node, event, method)

    def _onChanged(self, caller: vtk.vtkObject, event: str) -> None:
        if not slicer.mrmlScene.IsBatchProcessing():
            self.update()

    def _onLayoutChanged(self, caller: vtk.vtkObject, event: str) -> None:
        qt.QTimer.singleShot(0, self.update)  # when the new layout's views are there

    def _onStartSave(self, caller: vtk.vtkObject, event: str) -> None:
        """The scene is saved as it is without us; afterwards the preview is made anew."""
        self._forget()


def _enlarged(plane: np.ndarray, factor: int) -> np.ndarray:
    """A slice ``(rows, columns[, components])``, interpolated on a finer grid."""
    if factor == 1:
        return plane
    import numpy as np

    from MedRestoreLib.resampling import enlarged

    components = plane[None] if plane.ndim == 2 else np.moveaxis(plane, 2, 0)
    finer = np.moveaxis(enlarged(components, factor), 0, 2)
    return np.maximum(finer, min(0, plane.min())).reshape(*finer.shape[:2], *plane.shape[2:])


def _hideFromEditorsAndSaving(node: slicer.vtkMRMLNode) -> None:
    """Not in the lists of nodes, and not in a saved scene."""
    node.HideFromEditorsOn()
    node.SaveWithSceneOff()
