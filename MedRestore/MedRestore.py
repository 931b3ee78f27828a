"""The Slicer module MedRestore: a panel that restores a loaded study, and the same from the Python console.

The widget is a view: its parts (package MedRestorePanel) show and ask, the library MedRestoreLib decides and computes.
Nothing heavy is imported here; what the library needs is installed when it is first needed.
"""

import enum
import importlib.util
import sys
import time
import unittest
from pathlib import Path
from typing import Annotated

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

FOLDER = Path(__file__).resolve().parent

if importlib.util.find_spec("MedRestoreLib") is None:  # not installed: the library lies beside this module's folder
    sys.path.append(str(FOLDER.parent))

VOLUMES = ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
SAMPLES = {"MedRestoreBoneScan": _("Bone scan"), "MedRestoreHead": _("T1 head"), "MedRestoreCine": _("Cine")}


class MedRestore(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MedRestore")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        parent.dependencies = ["SubjectHierarchy"]
        parent.contributors = ["The MedRestore authors"]
        parent.helpText = _(
            "Removes noise from SPECT, MRI and ultrasound studies. The restored study appears beside the original, "
            "with the same geometry, units and totals, and with evidence of what was removed. For research use only."
        )
        parent.acknowledgementText = _(
            "MedRestore is free software under the Apache License 2.0. Not a medical device."
        )
        slicer.app.connect("startupCompleted()", lambda: registerSampleData(self.resourcePath("Icons")))

    def setup(self):
        """Add "Restore..." to the menu of volumes in the Data module."""
        plugin = slicer.qSlicerSubjectHierarchyScriptedPlugin(None)
        plugin.setPythonSource(str(FOLDER / "SubjectHierarchyPlugins" / "MedRestoreSubjectHierarchyPlugin.py"))


def registerSampleData(iconsFolder):
    """Small studies for a first try. They are generated here: nothing is downloaded."""
    import SampleData

    for name, title in SAMPLES.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="MedRestore",
            sampleName=title,
            nodeNames=title,
            thumbnailFileName=str(Path(iconsFolder) / f"{name}.png"),
            customDownloader=lambda source, name=name: MedRestoreLogic().sample(name),
        )


class AlikeMethod(enum.Enum):
    """How both volumes are segmented alike."""

    THRESHOLD = "threshold"
    GROW = "grow"

    def label(self):
        return {"THRESHOLD": _("Threshold"), "GROW": _("Grow from seeds")}[self.name]


