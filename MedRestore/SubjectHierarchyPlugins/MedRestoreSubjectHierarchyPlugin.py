"""What a right click on a volume offers in the Data module: "Restore..."."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _
from SubjectHierarchyPlugins import AbstractScriptedSubjectHierarchyPlugin

# By exact class: label maps and tensors are volumes, too, and cannot be restored.
VOLUMES = ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")


class MedRestoreSubjectHierarchyPlugin(AbstractScriptedSubjectHierarchyPlugin):
    """Owns no items; adds one action to those of volumes.

    The module registers it when Slicer has started::

        plugin = slicer.qSlicerSubjectHierarchyScriptedPlugin(None)
        plugin.setPythonSource(MedRestoreSubjectHierarchyPlugin.filePath)
    """

    filePath = __file__  # Slicer loads the plugin by its file

    def __init__(self, scriptedPlugin: slicer.qSlicerSubjectHierarchyScriptedPlugin) -> None:
        scriptedPlugin.name = "MedRestore"
        AbstractScriptedSubjectHierarchyPlugin.__init__(self, scriptedPlugin)
        self.restoreAction = qt.QAction(_("Restore..."), scriptedPlugin)
        self.restoreAction.objectName = "MedRestoreAction"
        self.restoreAction.toolTip = _("Remove noise from this volume with MedRestore")
        self.restoreAction.triggered.connect(self.onRestore)

    def canOwnSubjectHierarchyItem(self, itemID: int) -> float:
        return 0.0

    def roleForPlugin(self) -> str:
        return "N/A"

    def itemContextMenuActions(self) -> list[qt.QAction]:
        return [self.restoreAction]

    def showContextMenuActionsForItem(self, itemID: int) -> None:
        """Slicer has hidden the action; show it for what can be restored."""
        if _volumeOf(itemID) is not None:
            self.restoreAction.visible = True

    def onRestore(self) -> None:
        """Show the module with the volume as its input."""
        volume = _volumeOf(slicer.qSlicerSubjectHierarchyPluginHandler.instance().currentItem())
        if volume is None:
            return
        slicer.util.selectModule("MedRestore")
        slicer.util.getModuleLogic("MedRestore").getParameterNode().inputVolume = volume


def _volumeOf(itemID: int) -> slicer.vtkMRMLVolumeNode | None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    node = hierarchy.GetItemDataNode(itemID) if itemID and hierarchy is not None else None
    return node if node is not None and node.GetClassName() in VOLUMES else None
