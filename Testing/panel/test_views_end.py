"""Comparing before and after: the way back, and which volumes are compared."""

import numpy as np
import pytest

from Testing.support.compare_user import as_result, composite, layers_of_all, layout, panes, window
from Testing.support.panel_user import add_cine, select_frame

# The way back


@pytest.mark.parametrize("modes", [["sideBySide"], ["removed"], ["fade"], ["sideBySide", "fade", "removed", "fade"]])
def test_one_click_gives_layout_layers_and_crosshair_back(compare, modes):
    import slicer

    before, _, _ = compare.study()
    other = compare.volume("other")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    slicer.util.setSliceViewerLayers(background=other, foreground=before, foregroundOpacity=0.4)
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairMode(crosshair.ShowHashmarks)
    crosshair.SetCrosshairRAS((1.0, 2.0, 3.0))

    def state():
        cursor = crosshair.GetCrosshairMode(), crosshair.GetCrosshairBehavior(), crosshair.GetCrosshairRAS()
        return layout(), layers_of_all(), cursor

    former = state()
    for mode in modes:
        compare.press(mode)
    assert state() != former
    compare.former()
    assert state() == former
    assert compare.mode == ""
    assert not compare.ui.formerLayoutButton.enabled


def test_the_cursor_is_shown_in_all_panes_at_first_in_the_middle(compare):
    import slicer

    before, _, _ = compare.study()
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    compare.press("sideBySide")
    assert crosshair.GetCrosshairMode() == crosshair.ShowBasic
    assert crosshair.GetCrosshairBehavior() == crosshair.OffsetJumpSlice
    bounds = np.zeros(6)
    before.GetRASBounds(bounds)
    assert np.allclose(crosshair.GetCrosshairRAS(), bounds.reshape(3, 2).mean(axis=1), atol=1.3)


@pytest.mark.parametrize("mode", ["sideBySide", "removed", "fade"])
def test_comparing_ends_the_preview(compare, mode):
    compare.study()
    compare.choose(preview=True)
    compare.press(mode)
    assert compare.p.preview is False


def test_the_button_of_what_is_on_show_leads_back_too(compare):
    compare.study()
    former = layout()
    compare.press("sideBySide")
    compare.press("sideBySide")
    assert layout() == former
    assert not compare.ui.sideBySideButton.checked


def test_a_layout_that_the_user_chooses_meanwhile_stays(compare):
    import slicer

    before, after, _ = compare.study()
    before.GetDisplayNode().AutoWindowLevelOff()
    compare.press("sideBySide")
    chosen = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpYellowSliceView
    slicer.app.layoutManager().setLayout(chosen)
    compare.rest()
    assert (layout(), compare.mode) == (chosen, "")
    assert not compare.ui.sideBySideButton.checked
    before.GetDisplayNode().SetWindowLevel(20, 105)
    assert window(after) != (20, 105)
    assert not compare.ui.formerLayoutButton.enabled


@pytest.mark.parametrize("mode", ["sideBySide", "removed", "fade"])
@pytest.mark.parametrize("victim", [0, 1])
def test_deleting_a_compared_volume_ends_the_comparison(compare, mode, victim):
    import slicer

    volumes = compare.study()
    former = layout()
    compare.press(mode)
    slicer.mrmlScene.RemoveNode(volumes[victim])
    compare.rest()
    assert (layout(), compare.mode) == (former, "")
    assert all(foreground is None for _, _, foreground in panes())


def test_deleting_the_removed_part_leaves_the_other_two(compare):
    import slicer

    _, _, removed = compare.study()
    compare.press("removed")
    slicer.mrmlScene.RemoveNode(removed)
    compare.rest()
    assert [name for _, name, _ in panes()] == ["study", "study restored"]


def test_former_layers_whose_volume_is_gone_are_left_empty(compare):
    import slicer

    compare.study()
    other = compare.volume("other")
    slicer.util.setSliceViewerLayers(foreground=other, foregroundOpacity=0.4)
    compare.press("fade")
    slicer.mrmlScene.RemoveNode(other)
    compare.former()
    assert {names[1:] for names in panes()} == {("study", None)}


def test_closing_the_scene_gives_the_layout_back(compare):
    import slicer

    compare.study()
    former = layout()
    compare.press("sideBySide")
    slicer.mrmlScene.Clear(0)
    compare.rest()
    assert (layout(), compare.mode) == (former, "")


