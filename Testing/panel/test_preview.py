"""The preview: the slice on show, restored in place by a real worker; and nothing of it left behind."""

import numpy as np
import pytest

from Testing.support.preview_section import SAGITTAL, SHAPE, bench_fixture, ras, worker_fixture  # noqa: F401  (fixtures)  # noqa: F401  (fixtures)

# What is on show


def test_the_slice_on_show_is_what_the_whole_restoration_has_there(bench):
    import slicer

    import MedRestoreLib as mr
    from MedRestoreLib import mrml
    from MedRestorePanel.slices import sliceOnShow

    node = bench.start()
    index = sliceOnShow(bench.logic(), node)
    whole = mr.restore(mrml.image_of(node), **bench.study.edits()).image.voxels[0]
    shown = slicer.util.arrayFromVolume(bench.layers())
    assert shown.shape == (1, *SHAPE[1:])
    np.testing.assert_allclose(shown[0], whole[index], atol=1e-3)
    assert np.std(shown) < np.std(slicer.util.arrayFromVolume(node)[index])


@pytest.mark.parametrize("moved", [False, True])
def test_the_preview_lies_exactly_over_the_original(bench, moved):
    import slicer

    if moved:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:3, 3] = (4, 5, 6)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        node = bench.volume()
        node.SetAndObserveTransformNodeID(transform.GetID())
        bench.show(node)
        bench.parameters.inputVolume, bench.parameters.preview = node, True
        bench.wait()
    else:
        node = bench.start()
    bench.scroll(4)
    bench.wait()
    preview = bench.layers()
    for i, j in ((0, 0), (47, 0), (0, 39)):
        np.testing.assert_allclose(ras(preview, i, j, 0), ras(node, i, j, 4), atol=1e-9)
    assert preview.GetTransformNodeID() == node.GetTransformNodeID()
    assert bench.logic().GetSliceCompositeNode().GetForegroundOpacity() == 1.0


def test_the_view_draws_the_restored_slice(bench):
    bench.start()

    def roughness():
        return np.abs(np.diff(bench.picture(), axis=1)).mean()

    restored = roughness()
    bench.parameters.preview = False
    assert restored < 0.7 * roughness()


def test_only_the_view_in_the_acquired_plane_shows_it(bench):
    bench.start()
    assert bench.layers("Yellow") is not None
    assert bench.layers("Red") is None
    assert bench.layers("Green") is None


def test_a_view_on_another_slice_does_not_show_it(bench):
    from MedRestorePanel.slices import showSlice, turnToAcquisition

    node = bench.volume()
    red = bench.logic("Red").GetSliceNode()
    turnToAcquisition(red, node)
    showSlice(red, node, 5)
    bench.parameters.inputVolume = node
    bench.scroll(1)
    bench.parameters.preview = True
    bench.wait(view="Red")
    assert bench.layers("Yellow") is None
    np.testing.assert_allclose(ras(bench.layers("Red"), 0, 0, 0), ras(node, 0, 0, 5), atol=1e-9)


def test_it_looks_like_the_original_and_follows_its_window(bench):
    node = bench.volume()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(120, 90)
    node.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeWarm1")
    node.GetDisplayNode().SetInterpolate(0)
    bench.parameters.inputVolume, bench.parameters.preview = node, True
    bench.wait()
    display = bench.layers().GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetInterpolate()) == (120, 90, 0)
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeWarm1"
    node.GetDisplayNode().SetWindowLevel(60, 100)
    assert (display.GetWindow(), display.GetLevel()) == (60, 100)
    display.SetWindowLevel(70, 110)  # the mouse changes the foreground
    assert (node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()) == (70, 110)


def test_colour_frames_stay_colour(bench):
    import slicer

    bench.start(shape=(1, 40, 48, 3), dtype=np.uint8)
    shown = bench.layers()
    assert shown.GetClassName() == "vtkMRMLVectorVolumeNode"
    assert slicer.util.arrayFromVolume(shown).shape == (1, 40, 48, 3)
    assert slicer.util.arrayFromVolume(shown).dtype == np.uint8


