"""Comparing before and after: the way back, and which volumes are compared."""

import pytest

from Testing.support.compare_section import (
    bench_fixture,  # noqa: F401  (fixtures)
    layers_of_all,
    layout,
    panes,
    window,
)

# The way back


@pytest.mark.parametrize("modes", [["sideBySide"], ["removed"], ["fade"], ["sideBySide", "fade", "removed", "fade"]])
def test_one_click_gives_layout_layers_and_crosshair_back(bench, modes):
    import slicer

    before, _, _ = bench.study()
    other = bench.volume("other")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    slicer.util.setSliceViewerLayers(background=other, foreground=before, foregroundOpacity=0.4)
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairMode(crosshair.ShowHashmarks)
    former = layout(), layers_of_all(), crosshair.GetCrosshairMode(), crosshair.GetCrosshairBehavior()
    for mode in modes:
        bench.views.show(mode)
        bench.settle()
    assert layout() != former[0] or layers_of_all() != former[1]
    bench.ui.formerLayoutButton.click()
    bench.settle()
    assert (layout(), layers_of_all(), crosshair.GetCrosshairMode(), crosshair.GetCrosshairBehavior()) == former
    assert bench.views.mode == ""
    assert not bench.ui.formerLayoutButton.enabled


def test_the_cursor_is_shown_in_all_panes(bench):
    import slicer

    bench.study()
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    bench.views.show("sideBySide")
    assert crosshair.GetCrosshairMode() == crosshair.ShowBasic
    assert crosshair.GetCrosshairBehavior() == crosshair.OffsetJumpSlice


@pytest.mark.parametrize("mode", ["sideBySide", "removed", "fade"])
def test_comparing_ends_the_preview(bench, mode):
    bench.study()
    bench.parameters.preview = True
    bench.views.show(mode)
    assert bench.parameters.preview is False


def test_the_button_of_what_is_on_show_leads_back_too(bench):
    bench.study()
    former = layout()
    bench.ui.sideBySideButton.click()
    bench.ui.sideBySideButton.click()
    assert layout() == former
    assert not bench.ui.sideBySideButton.checked


def test_a_layout_that_the_user_chooses_meanwhile_stays(bench):
    import slicer

    before, after, _ = bench.study()
    before.GetDisplayNode().AutoWindowLevelOff()
    bench.views.show("sideBySide")
    chosen = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpYellowSliceView
    slicer.app.layoutManager().setLayout(chosen)
    bench.settle()
    assert (layout(), bench.views.mode) == (chosen, "")
    assert not bench.ui.sideBySideButton.checked
    before.GetDisplayNode().SetWindowLevel(20, 105)
    assert window(after) != (20, 105)
    bench.views.former()
    assert layout() == chosen


@pytest.mark.parametrize("mode", ["sideBySide", "removed", "fade"])
@pytest.mark.parametrize("victim", [0, 1])
def test_deleting_a_compared_volume_ends_the_comparison(bench, mode, victim):
    import slicer

    volumes = bench.study()
    former = layout()
    bench.views.show(mode)
    slicer.mrmlScene.RemoveNode(volumes[victim])
    bench.settle()
    assert (layout(), bench.views.mode) == (former, "")
    assert all(foreground is None for _, _, foreground in panes())


def test_deleting_the_removed_part_leaves_the_other_two(bench):
    import slicer

    _, _, removed = bench.study()
    bench.views.show("removed")
    slicer.mrmlScene.RemoveNode(removed)
    bench.settle()
    assert [name for _, name, _ in panes()] == ["study", "study restored"]


def test_former_layers_whose_volume_is_gone_are_left_empty(bench):
    import slicer

    bench.study()
    other = bench.volume("other")
    slicer.util.setSliceViewerLayers(foreground=other, foregroundOpacity=0.4)
    bench.views.show("fade")
    slicer.mrmlScene.RemoveNode(other)
    bench.views.former()
    assert {names[1:] for names in panes()} == {("study", None)}


def test_closing_the_scene_gives_the_layout_back(bench):
    import slicer

    bench.study()
    former = layout()
    bench.views.show("sideBySide")
    tag = slicer.mrmlScene.AddObserver(
        slicer.mrmlScene.StartCloseEvent, lambda caller, event: bench.views.setParameterNode(None)
    )
    slicer.mrmlScene.Clear(0)
    bench.settle()
    slicer.mrmlScene.RemoveObserver(tag)
    assert (layout(), bench.views.mode) == (former, "")


