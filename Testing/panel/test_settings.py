"""MedRestore's page in Slicer's settings: a new scene begins with what it says, and results go where it says."""

from __future__ import annotations

import pytest

from Testing.support.panel_user import add_head


@pytest.fixture
def page(user):
    """The page in the settings, given back as it was."""
    import slicer

    page = slicer.modules.MedRestoreInstance.settingsPage
    before = {key: slicer.util.settingsValue(key, "") for key in KEYS}
    yield page
    for key, value in before.items():
        slicer.app.userSettings().setValue(key, value)
    page.reloadSettings()


KEYS = [f"MedRestore/{name}" for name in ("strength", "device", "memory", "resultsIn", "exportFolder", "presetFolder")]


def fill(page, label: str, value) -> None:
    """Set the widget whose label stands before it."""
    (name,) = (one for one in page.findChildren("QLabel") if one.text.startswith(label))
    widget = name.buddy()
    if hasattr(widget, "findText"):  # a ctkComboBox is no qt.QComboBox to Python
        widget.setCurrentIndex(widget.findText(value))
    elif hasattr(widget, "currentPath"):
        widget.currentPath = value
    else:
        widget.value = value


def test_a_new_scene_begins_with_what_the_settings_say(user, page):
    import slicer

    assert (user.p.strength, user.p.device, user.p.memory) == (1.0, "auto", 0.0)
    fill(page, "Strength", 0.5)
    fill(page, "Device", "Processor (CPU)")
    fill(page, "Memory", 0.5)
    assert user.p.strength == 1.0, "the present scene stays as it is"
    slicer.mrmlScene.Clear(0)
    user.wait_until_read()
    assert (user.p.strength, user.p.device, user.p.memory) == (0.5, "cpu", 0.5)
    assert user.ui.strengthSlider.value == 0.5
    user.choose(strength=0.75)
    user.leave()
    user.come_back()
    assert user.p.strength == 0.75, "coming back is no new scene"


@pytest.mark.parametrize("key", ["MedRestore/strength", "MedRestore/device", "MedRestore/memory"])
def test_settings_that_somebody_spoiled_do_no_harm(user, page, key):
    import slicer

    slicer.app.userSettings().setValue(key, "nonsense")
    slicer.mrmlScene.Clear(0)
    user.wait_until_read()
    assert (user.p.strength, user.p.device, user.p.memory) == (1.0, "auto", 0.0)


def test_results_go_into_a_folder_where_the_settings_say_so(user, page):
    import slicer

    from MedRestoreLib import mrml

    fill(page, "Results go", "In a folder of the original's study")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    heads = [add_head("first"), add_head("second", seed=1)]
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    for head in heads:
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(head), study)
    folders = set()
    for head in heads:
        user.open(head, method="adf")
        restored = user.apply()
        for node in (restored, mrml.removed_of(restored)):
            folders.add(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))
    (folder,) = folders
    assert hierarchy.GetItemName(folder) == "MedRestore"
    assert hierarchy.GetItemParent(folder) == study
    user.choose(replaceResult=True)
    user.apply()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(restored)) == folder, "replaced where it lay"


def test_presets_and_exports_go_to_the_folders_of_the_settings(user, page, tmp_path):
    from MedRestorePanel import settings

    assert settings.presetFolder().endswith("MedRestorePresets")
    fill(page, "Folder of presets", str(tmp_path))
    fill(page, "Folder for exports", str(tmp_path / "out"))
    assert settings.presetFolder() == str(tmp_path)
    assert settings.exportFolder() == str(tmp_path / "out")
