"""What a right click on a volume in the Data module offers."""

import numpy as np
import pytest

from Testing.support.paths import PANEL

FOLDER = PANEL / "SubjectHierarchyPlugins"
PLUGIN = FOLDER / "MedRestoreSubjectHierarchyPlugin.py"


@pytest.fixture
def right_click(slicer_app):
    """The plugin as the module registers it; the texts and actions that a right click on a node shows."""
    import slicer

    from Testing import host

    handler = slicer.qSlicerSubjectHierarchyPluginHandler.instance()
    if handler.pluginByName("MedRestore") is None:
        plugin = slicer.qSlicerSubjectHierarchyScriptedPlugin(None)
        assert plugin.setPythonSource(str(PLUGIN))
    return lambda node: {action.text: action for action in host.context_menu(node)}


def volume(kind="vtkMRMLScalarVolumeNode"):
    import slicer

    shape = (3, 4, 5, 3) if kind == "vtkMRMLVectorVolumeNode" else (3, 4, 5)
    return slicer.util.addVolumeFromArray(np.zeros(shape, np.uint8), name="study", nodeClassName=kind)


@pytest.mark.parametrize("kind", ["vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode"])
def test_volumes_can_be_restored(right_click, kind):
    assert list(right_click(volume(kind))) == ["Restore..."]


@pytest.mark.parametrize("kind", ["vtkMRMLLabelMapVolumeNode", "vtkMRMLDiffusionTensorVolumeNode", "vtkMRMLModelNode"])
def test_other_nodes_cannot(right_click, kind):
    import slicer

    assert right_click(slicer.mrmlScene.AddNewNodeByClass(kind)) == {}


def test_items_without_a_node_cannot(right_click):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    plugin = slicer.qSlicerSubjectHierarchyPluginHandler.instance().pluginByName("MedRestore").self()
    for item in (patient, hierarchy.GetSceneItemID(), 0):
        for action in plugin.itemContextMenuActions():
            action.visible = False
        plugin.showContextMenuActionsForItem(item)
        assert not any(action.visible for action in plugin.itemContextMenuActions())


def test_the_plugin_owns_no_items(right_click):
    import slicer

    node = volume()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    plugin = slicer.qSlicerSubjectHierarchyPluginHandler.instance().pluginByName("MedRestore").self()
    owning = plugin.canOwnSubjectHierarchyItem(hierarchy.GetItemByDataNode(node))
    assert isinstance(owning, float)  # Slicer takes nothing else
    assert owning == 0
    assert plugin.roleForPlugin() == "N/A"


def test_the_action_opens_the_module_with_the_volume_as_input(module, right_click):
    import slicer

    from Testing import host

    _, _, logic = module
    volume()
    second = volume()
    host.leave_module()
    right_click(second)["Restore..."].trigger()
    assert slicer.util.selectedModule() == "MedRestore"
    assert logic.getParameterNode().inputVolume is second


def test_the_module_registers_the_plugin(module):
    from Testing import host

    assert "Restore..." in {action.text for action in host.context_menu(volume())}
