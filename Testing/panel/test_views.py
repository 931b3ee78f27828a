"""Compare: before and after beside each other and over each other; and everything given back afterwards."""

import numpy as np
import pytest

from Testing.support.compare_section import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    TILT,
    bench_fixture,  # noqa: F401  (fixtures)
    layers_of_all,
    layout,
    panes,
    window,
)

# Side by side


def test_side_by_side_shows_before_and_after(bench):
    bench.study()
    bench.ui.sideBySideButton.click()
    assert panes() == [("Before", "study", None), ("After", "study restored", None)]
    assert bench.ui.sideBySideButton.checked


def test_three_panes_also_show_what_was_removed(bench):
    bench.study()
    bench.ui.removedButton.click()
    assert [name for _, name, _ in panes()] == ["study", "study restored", "study removed"]


@pytest.mark.parametrize("axes", [AXIAL, SAGITTAL, CORONAL, TILT @ SAGITTAL, TILT @ AXIAL[:, [1, 0, 2]]])
@pytest.mark.parametrize("shape", [(5, 20, 30), (1, 20, 30)])
@pytest.mark.parametrize("moved", [False, True])
def test_the_panes_lie_in_the_acquired_plane(bench, axes, shape, moved):
    import slicer

    before, after, _ = bench.study(axes=axes, shape=shape)
    if moved:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = TILT @ TILT, (10, 20, 30)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        for volume in (before, after):
            volume.SetAndObserveTransformNodeID(transform.GetID())
        axes = matrix[:3, :3] @ axes
    assert bench.views.show("sideBySide")
    from MedRestorePanel.slices import sliceLogics, sliceOnShow

    assert len(sliceLogics()) == 2
    for logic in sliceLogics():
        normal = slicer.util.arrayFromVTKMatrix(logic.GetSliceNode().GetSliceToRAS())[:3, 2]
        assert abs(normal @ axes[:, 2]) == pytest.approx(1, abs=1e-4)
        assert sliceOnShow(logic, before) == shape[0] // 2


def test_a_view_turns_to_the_acquired_plane_however_oblique_that_is(bench):
    """Slicer turns to the nearest plane of the volume, which for one in twenty is another one."""
    import slicer

    from MedRestorePanel.slices import turnToAcquisition

    volume = bench.volume("study")
    view = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    rng = np.random.default_rng(0)
    for _ in range(100):
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        matrix = np.eye(4)
        matrix[:3, :3] = axes * [1.0, 1.3, 2.5]
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        turnToAcquisition(view, volume)
        normal = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())[:3, 2]
        assert abs(normal @ axes[:, 2]) == pytest.approx(1, abs=1e-4)


def test_the_slice_that_was_on_show_stays_on_show(bench):
    from MedRestorePanel.slices import showSlice, sliceLogics, sliceOnShow

    before, _, _ = bench.study()
    red = next(logic for logic in sliceLogics() if logic.GetSliceNode().GetLayoutName() == "Red")
    red.GetSliceNode().RotateToVolumePlane(before)
    showSlice(red.GetSliceNode(), before, 4)
    bench.views.show("sideBySide")
    bench.settle()
    assert [sliceOnShow(logic, before) for logic in sliceLogics()] == [4, 4]
    showSlice(sliceLogics()[0].GetSliceNode(), before, 1)
    bench.views.show("removed")
    assert [sliceOnShow(logic, before) for logic in sliceLogics()] == [1, 1, 1]


def test_the_panes_are_linked_among_each_other_and_with_no_other_view(bench):
    from MedRestorePanel.slices import sliceLogics

    bench.study()
    others = {logic.GetSliceNode().GetViewGroup() for logic in sliceLogics()}
    bench.views.show("removed")
    groups = [logic.GetSliceNode().GetViewGroup() for logic in sliceLogics()]
    assert len(set(groups)) == 1
    assert groups[0] not in others
    for logic in sliceLogics():
        assert logic.GetSliceCompositeNode().GetLinkedControl()
        assert logic.GetSliceCompositeNode().GetHotLinkedControl()


