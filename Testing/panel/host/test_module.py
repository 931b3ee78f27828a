"""The host loads, enters, reloads and unloads a scripted module as Slicer does."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

from Testing import host

DEMO = """
import qt
import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.util import VTKObservationMixin

class Demo(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Demonstration")
        parent.categories = ["Filtering"]
        slicer.app.connect("startupCompleted()", self.onStartup)

    def onStartup(self):
        import SampleData
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="Demo", sampleName="Phantom", uris="", fileNames="",
            customDownloader=lambda source: source.sampleName)

@parameterNodeWrapper
class DemoParameterNode:
    inputVolume: slicer.vtkMRMLScalarVolumeNode
    level: float = 2.0

class DemoWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    calls = []

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self.button = qt.QPushButton("Apply")
        self.layout.addWidget(self.button)
        self.logic = DemoLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, lambda *_: self.calls.append("closing"))
        self.calls.append("setup")

    def enter(self):
        self.calls.append("enter")

    def exit(self):
        self.calls.append("exit")

    def cleanup(self):
        self.calls.append("cleanup")
        self.removeObservers()

class DemoLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return DemoParameterNode(super().getParameterNode())

class DemoTest(ScriptedLoadableModuleTest):
    def runTest(self):
        DemoWidget.calls.append("tested")
"""

PLUGIN = """
import qt
import slicer
from SubjectHierarchyPlugins import AbstractScriptedSubjectHierarchyPlugin

class DemoSubjectHierarchyPlugin(AbstractScriptedSubjectHierarchyPlugin):
    filePath = __file__

    def __init__(self, scriptedPlugin):
        scriptedPlugin.name = "Demo"
        AbstractScriptedSubjectHierarchyPlugin.__init__(self, scriptedPlugin)
        self.action = qt.QAction("Demonstrate...", scriptedPlugin)
        self.seen = []
        self.action.triggered.connect(self.onTriggered)

    def itemContextMenuActions(self):
        return [self.action]

    def showContextMenuActionsForItem(self, item):
        node = slicer.qSlicerSubjectHierarchyPluginHandler.instance().subjectHierarchyNode().GetItemDataNode(item)
        self.action.visible = node is not None and node.IsA("vtkMRMLScalarVolumeNode")

    def onTriggered(self):
        self.seen.append(slicer.qSlicerSubjectHierarchyPluginHandler.instance().currentItem())
