"""Stand-ins for the qMRML widgets in use, over the real MRML scene.

As with CTK, PythonQt sees only their properties, signals, slots and Q_INVOKABLE methods; the names are those of the
headers in Slicer/Slicer, Libs/MRML/Widgets. `vtkMRMLNode*` in a signal's
signature is understood by `pythonqt`.
"""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from Testing.host.ctk import stored
from Testing.host.observers import Observers
from Testing.host.pythonqt import overload
from Testing.host.qt import ui_classes

Property, Signal, Slot = QtCore.Property, QtCore.Signal, QtCore.Slot
Scene = slicer.vtkMRMLScene


class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene and tells others of it."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    @Slot(result=object)
    def mrmlScene(self):
        return self._scene

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged(scene)


class qSlicerWidget(qMRMLWidget):
    """What a module's .ui file has at its top."""


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A choice among the nodes of the scene. Disabled until it has a scene.

    It holds a real combo box and has its consequences: removing the current node makes the one before it current, and
    the signal comes when the text on show changes, so it also comes when the current node is renamed.
    """

    currentNodeChanged = Signal((object,), (bool,))
    addEnabled = stored(bool, "addEnabled", True)
    removeEnabled = stored(bool, "removeEnabled", True)
    renameEnabled = stored(bool, "renameEnabled", False)
    sizeAdjustPolicy = Property(
        int,
        lambda self: int(self._box.sizeAdjustPolicy),
        lambda self, policy: self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy(policy)),
    )

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._observers = None, Observers(self)
        self._requested = ""
        self._attributes: dict[str, tuple[str, str | None]] = {}  # one for each type of node, as in Slicer
        self._box = QtWidgets.QComboBox()
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self._box.currentTextChanged.connect(self._tell)
        self.enabled = False

    def _refreshed(kind, name, default):
        hidden = f"_{name}"

        def write(self, value):
            setattr(self, hidden, value)
            self._refresh()

        return Property(kind, lambda self: getattr(self, hidden, default), write)

    nodeTypes = _refreshed("QStringList", "nodeTypes", [])
    showHidden = _refreshed(bool, "showHidden", False)
    showChildNodeTypes = _refreshed(bool, "showChildNodeTypes", True)
    noneEnabled = _refreshed(bool, "noneEnabled", False)
    noneDisplay = _refreshed(str, "noneDisplay", "None")
    del _refreshed

    def _tell(self) -> None:
        node = self.currentNode()
        self.currentNodeChanged(node)
        overload(self, "currentNodeChanged", bool).emit(node is not None)

    def _shows(self, node) -> bool:
        kinds = self.nodeTypes
        wanted = any(node.IsA(kind) for kind in kinds) if self.showChildNodeTypes else node.GetClassName() in kinds
        if not wanted or (node.GetHideFromEditors() and not self.showHidden):
            return False
        kind = next(kind for kind in kinds if node.IsA(kind))
        name, value = self._attributes.get(kind, ("", None))
        return not name or (node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name)))

    def _refresh(self, *_) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = (
            [] if self._scene is None else [self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes())]
        )
        for node in nodes:
            if any(node.IsA(kind) for kind in self.nodeTypes):
                self._observers.observe(node, vtk.vtkCommand.ModifiedEvent, self._nodeModified)
        nodes = [node for node in nodes if self._shows(node)]
        wanted = [("", self.noneDisplay)] if self.noneEnabled else []
        wanted += [(node.GetID(), node.GetName() or "") for node in nodes]
        for index in reversed(range(self._box.count)):
            if self._box.itemData(index) not in dict(wanted):
                self._box.removeItem(index)
        present = [self._box.itemData(index) for index in range(self._box.count)]
        for index, (identifier, name) in enumerate(wanted):
            if identifier not in present:
                self._box.insertItem(index, name, identifier)
            elif self._box.itemText(index) != name:
                self._box.setItemText(index, name)
        if self._requested:
            self.setCurrentNodeID(self._requested)

    def _nodeModified(self, node, event) -> None:
        (self._refresh if self._attributes else self._rename)(node, event)

    def _rename(self, node, _) -> None:
        index = self._box.findData(node.GetID())
        if index < 0 or self._box.itemText(index) == node.GetName():
            return
        self._box.setItemText(index, node.GetName() or "")

    # -- what Q_INVOKABLE methods and slots there are --
    @Slot(result=object)
    def mrmlScene(self):
        return self._scene

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        self._observers.clear()
        self._scene = scene
        if scene is not None:
            for event in (Scene.NodeAddedEvent, Scene.NodeRemovedEvent, Scene.EndBatchProcessEvent):
                self._observers.observe(scene, event, self._refresh)
        self._refresh()
        self._requested = ""
        self.enabled = scene is not None

    @Slot(result=object)
    def currentNode(self):
        identifier = self._box.currentData
        return self._scene.GetNodeByID(identifier) if self._scene is not None and identifier else None

    @Slot(object)
    def setCurrentNode(self, node) -> None:
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise TypeError(f"setCurrentNode takes a node or None, not {type(node).__name__}")
        self.setCurrentNodeID(node.GetID() or "" if node is not None else "")

    @Slot(str)
    def setCurrentNodeID(self, identifier: str) -> None:
        if self._scene is None:
            self._requested = identifier
        index = self._box.findData(identifier) if identifier else -1
        self._box.setCurrentIndex(0 if index < 0 and self.noneEnabled else index)

    currentNodeID = Property(
        str,
        lambda self: self.currentNode().GetID() if self.currentNode() else "",
        lambda self, identifier: self.setCurrentNodeID(identifier),
    )

    @Slot(result=int)
    def nodeCount(self) -> int:
        return self._box.count - self.noneEnabled

    @Slot(int, result=object)
    def nodeFromIndex(self, index: int):
        return self._scene.GetNodeByID(self._box.itemData(index + self.noneEnabled) or "")

    @Slot(str, str, "QVariant")
    def addAttribute(self, kind: str, name: str, value=None) -> None:
        self._attributes[kind] = (name, None if value is None else str(value))
        self._refresh()


class qMRMLTableView(QtWidgets.QTableView):
    """A table node's cells, read again whenever it changes."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._table = None
        self._observers = Observers(self)

    @Slot(result=object)
    def mrmlScene(self):
        return self._scene

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.mrmlSceneChanged(scene)

    @Slot(result=object)
    def mrmlTableNode(self):
        return self._table

    @Slot(object)
    def setMRMLTableNode(self, node) -> None:
        self._observers.clear()
        self._table = node
        if node is not None:
            self._observers.observe(node, vtk.vtkCommand.ModifiedEvent, self._fill)
        self._fill()

    def _header(self, name: str) -> str:
        """The title where the node wants it; Slicer adds the unit."""
        if not self._table.GetUseColumnTitleAsColumnHeader():
            return name
        unit = self._table.GetColumnUnitLabel(name)
        return (self._table.GetColumnTitle(name) or name) + (f" [{unit}]" if unit else "")

    def _fill(self, *_) -> None:
        table = self._table.GetTable() if self._table is not None else vtk.vtkTable()
        columns, rows = table.GetNumberOfColumns(), table.GetNumberOfRows()
        model = QtGui.QStandardItemModel(rows, columns, self)
        names = [table.GetColumnName(column) or "" for column in range(columns)]
        model.setHorizontalHeaderLabels([self._header(name) for name in names])
        for row in range(rows):
            for column in range(columns):
                model.setItem(row, column, QtGui.QStandardItem(table.GetValue(row, column).ToString()))
        self.setModel(model)


def install() -> None:
    """Put the widgets where scripts look for them."""
    for kind in (qMRMLWidget, qSlicerWidget, qMRMLNodeComboBox, qMRMLTableView):
        setattr(slicer, kind.__name__, kind)
        ui_classes[kind.__name__] = kind
