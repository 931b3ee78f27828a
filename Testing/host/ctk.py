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
    collapsedHeight = stored(int, "collapsedHeight", 17)
    contentsFrameShape = stored(int, "contentsFrameShape", 0)
    contentsFrameShadow = stored(int, "contentsFrameShadow", 0)
    contentsLineWidth = stored(int, "contentsLineWidth", 0)
    contentsMidLineWidth = stored(int, "contentsMidLineWidth", 0)
    buttonTextAlignment = stored(int, "buttonTextAlignment", 0)
    indicatorAlignment = stored(int, "indicatorAlignment", 0)

    def __init__(self, *arguments):
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        super().__init__(arguments[-1] if arguments and not isinstance(arguments[-1], str) else None)
        self.text = text
        self.checkable = self.checked = True
        self.setContentsMargins(0, self._head(), 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Maximum)
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
    valueIsChanging = Signal(float)
    pageStep = stored(float, "pageStep", 10.0)
    tickInterval = stored(float, "tickInterval", 0.0)
    tickPosition = stored(int, "tickPosition", 0)
    autoSpinBoxWidth = stored(bool, "autoSpinBoxWidth", True)
    spinBoxAlignment = stored(int, "spinBoxAlignment", 1)
    tracking = stored(bool, "tracking", True)
    popupSlider = stored(bool, "popupSlider", False)
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
    prefix, suffix = _of_box(str, "prefix"), _of_box(str, "suffix")

    def _is_spin_box_visible(self) -> bool:
        return not self._box.isHidden()

    def _show_spin_box(self, visible: bool) -> None:
        self._box.setVisible(visible)

    spinBoxVisible = Property(bool, _is_spin_box_visible, _show_spin_box)

    @Slot(float)
    def setValue(self, value: float) -> None:
        self._box.value = value

    @Slot(bool)
    def setSpinBoxVisible(self, visible: bool) -> None:
        self._show_spin_box(visible)

    @Slot()
    def reset(self) -> None:
        self._box.value = 0.0


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box with a default text."""

    defaultText = stored(str, "defaultText", "")
    defaultIcon = stored("QIcon", "defaultIcon", None)
    elideMode = stored(int, "elideMode", 3)
    scrollWheelEffect = stored(int, "scrollWheelEffect", 2)
    forceDefault = stored(bool, "forceDefault", False)
    currentUserDataAsString = Property(str, lambda self: str(self.currentData or ""))


class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box whose indicator can be an icon."""

    indicatorIcon = stored("QIcon", "indicatorIcon", None)
    indicatorIconSize = stored("QSize", "indicatorIconSize", QtCore.QSize(0, 0))


class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box with "don't show again"; its ``exec_()`` is answered by `Testing.host.messages`."""

    dontShowAgainVisible = stored(bool, "dontShowAgainVisible", False)
    dontShowAgain = stored(bool, "dontShowAgain", False)
    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey", "")


class ctkPathLineEdit(QtWidgets.QWidget):
    """A line for a path, and a button that would open a dialog."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    label, settingKey = stored(str, "label", ""), stored(str, "settingKey", "")
    nameFilters = stored("QStringList", "nameFilters", [])
    filters = stored(int, "filters", 0)
    showBrowseButton, showHistoryButton = stored(bool, "showBrowse", True), stored(bool, "showHistory", True)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._line = QtWidgets.QLineEdit()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._line)
        row.addWidget(QtWidgets.QToolButton())
        self._line.textChanged.connect(self.currentPathChanged)

    currentPath = Property(str, lambda self: self._line.text, lambda self, path: setattr(self._line, "text", path))

    @Slot(str)
    def setCurrentPath(self, path: str) -> None:
        self._line.text = path


_CLASSES = (ctkCollapsibleButton, ctkSliderWidget, ctkComboBox, ctkCheckBox, ctkMessageBox, ctkPathLineEdit)


def make_module() -> types.ModuleType:
    """The module that ``import ctk`` finds. A class that is not stood in for is an AttributeError."""
    module = types.ModuleType("ctk", __doc__)
    for kind in _CLASSES:
        setattr(module, kind.__name__, kind)
        ui_classes[kind.__name__] = kind
    return module
