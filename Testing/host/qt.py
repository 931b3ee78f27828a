"""The module ``qt``: Qt's classes and nothing of PySide6's own.

`qt.Signal` and `qt.Slot` do not exist in Slicer, nor does `qt.QT_VERSION_STR`. Modal dialogs are answered by
`messages` instead of waiting for a person.
"""

from __future__ import annotations

import types
import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from Testing.host import messages, pythonqt

_PYSIDE_ALONE = {"QEnum", "QFlag", "Q_ARG", "Q_RETURN_ARG", "QtMsgType"}

#: Widget classes that a .ui file may name beside Qt's own: name to class. `ctk` and `mrml_widgets` fill it.
ui_classes: dict[str, type] = {}


def make_module() -> types.ModuleType:
    """The module that ``import qt`` finds."""
    module = types.ModuleType("qt", __doc__)
    for library in (QtCore, QtGui, QtWidgets):
        for name in dir(library):
            if name == "Qt" or (name[0] == "Q" and name[1:2].isupper() and name not in _PYSIDE_ALONE):
                setattr(module, name, getattr(library, name))
    module.QUiLoader, module.SIGNAL = QUiLoader, QtCore.SIGNAL
    _change_statics()
    return module


def _change_statics() -> None:
    """Calls that PythonQt takes otherwise than PySide6, and those that would wait for a person."""
    QtCore.QTimer.singleShot = staticmethod(_single_shot)
    write = QtCore.QIODevice.write
    QtCore.QIODevice.write = lambda self, data: write(self, data.encode() if isinstance(data, str) else data)
    QtWidgets.QDialog.exec = messages.execute
    QtWidgets.QMessageBox.exec = messages.execute
    for kind in ("question", "information", "warning", "critical"):
        setattr(QtWidgets.QMessageBox, kind, staticmethod(messages.static_box(kind)))
    for name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
        setattr(QtWidgets.QFileDialog, name, staticmethod(messages.static_choice(name)))
    QtWidgets.QInputDialog.getText = staticmethod(messages.static_choice("getText"))


def _single_shot(milliseconds: int, slot) -> None:
    timer = QtCore.QTimer(QtCore.QCoreApplication.instance())
    timer.setSingleShot(True)
    timer.timeout.connect(slot)
    timer.timeout.connect(timer.deleteLater)
    timer.start(milliseconds)


class QUiLoader(QtUiTools.QUiLoader):
    """Reads a .ui file as Slicer's does, and refuses what Slicer would drop silently.

    A class that Slicer lacks, or a property that the class lacks (unless the file says ``stdset="0"``: dynamic), raises
    RuntimeError. Connections over ``vtkMRMLScene*`` are made here, as PySide6 has no such type.
    """

    def load(self, file, parent=None):
        tree = ElementTree.fromstring(file.readAll().data())
        for element in tree.iter("widget"):
            _widget_class(element.get("class"))
        self._made: dict[str, QtWidgets.QWidget] = {}
        scene_connections = _take_scene_connections(tree)
        buffer = QtCore.QBuffer(self)
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.ReadOnly)
        with pythonqt.reading_ui():
            widget = super().load(buffer, parent)
        if widget is None:
            raise RuntimeError(f"the .ui file cannot be read: {self.errorString()}")
        _check_properties(tree, self._made)
        for sender, signal, receiver, slot in scene_connections:
            getattr(self._made[sender], signal).connect(getattr(self._made[receiver], slot))
        widget._made = self._made  # PySide6 would drop the Python halves of the widgets
        return widget

    def createWidget(self, class_name, parent=None, name=""):
        widget = _widget_class(class_name)(parent)
        widget.setObjectName(name)
        self._made[name] = widget
        return widget


def _widget_class(name: str) -> type:
    kind = ui_classes.get(name) or getattr(QtWidgets, name, None)
    if kind is None or name == "QRhiWidget":  # Qt 6 alone
        raise RuntimeError(f"the .ui file names a widget class that Slicer, or its stand-in, lacks: {name}")
    return kind


def _take_scene_connections(tree: ElementTree.Element) -> list[tuple[str, str, str, str]]:
    taken = []
    for connections in tree.iter("connections"):
        for one in list(connections):
            if "vtkMRML" in one.findtext("signal", ""):
                texts = [one.findtext(tag, "").split("(")[0] for tag in ("sender", "signal", "receiver", "slot")]
                taken.append(tuple(texts))
                connections.remove(one)
    return taken


def _check_properties(tree: ElementTree.Element, made: dict[str, QtWidgets.QWidget]) -> None:
    for element in tree.iter("widget"):
        widget = made[element.get("name")]
        for declared in element.findall("property"):
            name = declared.get("name")
            if name == "buddy" and isinstance(widget, QtWidgets.QLabel):
                continue  # Qt's form builder makes the connection
            if declared.get("stdset") != "0" and name not in pythonqt.members_of(widget).properties:
                raise RuntimeError(
                    f"the .ui file sets {name} of {widget.objectName}, which {element.get('class')} lacks"
                )
