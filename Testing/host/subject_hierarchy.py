"""The subject hierarchy's scripted plugins and their right-click menus; the tree itself is not shown."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import slicer
from PySide6 import QtCore, QtGui

Property, Slot = QtCore.Property, QtCore.Slot


class qSlicerSubjectHierarchyPluginHandler(QtCore.QObject):
    """The registered plugins, and the item that the user clicked on."""

    _only: qSlicerSubjectHierarchyPluginHandler | None = None

    def __init__(self, parent=None):
        super().__init__(parent)
        self._plugins: list[qSlicerSubjectHierarchyScriptedPlugin] = []
        self._current = 0

    @staticmethod
    def instance() -> qSlicerSubjectHierarchyPluginHandler:
        kind = qSlicerSubjectHierarchyPluginHandler
        if kind._only is None:
            kind._only = kind()
        return kind._only

    @Slot(object, result=bool)
    def registerPlugin(self, plugin) -> bool:
        if any(known.name == plugin.name for known in self._plugins):
            return False
        self._plugins.append(plugin)
        return True

    @Slot(result=object)
    def subjectHierarchyNode(self):
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)

    @Slot(result=object)
    def mrmlScene(self):
        return slicer.mrmlScene

    @Slot(result=object)
    def currentItem(self) -> int:
        return self._current

    @Slot(object)
    def setCurrentItem(self, item: int) -> None:
        self._current = item

    @Slot(str, result=object)
    def pluginByName(self, name: str):
        return next((plugin for plugin in self._plugins if plugin.name == name), None)


class qSlicerSubjectHierarchyScriptedPlugin(QtCore.QObject):
    """Carries one plugin class written in Python."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._name, self._python, self._source = "UnnamedScriptedPlugin", None, ""

    def _set_name(self, name: str) -> None:
        self._name = name

    name = Property(str, lambda self: self._name, _set_name)
    pythonSource = Property(str, lambda self: self._source)

    @Slot(str, result=bool)
    def setPythonSource(self, path: str) -> bool:
        stem = Path(path).stem
        name = stem if stem.endswith("SubjectHierarchyPlugin") else stem + "SubjectHierarchyPlugin"
        if not hasattr(sys.modules.get(stem), name):
            spec = importlib.util.spec_from_file_location(stem, path)
            sys.modules[stem] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[stem])
        self._python = getattr(sys.modules[stem], name)(self)
        self._source = path
        setattr(slicer, name, self._python)
        return True

    @Slot(result=object)
    def self(self):
        return self._python


class AbstractScriptedSubjectHierarchyPlugin:
    """The base of a scripted plugin, which registers itself."""

    def __init__(self, scriptedPlugin):
        self.scriptedPlugin = scriptedPlugin
        self.register()

    def register(self) -> None:
        qSlicerSubjectHierarchyPluginHandler.instance().registerPlugin(self.scriptedPlugin)


def context_menu(node) -> list[QtGui.QAction]:
    """The plugins' actions that a right click on ``node`` shows."""
    handler = qSlicerSubjectHierarchyPluginHandler.instance()
    item = handler.subjectHierarchyNode().GetItemByDataNode(node)
    handler.setCurrentItem(item)
    shown = []
    for plugin in handler._plugins:
        python = plugin.self()
        actions = python.itemContextMenuActions() if hasattr(python, "itemContextMenuActions") else []
        for action in actions:
            action.setVisible(False)
        python.showContextMenuActionsForItem(item)
        shown += [action for action in actions if action.isVisible()]
    return shown


def forget() -> None:
    """No plugin is registered; the files are read anew."""
    handler = qSlicerSubjectHierarchyPluginHandler
    for plugin in handler._only._plugins if handler._only else ():
        sys.modules.pop(Path(plugin.pythonSource).stem, None)
    handler._only = None


def install() -> None:
    slicer.qSlicerSubjectHierarchyPluginHandler = qSlicerSubjectHierarchyPluginHandler
    slicer.qSlicerSubjectHierarchyScriptedPlugin = qSlicerSubjectHierarchyScriptedPlugin
    module = types.ModuleType("SubjectHierarchyPlugins")
    module.AbstractScriptedSubjectHierarchyPlugin = AbstractScriptedSubjectHierarchyPlugin
    sys.modules[module.__name__] = module
