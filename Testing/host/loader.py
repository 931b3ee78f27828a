"""Loads a scripted module as Slicer does: class, panel, ``slicer.modules.<name>``, enter and exit."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

from Testing.host import pythonqt
from Testing.host.ctk import stored
from Testing.host.mrml_widgets import qSlicerWidget
from Testing.host.scene import add_module

Property, Slot = QtCore.Property, QtCore.Slot


class qSlicerScriptedLoadableModule(QtCore.QObject):
    """The application's side of a module: its description and its panel."""

    title, helpText = stored(str, "title", ""), stored(str, "helpText", "")
    acknowledgementText = stored(str, "acknowledgementText", "")
    categories, dependencies = stored("QStringList", "categories", []), stored("QStringList", "dependencies", [])
    contributors = stored("QStringList", "contributors", [])
    associatedNodeTypes = stored("QStringList", "associatedNodeTypes", [])
    hidden, widgetRepresentationCreationEnabled = stored(bool, "hidden", False), stored(bool, "creation", True)
    icon = stored("QIcon", "icon", None)
    name = Property(str, lambda self: self._name)
    path = Property(str, lambda self: self._path)

    def __init__(self, path: Path, parent=None):
        super().__init__(parent)
        self._name, self._path = path.stem, str(path)
        self._widget = self._python = None

    @Slot(result=object)
    def widgetRepresentation(self):
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget._build()
        return self._widget

    @Slot(result=object)
    def createNewWidgetRepresentation(self):
        widget = qSlicerScriptedLoadableModuleWidget(self)
        widget._build()
        return widget

    @Slot(result=object)
    def logic(self):
        return None

    @Slot(result=object)
    def self(self):
        return self._python


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The panel's Qt half."""

    moduleName = Property(str, lambda self: self._module.name)

    def __init__(self, module: qSlicerScriptedLoadableModule):
        super().__init__()
        self._module, self._python, self._entered = module, None, False
        QtWidgets.QVBoxLayout(self)

    def _build(self) -> None:
        name = self._module.name
        kind = getattr(sys.modules[name], name + "Widget")
        self._python = kind(self)
        setattr(slicer.modules, name + "Widget", self._python)
        self._python.setup()
        self.setMRMLScene(slicer.mrmlScene)

    isEntered = Property(bool, lambda self: self._entered)

    @Slot()
    def reload(self) -> None:
        """A new Python half. It is set up but not entered, even where the module is on show: Slicer does the same."""
        self._build()

    @Slot()
    def enter(self) -> None:
        self._entered = True
        self.show()
        if hasattr(self._python, "enter"):
            pythonqt.call(self._python.enter, ())

    @Slot()
    def exit(self) -> None:
        self._entered = False
        if hasattr(self._python, "exit"):
            pythonqt.call(self._python.exit, ())
        self.hide()

    @Slot(result=object)
    def self(self):
        return self._python


def load_module(path) -> qSlicerScriptedLoadableModule:
    """Run the file at ``path`` as a module of its stem's name and register it; its panel is not made yet."""
    path = Path(path).resolve()
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    source = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = source
    spec.loader.exec_module(source)
    module = qSlicerScriptedLoadableModule(path)
    module._python = getattr(source, path.stem)(module)
    add_module(path.stem, module)
    setattr(slicer.modules, path.stem + "Instance", module._python)
    if hasattr(module._python, "setup"):
        module._python.setup()
    slicer.app.startupCompleted()
    return module


def has_module(name: str) -> bool:
    """Whether the module is loaded, and its window still there."""
    return slicer.app.moduleManager().isLoaded(name) and slicer.util.mainWindow() is not None


def select_module(name: str) -> None:
    """Show the module, as choosing it in the module menu does."""
    slicer.util.selectModule(name)


def leave_module() -> None:
    """Show no module."""
    slicer.util.moduleSelector().selectModule("")


def reload_module(name: str) -> None:
    """What the Reload button does."""
    slicer.util.reloadScriptedModule(name)


def install() -> None:
    slicer.qSlicerScriptedLoadableModule = qSlicerScriptedLoadableModule
    slicer.qSlicerScriptedLoadableModuleWidget = qSlicerScriptedLoadableModuleWidget