def test_outside_the_mask_the_preview_is_the_original(bench):
    import slicer

    node = bench.volume()
    inside = np.zeros(SHAPE, np.uint8)
    inside[:, 10:30, 12:36] = 1
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
    segment = segmentation.GetSegmentation().AddEmptySegment("", "Organ")
    slicer.util.updateSegmentBinaryLabelmapFromArray(inside, segmentation, segment, node)
    bench.parameters.maskSegmentation, bench.parameters.maskSegment = segmentation, segment
    bench.parameters.inputVolume, bench.parameters.preview = node, True
    bench.wait()
    from MedRestorePanel.slices import sliceOnShow

    before = slicer.util.arrayFromVolume(node)[sliceOnShow(bench.logic(), node)]
    after = slicer.util.arrayFromVolume(bench.layers())[0]
    np.testing.assert_allclose(after[inside[0] == 0], before[inside[0] == 0], atol=1e-3)
    assert np.abs(after - before)[15:25, 18:30].mean() > 1


def test_of_a_sequence_the_frame_on_show_is_previewed(bench):
    import slicer

    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    for frame in range(3):
        volume = bench.volume(shape=(1, 40, 48), shown=False)
        slicer.util.arrayFromVolume(volume)[:] += 1000 * frame
        sequence.SetDataNodeAtValue(volume, str(frame))
        slicer.mrmlScene.RemoveNode(volume)
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(sequence)
    bench.show(proxy)
    bench.parameters.wholeSequence = True
    bench.parameters.inputVolume, bench.parameters.preview = proxy, True
    bench.wait()
    assert slicer.util.arrayFromVolume(bench.layers()).mean() == pytest.approx(125, abs=15)
    browser.SetSelectedItemNumber(2)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    assert bench.layers() is None, "the old frame's preview covers the new frame"
    bench.wait()
    assert slicer.util.arrayFromVolume(bench.layers()).mean() == pytest.approx(2125, abs=15)


# Following


def test_many_changes_in_a_row_are_one_request(bench):
    bench.start()
    for strength in np.linspace(0.1, 0.9, 30):
        bench.parameters.strength = float(strength)
    bench.wait()
    assert len(bench.asked) == 2


def test_changes_that_do_not_change_the_picture_ask_nothing(bench):
    from Testing import host

    bench.start()
    bench.parameters.Modified()
    bench.logic().GetSliceNode().SetFieldOfView(50, 50, 1)
    host.process_events(0.5)
    assert len(bench.asked) == 1


def test_a_request_that_is_no_longer_wanted_is_cancelled(bench, worker):
    import os
    import signal

    import slicer

    from MedRestorePanel.slices import sliceOnShow
    from Testing import host

    node = bench.start()
    os.kill(worker.pid, signal.SIGSTOP)  # as if it were slow
    bench.parameters.strength = 0.5
    host.wait_until(lambda: len(bench.asked) == 2)
    bench.parameters.strength = 0.0
    os.kill(worker.pid, signal.SIGCONT)
    bench.wait()
    assert bench.cancelled == [bench.asked[1]]
    original = slicer.util.arrayFromVolume(node)[sliceOnShow(bench.logic(), node)]
    np.testing.assert_allclose(slicer.util.arrayFromVolume(bench.layers())[0], original, atol=1e-3)


def test_it_follows_the_slice_on_show(bench):
    import slicer

    node = bench.start()
    for index in (0, 5, 2):
        bench.scroll(index)
        assert bench.layers() is None
        bench.wait()
        np.testing.assert_allclose(ras(bench.layers(), 0, 0, 0), ras(node, 0, 0, index), atol=1e-9)
        assert len(slicer.util.getNodes("MedRestore preview*")) == 1


def test_it_follows_a_view_that_is_turned_into_the_plane(bench):
    import slicer

    node = bench.volume(axes=SAGITTAL @ np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]))
    bench.parameters.inputVolume, bench.parameters.preview = node, True
    bench.wait(shown=False)
    assert "No slice view shows the input" in bench.text
    from MedRestorePanel.slices import turnToAcquisition

    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpYellowSliceView)
    turnToAcquisition(bench.logic().GetSliceNode(), node)
    bench.show(node)
    bench.wait()