def test_our_layout_in_a_loaded_scene_can_be_left(compare):
    """A scene saved while comparing comes back with our layout, and with nobody who remembers the one before."""
    import slicer

    compare.study()
    compare.press("sideBySide")
    ours = layout()
    compare.former()
    slicer.app.layoutManager().setLayout(ours)
    compare.choose(fade=0.5)
    compare.former()
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


# What is chosen


def test_another_result_takes_the_place_of_the_one_on_show(compare):
    before, _, _ = compare.study()
    compare.press("sideBySide")
    compare.choose(lastOutput=compare.volume("second restored", source=before))
    compare.rest()
    assert [name for _, name, _ in panes()] == ["study", "second restored"]


def test_a_result_without_a_removed_part_ends_its_pane(compare):
    before, _, _ = compare.study()
    compare.press("removed")
    compare.choose(lastOutput=compare.volume("second restored", source=before))
    compare.rest()
    assert [name for _, name, _ in panes()] == ["study", "second restored"]


def test_the_original_is_the_one_that_the_result_was_made_from(compare):
    compare.study()
    compare.choose(inputVolume=compare.volume("another study"))
    compare.press("sideBySide")
    assert panes()[0][1] == "study"


def test_an_original_of_another_size_is_none(compare):
    """Ids are given anew when a scene is added to another: the one that a result names may be another volume's."""
    import slicer

    before, _, _ = compare.study()
    compare.choose(inputVolume=compare.volume("another study", shape=(2, 10, 10)))
    slicer.mrmlScene.RemoveNode(before)
    compare.rest()
    assert not compare.ui.sideBySideButton.enabled
    assert "choose it as the input" in compare.ui.sideBySideButton.toolTip
    compare.choose(inputVolume=compare.volume("the study loaded again"))
    assert compare.ui.sideBySideButton.enabled


def test_without_a_result_the_buttons_say_what_to_do(compare):
    for button in (compare.ui.sideBySideButton, compare.ui.removedButton, compare.ui.fadeButton):
        assert not button.enabled
        assert button.toolTip.startswith("Restore a volume first")


def test_without_the_removed_part_its_button_says_how_to_keep_it(compare):
    compare.study(removed=False)
    assert compare.ui.sideBySideButton.enabled
    assert not compare.ui.removedButton.enabled
    assert "Keep the removed part" in compare.ui.removedButton.toolTip


def test_a_new_result_appears_where_its_original_is_on_show(compare):

    compare.study()
    other = compare.volume("other")
    composite("Red").SetBackgroundVolumeID(other.GetID())
    compare.user.panel.views.showResult()
    assert sorted(name for _, name, _ in panes()) == ["other", "study restored", "study restored"]


def test_a_new_result_appears_in_the_comparison_that_is_on(compare):
    before, _, _ = compare.study()
    compare.press("sideBySide")
    compare.choose(lastOutput=compare.volume("second restored", source=before))
    assert [name for _, name, _ in panes()] == ["study", "second restored"]


def test_without_a_main_window_it_says_so(compare, monkeypatch):
    import slicer

    monkeypatch.setattr(type(slicer.app), "layoutManager", lambda self: None)
    compare.study()
    for button in (compare.ui.sideBySideButton, compare.ui.removedButton, compare.ui.fadeButton):
        assert not button.enabled
        assert "no views to compare in" in button.toolTip


def test_the_frames_of_a_restored_sequence_are_compared_with_those_of_the_original(compare):
    frames = [np.random.default_rng(k).normal(100, 20, (1, 20, 30)).astype(np.float32) for k in range(3)]
    (cine, _), (restored, browser) = (add_cine(frames, name) for name in ("cine", "cine restored"))
    as_result(restored, cine)
    compare.choose(lastOutput=restored)
    compare.press("sideBySide")
    shown = [cine.GetName(), restored.GetName()]
    assert [name for _, name, _ in panes()] == shown
    select_frame(browser, 2)
    compare.rest()
    assert [name for _, name, _ in panes()] == shown


# Which result, and where


def test_removed_parts_are_no_results(compare):
    from MedRestoreLib.mrml import results

    _, after, removed = compare.study()
    removed.SetAttribute(results.PART, results.REMOVED)
    selector = compare.ui.resultSelector
    assert [selector.nodeFromIndex(index) for index in range(selector.nodeCount())] == [after]


def test_an_earlier_result_finds_its_removed_part(compare):
    before, first, removed = compare.study()
    second = compare.volume("second restored", source=before)
    compare.choose(lastOutput=second)
    assert not compare.ui.removedButton.enabled
    compare.choose(lastOutput=first)
    compare.press("removed")
    assert [name for _, name, _ in panes()] == ["study", "study restored", removed.GetName()]
