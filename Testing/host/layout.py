"""The layout manager: real layout node, layout logic, slice nodes and slice logics; no picture is drawn.

`vtkMRMLLayoutLogic` reads the layout's XML and makes the view nodes, as in Slicer. Here each slice node gets a
`vtkMRMLSliceLogic` and an empty widget; other views get nothing.
"""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from Testing.host.mrml_widgets import qMRMLWidget
from Testing.host.observers import Observers

Property, Signal, Slot = QtCore.Property, QtCore.Signal, QtCore.Slot
Scene = slicer.vtkMRMLScene
VIEWPORT = (1400, 900)


class qMRMLSliceWidget(qMRMLWidget):
    """One slice view: its nodes and its logic, and above it its name, which may shrink to two letters."""

    def __init__(self, logic, parent=None):
        super().__init__(parent)
        self._logic, self._name = logic, QtWidgets.QLabel(self)
        self._name.setObjectName("ViewLabel")
        self._name.setMinimumWidth(self._name.fontMetrics().horizontalAdvance("XX"))

    @Slot(result=object)
    def sliceLogic(self):
        return self._logic

    @Slot(result=object)
    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    @Slot(result=object)
    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode()


class qSlicerLayoutManager(QtCore.QObject):
    """Shows the layout of the scene's layout node, and follows it."""

    layoutChanged = Signal(int)

    def __init__(self, application_logic, parent=None):
        super().__init__(parent)
        self._application_logic = application_logic
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._observers = Observers(self)
        self._widgets: dict[str, qMRMLSliceWidget] = {}
        self._logics = vtk.vtkCollection()
        self._scene = None
        self._following = False
        self._viewport = QtWidgets.QWidget()
        self._viewport.resize(*VIEWPORT)

    # -- following the scene --
    @Slot(object)
    def setMRMLScene(self, scene) -> None:
        self._observers.clear()
        self._scene = scene
        self._logic.SetMRMLScene(scene)
        if scene is not None:
            for event in (
                Scene.NodeAddedEvent,
                Scene.NodeRemovedEvent,
                Scene.EndBatchProcessEvent,
                Scene.EndCloseEvent,
            ):
                self._observers.observe(scene, event, self._follow)
        self._follow()

    def _follow(self, *_) -> None:
        if self._following or (self._scene is not None and self._scene.IsBatchProcessing()):
            return
        self._following = True  # a slice logic adds nodes, which would come back here
        try:
            self._match_views()
        finally:
            self._following = False

    def _match_views(self) -> None:
        nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode", self._scene) if self._scene is not None else []
        names = {node.GetLayoutName(): node for node in nodes}
        for name in self._widgets.keys() - names.keys():
            self._drop(name)
        for name, node in names.items():
            if name not in self._widgets:
                self._add(name, node)
        layout_node = self._logic.GetLayoutNode() if self._scene is not None else None
        if layout_node is not None:
            self._observers.observe(layout_node, vtk.vtkCommand.ModifiedEvent, self._told)

    def _add(self, name: str, node) -> None:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self._application_logic)
        self._widgets[name] = qMRMLSliceWidget(logic)
        logic.SetMRMLScene(self._scene)
        logic.SetSliceNode(node)
        self._widgets[name]._name.text = node.GetLayoutLabel()
        self._logics.AddItem(logic)
        self._application_logic.SetSliceLogics(self._logics)

    def _drop(self, name: str) -> None:
        widget = self._widgets.pop(name)
        self._logics.RemoveItem(widget.sliceLogic())
        widget.sliceLogic().SetMRMLScene(None)
        widget.deleteLater()

    def _told(self, *_) -> None:
        self._follow()
        self.layoutChanged(self._layout())

    # -- what scripts ask --
    def _layout(self) -> int:
        node = self._logic.GetLayoutNode()
        return node.GetViewArrangement() if node is not None else 0

    @Slot(int)
    def setLayout(self, identifier: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(identifier)

    layout = Property(int, _layout, setLayout, notify=layoutChanged)

    @Slot(result=object)
    def mrmlScene(self):
        return self._scene

    @Slot(result=object)
    def viewport(self):
        """What all views lie in."""
        return self._viewport

    @Slot(result=object)
    def layoutLogic(self):
        return self._logic

    @Slot(result=object)
    def mrmlSliceLogics(self):
        return self._logics

    @Slot(result=object)
    def sliceViewNames(self):
        return tuple(self._widgets)

    @Slot(str, result=object)
    def sliceWidget(self, name: str):
        return self._widgets.get(name)