def test_our_layout_in_a_loaded_scene_can_be_left(bench):
    """A scene saved while comparing comes back with our layout, and with nobody who remembers the one before."""
    import slicer

    bench.study()
    bench.views.show("sideBySide")
    ours = layout()
    bench.views.former()
    slicer.app.layoutManager().setLayout(ours)
    bench.views.update()
    bench.ui.formerLayoutButton.click()
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


# What is chosen


def test_another_result_takes_the_place_of_the_one_on_show(bench):
    before, _, _ = bench.study()
    bench.views.show("removed")
    bench.parameters.lastOutput = bench.volume("second restored", source=before)
    bench.settle()
    assert [name for _, name, _ in panes()] == ["study", "second restored", "study removed"]


def test_the_original_is_the_one_that_the_result_was_made_from(bench):
    bench.study()
    bench.parameters.inputVolume = bench.volume("another study")
    assert bench.views.volumes()[0].GetName() == "study"


def test_an_original_of_another_size_is_none(bench):
    """Ids are given anew when a scene is added to another: the one that a result names may be another volume's."""
    import slicer

    before, _, _ = bench.study()
    bench.parameters.inputVolume = bench.volume("another study", shape=(2, 10, 10))
    slicer.mrmlScene.RemoveNode(before)
    bench.views.update()
    assert bench.views.volumes()[0] is None
    assert "choose it as the input" in bench.ui.sideBySideButton.toolTip
    bench.parameters.inputVolume = bench.volume("the study loaded again")
    assert bench.ui.sideBySideButton.enabled


def test_the_removed_part_of_another_study_is_not_shown(bench):
    bench.study()
    other = bench.volume("another study")
    bench.parameters.lastOutput = bench.volume("another restored", source=other)
    assert bench.views.volumes()[2] is None
    assert not bench.ui.removedButton.enabled


def test_without_a_result_the_buttons_say_what_to_do(bench):
    bench.views.update()
    for button in (bench.ui.sideBySideButton, bench.ui.removedButton, bench.ui.fadeButton):
        assert not button.enabled
        assert button.toolTip.startswith("Restore a volume first")
    assert not bench.views.show("sideBySide")
    assert bench.errors[-1].startswith("Restore a volume first")


def test_without_the_removed_part_its_button_says_how_to_keep_it(bench):
    bench.study(removed=False)
    assert bench.ui.sideBySideButton.enabled
    assert not bench.ui.removedButton.enabled
    assert "Keep the removed part" in bench.ui.removedButton.toolTip


def test_a_new_result_appears_where_its_original_is_on_show(bench):
    import slicer

    bench.study()
    other = bench.volume("other")
    slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode().SetBackgroundVolumeID(
        other.GetID()
    )
    bench.views.showResult()
    assert sorted(name for _, name, _ in panes()) == ["other", "study restored", "study restored"]


def test_a_new_result_appears_in_the_comparison_that_is_on(bench):
    before, _, _ = bench.study()
    bench.views.show("sideBySide")
    bench.parameters.lastOutput = bench.volume("second restored", source=before)
    bench.views.showResult()
    assert [name for _, name, _ in panes()] == ["study", "second restored"]


def test_without_a_main_window_it_says_so(bench, monkeypatch):
    import slicer

    bench.study()
    monkeypatch.setattr(type(slicer.app), "layoutManager", lambda self: None)
    bench.views.update()
    assert not bench.views.show("sideBySide")
    assert "no views to compare in" in bench.errors[-1]
    bench.views.former()
    bench.views.showResult()


def test_the_frames_of_a_restored_sequence_are_compared_with_those_of_the_original(bench):
    import slicer

    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    proxies = []
    for name in ("cine", "cine restored"):
        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        for frame in range(3):
            volume = bench.volume(f"{name} {frame}")
            if proxies:
                volume.SetAttribute("MedRestore.derivedFrom", browser.GetMasterSequenceNode().GetID())
            sequence.SetDataNodeAtValue(volume, str(frame))
            slicer.mrmlScene.RemoveNode(volume)
        browser.AddSynchronizedSequenceNode(sequence)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        proxies.append(browser.GetProxyNode(sequence))
    bench.parameters.lastOutput = proxies[1]
    assert bench.views.volumes()[:2] == tuple(proxies)
