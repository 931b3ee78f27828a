"""A study, its restored volume and the Compare section over them, for the tests of the views."""

import math

import numpy as np
import pytest

from Testing.support.paths import PANEL

# How image axes lie in RAS for studies acquired in different planes (columns: along rows, along columns, along slices).
AXIAL = np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]])
SAGITTAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
CORONAL = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
TILT = np.array([[1, 0, 0], [0, math.cos(0.5), -math.sin(0.5)], [0, math.sin(0.5), math.cos(0.5)]])


class Bench:
    """A panel with its Compare section, a study and its restored volume in a scene."""

    def __init__(self, views, parameters, ui, errors):
        self.views, self.parameters, self.ui, self.errors = views, parameters, ui, errors

    def volume(self, name, axes=AXIAL, shape=(5, 20, 30), source=None):
        import slicer

        matrix = np.eye(4)
        matrix[:3, :3] = axes * [1.0, 1.0, 2.5]
        voxels = np.random.default_rng(0).normal(100, 20, shape).astype(np.float32)
        node = slicer.util.addVolumeFromArray(voxels, ijkToRAS=matrix, name=name)
        node.CreateDefaultDisplayNodes()
        if source is not None:
            node.SetAttribute("MedRestore.derivedFrom", source.GetID())
        return node

    def study(self, removed=True, **kind):
        """Before, after and removed part, chosen in the panel; the study is on show in every view."""
        import slicer

        before = self.volume("study", **kind)
        after = self.volume("study restored", source=before, **kind)
        out = self.volume("study removed", source=before, **kind) if removed else None
        slicer.util.setSliceViewerLayers(background=before, fit=True)
        self.parameters.inputVolume, self.parameters.lastOutput, self.parameters.removedVolume = before, after, out
        return before, after, out

    def settle(self):
        from Testing import host

        host.process_events(0.15)


@pytest.fixture(name="bench")
def bench_fixture(slicer_app, monkeypatch):
    monkeypatch.syspath_prepend(PANEL)
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    from MedRestorePanel.views import Views

    @parameterNodeWrapper
    class Parameters:
        inputVolume: slicer.vtkMRMLScalarVolumeNode
        lastOutput: slicer.vtkMRMLScalarVolumeNode
        removedVolume: slicer.vtkMRMLScalarVolumeNode
        fade: float = 1.0
        preview: bool

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    panel = slicer.util.loadUI(str(PANEL / "Resources/UI/MedRestore.ui"))
    ui = slicer.util.childWidgetVariables(panel)
    parameters = Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    errors = []
    views = Views(ui, showError=errors.append)
    views.setParameterNode(parameters)
    tag = parameters.AddObserver("ModifiedEvent", lambda caller, event: views.update())
    yield Bench(views, parameters, ui, errors)
    parameters.RemoveObserver(tag)
    views.cleanup()


def layout() -> int:
    import slicer

    return slicer.app.layoutManager().layoutLogic().GetLayoutNode().GetViewArrangement()


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


def window(volume) -> tuple[float, float]:
    return volume.GetDisplayNode().GetWindow(), volume.GetDisplayNode().GetLevel()
