"""Compare: before and after beside each other and over each other; and everything given back afterwards."""

import numpy as np
import pytest

from Testing.support.compare_user import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    TILT,
    composite,
    layers_of_all,
    layout,
    panes,
    slice_logic,
    slice_node,
    window,
)

# Side by side


def test_side_by_side_shows_before_and_after(compare):
    compare.study()
    compare.press("sideBySide")
    assert panes() == [("Before", "study", None), ("After", "study restored", None)]
    assert compare.ui.sideBySideButton.checked


def test_three_panes_also_show_what_was_removed(compare):
    compare.study()
    compare.press("removed")
    assert [name for _, name, _ in panes()] == ["study", "study restored", "study removed"]


@pytest.mark.parametrize("axes", [AXIAL, SAGITTAL, CORONAL, TILT @ SAGITTAL, TILT @ AXIAL[:, [1, 0, 2]]])
@pytest.mark.parametrize("shape", [(5, 20, 30), (1, 20, 30)])
@pytest.mark.parametrize("moved", [False, True])
def test_the_panes_lie_in_the_acquired_plane(compare, axes, shape, moved):
    import slicer

    before, after, _ = compare.study(axes=axes, shape=shape)
    if moved:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = TILT @ TILT, (10, 20, 30)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        for volume in (before, after):
            volume.SetAndObserveTransformNodeID(transform.GetID())
        axes = matrix[:3, :3] @ axes
    compare.press("sideBySide")
    from MedRestorePanel.slices import sliceLogics, sliceOnShow

    assert len(sliceLogics()) == 2
    for logic in sliceLogics():
        normal = slicer.util.arrayFromVTKMatrix(logic.GetSliceNode().GetSliceToRAS())[:3, 2]
        assert abs(normal @ axes[:, 2]) == pytest.approx(1, abs=1e-4)
        assert sliceOnShow(logic, before) == shape[0] // 2


def test_a_view_turns_to_the_acquired_plane_however_oblique_that_is(compare):
    """Slicer turns to the nearest plane of the volume, which for one in twenty is another one."""
    import slicer

    from MedRestorePanel.slices import turnToAcquisition

    volume = compare.volume("study")
    view = slice_node("Red")
    rng = np.random.default_rng(0)
    for _ in range(100):
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        matrix = np.eye(4)
        matrix[:3, :3] = axes * [1.0, 1.3, 2.5]
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        turnToAcquisition(view, volume)
        normal = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())[:3, 2]
        assert abs(normal @ axes[:, 2]) == pytest.approx(1, abs=1e-4)


def test_the_slice_that_was_on_show_stays_on_show(compare):
    from MedRestorePanel.slices import showSlice, sliceLogics, sliceOnShow

    before, _, _ = compare.study()
    red = next(logic for logic in sliceLogics() if logic.GetSliceNode().GetLayoutName() == "Red")
    red.GetSliceNode().RotateToVolumePlane(before)
    showSlice(red.GetSliceNode(), before, 4)
    compare.press("sideBySide")
    compare.rest()
    assert [sliceOnShow(logic, before) for logic in sliceLogics()] == [4, 4]
    showSlice(sliceLogics()[0].GetSliceNode(), before, 1)
    compare.press("removed")
    assert [sliceOnShow(logic, before) for logic in sliceLogics()] == [1, 1, 1]


def test_the_panes_are_linked_among_each_other_and_with_no_other_view(compare):
    from MedRestorePanel.slices import sliceLogics

    compare.study()
    others = {logic.GetSliceNode().GetViewGroup() for logic in sliceLogics()}
    compare.press("removed")
    groups = [logic.GetSliceNode().GetViewGroup() for logic in sliceLogics()]
    assert len(set(groups)) == 1
    assert groups[0] not in others
    for logic in sliceLogics():
        assert logic.GetSliceCompositeNode().GetLinkedControl()
        assert logic.GetSliceCompositeNode().GetHotLinkedControl()


def test_scrolling_one_pane_scrolls_the_others(compare):
    """As a mouse does: Slicer's own link logic passes on what changes during an interaction."""
    import slicer

    from MedRestorePanel.slices import showSlice, sliceLogics, sliceOnShow

    links = slicer.vtkMRMLSliceLinkLogic()
    links.SetMRMLScene(slicer.mrmlScene)
    before, _, _ = compare.study()
    compare.press("sideBySide")
    compare.rest()
    first, second = sliceLogics()
    links.SetMRMLScene(None)
    links.SetMRMLScene(slicer.mrmlScene)  # it follows the views that it finds
    first.StartSliceOffsetInteraction()
    showSlice(first.GetSliceNode(), before, 0)
    first.EndSliceOffsetInteraction()
    assert sliceOnShow(second, before) == 0
    links.SetMRMLScene(None)


def test_layouts_are_registered_once_and_leave_those_of_others_alone(compare):
    import slicer

    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    foreign = next(number for number in range(5700, 5800) if not node.IsLayoutDescription(number))
    node.AddLayoutDescription(foreign, "<layout type='horizontal'></layout>")
    compare.study()
    for _ in range(3):
        compare.press("sideBySide")
        compare.press("removed")
        compare.former()
    known = [number for number in range(5700, 5800) if node.IsLayoutDescription(number)]
    ours = [number for number in known if "MedRestore" in node.GetLayoutDescription(number)]
    assert len(ours) == 2
    assert foreign not in ours


