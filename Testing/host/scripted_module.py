"""`slicer.ScriptedLoadableModule`: the four base classes of a scripted module."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import types
import unittest
from pathlib import Path

import slicer


class ScriptedLoadableModule:
    """What the loader asks about a module; ``parent`` is the application's module object."""

    def __init__(self, parent):
        import qt

        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title, parent.categories, parent.dependencies, parent.contributors = "", [], [], []
        parent.helpText = parent.acknowledgementText = ""
        for ending in (".svg", ".png"):
            path = self.resourcePath("Icons/" + self.moduleName + ending)
            if os.path.isfile(path):
                parent.icon = qt.QIcon(path)
                break
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)

    def getDefaultModuleDocumentationLink(self, docPage=None) -> str:
        return '<p>For more information see the <a href="https://slicer.readthedocs.io">online documentation</a>.</p>'

    def runTest(self, msec=100, **kwargs) -> None:
        test = getattr(importlib.import_module(type(self).__module__), self.moduleName + "Test")()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """The panel's Python half; ``parent`` is the Qt half, whose layout it fills in `setup`."""

    def __init__(self, parent=None):
        import qt

        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        self.parent = parent or slicer.qMRMLWidget()
        if not parent:
            self.parent.setLayout(qt.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        if not parent:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename)

    def setup(self) -> None:
        """Buttons to reload and test come first in developer mode."""
        if self.developerMode:
            import ctk
            import qt

            self.reloadCollapsibleButton = ctk.ctkCollapsibleButton()
            self.reloadCollapsibleButton.text = "Reload && Test"
            self.layout.addWidget(self.reloadCollapsibleButton)
            self.reloadButton = qt.QPushButton("Reload")
            self.reloadButton.connect("clicked()", self.onReload)
            qt.QFormLayout(self.reloadCollapsibleButton).addRow(self.reloadButton)

    def cleanup(self) -> None:
        pass

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)


class ScriptedLoadableModuleLogic:
    """The module's work without a panel."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node:
                if node.GetAttribute("ModuleName") != self.moduleName:
                    node.SetAttribute("ModuleName", self.moduleName)
                return node
        else:
            nodes = self.getAllParameterNodes()
            if nodes:
                return nodes[0]
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The module's self-test, which Slicer runs inside the application."""

    def delayDisplay(self, message, requestedDelay=None, msec=None) -> None:
        logging.info(message)
        slicer.app.processEvents()

    def takeScreenshot(self, name, description, type=-1) -> None:
        self.delayDisplay(description)

    def runTest(self) -> None:
        logging.warning("No test is defined in %s", self.__class__.__name__)


def translate(context: str, text: str) -> str:
    return slicer.app.translate(context, text)


def tr(text: str) -> str:
    """The text in the application's language; its context is the package and the file that asks.

    A translation with other placeholders is refused, as Slicer does.
    """
    path = Path(sys._getframe(1).f_code.co_filename)
    context = f"{path.parent.name}.{path.stem}" if (path.parent / "__init__.py").is_file() else path.stem
    translated = translate(context, text)
    return translated if _placeholders(translated) == _placeholders(text) else text


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"(?<!\{)\{([^{}]+)\}(?!\})", text))


def install() -> None:
    """Make the module, and `slicer.i18n` and `slicer.testing` beside it, importable."""
    bases = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    )
    _add("slicer.ScriptedLoadableModule", {kind.__name__: kind for kind in bases}, True)
    _add("slicer.i18n", {"tr": tr, "translate": translate})


def _add(name: str, things: dict, exported: bool = False) -> None:
    module = types.ModuleType(name)
    vars(module).update(things)
    if exported:
        module.__all__ = list(things)
    sys.modules[name] = module
    setattr(slicer, name.rpartition(".")[2], module)
