"""`slicer.app` and the main window, around real application logic and module logics."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

Property, Signal, Slot = QtCore.Property, QtCore.Signal, QtCore.Slot
VERSION = "5.13.0"


class qSlicerModuleManager(QtCore.QObject):
    """Knows the modules by name."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._modules: dict[str, object] = {}

    @Slot(str, result=object)
    def module(self, name: str):
        return self._modules.get(name)

    @Slot(result=object)
    def modulesNames(self):
        return tuple(self._modules)

    @Slot(result=object)
    def factoryManager(self):
        return self

    @Slot(result=object)
    def loadedModuleNames(self):
        return tuple(self._modules)

    @Slot(str, result=bool)
    def isLoaded(self, name: str) -> bool:
        return name in self._modules


class qSlicerModuleSelectorToolBar(QtWidgets.QToolBar):
    """Chooses the module on show: the former one's ``exit()``, then the new one's ``enter()``."""

    moduleSelected = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._selected = ""

    selectedModule = Property(str, lambda self: self._selected)

    @Slot(str)
    def selectModule(self, name: str) -> None:
        if name == self._selected:
            return
        former, self._selected = self._selected, name
        manager = slicer.app.moduleManager()
        if former and manager.module(former) is not None:
            manager.module(former).widgetRepresentation().exit()
        if name and manager.module(name) is not None:
            manager.module(name).widgetRepresentation().enter()
        self.moduleSelected(name)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window: a status bar and the module selector."""

    def __init__(self):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = qSlicerModuleSelectorToolBar(self)

    @Slot(result=object)
    def moduleSelector(self):
        return self._selector


class ctkErrorLogModel(QtCore.QObject):
    """The application's log."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._entries: list[str] = []

    @Slot(result=int)
    def logEntryCount(self) -> int:
        return len(self._entries)

    @Slot(int, result=str)
    def logEntryDescription(self, row: int) -> str:
        return self._entries[row]


class _ToLog(logging.Handler):
    """What Python logs comes into the application's log, tracebacks with it."""

    def __init__(self, model: ctkErrorLogModel):
        super().__init__(logging.INFO)
        self._model = model

    def emit(self, record: logging.LogRecord) -> None:
        self._model._entries.append(self.format(record))


class qSlicerApplication(QtWidgets.QApplication):
    """The application. It is past its start-up: `startupCompleted` is emitted after a module was loaded."""

    startupCompleted = Signal()

    def __init__(self):
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setApplicationVersion(VERSION)
        self.setOrganizationName("MedRestoreTests")
        self._folder = tempfile.TemporaryDirectory(prefix="medrestore-host-")
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, self._folder.name)
        self._settings = QtCore.QSettings()
        self._log = ctkErrorLogModel(self)
        logging.getLogger().addHandler(_ToLog(self._log))
        self._manager = qSlicerModuleManager(self)
        self._logic = self._layouts = self._window = self._dialog = None
        self._testing, self._locale = False, "en_US"
        self._translators: list[QtCore.QTranslator] = []

    slicerUserSettingsFilePath = Property(str, lambda self: f"{self._folder.name}/Slicer.ini", constant=True)

    revision = Property(str, lambda self: "0000000", constant=True)
    applicationLocaleName = Property(str, lambda self: self._locale, constant=True)

    @Slot(str)
    def loadTranslations(self, folder: str) -> None:
        """Install the translations of a folder into the application's language; its region may be left out."""
        names = [self._locale, self._locale.replace("_", "-"), self._locale.split("_")[0]]
        found = [path for name in names for path in sorted(Path(folder).glob(f"*{name}.qm"))]
        for path in found[:1]:
            translator = QtCore.QTranslator(self)
            translator.load(str(path))
            self.installTranslator(translator)
            self._translators.append(translator)

    def _forget_translations(self) -> None:
        for translator in self._translators:
            self.removeTranslator(translator)
        self._translators.clear()

    @Slot(result=object)
    def errorLogModel(self):
        return self._log

    @Slot(result=object)
    def settingsDialog(self):
        return self._dialog

    @Slot(result=object)
    def applicationLogic(self):
        return self._logic

    @Slot(result=object)
    def layoutManager(self):
        return self._layouts

    @Slot(result=object)
    def moduleManager(self):
        return self._manager

    @Slot(result=object)
    def userSettings(self):
        return self._settings

    @Slot(result=bool)
    def testingEnabled(self) -> bool:
        return self._testing