def test_a_pane_shows_the_whole_plane_however_late_it_gets_its_place_in_the_window(compare):
    """Slicer gives a view its size when the window is laid out, which may be long after the layout was chosen."""
    from MedRestorePanel.slices import sliceLogics, sliceOnShow

    before, _, _ = compare.study()
    compare.press("sideBySide")
    for size in ((400, 300), (700, 200), (150, 600)):
        for logic in sliceLogics():
            logic.ResizeSliceNode(*size)
        compare.rest()
        for logic in sliceLogics():
            node = logic.GetSliceNode()
            width, height = node.GetFieldOfView()[:2]
            assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
            assert width >= 29.9
            assert height >= 19.9
            assert width < 31 or height < 21, "it fills the pane"
            assert sliceOnShow(logic, before) == 2


def test_a_pane_that_a_person_zoomed_keeps_its_zoom_when_the_window_changes(compare):
    compare.study()
    compare.press("sideBySide")
    node = slice_node("MedRestoreBefore")
    node.SetFieldOfView(6.0, 4.0, 1.0)
    logic = slice_logic("MedRestoreBefore")
    logic.ResizeSliceNode(640, 320)
    compare.rest()
    assert node.GetFieldOfView()[1] == pytest.approx(4.0)


def test_the_names_of_the_panes_stay_readable(compare):
    import slicer

    compare.study()
    compare.press("removed")
    for name in ("MedRestoreBefore", "MedRestoreAfter", "MedRestoreRemoved"):
        (label,) = slicer.util.findChildren(slicer.app.layoutManager().sliceWidget(name), "ViewLabel")
        assert label.text
        assert label.minimumWidth >= label.sizeHint.width()


@pytest.mark.parametrize(("width", "kind"), [(1400, "horizontal"), (900, "vertical")])
def test_in_a_narrow_window_the_removed_part_lies_below_the_others(compare, width, kind):
    import slicer

    compare.study()
    slicer.app.layoutManager().viewport().resize(width, 800)
    compare.press("removed")
    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    assert node.GetCurrentLayoutDescription().startswith(f'<layout type="{kind}">')
    assert len(panes()) == 3
    slicer.app.layoutManager().viewport().resize(1400, 900)


# Fade


def test_fade_lays_the_restored_volume_over_the_original_in_the_present_layout(compare):
    compare.study()
    present = layout()
    compare.choose(fade=0.3)
    compare.press("fade")
    assert layout() == present
    assert {names[1:] for names in panes()} == {("study", "study restored")}
    assert {layers[2] for layers in layers_of_all().values()} == {0.3}
    compare.choose(fade=0.75)
    assert {layers[2] for layers in layers_of_all().values()} == {0.75}


def test_fading_leaves_a_view_alone_where_a_person_chose_another_volume(compare):

    compare.study()
    other = compare.volume("other")
    compare.press("fade")
    red = composite("Red")
    red.SetForegroundVolumeID(other.GetID())
    red.SetForegroundOpacity(0.5)
    compare.choose(fade=0.1)
    assert red.GetForegroundOpacity() == 0.5
    compare.former()
    assert (red.GetForegroundVolumeID(), red.GetForegroundOpacity()) == (other.GetID(), 0.5)


def test_fade_from_side_by_side_goes_back_to_the_former_layout(compare):
    compare.study()
    former = layout()
    compare.press("sideBySide")
    compare.press("fade")
    assert layout() == former
    assert all(foreground == "study restored" for _, _, foreground in panes())


def test_fade_reaches_the_views_of_a_layout_chosen_later(compare):
    import slicer

    compare.study()
    compare.press("fade")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutTwoOverTwoView)
    compare.rest()
    assert len(panes()) == 4
    assert {names[1:] for names in panes()} == {("study", "study restored")}


# Window and level


@pytest.mark.parametrize("mode", ["sideBySide", "removed", "fade"])
def test_before_and_after_have_one_window_whichever_is_changed(compare, mode):
    before, after, removed = compare.study()
    before.GetDisplayNode().AutoWindowLevelOff()
    before.GetDisplayNode().SetWindowLevel(50, 90)
    after.GetDisplayNode().AutoWindowLevelOn()
    removed.GetDisplayNode().AutoWindowLevelOff()
    removed.GetDisplayNode().SetWindowLevel(8, 0)
    compare.press(mode)
    assert window(after) == (50, 90)
    after.GetDisplayNode().SetWindowLevel(30, 110)
    assert window(before) == (30, 110)
    before.GetDisplayNode().SetWindowLevel(20, 105)
    assert window(after) == (20, 105)
    before.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeRed")
    assert after.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeRed"
    assert window(removed) == (8, 0)


def test_after_comparing_each_volume_has_its_own_window_again(compare):
    before, after, _ = compare.study()
    before.GetDisplayNode().AutoWindowLevelOff()
    compare.press("sideBySide")
    compare.former()
    shared = window(after)
    before.GetDisplayNode().SetWindowLevel(20, 105)
    assert window(before) == (20, 105) != shared
    assert window(after) == shared
