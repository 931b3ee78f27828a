"""The preview: the slice on show, restored in place by a real worker."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from Testing.support.compare_user import SAGITTAL, slice_node
from Testing.support.panel_user import add_cine, add_segment, select_frame, show
from Testing.support.preview_user import LEVEL, SHAPE, place

# What is on show


def test_the_slice_on_show_is_what_the_whole_restoration_has_there(preview):
    import slicer

    import MedRestoreLib as mr
    from MedRestoreLib import mrml

    node = preview.start()
    whole = mr.restore(mrml.image_of(node), method="adf", noise="gaussian", level=LEVEL).image.voxels[0]
    shown = slicer.util.arrayFromVolume(preview.layer())
    assert shown.shape == (1, *SHAPE[1:])
    np.testing.assert_allclose(shown[0], whole[preview.slice()], atol=1e-3)
    assert np.std(shown) < np.std(slicer.util.arrayFromVolume(node)[preview.slice()])


@pytest.mark.parametrize("moved", [False, True])
def test_the_preview_lies_exactly_over_the_original(preview, moved):
    import slicer

    node = preview.volume(shown=not moved)
    if moved:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, 3] = (4, 5, 6)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        node.SetAndObserveTransformNodeID(transform.GetID())
        show(node)
    preview.open(node)
    preview.switch_on()
    preview.scroll(4)
    preview.wait()
    layer = preview.layer()
    for i, j in ((0, 0), (47, 0), (0, 39)):
        np.testing.assert_allclose(place(layer, i, j, 0), place(node, i, j, 4), atol=1e-9)
    assert layer.GetTransformNodeID() == node.GetTransformNodeID()
    assert preview.logic().GetSliceCompositeNode().GetForegroundOpacity() == 1.0


def test_the_view_draws_the_restored_slice(preview):
    preview.start()

    def roughness():
        return np.abs(np.diff(preview.picture(), axis=1)).mean()

    restored = roughness()
    preview.choose(preview=False)
    assert restored < 0.7 * roughness()


def test_only_the_view_in_the_acquired_plane_shows_it(preview):
    preview.start()
    assert preview.layer("Yellow") is not None
    assert preview.layer("Red") is None
    assert preview.layer("Green") is None


def test_in_three_dimensions_a_glance_comes_first_and_the_exact_slice_follows(preview):
    node = preview.volume(shape=(24, 32, 32))
    preview.user.open(node, method="odct3d", level=LEVEL)
    seen = []
    blend = preview.user.panel.preview._blend

    def noted():
        blend()
        seen.append(slicer_array(preview.layer("Yellow") or preview.user.panel.preview._node).copy())

    preview.user.panel.preview._blend = noted
    preview.switch_on()
    del preview.user.panel.preview._blend
    assert [request.do for request in preview.asked] == ["glance", "preview"]
    assert len(seen) == 2
    glance, exact = seen
    assert 0 < np.abs(glance - exact).mean() < 0.3 * np.abs(exact - original(node, preview.slice())).mean()
    preview.choose(strength=0.5)
    assert len(preview.asked) == 2, "a blend asks nobody"


def slicer_array(node):
    import slicer

    return slicer.util.arrayFromVolume(node)[0]


def original(node, number):
    import slicer

    return slicer.util.arrayFromVolume(node)[number].astype(float)


def test_a_view_on_another_slice_does_not_show_it(preview):
    from MedRestorePanel.slices import showSlice, turnToAcquisition

    node = preview.volume()
    preview.open(node)
    red = slice_node("Red")
    turnToAcquisition(red, node)
    showSlice(red, node, 5)
    preview.scroll(1)
    preview.switch_on(view="Red")
    assert preview.layer("Yellow") is None
    np.testing.assert_allclose(place(preview.layer("Red"), 0, 0, 0), place(node, 0, 0, 5), atol=1e-9)


def test_it_looks_like_the_original_and_follows_its_window(preview):
    node = preview.volume()
    own = node.GetDisplayNode()
    own.AutoWindowLevelOff()
    own.SetWindowLevel(120, 90)
    own.SetAndObserveColorNodeID("vtkMRMLColorTableNodeWarm1")
    own.SetInterpolate(0)
    preview.open(node)
    preview.switch_on()
    display = preview.layer().GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetInterpolate()) == (120, 90, 0)
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeWarm1"
    own.SetWindowLevel(60, 100)
    assert (display.GetWindow(), display.GetLevel()) == (60, 100)
    display.SetWindowLevel(70, 110)  # the mouse changes the foreground
    assert (own.GetWindow(), own.GetLevel()) == (70, 110)


def test_colour_frames_stay_colour(preview):
    import slicer

    preview.start(shape=(1, 40, 48, 3), dtype=np.uint8)
    shown = preview.layer()
    assert shown.GetClassName() == "vtkMRMLVectorVolumeNode"
    assert slicer.util.arrayFromVolume(shown).shape == (1, 40, 48, 3)
    assert slicer.util.arrayFromVolume(shown).dtype == np.uint8


def test_outside_the_mask_the_preview_is_the_original(preview):
    import slicer

    node = preview.volume()
    inside = np.zeros(SHAPE, bool)
    inside[:, 10:30, 12:36] = True
    segmentation, segment = add_segment(node, inside)
    preview.open(node, maskSegmentation=segmentation)
    preview.choose(maskSegment=segment)
    preview.switch_on()
    before = slicer.util.arrayFromVolume(node)[preview.slice()]
    after = slicer.util.arrayFromVolume(preview.layer())[0]
    np.testing.assert_allclose(after[~inside[0]], before[~inside[0]], atol=1e-3)
    assert np.abs(after - before)[15:25, 18:30].mean() > 1


def test_of_a_sequence_the_frame_on_show_is_previewed(preview):
    import slicer

    frames = [np.random.default_rng(k).normal(125 + 1000 * k, 15, (1, 40, 48)).astype(np.float32) for k in range(3)]
    shown, browser = add_cine(frames, modality="CT")
    show(shown)
    preview.open(shown)
    preview.switch_on(view="Red")
    assert slicer.util.arrayFromVolume(preview.layer("Red")).mean() == pytest.approx(125, abs=15)
    select_frame(browser, 2)
    assert preview.layer("Red") is None, "the old frame's preview covers the new frame"
    preview.wait(view="Red")
    assert slicer.util.arrayFromVolume(preview.layer("Red")).mean() == pytest.approx(2125, abs=15)


# Following


def test_many_changes_in_a_row_are_one_request(preview):
    preview.start()
    for level in np.linspace(5.0, 30.0, 30):
        preview.ui.levelSlider.value = float(level)
    preview.wait()
    assert len(preview.asked) == 2


def test_changes_that_do_not_change_the_picture_ask_nothing(preview):
    preview.start()
    preview.p.Modified()
    preview.logic().GetSliceNode().SetFieldOfView(50, 50, 1)
    preview.user.rest(0.5)
    assert len(preview.asked) == 1


def test_a_request_that_is_no_longer_wanted_is_cancelled(preview):
    preview.start()
    worker = preview.user.panel.workers.first
    os.kill(worker.pid, signal.SIGSTOP)  # as if it were slow
    preview.choose(level=10.0)
    preview.user.wait(lambda: len(preview.asked) == 2)
    preview.choose(level=30.0)
    os.kill(worker.pid, signal.SIGCONT)
    preview.wait()
    assert preview.cancelled == [preview.asked[1]]


def test_it_follows_the_slice_on_show(preview):
    import slicer

    node = preview.start()
    for index in (0, 5, 2):
        preview.scroll(index)
        assert preview.layer() is None
        preview.wait()
        np.testing.assert_allclose(place(preview.layer(), 0, 0, 0), place(node, 0, 0, index), atol=1e-9)
        assert len(slicer.util.getNodes("MedRestore preview*")) == 1


def test_another_strength_is_a_blend_that_asks_nobody(preview):
    import slicer

    node = preview.start()
    original = slicer.util.arrayFromVolume(node)[preview.slice()].copy()
    full = slicer.util.arrayFromVolume(preview.layer())[0].copy()
    for strength in (0.5, 0.0, 0.25):
        preview.choose(strength=strength)
        shown = slicer.util.arrayFromVolume(preview.layer())[0]
        np.testing.assert_allclose(shown, original + strength * (full - original), atol=1e-3)
    assert len(preview.asked) == 1


def test_a_blend_is_what_the_whole_restoration_of_that_strength_has(preview):
    import slicer

    import MedRestoreLib as mr
    from MedRestoreLib import mrml

    node = preview.volume()
    preview.open(node)
    preview.choose(strength=0.3)
    preview.switch_on()
    image = mrml.image_of(node)
    whole = mr.restore(image, method="adf", noise="gaussian", level=LEVEL, strength=0.3).image.voxels[0]
    np.testing.assert_allclose(slicer.util.arrayFromVolume(preview.layer())[0], whole[preview.slice()], atol=1e-3)


OBLIQUE = SAGITTAL @ np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])


@pytest.mark.parametrize("axes", [SAGITTAL, OBLIQUE])
def test_a_study_that_no_view_shows_is_shown_in_its_plane(preview, axes):
    node = preview.volume(axes=axes, shown=False)
    preview.open(node)
    assert preview.slice() is not None
    preview.switch_on()


def test_a_view_that_a_person_turned_away_is_left_alone_and_said(preview):
    import slicer

    preview.start(axes=OBLIQUE)
    slice_node("Yellow").SetOrientation("Axial")
    preview.wait(shown=False)
    assert "No slice view shows the input" in preview.text
    assert slice_node("Yellow").GetOrientation() == "Axial"
    from MedRestorePanel.slices import turnToAcquisition

    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpYellowSliceView)
    turnToAcquisition(slice_node("Yellow"), preview.p.inputVolume)
    preview.wait()
