"""The Slicer module MedRestore: a panel that restores a loaded study, and the same from the Python console.

The widget is a view: its parts (package MedRestorePanel) show and ask, the library MedRestoreLib decides and computes.
Nothing heavy is imported here; what the library needs is installed when it is first needed.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from MedRestorePanel import settings
from MedRestorePanel.console import MedRestoreLogic
from MedRestorePanel.help import helpLinks
from MedRestorePanel.samples import registerSampleData, titles
from MedRestorePanel.slices import isShown, showVolume

if TYPE_CHECKING:
    from MedRestorePanel.parameters import MedRestoreParameterNode

FOLDER = Path(__file__).resolve().parent

if importlib.util.find_spec("MedRestoreLib") is None:  # not installed: the library lies beside this module's folder
    sys.path.append(str(FOLDER.parent))

VOLUMES = ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")


class MedRestore(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        slicer.app.loadTranslations(self.resourcePath("Translations"))
        parent.title = _("MedRestore")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        parent.dependencies = ["SubjectHierarchy"]
        parent.contributors = ["The MedRestore authors"]
        parent.helpText = _(
            "Removes noise from SPECT, MRI and ultrasound studies. The restored study appears beside the original, "
            "with the same geometry, units and totals, and with evidence of what was removed. For research use only."
        )
        parent.helpText += f"<p>{helpLinks()}</p>"
        parent.acknowledgementText = _(
            "MedRestore is free software under the Apache License 2.0. Not a medical device."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def setup(self) -> None:
        """Add "Restore..." to the menu of volumes in the Data module."""
        plugin = slicer.qSlicerSubjectHierarchyScriptedPlugin(None)
        plugin.setPythonSource(str(FOLDER / "SubjectHierarchyPlugins" / "MedRestoreSubjectHierarchyPlugin.py"))

    def onStartupCompleted(self) -> None:
        registerSampleData(self.resourcePath("Icons"))
        self.settingsPage = settings.addPage()


class MedRestoreWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: builds its parts, hands them the parameter node, and passes on what happens to the scene."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.parts = []
        self._parameterNode = None
        self._guiTags = []
        self._isUpdateDue = False

    @property
    def isAtRest(self) -> bool:
        """Whether the panel shows what was chosen: nothing is due, and nothing is being read."""
        return self._parameterNode is not None and not self._isUpdateDue and not self.study.isReading

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedRestore.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        from MedRestorePanel.evidence import EvidenceSection
        from MedRestorePanel.keyboard import prepareKeyboard
        from MedRestorePanel.presets import PresetSection
        from MedRestorePanel.preview import Preview
        from MedRestorePanel.problem import ProblemReport
        from MedRestorePanel.restoring import RestoreSection
        from MedRestorePanel.segments import SegmentsSection
        from MedRestorePanel.several import SeveralSection
        from MedRestorePanel.study import StudySection
        from MedRestorePanel.views import Views
        from MedRestorePanel.workers import Workers

        self.ui.helpLabel.text = helpLinks()
        self.shortcut = prepareKeyboard(uiWidget, self.ui)
        for widget in vars(self.ui).values():  # however long a node's name is, the panel stays narrow
            if isinstance(widget, slicer.qMRMLNodeComboBox):
                widget.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
        for kind in VOLUMES:
            self.ui.resultSelector.addAttribute(kind, "MedRestore.part", "restored")  # removed parts are no results

        self.logic = MedRestoreLogic()
        self.workers = Workers(onHeld=self.updateLater)
        self.views = Views(self.ui, showError=self.showError)
        self.study = StudySection(self.ui, self.workers, onChosen=self.onChosen)
        self.presets = PresetSection(self.ui, self.study, folder=settings.presetFolder, say=self.showError)
        self.preview = Preview(self.ui, self.workers, self.study)
        self.restoring = RestoreSection(
            self.ui, self.workers, self.study, onStarted=self.preview.remove, onRestored=self.onRestored
        )
        self.segments = SegmentsSection(self.ui, self.views.volumes, showError=self.showError)
        self.evidence = EvidenceSection(self.ui, say=self.showError)
        self.several = SeveralSection(self.ui, self.workers, presets=self.presets, onChosen=self.onPair)
        self.problem = ProblemReport(self.ui, self.workers, said=lambda: self.ui.statusLabel.text)
        self.parts = [
            self.study,
            self.presets,
            self.preview,
            self.restoring,
            self.views,
            self.evidence,
            self.segments,
            self.several,
            self.problem,
        ]

        scene = slicer.mrmlScene
        for event in (scene.StartCloseEvent, scene.StartImportEvent):
            self.addObserver(scene, event, self.onSceneAboutToChange)
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            self.addObserver(scene, event, self.onSceneChanged)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self.onNodeAboutToBeRemoved)
        if self.parent.isEntered:  # reloaded: nobody enters again
            self.enter()

    def cleanup(self) -> None:
        """Called when Slicer closes or the module is reloaded."""
        self.setParameterNode(None)
        for part in self.parts:
            part.cleanup()
        self.parts = []
        if self.logic is not None:
            self.workers.close()
        self.removeObservers()

    def enter(self) -> None:
        self.initializeParameterNode()
        self.workers.first.start()  # warm by the time a volume is chosen

    def exit(self) -> None:
        self.preview.remove()

    def onReload(self) -> None:
        """Reload this file and everything that belongs to it."""
        for name in [n for n in sys.modules if n.split(".")[0] in ("MedRestoreLib", "MedRestorePanel")]:
            del sys.modules[name]
        super().onReload()

    def onSceneAboutToChange(self, caller: vtk.vtkObject, event: str) -> None:
        """Let go: while nodes come and go a parameter node refers to none, and its wrapper would remember that."""
        self.setParameterNode(None)

    def onSceneChanged(self, caller: vtk.vtkObject, event: str) -> None:
        """Take hold again once the node selectors know what is in the scene."""
        qt.QTimer.singleShot(0, self.onSceneSettled)

    def onSceneSettled(self) -> None:
        if self.parts and self.parent.isEntered and not slicer.mrmlScene.IsBatchProcessing():
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller: vtk.vtkObject, event: str, node: slicer.vtkMRMLNode) -> None:
        """Take the first study that is loaded before the open panel, once it has voxels and stands in the views."""
        if node.GetClassName() in VOLUMES and not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[1:]:
            qt.QTimer.singleShot(0, self.onFirstVolume)

    def onFirstVolume(self) -> None:
        isWaiting = self.parts and self.parent.isEntered and self._parameterNode is not None
        if isWaiting and self._parameterNode.inputVolume is None and not slicer.mrmlScene.IsBatchProcessing():
            self.chooseInput()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller: vtk.vtkObject, event: str, node: slicer.vtkMRMLNode) -> None:
        """Let the choice of a node end with it: a combo box would take the next one, which nobody chose."""
        if self._parameterNode is None:
            return
        for name in self._parameterNode.allParameters:
            if self._parameterNode.getValue(name) is node:
                self._parameterNode.setValue(name, None)
        self.updateLater()

    def initializeParameterNode(self) -> None:
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.inputVolume is None:
            self.chooseInput()

    def chooseInput(self) -> None:
        """Let the input be a volume of the scene, where there is one; what is looked at comes first."""
        volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")  # label maps are among them
        volumes = [node for node in volumes if node.GetClassName() in VOLUMES and not node.GetHideFromEditors()]
        volumes.sort(key=isShown, reverse=True)
        self._parameterNode.inputVolume = volumes[0] if volumes else None

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
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
        # Letting go, what restores goes before what it works on: else it would go on to its next study.
        for part in self.parts if parameterNode is not None else reversed(self.parts):
            part.setParameterNode(parameterNode)
        if parameterNode is not None:
            self._guiTags = [
                parameterNode.connectGui(self.ui),
                parameterNode.connectParametersToGui(self.study.connectors),
            ]
            for selector in (self.ui.inputSelector, self.ui.resultSelector):
                selector.nodeTypes = VOLUMES  # connecting left the one type that the field is annotated with
            self.addObserver(parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameterNodeModified)
        self.updateParts()

    def onParameterNodeModified(self, caller: vtk.vtkObject, event: str) -> None:
        """Wait until all who observe the node have heard: VTK calls the first of them last, so some are behind now."""
        self.updateLater()

    def updateLater(self) -> None:
        if not self._isUpdateDue:
            self._isUpdateDue = True
            qt.QTimer.singleShot(0, self.updateParts)

    def updateParts(self) -> None:
        self._isUpdateDue = False
        for part in self.parts:
            part.update()

    def onChosen(self, volume: slicer.vtkMRMLVolumeNode) -> None:
        """Show the input, unless it is on show, or a comparison is."""
        if not self.views.mode and not isShown(volume):
            showVolume(volume)

    def onPair(self, volume: slicer.vtkMRMLVolumeNode, result: slicer.vtkMRMLVolumeNode) -> None:
        """Show a study and a result of it that was made before."""
        self._parameterNode.inputVolume, self._parameterNode.lastOutput = volume, result

    def onRestored(self, node: slicer.vtkMRMLVolumeNode) -> None:
        """Show a new result in the views, in the place of the study it came from."""
        self._parameterNode.lastOutput = node
        self.views.showResult()

    def showError(self, message: str) -> None:
        self.restoring.say(message)


def _underlying(parameterNode: MedRestoreParameterNode | None) -> slicer.vtkMRMLNode | None:
    """The MRML node: the logic makes a new wrapper of it at every call."""
    return None if parameterNode is None else parameterNode.parameterNode


class MedRestoreTest(ScriptedLoadableModuleTest):
    """The main path inside Slicer: ctest, or the module's Reload and Test. Needs PyTorch, and says so without it."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)
        if importlib.util.find_spec("torch") is None:
            raise unittest.SkipTest("PyTorch is not installed, and nothing can be restored without it")

    def runTest(self) -> None:
        for name in unittest.TestLoader().getTestCaseNames(type(self)):
            self.setUp()
            getattr(self, name)()
            self.delayDisplay(f"{name}: passed")

    def test_samples_stand_in_sample_data(self) -> None:
        self.waitFor(lambda: "MedRestore" in getattr(slicer.modules, "sampleDataSources", {}))
        sources = slicer.modules.sampleDataSources["MedRestore"]
        assert {source.sampleName for source in sources} == set(titles().values())

    def test_console_keeps_geometry_unit_and_counts(self) -> None:
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

    def test_panel_restores_compares_and_measures(self) -> None:
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

    def test_several_volumes_are_restored(self) -> None:
        logic = MedRestoreLogic()
        panel = slicer.util.getModuleWidget("MedRestore")
        panel.enter()
        originals = [logic.sample("MedRestoreBoneScan")[0] for _number in range(2)]
        self.waitFor(lambda: panel.isAtRest)
        panel.ui.severalCollapsibleButton.collapsed = False
        panel.ui.severalAllButton.click()
        self.click(panel.ui.severalButton)
        self.waitFor(lambda: not panel.several.isRunning)
        restored = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        made = [node for node in restored if node.GetAttribute("MedRestore.part") == "restored"]
        assert len(made) == len(originals), panel.ui.severalLabel.text

    def test_what_has_to_be_installed_is_written_as_slicer_reads_it(self) -> None:
        from slicer.packaging import load_requirements

        from MedRestorePanel.setup import REQUIREMENTS

        assert load_requirements(REQUIREMENTS)

    def test_settings_have_a_page(self) -> None:
        from MedRestorePanel import settings

        if slicer.util.mainWindow() is not None:
            assert slicer.modules.MedRestoreInstance.settingsPage is not None
            assert slicer.util.settingsValue(settings.STRENGTH, "") != ""

    def test_saved_scene_keeps_the_result_and_the_choices(self) -> None:
        import tempfile

        logic = MedRestoreLogic()
        panel = slicer.util.getModuleWidget("MedRestore")
        panel.enter()
        head = logic.sample("MedRestoreHead")[0]
        logic.getParameterNode().inputVolume = head
        self.waitFor(lambda: panel.isAtRest and logic.getParameterNode().level > 0)
        logic.getParameterNode().strength = 0.25
        logic.getParameterNode().lastOutput = logic.restore(head, method="adf", level=5.0)
        with tempfile.TemporaryDirectory() as folder:
            name, scene = head.GetName(), str(Path(folder) / "scene.mrb")
            assert slicer.util.saveScene(scene)
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(scene)
        panel.enter()  # without a main window no module is entered, and nobody takes hold of the scene again
        self.waitFor(lambda: panel.isAtRest)
        assert panel.ui.inputSelector.currentNode().GetName() == name
        assert panel.ui.strengthSlider.value == logic.getParameterNode().strength == 0.25
        restored = panel.ui.resultSelector.currentNode()
        assert restored is logic.getParameterNode().lastOutput
        assert restored.GetAttribute("MedRestore.method") == "adf"
        assert restored.GetAttribute("MedRestore.report")

    def click(self, button: qt.QAbstractButton) -> None:
        """Click as soon as the panel allows it."""
        self.waitFor(lambda: button.enabled)
        button.click()

    def waitFor(self, predicate: Callable[[], object], seconds: float = 120.0) -> None:
        """Let Slicer work until something is so."""
        end = time.monotonic() + seconds
        while not predicate():
            assert time.monotonic() < end, "waited in vain"
            slicer.app.processEvents()
            time.sleep(0.01)
