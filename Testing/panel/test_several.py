"""Several volumes, one after the other: one progress, one Cancel, and a line for each."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.support.panel_user import add_head, add_volume, names


@pytest.fixture
def section(user):
    user.ui.severalCollapsibleButton.collapsed = False
    user.rest()
    return user.ui


def lines(ui) -> list[str]:
    return [ui.severalList.item(row).text() for row in range(ui.severalList.count)]


def ticked(ui) -> list[str]:
    items = [ui.severalList.item(row) for row in range(ui.severalList.count)]
    return [item.text() for item in items if item.checkState() == _checked()]


def restore(user) -> None:
    user.press("severalButton")
    user.wait(lambda: not user.panel.several.isRunning)
    user.rest()


def test_volumes_are_restored_beside_their_originals_and_each_has_a_line(user, section):
    import slicer

    from MedRestoreLib import mrml

    heads = [add_head(f"head {number}", seed=number, slices=1) for number in range(3)]
    user.rest()
    assert not section.severalButton.enabled
    assert "Tick" in section.severalButton.toolTip
    user.press("severalAllButton")
    heads[1].SetName("head 1 renamed")
    restore(user)
    assert names() == [*(head.GetName() for head in heads), *(n for n in names() if "restored" in n or "removed" in n)]
    results = [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if "restored" in node.GetName()]
    assert [mrml.source_of(result) for result in results] == heads
    assert len(lines(section)) == 3, "results are not offered to be restored"
    assert all(": " in line and "Not restored" not in line for line in lines(section))
    assert section.severalLabel.text.startswith("3 of 3 volumes are restored")


def test_one_bad_study_does_not_end_the_rest(user, section):
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    add_volume(np.ones((1, 32, 32), np.float32), "constant")
    add_head("head", slices=1)
    user.rest()
    user.press("severalAllButton")
    restore(user)
    empty, constant, head = lines(section)
    assert empty.startswith("empty: Not restored.")
    assert "same value" in constant
    assert "Not restored" not in head
    assert section.severalLabel.text.startswith("1 of 3 ")


def test_all_are_restored_with_one_preset(user, section, tmp_path, monkeypatch):
    import slicer

    from MedRestoreLib import mrml, presets

    presets.Shelf(tmp_path).keep(presets.Preset("Gentle", method="adf", strength=0.25))
    monkeypatch.setattr(user.panel.presets, "folder", lambda: str(tmp_path))
    user.panel.presets._load()
    for number in range(2):
        add_head(f"head {number}", seed=number, slices=1)
    user.rest()
    user.press("severalAllButton")
    section.severalPresetComboBox.setCurrentIndex(section.severalPresetComboBox.findText("Gentle"))
    restore(user)
    results = [n for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if "restored" in n.GetName()]
    plans = [mrml.report_of(result)["plan"] for result in results]
    assert [(plan["method"], plan["strength"]) for plan in plans] == [("adf", 0.25)] * 2


def test_cancel_ends_all_and_what_was_restored_stays(user, section):
    for number in range(3):
        add_head(f"head {number}", seed=number, slices=1)
    user.open(add_head("other"))
    user.press("severalAllButton")
    user.press("severalButton")
    user.rest(0)
    assert user.panel.several.isRunning
    assert not user.ui.applyButton.enabled
    assert "Several volumes" in user.ui.applyButton.toolTip
    user.wait(lambda: any("restored" in name for name in names()))
    user.press("severalButton")
    user.rest(0.3)
    assert not user.panel.several.isRunning
    assert "Cancelled" in section.severalLabel.text
    assert 1 <= sum("restored" in name for name in names()) < 4
    assert user.ui.applyButton.enabled


def test_a_volume_deleted_meanwhile_is_left_out(user, section):
    import slicer

    heads = [add_head(f"head {number}", seed=number, slices=1) for number in range(3)]
    user.rest()
    user.press("severalAllButton")
    user.press("severalButton")
    slicer.mrmlScene.RemoveNode(heads[0])
    slicer.mrmlScene.RemoveNode(heads[2])
    user.wait(lambda: not user.panel.several.isRunning)
    user.rest()
    assert sum("restored" in name for name in names()) == 1


def test_the_study_of_the_input_is_ticked_and_a_cine_counts_once(user, section):
    import slicer

    from MedRestoreLib import mrml

    shown = mrml.sample("MedRestoreCine")
    head, other = add_head("head", slices=1), add_head("other", slices=1)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    for node in (head, shown):
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)
    user.open(head, strength=0.5)
    user.press("severalStudyButton")
    assert set(ticked(section)) == {shown.GetName(), "head"}
    section.severalList.item(lines(section).index(shown.GetName())).setCheckState(_unchecked())
    user.rest()
    assert ticked(section) == ["head"]
    restore(user)
    assert not any("other restored" in name for name in names())
    (result,) = (n for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if "restored" in n.GetName())
    assert mrml.report_of(result)["plan"]["strength"] == 0.5
    section.severalList.itemActivated(section.severalList.item(lines(section).index(other.GetName())))
    row = next(row for row, line in enumerate(lines(section)) if line.startswith("head"))
    user.choose(inputVolume=other)
    section.severalList.itemActivated(section.severalList.item(row))
    user.wait_until_read()
    assert (user.p.inputVolume, user.p.lastOutput) == (head, result)


def test_another_study_is_read_while_several_are_restored(user, section):
    for number in range(2):
        add_head(f"head {number}", seed=number, slices=2)
    other = add_head("other", seed=9)
    user.rest()
    section.severalList.item(0).setCheckState(_checked())
    section.severalList.item(1).setCheckState(_checked())
    user.rest()
    user.press("severalButton")
    user.open(other)
    assert user.p.method
    user.wait(lambda: not user.panel.several.isRunning)
    assert len(user.exchanged()) <= 1


def _checked():
    import qt

    return qt.Qt.Checked


def _unchecked():
    import qt

    return qt.Qt.Unchecked
