"""The host's widgets, views and subject hierarchy follow the real scene."""

import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

LAYOUT = """<layout type="horizontal">
 <item><view class="vtkMRMLSliceNode" singletontag="DemoBefore">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">B</property>
  <property name="viewgroup" action="default">7</property>
 </view></item>
 <item><view class="vtkMRMLSliceNode" singletontag="DemoAfter">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">A</property>
  <property name="viewgroup" action="default">7</property>
 </view></item>
</layout>"""


@pytest.fixture
def slicer(slicer_app):
    import slicer

    return slicer


def volume(slicer, name="volume", shape=(3, 4, 5)):
    import numpy as np

    return slicer.util.addVolumeFromArray(np.zeros(shape, np.float32), name=name)


def selector_of(slicer, **properties):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    for name, value in properties.items():
        setattr(selector, name, value)
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def test_a_selector_follows_additions_renames_and_removals(slicer):
    selector = selector_of(slicer, noneEnabled=True)
    seen = []
    selector.currentNodeChanged.connect(lambda node: seen.append(node and node.GetName()))
    first, second = volume(slicer, "first"), volume(slicer, "second")
    assert selector.nodeCount() == 2
    assert selector.currentNode() is None
    selector.setCurrentNode(second)
    assert selector.currentNodeID == second.GetID()
    second.SetName("renamed")
    slicer.mrmlScene.RemoveNode(second)
    assert selector.currentNode() is first, "the one before becomes current, as in a combo box"
    selector.setCurrentNode(None)
    assert seen == ["second", "renamed", "first", None]


def test_a_selector_without_none_takes_the_first_node(slicer):
    selector = selector_of(slicer)
    assert selector.currentNode() is None
    first = volume(slicer)
    volume(slicer, "second")
    assert selector.currentNode() is first


def test_a_selector_has_two_signals_of_one_name(slicer):
    selector, seen = selector_of(slicer, noneEnabled=True), []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: seen.append(node))
    selector.connect("currentNodeChanged(bool)", lambda valid: seen.append(valid))
    node = volume(slicer)
    selector.setCurrentNode(node)
    assert seen == [node, True]


def test_a_selector_shows_the_nodes_it_is_asked_for(slicer):
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    hidden = volume(slicer, "hidden")
    hidden.SetHideFromEditors(True)
    plain = volume(slicer, "plain")

    def shown(**properties):
        selector = selector_of(slicer, **properties)
        return [selector.nodeFromIndex(index) for index in range(selector.nodeCount())]

    assert shown() == [labels, plain]
    assert shown(showHidden=True) == [labels, hidden, plain]
    assert shown(showChildNodeTypes=False) == [plain]
    selector = selector_of(slicer)
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Kind", "MR")
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Kind", "CT")  # in the place of the one before
    assert selector.nodeCount() == 0
    plain.SetAttribute("Kind", "CT")
    assert selector.nodeCount() == 1


def test_a_closed_scene_leaves_selectors_empty(slicer):
    selector = selector_of(slicer, noneEnabled=True)
    selector.setCurrentNode(volume(slicer))
    slicer.mrmlScene.Clear(False)
    assert selector.currentNode() is None
    assert selector.nodeCount() == 0


def test_views_are_real_nodes_and_logics(slicer):
    manager = slicer.app.layoutManager()
    assert manager.sliceViewNames() == ("Red", "Green", "Yellow")
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    node = volume(slicer)
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    for name in manager.sliceViewNames():
        widget = manager.sliceWidget(name)
        assert widget.sliceLogic().GetSliceNode() is widget.mrmlSliceNode()
        assert slicer.app.applicationLogic().GetSliceLogic(widget.mrmlSliceNode()) is widget.sliceLogic()
        assert widget.mrmlSliceCompositeNode().GetBackgroundVolumeID() == node.GetID()
        assert widget.mrmlSliceCompositeNode().GetID() == f"vtkMRMLSliceCompositeNode{name}"
        assert max(widget.mrmlSliceNode().GetFieldOfView()) < 10
    assert manager.sliceWidget("NoSuch") is None


def test_a_layout_of_ones_own_makes_its_views_and_can_be_left(slicer):
    manager, told = slicer.app.layoutManager(), []
    former = manager.layout
    manager.layoutChanged.connect(told.append)
    manager.layoutLogic().GetLayoutNode().AddLayoutDescription(5701, LAYOUT)
    manager.setLayout(5701)
    assert {"DemoBefore", "DemoAfter"} <= set(manager.sliceViewNames())
    before, after = (manager.sliceWidget(name) for name in ("DemoBefore", "DemoAfter"))
    assert before.mrmlSliceNode().GetViewGroup() == 7
    for widget in (before, after):
        widget.mrmlSliceCompositeNode().SetLinkedControl(True)
        widget.mrmlSliceCompositeNode().SetHotLinkedControl(True)
    logic = before.sliceLogic()
    logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.SliceToRASFlag)
    logic.GetSliceNode().SetSliceOffset(12.0)
    logic.EndSliceNodeInteraction()
    assert after.mrmlSliceNode().GetSliceOffset() == pytest.approx(12.0)
    assert manager.sliceWidget("Red").mrmlSliceNode().GetSliceOffset() != pytest.approx(12.0)
    manager.layout = former
    assert told[-1] == former


def test_data_nodes_get_an_item_in_the_subject_hierarchy(slicer):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    node = volume(slicer)
    item = hierarchy.GetItemByDataNode(node)
    assert item
    hierarchy.SetItemParent(item, study)
    assert hierarchy.GetItemParent(item) == study
    slicer.mrmlScene.RemoveNode(node)
    assert hierarchy.GetItemByDataNode(node) == 0


def test_closing_a_scene_keeps_views_and_hierarchy_working(slicer):
    volume(slicer)
    slicer.mrmlScene.Clear(False)
    node = volume(slicer, "next")
    slicer.util.setSliceViewerLayers(background=node)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert hierarchy.GetItemByDataNode(node)
    red = slicer.app.layoutManager().sliceWidget("Red")
    assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() == node.GetID()
