"""What holds for all scenes: MedRestore's page in Edit > Application Settings, and its values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from . import choices
from .parameters import MOST_MEMORY

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode

STRENGTH, DEVICE, MEMORY = "MedRestore/strength", "MedRestore/device", "MedRestore/memory"
RESULTS, EXPORTS, PRESETS = "MedRestore/resultsIn", "MedRestore/exportFolder", "MedRestore/presetFolder"

BESIDE, FOLDER = "beside", "folder"  # where results go in the Data module


class SettingsPanel(ctk.ctkSettingsPanel):
    """The page. Slicer keeps its values with the others of the user."""

    def __init__(self, *arguments: Any) -> None:
        ctk.ctkSettingsPanel.__init__(self, *arguments)
        form = qt.QFormLayout(self)
        explained = qt.QLabel(
            _("What a new scene begins with; the panel's section Advanced has it for the present one.")
        )
        explained.wordWrap = True
        form.addRow(explained)
        self._add(form, STRENGTH, _("Strength:"), _number(1.0, 1.0, 0.05, 2), "value", "valueChanged(double)")
        devices = [(choice.label, choice.value) for choice in choices.devices()]
        self._add(form, DEVICE, _("Device:"), _box(devices), "currentUserDataAsString", "currentIndexChanged(int)")
        memory = _number(0.0, MOST_MEMORY, 0.5, 1)
        memory.specialValueText = _("default")
        self._add(form, MEMORY, _("Memory of a tile (GB):"), memory, "value", "valueChanged(double)")
        places = [(_("Beside the original"), BESIDE), (_("In a folder of the original's study"), FOLDER)]
        self._add(form, RESULTS, _("Results go:"), _box(places), "currentUserDataAsString", "currentIndexChanged(int)")
        exports = _folder(_("Where reports and derived DICOM are written unless you choose another folder."))
        self._add(form, EXPORTS, _("Folder for exports:"), exports, "currentPath", "currentPathChanged(QString)")
        presets = _folder(_("A folder that your site shares; empty for presets of your own."))
        self._add(form, PRESETS, _("Folder of presets:"), presets, "currentPath", "currentPathChanged(QString)")

    def _add(self, form: qt.QFormLayout, key: str, label: str, widget: qt.QWidget, what: str, signal: str) -> None:
        name = qt.QLabel(label)
        name.setBuddy(widget)
        form.addRow(name, widget)
        self.registerProperty(key, widget, what, str(qt.SIGNAL(signal)))


def addPage() -> SettingsPanel | None:
    """Put the page into Slicer's settings, where there is a window to show them; whoever has it keeps it."""
    if slicer.util.mainWindow() is None:
        return None
    page = SettingsPanel()
    slicer.app.settingsDialog().addPanel("MedRestore", page)
    return page


def apply(parameterNode: MedRestoreParameterNode) -> None:
    """Give a new scene's choices what the settings say."""
    device = _value(DEVICE)
    parameterNode.strength = _between(STRENGTH, 0.0, 1.0, 1.0)
    parameterNode.device = device if device in ("auto", "cpu", "cuda", "mps") else "auto"
    parameterNode.memory = _between(MEMORY, 0.0, MOST_MEMORY, 0.0)


def presetFolder() -> str:
    """The folder of the presets: the site's, or one beside the user's settings."""
    own = Path(slicer.app.slicerUserSettingsFilePath).parent / "MedRestorePresets"
    return _value(PRESETS) or str(own)


def exportFolder() -> str:
    """Where reports and derived DICOM go at first; "" leaves that to the system."""
    return _value(EXPORTS)


def resultsInFolder() -> bool:
    """Whether results go into a folder of their own in the subject hierarchy."""
    return _value(RESULTS) == FOLDER


def _value(key: str) -> str:
    return str(slicer.util.settingsValue(key, "") or "")


def _between(key: str, least: float, most: float, default: float) -> float:
    """A number of the settings, which is read as text; the default for what is none."""
    try:
        return min(max(float(_value(key)), least), most)
    except ValueError:
        return default


def _number(value: float, most: float, step: float, decimals: int) -> qt.QDoubleSpinBox:
    box = qt.QDoubleSpinBox()
    box.decimals, box.singleStep = decimals, step
    box.minimum, box.maximum = 0.0, most
    box.value = value
    return box


def _box(items: list[tuple[str, str]]) -> ctk.ctkComboBox:
    box = ctk.ctkComboBox()
    for label, value in items:
        box.addItem(label, value)
    return box


def _folder(toolTip: str) -> ctk.ctkPathLineEdit:
    edit = ctk.ctkPathLineEdit()
    edit.filters = ctk.ctkPathLineEdit.Dirs
    edit.toolTip = toolTip
    return edit