def test_scrolling_one_pane_scrolls_the_others(bench):
    """As a mouse does: Slicer's own link logic passes on what changes during an interaction."""
    import slicer

    from MedRestorePanel.slices import showSlice, sliceLogics, sliceOnShow

    links = slicer.vtkMRMLSliceLinkLogic()
    links.SetMRMLScene(slicer.mrmlScene)
    before, _, _ = bench.study()
    bench.views.show("sideBySide")
    bench.settle()
    first, second = sliceLogics()
    links.SetMRMLScene(None)
    links.SetMRMLScene(slicer.mrmlScene)  # it follows the views that it finds
    first.StartSliceOffsetInteraction()
    showSlice(first.GetSliceNode(), before, 0)
    first.EndSliceOffsetInteraction()
    assert sliceOnShow(second, before) == 0
    links.SetMRMLScene(None)


def test_layouts_are_registered_once_and_leave_those_of_others_alone(bench):
    import slicer

    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    node.AddLayoutDescription(5700, "<layout type='horizontal'></layout>")
    bench.study()
    for _ in range(3):
        bench.views.show("sideBySide")
        bench.views.show("removed")
        bench.views.former()
    ours = [number for number in range(5700, 5800) if node.IsLayoutDescription(number)]
    assert ours == [5700, 5701, 5702]
    assert "MedRestore" not in node.GetLayoutDescription(5700)


# Fade


def test_fade_lays_the_restored_volume_over_the_original_in_the_present_layout(bench):
    bench.study()
    present = layout()
    bench.parameters.fade = 0.3
    bench.ui.fadeButton.click()
    assert layout() == present
    assert {names[1:] for names in panes()} == {("study", "study restored")}
    assert {layers[2] for layers in layers_of_all().values()} == {0.3}
    bench.parameters.fade = 0.75
    assert {layers[2] for layers in layers_of_all().values()} == {0.75}


def test_fading_leaves_a_view_alone_where_a_person_chose_another_volume(bench):
    import slicer

    bench.study()
    other = bench.volume("other")
    bench.views.show("fade")
    red = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    red.SetForegroundVolumeID(other.GetID())
    red.SetForegroundOpacity(0.5)
    bench.parameters.fade = 0.1
    assert red.GetForegroundOpacity() == 0.5
    bench.views.former()
    assert (red.GetForegroundVolumeID(), red.GetForegroundOpacity()) == (other.GetID(), 0.5)


def test_fade_from_side_by_side_goes_back_to_the_former_layout(bench):
    bench.study()
    former = layout()
    bench.views.show("sideBySide")
    bench.views.show("fade")
    assert layout() == former
    assert all(foreground == "study restored" for _, _, foreground in panes())


def test_fade_reaches_the_views_of_a_layout_chosen_later(bench):
    import slicer

    bench.study()
    bench.views.show("fade")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutTwoOverTwoView)
    bench.settle()
    assert len(panes()) == 4
    assert {names[1:] for names in panes()} == {("study", "study restored")}


# Window and level


@pytest.mark.parametrize("mode", ["sideBySide", "removed", "fade"])
def test_before_and_after_have_one_window_whichever_is_changed(bench, mode):
    before, after, removed = bench.study()
    before.GetDisplayNode().AutoWindowLevelOff()
    before.GetDisplayNode().SetWindowLevel(50, 90)
    after.GetDisplayNode().AutoWindowLevelOn()
    removed.GetDisplayNode().AutoWindowLevelOff()
    removed.GetDisplayNode().SetWindowLevel(8, 0)
    bench.views.show(mode)
    assert window(after) == (50, 90)
    after.GetDisplayNode().SetWindowLevel(30, 110)
    assert window(before) == (30, 110)
    before.GetDisplayNode().SetWindowLevel(20, 105)
    assert window(after) == (20, 105)
    before.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeRed")
    assert after.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeRed"
    assert window(removed) == (8, 0)


def test_after_comparing_each_volume_has_its_own_window_again(bench):
    before, after, _ = bench.study()
    before.GetDisplayNode().AutoWindowLevelOff()
    bench.views.show("sideBySide")
    bench.views.former()
    shared = window(after)
    before.GetDisplayNode().SetWindowLevel(20, 105)
    assert window(before) == (20, 105) != shared
    assert window(after) == shared
