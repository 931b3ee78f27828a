"""A fresh scene, with the logics that Slicer's application keeps around it."""

from __future__ import annotations

import types
from pathlib import Path

import slicer
from PySide6 import QtWidgets

from Testing.host.application import qSlicerMainWindow
from Testing.host.ctk import ctkSettingsDialog
from Testing.host.layout import qSlicerLayoutManager
from Testing.host.observers import Observers

_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
}


class LoadableModule:
    """``slicer.modules.volumes`` and its like: a name and a logic."""

    def __init__(self, name: str, logic):
        self.name, self.title, self._logic = name, name, logic

    def logic(self):
        return self._logic


def new_scene():
    """Replace scene, logics, layout manager, main window and modules by fresh ones; the new scene."""
    close_scene()
    app, scene = slicer.app, slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    colors = logic.GetColorLogic()
    colors.SetMRMLScene(scene)
    colors.AddDefaultColorNodes()
    logic.SetModuleLogic("Colors", colors)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    slicer.modules = types.SimpleNamespace()
    app._logic = logic
    app._manager._modules.clear()
    for name, kind in _LOGICS.items():
        module_logic = getattr(slicer, kind)()
        module_logic.SetMRMLApplicationLogic(logic)
        module_logic.SetMRMLScene(scene)
        logic.SetModuleLogic(name, module_logic)
        add_module(name, LoadableModule(name, module_logic))
    app._window, app._dialog = qSlicerMainWindow(), ctkSettingsDialog(app._settings)
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    app._layouts = qSlicerLayoutManager(logic, app)
    app._layouts.setMRMLScene(scene)
    app._layouts.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    app._hierarchy = _Hierarchy(scene)
    return scene


def add_module(name: str, module) -> None:
    """Make ``module`` known as ``slicer.modules.<name in lower case>``."""
    slicer.app._manager._modules[name] = module
    setattr(slicer.modules, name.lower(), module)


def close_scene() -> None:
    """Leave the module on show, clean modules up, empty the scene and delete every window."""
    app = slicer.app
    if app._window is None:
        return
    app._window.moduleSelector().selectModule("")
    for name in list(app._manager._modules):
        app._manager.moduleAboutToBeUnloaded(name)
    app._layouts.setMRMLScene(None)
    app._forget_translations()
    app._hierarchy.observers.clear()
    slicer.mrmlScene.Clear(True)
    app._window = app._layouts = app._dialog = None
    for widget in QtWidgets.QApplication.topLevelWidgets():
        widget.close()
        widget.deleteLater()
    app.processEvents()


def save_scene(folder: Path) -> Path:
    """Write the scene with the data of its nodes, as *File > Save Data* does; the file."""
    scene = slicer.mrmlScene
    scene.StartState(scene.SaveState)
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
        if node.GetSaveWithScene() and not node.GetStorageNode():
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        if node.GetSaveWithScene() and storage is not None and storage.IsA("vtkMRMLStorageNode"):
            extension = storage.GetDefaultWriteFileExtension()
            storage.SetFileName(str(folder / f"{node.GetID()}.{extension}"))
            storage.WriteData(node)
    path = folder / "scene.mrml"
    scene.SetURL(str(path))
    scene.SetRootDirectory(str(folder))
    assert scene.Commit(), "the scene cannot be written"
    scene.EndState(scene.SaveState)
    return path


def load_scene(path: Path, add: bool = False) -> None:
    """What *File > Add Data* does with a scene: in the place of the present one, or added to it."""
    slicer.mrmlScene.SetURL(str(path))
    assert slicer.mrmlScene.Import() if add else slicer.mrmlScene.Connect(), "the scene cannot be read"


class _Hierarchy:
    """Keeps an item in the subject hierarchy for each data node, as the application's plugin logic does."""

    _SHOWN = ("vtkMRMLDisplayableNode", "vtkMRMLTableNode", "vtkMRMLTextNode", "vtkMRMLSequenceNode")
    _SHOWN += ("vtkMRMLSequenceBrowserNode",)

    def __init__(self, scene):
        self.observers = Observers(slicer.app)
        self._scene = scene
        for event in (scene.NodeAddedEvent, scene.EndBatchProcessEvent):
            self.observers.observe(scene, event, self._added)
        self.observers.observe(scene, scene.NodeAboutToBeRemovedEvent, self._removing, with_node=True)

    def _node(self):
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)

    def _added(self, *_) -> None:
        if self._scene.IsBatchProcessing():
            return
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if node.GetHideFromEditors() or not any(node.IsA(kind) for kind in self._SHOWN):
                continue
            if not self._node().GetItemByDataNode(node):
                self._node().CreateItem(self._node().GetSceneItemID(), node)

    def _removing(self, scene, event, node) -> None:
        if not scene.IsClosing() and node is not self._node():
            item = self._node().GetItemByDataNode(node)
            if item:
                self._node().RemoveItem(item, False, False)