@parameterNodeWrapper
class MedRestoreParameterNode:
    """The panel's choices, saved with the scene.

    An empty ``modality``, ``method`` or ``noise`` is not decided yet. ``level`` is in the noise model's unit.
    ``memory`` is in GB, 0 for the device's default. ``lastOutput`` and ``removedVolume`` are what Compare and Evidence
    look at.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    wholeSequence: bool = True
    maskSegmentation: vtkMRMLSegmentationNode
    maskSegment: str
    modality: str
    method: str
    noise: str
    level: float
    strength: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    dimensions: str = "auto"
    device: str = "auto"
    memory: Annotated[float, WithinRange(0.0, 1024.0)] = 0.0
    outputVolume: vtkMRMLScalarVolumeNode
    keepRemoved: bool = True
    preview: bool
    lastOutput: vtkMRMLScalarVolumeNode
    removedVolume: vtkMRMLScalarVolumeNode
    fade: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    segmentationBefore: vtkMRMLSegmentationNode
    segmentationAfter: vtkMRMLSegmentationNode
    seeds: vtkMRMLSegmentationNode
    alikeMethod: AlikeMethod
    alikeLower: float
    alikeUpper: float


class MedRestoreWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: builds its parts, hands them the parameter node, and passes on what happens to the scene."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.parts = []
        self._parameterNode = None
        self._guiTags = []
        self._isUpdateDue = False

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedRestore.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        from MedRestorePanel.evidence import EvidenceSection
        from MedRestorePanel.preview import Preview
        from MedRestorePanel.process import WorkerProcess
        from MedRestorePanel.restoring import RestoreSection
        from MedRestorePanel.segments import SegmentsSection
        from MedRestorePanel.study import StudySection
        from MedRestorePanel.uploads import Uploads
        from MedRestorePanel.views import Views

        self.logic = MedRestoreLogic()
        self.worker = WorkerProcess()
        self.uploads = Uploads(self.worker)
        self.views = Views(self.ui, showError=self.showError)
        self.study = StudySection(self.ui, self.uploads)
        self.preview = Preview(self.ui, self.uploads, self.study)
        self.restoring = RestoreSection(
            self.ui, self.worker, self.uploads, self.study, onStarted=self.preview.remove, onRestored=self.onRestored
        )
        self.segments = SegmentsSection(self.ui, self.views.volumes, showError=self.showError)
        self.evidence = EvidenceSection(self.ui, showError=self.showError)
        self.parts = [self.study, self.preview, self.restoring, self.views, self.evidence, self.segments]

        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        if self.parent.isEntered:  # reloaded: nobody enters again
            self.enter()

    def cleanup(self):
        """Called when Slicer closes or the module is reloaded."""
        self.setParameterNode(None)
        for part in self.parts:
            part.cleanup()
        self.parts = []
        if self.logic is not None:
            self.worker.close()
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()
        self.worker.start()  # warm by the time a volume is chosen

    def exit(self):
        self.preview.remove()

    def onReload(self):
        """Reload this file and everything that belongs to it."""
        for name in [n for n in sys.modules if n.split(".")[0] in ("MedRestoreLib", "MedRestorePanel")]:
            del sys.modules[name]
        super().onReload()

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.inputVolume is None:
            volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")  # label maps are among them
            shown = [node for node in volumes if node.GetClassName() in VOLUMES and not node.GetHideFromEditors()]
            self._parameterNode.inputVolume = shown[0] if shown else None

    def setParameterNode(self, parameterNode):
        """Let the panel show another parameter node, or none."""
        if _underlying(parameterNode) is _underlying(self._parameterNode):
            return
        if self._parameterNode is not None:
            for tag in self._guiTags:
                self._parameterNode.disconnectGui(tag)
            self.removeObserver(
                self._parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified
            )
        self._parameterNode = parameterNode
        for part in self.parts:
            part.setParameterNode(parameterNode)
        if parameterNode is not None:
            self._guiTags = [
                parameterNode.connectGui(self.ui),
                parameterNode.connectParametersToGui(self.study.connectors),
            ]
            for selector in (self.ui.inputSelector, self.ui.outputSelector, self.ui.resultSelector):
                selector.nodeTypes = VOLUMES  # connecting left the one type that the field is annotated with
            self.addObserver(parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        self.updateParts()

    def onParameterNodeModified(self, caller, event):
        """Update once all who observe the node have heard: VTK calls the first of them last, so some are behind now."""
        if not self._isUpdateDue:
            self._isUpdateDue = True
            qt.QTimer.singleShot(0, self.updateParts)

    def updateParts(self):
        self._isUpdateDue = False
        for part in self.parts:
            part.update()

    def onRestored(self, node, removed):
        """Show a new result in the views, in the place of the study it came from."""
        self._parameterNode.lastOutput = node
        self._parameterNode.removedVolume = removed
        self.views.showResult()

    def showError(self, message):
        self.restoring.say(message)


def _underlying(parameterNode):
    """The MRML node: the logic makes a new wrapper of it at every call."""
    return None if parameterNode is None else parameterNode.parameterNode


class MedRestoreLogic(ScriptedLoadableModuleLogic):
    """Restores volumes in this process and waits: for the Python console, scripts and other modules.

    Example::

        logic = slicer.util.getModuleLogic("MedRestore")
        restored = logic.restore(volumeNode)  # recommended method and level
        restored = logic.restore(volumeNode, method="bm3d", level=12.0)

    ``edits`` are the fields of ``MedRestoreLib.Plan``: method, noise, level, strength, dimensions, device, memory_gb,
    options. Every method raises ``MedRestoreLib.MedRestoreError`` with a sentence that says what to do; the scene is
    then as it was.
    """

    def getParameterNode(self):
        return MedRestoreParameterNode(super().getParameterNode())

    def recommend(self, volumeNode, **edits):
        """The ``MedRestoreLib.Plan`` for this volume: method, noise model, level, and why. Nothing is changed."""
        import MedRestoreLib as mr
        from MedRestoreLib import mrml

        return mr.recommend(mrml.image_of(volumeNode), **edits)

    def restore(self, volumeNode, *, outputVolume=None, mask=None, keepRemoved=False, progress=None, **edits):
        """Restore a volume; the new node appears beside it.

        Args:
            volumeNode: scalar or colour volume. Of a sequence, the frame on show (see ``restoreSequence``).
            outputVolume: volume to replace; None makes a new one.
            mask: ``(segmentationNode, segmentID)``: restore inside it only.
            keepRemoved: also add what was removed as a volume.
            progress: called with a fraction (0 to 1) and a message; may raise ``MedRestoreLib.Cancelled``.

        Returns:
            The restored volume node. Its attribute "MedRestore.report" is the whole report as JSON.
        """
        from MedRestoreLib import mrml

        self._ensureTorch()
        return mrml.restore(
            volumeNode, output=outputVolume, mask=mask, keep_removed=keepRemoved, progress=progress, **edits
        )

    def restoreStudy(self, volumeNode, *, keepRemoved=False, progress=None, **edits):
        """Restore every volume of the study (subject hierarchy) that ``volumeNode`` is of; returns the new nodes."""
        from MedRestoreLib import mrml
        from MedRestoreLib.progress import ignore

        self._ensureTorch()
        nodes = mrml.study_volumes(volumeNode)
        report = progress or ignore
        return [
            mrml.restore(
                node,
                keep_removed=keepRemoved,
                progress=lambda fraction, message, k=k: report((k + fraction) / len(nodes), message),
                **edits,
            )
            for k, node in enumerate(nodes)
        ]

    def restoreSequence(self, node, *, keepRemoved=False, progress=None, **edits):
        """Restore all frames of a sequence, given by itself or by the volume that shows it.

        Returns:
            The volume that shows the restored sequence, in the same browser, synchronised with the original.
        """
        from MedRestoreLib import mrml

        self._ensureTorch()
        return mrml.restore(mrml.whole_study(node), keep_removed=keepRemoved, progress=progress, **edits)

    def batch(self, folder, outputFolder, *, progress=None, **edits):
        """Restore every study below ``folder`` into ``outputFolder``; stopped at any moment, it can be started again.

        Returns:
            One row per study: study, status ("restored", "already done", "failed"), method, gain, message.
        """
        import MedRestoreLib as mr

        self._ensureTorch()
        return mr.batch(folder, outputFolder, progress=progress, **edits)

    def sample(self, name):
        """Add one of the sample studies (keys of ``SAMPLES``), generated here; returns its node in a list."""
        from MedRestoreLib import mrml

        return [mrml.sample(name)]

    def _ensureTorch(self):
        """Offer to install PyTorch where a person can answer; elsewhere its absence is an error with the steps."""
        if importlib.util.find_spec("torch") is None and slicer.util.mainWindow() is not None:
            from MedRestorePanel.setup import ensureTorch

            ensureTorch()


class MedRestoreTest(ScriptedLoadableModuleTest):
    """The main path inside Slicer: ctest, or the module's Reload and Test. Needs PyTorch, and says so without it."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        if importlib.util.find_spec("torch") is None:
            raise unittest.SkipTest("PyTorch is not installed, and nothing can be restored without it")

    def runTest(self):
        for name in unittest.TestLoader().getTestCaseNames(type(self)):
            self.setUp()
            getattr(self, name)()
            self.delayDisplay(f"{name}: passed")

    def test_console_keeps_geometry_unit_and_counts(self):
        logic = MedRestoreLogic()
        scan = logic.sample("MedRestoreBoneScan")[0]
        restored = logic.restore(scan, method="adf", level=1.0)
        before, after = slicer.util.arrayFromVolume(scan), slicer.util.arrayFromVolume(restored)
        assert abs(after.sum(dtype=float) / before.sum(dtype=float) - 1) < 0.005
        assert restored.GetVoxelValueUnits().GetAsString() == scan.GetVoxelValueUnits().GetAsString()
        matrices = [vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()]
        scan.GetIJKToRASMatrix(matrices[0])
        restored.GetIJKToRASMatrix(matrices[1])
        places = [(row, column) for row in range(4) for column in range(4)]
        assert max(abs(matrices[0].GetElement(*p) - matrices[1].GetElement(*p)) for p in places) < 1e-6

    def test_panel_restores_compares_and_measures(self):
        logic = MedRestoreLogic()
        head = logic.sample("MedRestoreHead")[0]
        panel = slicer.util.getModuleWidget("MedRestore")
        panel.enter()
        parameterNode = logic.getParameterNode()
        parameterNode.inputVolume = head
        self.waitFor(lambda: parameterNode.method and parameterNode.level > 0)
        parameterNode.method = "odct3d"
        self.click(panel.ui.applyButton)
        self.waitFor(lambda: parameterNode.lastOutput is not None)
        if slicer.app.layoutManager() is not None:
            self.click(panel.ui.sideBySideButton)
            self.click(panel.ui.formerLayoutButton)
        parameterNode.alikeLower, parameterNode.alikeUpper = 100.0, 10000.0
        self.click(panel.ui.segmentAlikeButton)
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1

    def test_saved_scene_keeps_the_result_and_the_choices(self):
        import tempfile

        logic = MedRestoreLogic()
        head = logic.sample("MedRestoreHead")[0]
        logic.getParameterNode().lastOutput = logic.restore(head, method="adf", level=5.0)
        with tempfile.TemporaryDirectory() as folder:
            scene = str(Path(folder) / "scene.mrb")
            assert slicer.util.saveScene(scene)
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(scene)
        restored = logic.getParameterNode().lastOutput
        assert restored.GetAttribute("MedRestore.method") == "adf"
        assert restored.GetAttribute("MedRestore.report")

    def click(self, button):
        """Click as soon as the panel allows it."""
        self.waitFor(lambda: button.enabled)
        button.click()

    def waitFor(self, predicate, seconds=120.0):
        """Let Slicer work until something is so."""
        end = time.monotonic() + seconds
        while not predicate():
            assert time.monotonic() < end, "waited in vain"
            slicer.app.processEvents()
            time.sleep(0.01)
