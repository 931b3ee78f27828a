"""The module ``ctk``: stand-ins for the few CTK widgets in use.

PythonQt sees of a CTK class only its properties, signals, slots and Q_INVOKABLE methods, for CTK ships no generated
wrappers: ``slider.minimum = 0`` works and ``slider.setMinimum(0)`` does not. The names below are those of
commontk/CTK, Libs/Widgets; everything else about these widgets is only their outline.
"""

from __future__ import annotations

import types

from PySide6 import QtCore, QtWidgets

from Testing.host.qt import ui_classes

Property, Signal, Slot = QtCore.Property, QtCore.Signal, QtCore.Slot


def stored(kind, name: str, default):
    """A property that is only remembered."""
    hidden = f"_{name}"
    return Property(kind, lambda self: getattr(self, hidden, default), lambda self, value: setattr(self, hidden, value))


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A titled section that folds. Checked means open, as in CTK; folding hides the children."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments):
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        super().__init__(arguments[-1] if arguments and not isinstance(arguments[-1], str) else None)
        self.text = text
        self.checkable = self.checked = True
        self.setContentsMargins(0, self._head(), 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Minimum, QtWidgets.QSizePolicy.Preferred)
        self.toggled.connect(self._fold)

    def _is_collapsed(self) -> bool:
        return not self.checked

    def _set_collapsed(self, folded: bool) -> None:
        self.checked = not folded

    collapsed = Property(bool, _is_collapsed, _set_collapsed)

    def _head(self) -> int:
        return self.fontMetrics().height() + 8

    def _fold(self, is_open: bool) -> None:
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(is_open)
        self.contentsCollapsed(not is_open)
        self.updateGeometry()

    def childEvent(self, event):
        child = event.child()
        if event.added() and isinstance(child, QtWidgets.QWidget) and not self.checked:
            child.hide()
        super().childEvent(event)

    def sizeHint(self):
        hint = QtWidgets.QWidget.sizeHint(self)
        return QtCore.QSize(max(hint.width(), 120), hint.height() if self.checked else self._head())

    def minimumSizeHint(self):
        hint = QtWidgets.QWidget.minimumSizeHint(self)
        return QtCore.QSize(max(hint.width(), 120), hint.height() if self.checked else self._head())

    def hitButton(self, position):
        return position.y() <= self._head()

    def paintEvent(self, event):
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, self._head())
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option)
        place = option.rect.adjusted(8, 0, -8, 0)
        painter.drawText(place, QtCore.Qt.AlignVCenter, ("▾  " if self.checked else "▸  ") + self.text)


def _of_box(kind, name: str):
    """A property that a slider widget shares with its spin box."""

    def write(self, value):
        setattr(self._box, name, value)
        self._place()

    return Property(kind, lambda self: getattr(self._box, name), write)


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider and a spin box that share one value."""

    valueChanged = Signal(float)
    tracking = stored(bool, "tracking", True)
    _STEPS = 1000

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._box = QtWidgets.QDoubleSpinBox()
        self._box.keyboardTracking = False
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider)
        row.addWidget(self._box)
        self._slider.setRange(0, self._STEPS)
        self._slider.valueChanged.connect(self._slid)
        self._box.valueChanged.connect(self._typed)

    def _slid(self, steps: int) -> None:
        self._box.value = self.minimum + (self.maximum - self.minimum) * steps / self._STEPS

    def _typed(self, value: float) -> None:
        self._place()
        self.valueChanged(value)

    def _place(self) -> None:
        span = self.maximum - self.minimum
        blocked = self._slider.blockSignals(True)
        self._slider.value = round(self._STEPS * (self.value - self.minimum) / span) if span > 0 else 0
        self._slider.blockSignals(blocked)

    value, minimum, maximum = _of_box(float, "value"), _of_box(float, "minimum"), _of_box(float, "maximum")
    singleStep, decimals = _of_box(float, "singleStep"), _of_box(int, "decimals")

    @Slot(float)
    def setValue(self, value: float) -> None:
        self._box.value = value


class ctkMessageBox(QtWidgets.QMessageBox):
    """What ``slicer.util`` shows messages in; its ``exec_()`` is answered by `Testing.host.messages`."""

    dontShowAgainVisible = stored(bool, "dontShowAgainVisible", False)
    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey", "")


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box whose current data can be read and set as a text; what it does not offer leaves it empty."""

    def _set(self, text: str) -> None:
        self.setCurrentIndex(self.findData(text))

    currentUserDataAsString = Property(str, lambda self: str(self.currentData or ""), _set)


class ctkPathLineEdit(QtWidgets.QWidget):
    """A line that holds a path."""

    currentPathChanged = Signal(str)
    filters = stored(int, "filters", 0)
    Dirs, Files = 0x001, 0x002

    def __init__(self, parent=None):
        super().__init__(parent)
        self._line = QtWidgets.QLineEdit()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._line)
        self._line.textChanged.connect(self.currentPathChanged)

    def _path(self) -> str:
        return self._line.text

    def _set_path(self, path: str) -> None:
        self._line.text = path

    currentPath = Property(str, _path, _set_path)


class ctkSettingsPanel(QtWidgets.QWidget):
    """A page of the settings: a registered property is kept under its key as soon as its widget says it changed.

    The overload that Python reaches takes the signal as ``str(qt.SIGNAL(...))``. A panel has no settings, and keeps
    nothing, before it is added to a dialog.
    """

    def __init__(self, parent=None):
        super().__init__(parent)
        self._properties: dict[str, tuple] = {}
        self._settings = None

    @Slot(str, object, str, str)
    def registerProperty(self, key, thing, name, signal) -> None:
        if not isinstance(signal, str) or not signal.startswith("2"):
            raise ValueError(f"the signal is no str(qt.SIGNAL(...)): {signal!r}")
        if not thing.connect(signal[1:], lambda *_: self.updateSetting(key)):
            raise ValueError(f"{type(thing).__name__} has no signal {signal[1:]}")
        getattr(thing, name)
        self._properties[key] = (thing, name)

    @Slot(str)
    def updateSetting(self, key: str) -> None:
        if self._settings is not None:
            thing, name = self._properties[key]
            self._settings.setValue(key, getattr(thing, name))

    @Slot()
    def reloadSettings(self) -> None:
        for key, (thing, name) in self._properties.items():
            if self._settings.contains(key):
                was = getattr(thing, name)
                value = self._settings.value(key)
                setattr(thing, name, type(was)(value))
            else:
                self.updateSetting(key)

    def _set_settings(self, settings) -> None:
        self._settings = settings
        self.reloadSettings()


class ctkSettingsDialog(QtWidgets.QDialog):
    """The settings: pages by their names."""

    def __init__(self, settings, parent=None):
        super().__init__(parent)
        self._settings, self._panels = settings, {}

    @Slot(str, object)
    def addPanel(self, label: str, panel) -> None:
        self._panels[label] = panel
        panel.setParent(self)
        panel._set_settings(self._settings)


_CLASSES = (ctkCollapsibleButton, ctkSliderWidget, ctkMessageBox, ctkComboBox, ctkPathLineEdit)
_CLASSES += (ctkSettingsPanel, ctkSettingsDialog)


def make_module() -> types.ModuleType:
    """The module that ``import ctk`` finds. A class that is not stood in for is an AttributeError."""
    module = types.ModuleType("ctk", __doc__)
    for kind in _CLASSES:
        setattr(module, kind.__name__, kind)
        ui_classes[kind.__name__] = kind
    return module
