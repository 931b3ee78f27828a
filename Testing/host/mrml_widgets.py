"""Stand-ins for the qMRML widgets in use, over the real MRML scene.

As with CTK, PythonQt sees only their properties, signals, slots and Q_INVOKABLE methods; the names are those of the
headers in Slicer/Slicer, Libs/MRML/Widgets and Modules/Loadable/Segmentations/Widgets. `vtkMRMLNode*` in a signal's
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
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    currentNodeRenamed = Signal(str)
    editEnabled = stored(bool, "editEnabled", False)
    addEnabled = stored(bool, "addEnabled", True)
    removeEnabled = stored(bool, "removeEnabled", True)
    renameEnabled = stored(bool, "renameEnabled", False)
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)
    interactionNodeSingletonTag = stored(str, "interactionNodeSingletonTag", "Singleton")
    sizeAdjustPolicy = stored(int, "sizeAdjustPolicy", 0)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._observers = None, Observers(self)
        self._requested = ""
        self._attributes: list[tuple[str, str, str | None]] = []
        self._labels: dict[str, str] = {}
        self._box = QtWidgets.QComboBox()
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self._box.currentTextChanged.connect(self._tell)
        self._box.activated.connect(lambda: self.nodeActivated(self.currentNode()))
        self.enabled = False

    def _refreshed(kind, name, default):
        hidden = f"_{name}"

        def write(self, value):
            setattr(self, hidden, value)
            self._refresh()

        return Property(kind, lambda self: getattr(self, hidden, default), write)

    nodeTypes = _refreshed("QStringList", "nodeTypes", [])
    hideChildNodeTypes = _refreshed("QStringList", "hideChildNodeTypes", [])
    showHidden = _refreshed(bool, "showHidden", False)
    showChildNodeTypes = _refreshed(bool, "showChildNodeTypes", True)
    noneEnabled = _refreshed(bool, "noneEnabled", False)
    noneDisplay = _refreshed(str, "noneDisplay", "None")
    baseName = stored(str, "baseName", "")
    del _refreshed

    def _tell(self) -> None:
        node = self.currentNode()
        self.currentNodeChanged(node)
        overload(self, "currentNodeChanged", bool).emit(node is not None)

    def _shows(self, node) -> bool:
        kinds = self.nodeTypes
        if self.showChildNodeTypes:
            wanted = any(node.IsA(kind) for kind in kinds) and not any(node.IsA(k) for k in self.hideChildNodeTypes)
        else:
            wanted = node.GetClassName() in kinds
        if not wanted or (node.GetHideFromEditors() and not self.showHidden):
            return False
        return all(self._has(node, *attribute) for attribute in self._attributes)

    @staticmethod
    def _has(node, kind: str, name: str, value: str | None) -> bool:
        return not node.IsA(kind) or (node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name)))

    def _refresh(self, *_) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = (
            [] if self._scene is None else [self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes())]
        )
        nodes = [node for node in nodes if self._shows(node)]
        for node in nodes:
            self._observers.observe(node, vtk.vtkCommand.ModifiedEvent, self._rename)
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

    def _rename(self, node, _) -> None:
        index = self._box.findData(node.GetID())
        if index < 0 or self._box.itemText(index) == node.GetName():
            return
        self._box.setItemText(index, node.GetName() or "")
        if index == self._box.currentIndex:
            self.currentNodeRenamed(node.GetName())

    def _added(self, *_) -> None:
        before = self._box.count
        self._refresh()
        if self._box.count > before:
            self.nodeAdded(self._scene.GetNthNode(self._scene.GetNumberOfNodes() - 1))

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
            self._observers.observe(scene, Scene.NodeAddedEvent, self._added)
            for event in (Scene.NodeRemovedEvent, Scene.EndBatchProcessEvent):
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

    @Slot(int)
    def setCurrentNodeIndex(self, index: int) -> None:
        self._box.setCurrentIndex((index if index < self.nodeCount() else -1) + self.noneEnabled)

    @Slot(result=int)
    def nodeCount(self) -> int:
        return self._box.count - self.noneEnabled

    @Slot(int, result=object)
    def nodeFromIndex(self, index: int):
        return self._scene.GetNodeByID(self._box.itemData(index + self.noneEnabled) or "")

    @Slot(str, str, "QVariant")
    def addAttribute(self, kind: str, name: str, value=None) -> None:
        self._attributes.append((kind, name, None if value is None else str(value)))
        self._refresh()

    @Slot(str, str)
    def removeAttribute(self, kind: str, name: str) -> None:
        self._attributes = [one for one in self._attributes if one[:2] != (kind, name)]
        self._refresh()

    @Slot(str, str)
    def setNodeTypeLabel(self, label: str, kind: str) -> None:
        self._labels[kind] = label

    @Slot(str, result=str)
    def nodeTypeLabel(self, kind: str) -> str:
        return self._labels.get(kind) or self._scene.GetTypeDisplayNameByClassName(kind)

    @Slot(result=object)
    def addNode(self, kind: str = ""):
        """What "Create new ..." does."""
        kind = kind or self.nodeTypes[0]
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(self.baseName or kind[7:-4]))
        for owner, name, value in self._attributes:
            if node.IsA(owner):
                node.SetAttribute(name, value or "")
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser(node)
        return node

    @Slot()
    def removeCurrentNode(self) -> None:
        self._scene.RemoveNode(self.currentNode())


class qMRMLSegmentSelectorWidget(qMRMLWidget):
    """A segmentation and one of its segments. Here ``currentNodeID`` is a method, and so is ``currentSegmentID``."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._observers = Observers(self)
        self._nodes, self._segments = qMRMLNodeComboBox(), QtWidgets.QComboBox()
        self._nodes.nodeTypes = ["vtkMRMLSegmentationNode"]
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._nodes)
        column.addWidget(self._segments)
        self._nodes.currentNodeChanged.connect(self._choose)
        self._segments.currentIndexChanged.connect(lambda: self.currentSegmentChanged(self.currentSegmentID()))

    noneEnabled = Property(
        bool, lambda self: self._nodes.noneEnabled, lambda self, on: setattr(self._nodes, "noneEnabled", on)
    )
    segmentationNodeSelectorVisible = Property(
        bool, lambda self: not self._nodes.isHidden(), lambda self, on: self._nodes.setVisible(on)
    )

    def _choose(self, node) -> None:
        self._observers.clear()
        if node is not None:
            kind = slicer.vtkSegmentation
            for event in (kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified):
                self._observers.observe(node.GetSegmentation(), event, self._fill)
        self._fill()
        self.currentNodeChanged(node)

    def _fill(self, *_) -> None:
        node, current = self._nodes.currentNode(), self.currentSegmentID()
        blocked = self._segments.blockSignals(True)
        self._segments.clear()
        if self.noneEnabled:
            self._segments.addItem("None", "")
        for identifier in node.GetSegmentation().GetSegmentIDs() if node else ():
            self._segments.addItem(node.GetSegmentation().GetSegment(identifier).GetName(), identifier)
        self._segments.setCurrentIndex(max(self._segments.findData(current), min(self._segments.count - 1, 0)))
        self._segments.blockSignals(blocked)
        if self.currentSegmentID() != current:
            self.currentSegmentChanged(self.currentSegmentID())

    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        super().setMRMLScene(scene)
        self._nodes.setMRMLScene(scene)

    @Slot(result=object)
    def currentNode(self):
        return self._nodes.currentNode()

    @Slot(result=str)
    def currentNodeID(self) -> str:
        return self._nodes.currentNodeID

    @Slot(result=str)
    def currentSegmentID(self) -> str:
        return self._segments.currentData or ""

    @Slot(object)
    def setCurrentNode(self, node) -> None:
        self._nodes.setCurrentNode(node)

    @Slot(str)
    def setCurrentNodeID(self, identifier: str) -> None:
        self._nodes.setCurrentNodeID(identifier)

    @Slot(str)
    def setCurrentSegmentID(self, identifier: str) -> None:
        self._segments.setCurrentIndex(self._segments.findData(identifier))


class qMRMLTableView(QtWidgets.QTableView):
    """A table node's cells, read again whenever it changes."""

    transposed, firstRowLocked = stored(bool, "transposed", False), stored(bool, "firstRowLocked", False)
    firstColumnLocked = stored(bool, "firstColumnLocked", False)
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

    def _fill(self, *_) -> None:
        table = self._table.GetTable() if self._table is not None else vtk.vtkTable()
        columns, rows = table.GetNumberOfColumns(), table.GetNumberOfRows()
        model = QtGui.QStandardItemModel(rows, columns, self)
        model.setHorizontalHeaderLabels([table.GetColumnName(column) or "" for column in range(columns)])
        for row in range(rows):
            for column in range(columns):
                model.setItem(row, column, QtGui.QStandardItem(table.GetValue(row, column).ToString()))
        self.setModel(model)


def install() -> None:
    """Put the widgets where scripts look for them."""
    for kind in (qMRMLWidget, qSlicerWidget, qMRMLNodeComboBox, qMRMLSegmentSelectorWidget, qMRMLTableView):
        setattr(slicer, kind.__name__, kind)
        ui_classes[kind.__name__] = kind