"""


@pytest.fixture
def demo(slicer_app, tmp_path):
    (tmp_path / "Demo.py").write_text(DEMO, encoding="utf-8")
    yield host.load_module(tmp_path / "Demo.py")
    sys.path.remove(str(tmp_path))
    sys.modules.pop("Demo", None)


def test_a_loaded_module_is_known_to_the_application(demo):
    import slicer

    assert slicer.modules.demo is demo is slicer.util.getModule("Demo")
    assert (demo.name, demo.title, demo.hidden, demo.categories) == ("Demo", "Demonstration", False, ("Filtering",))
    assert slicer.util.modulePath("Demo") == demo.path
    assert slicer.util.getModuleLogic("Demo") is slicer.util.getModuleWidget("Demo").logic
    with pytest.raises(AttributeError):
        demo.nosuch = 1


def test_selecting_and_leaving_a_module_enters_and_exits_it(demo):
    host.select_module("Demo")
    panel = demo.widgetRepresentation()
    assert panel.isEntered
    assert panel.visible
    host.leave_module()
    assert not panel.isEntered
    assert panel.self().calls == ["setup", "enter", "exit"]


def test_reloading_cleans_up_and_sets_up_but_does_not_enter(demo):
    import slicer

    host.select_module("Demo")
    former = slicer.modules.DemoWidget
    host.reload_module("Demo")
    assert former.calls == ["setup", "enter", "cleanup"]
    assert slicer.modules.DemoWidget is not former
    assert slicer.modules.DemoWidget.calls == ["setup"]
    assert demo.widgetRepresentation().self() is slicer.modules.DemoWidget
    assert demo.widgetRepresentation().isEntered


def test_closing_the_scene_tells_the_panel_and_a_new_scene_unloads_it(demo):
    import slicer

    calls = demo.widgetRepresentation().self().calls
    slicer.mrmlScene.Clear(False)
    assert calls == ["setup", "closing"]
    host.close_scene()
    assert calls == ["setup", "closing", "cleanup"]


def test_an_exception_while_entering_is_seen_by_the_test(demo, capfd):
    demo.widgetRepresentation().self().button.delete()
    type(demo.widgetRepresentation().self()).enter = lambda self: self.button.text
    host.select_module("Demo")
    assert len(host.errors) == 1
    host.errors.clear()


def test_registered_samples_can_be_loaded(demo):
    assert host.load_sample("Demo", "Phantom") == "Phantom"


def slicers_own():
    """SampleData of a checkout of Slicer, over the host."""
    path = Path(os.environ["SLICER_SOURCE_DIR"], "Modules", "Scripted", "SampleData", "SampleData.py")
    spec = importlib.util.spec_from_file_location("SlicersOwnSampleData", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("whose", ["the stand-in", *(["Slicer's own"] if "SLICER_SOURCE_DIR" in os.environ else [])])
def test_a_sample_without_files_says_so_with_empty_texts(slicer_app, whose):
    import slicer

    module = sys.modules["SampleData"] if whose == "the stand-in" else slicers_own()
    register = module.SampleDataLogic.registerCustomSampleDataSource
    with pytest.raises(TypeError):
        register(category="Demo", sampleName="Phantom", customDownloader=print)
    with pytest.raises((TypeError, ValueError)):
        register(category="Demo", sampleName="Phantom", uris=["a", "b"], fileNames=["a"], customDownloader=print)
    register(category="Demo", sampleName="Phantom", uris="", fileNames="", nodeNames="P", customDownloader=print)
    assert [source.sampleName for source in slicer.modules.sampleDataSources["Demo"]] == ["Phantom"]


def test_a_plugin_of_the_subject_hierarchy_offers_its_actions(demo, tmp_path):
    import numpy as np
    import slicer

    path = tmp_path / "DemoSubjectHierarchyPlugin.py"
    path.write_text(PLUGIN, encoding="utf-8")
    assert slicer.qSlicerSubjectHierarchyScriptedPlugin(None).setPythonSource(str(path))
    node = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.float32))
    (action,) = host.context_menu(node)
    assert action.text == "Demonstrate..."
    action.trigger()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert slicer.DemoSubjectHierarchyPlugin.seen == [hierarchy.GetItemByDataNode(node)]
    assert host.context_menu(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")) == []


def test_packages_are_asked_for_and_may_be_refused(slicer_app, tmp_path):
    import slicer.packaging

    path = tmp_path / "requirements.txt"
    path.write_text("# figures\nscikit-image>=0.22\n\npydicom>=3\n", encoding="utf-8")
    requirements = slicer.packaging.load_requirements(path)
    assert slicer.packaging.pip_check(requirements)
    host.packages.missing, host.packages.outcome = {"scikit-image"}, "refused"
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure(requirements, requester="Demo")
    host.packages.outcome = "accepted"
    slicer.packaging.pip_ensure(requirements, requester="Demo")
    assert slicer.packaging.pip_check(requirements)
    assert len(host.packages.asked) == 2


def test_a_comment_behind_a_requirement_is_refused_as_in_slicer(slicer_app, tmp_path):
    import slicer.packaging
    from packaging.requirements import InvalidRequirement

    path = tmp_path / "requirements.txt"
    path.write_text("scikit-image>=0.22  # figures\n", encoding="utf-8")
    with pytest.raises(InvalidRequirement):
        slicer.packaging.load_requirements(path)


def test_nothing_of_one_test_reaches_the_next(demo):
    import slicer

    host.packages.missing = {"numpy"}
    slicer.util.infoDisplay("Hello.")
    host.new_scene()
    assert slicer.packaging.pip_check(["numpy"])
    assert not hasattr(slicer.modules, "demo")
    assert slicer.util.moduleNames() == ("Volumes", "Segmentations", "Sequences", "Markups", "CropVolume",
                                         "SubjectHierarchy", "Tables")  # fmt: skip
    assert slicer.util.getNodesByClass("vtkMRMLVolumeNode") == []
    assert host.messages.shown == []
