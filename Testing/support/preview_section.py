"""A study on show, a worker and the preview over them, for the preview's tests."""

import numpy as np
import pytest

from Testing.support.paths import PANEL

SAGITTAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # columns: image axes in RAS
SHAPE = (6, 40, 48)


class Study:
    """What the panel's Input and Method sections would say."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.text = ""
        self.plan = {"method": "adf", "noise": "gaussian", "level": 20.0, "device": "cpu"}

    def study(self):
        from MedRestoreLib.mrml.study import whole_study

        p = self.parameters
        return whole_study(p.inputVolume) if p.wholeSequence else p.inputVolume

    def missing(self):
        return self.text or ("" if self.parameters.inputVolume is not None else "Select a volume.")

    def edits(self):
        return {**self.plan, "strength": self.parameters.strength}


class Bench:
    """The preview over a real worker, a study on show, and the controls of the panel."""

    def __init__(self, preview, parameters, ui, study, asked, cancelled):
        self.preview, self.parameters, self.ui, self.study = preview, parameters, ui, study
        self.asked, self.cancelled = asked, cancelled

    def volume(self, axes=SAGITTAL, shape=SHAPE, dtype=np.float32, shown=True):
        """A noisy study, on show in every view at once; its own plane is the one that the yellow view shows."""
        import slicer

        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = axes * [1.0, 1.2, 3.0], (5, -8, 12)
        rng = np.random.default_rng(0)
        ramp = np.linspace(50, 200, shape[1])[:, None] + np.arange(shape[0])[:, None, None] * 5
        voxels = rng.normal(np.broadcast_to(ramp, shape[:3])[..., None], 15, (*shape[:3], 3))
        voxels = voxels.clip(0, 255) if len(shape) == 4 else voxels[..., 0]
        kind = "vtkMRMLVectorVolumeNode" if len(shape) == 4 else "vtkMRMLScalarVolumeNode"
        node = slicer.util.addVolumeFromArray(voxels.astype(dtype), ijkToRAS=matrix, name="study", nodeClassName=kind)
        node.CreateDefaultDisplayNodes()
        if shown:
            self.show(node)
        return node

    def show(self, node):
        import slicer

        slicer.util.setSliceViewerLayers(background=node, fit=True)

    def start(self, **kind):
        """A study, its preview switched on and on show."""
        node = self.volume(**kind)
        self.parameters.inputVolume = node
        self.parameters.preview = True
        self.wait()
        return node

    def wait(self, shown=True, view="Yellow"):
        """Until the preview is on show (or, with False, until it has said why it is not)."""
        from Testing import host

        def settled():
            return self.layers(view) is not None and not self.text if shown else "..." not in self.text

        host.wait_until(settled, timeout=60)  # a worker that has to start takes seconds

    def whole(self, node):
        """The whole study restored: ``(slices, rows, columns)``."""
        from Testing import host

        uploads, ended = self.preview.uploads, []
        uploads.request("restore", node, self.study.edits(), onDone=ended.append, onError=ended.append)
        host.wait_until(lambda: ended)
        return uploads.worker.exchange.result(ended[0]["id"])[0]

    @property
    def text(self):
        return self.ui.previewLabel.text

    def logic(self, view="Yellow"):
        import slicer

        return slicer.app.layoutManager().sliceWidget(view).sliceLogic()

    def layers(self, view="Yellow"):
        """The preview's node, if a view shows it over the study."""
        import slicer

        composite = self.logic(view).GetSliceCompositeNode()
        node = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID() or "")
        return node if node is not None and node.GetHideFromEditors() else None

    def picture(self, view="Yellow"):
        """What the view draws, grey levels ``(rows, columns)``, by Slicer's own slicing and blending."""
        from vtk.util.numpy_support import vtk_to_numpy

        pipeline = self.logic(view).GetImageDataConnection().GetProducer()
        pipeline.Update()
        data = pipeline.GetOutput()
        columns, rows, _ = data.GetDimensions()
        return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(rows, columns, -1)[..., 0].astype(float)

    def scroll(self, index):
        from MedRestorePanel.slices import showSlice

        showSlice(self.logic().GetSliceNode(), self.parameters.inputVolume, index)


@pytest.fixture(scope="module", name="worker")
def worker_fixture():
    """One warm worker for all tests: starting it takes seconds."""
    from Testing import host

    host.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PANEL)
        from MedRestorePanel.process import WorkerProcess

        worker = WorkerProcess()
        worker.start()
        host.wait_until(lambda: worker.pid is not None)
        yield worker
        worker.close()


@pytest.fixture(name="bench")
def bench_fixture(worker, slicer_app):
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    from MedRestorePanel.preview import Preview
    from MedRestorePanel.uploads import Uploads

    @parameterNodeWrapper
    class Parameters:
        inputVolume: slicer.vtkMRMLScalarVolumeNode
        wholeSequence: bool
        maskSegmentation: slicer.vtkMRMLSegmentationNode
        maskSegment: str
        strength: float = 1.0
        preview: bool

    panel = slicer.util.loadUI(str(PANEL / "Resources/UI/MedRestore.ui"))
    ui = slicer.util.childWidgetVariables(panel)
    parameters = Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    study, uploads, asked, cancelled = Study(parameters), Uploads(worker), [], []
    request = uploads.request

    def noted(do, *arguments, **options):
        asked.append(request(do, *arguments, **options, onCancelled=lambda: cancelled.append(asked[number])))
        number = len(asked) - 1
        return asked[-1]

    uploads.request = noted
    preview = Preview(ui, uploads, study)
    preview.setParameterNode(parameters)
    tag = parameters.AddObserver("ModifiedEvent", lambda caller, event: preview.update())
    yield Bench(preview, parameters, ui, study, asked, cancelled)
    parameters.RemoveObserver(tag)
    preview.cleanup()
    uploads.forget()


def nodes_of_scene() -> set[str]:
    import slicer

    return {slicer.mrmlScene.GetNthNode(k).GetID() for k in range(slicer.mrmlScene.GetNumberOfNodes())}


def layers_of_all() -> dict[str, tuple]:
    import slicer

    return {
        node.GetID(): (node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetForegroundOpacity())
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    }


def ras(node, *ijk):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix.MultiplyPoint((*ijk, 1.0))[:3]
