"""How a preview ends: the way back, and what it says of troubles."""

import pytest

from Testing.support.preview_section import bench_fixture, layers_of_all, nodes_of_scene, worker_fixture  # noqa: F401  (fixtures)  # noqa: F401  (fixtures)

# The way back


@pytest.mark.parametrize("end", ["switched off", "removed", "no parameter node", "cleaned up", "input deselected"])
def test_afterwards_views_and_scene_are_as_before(bench, end):
    import slicer

    node = bench.volume()
    other = bench.volume(shown=False)
    slicer.util.setSliceViewerLayers(foreground=other, foregroundOpacity=0.3)
    bench.parameters.inputVolume = node
    former = nodes_of_scene(), layers_of_all()
    bench.parameters.preview = True
    bench.wait()
    assert (nodes_of_scene(), layers_of_all()) != former
    bench.parameters.strength = 0.5
    bench.wait()
    if end == "switched off":
        bench.parameters.preview = False
    elif end == "removed":
        bench.preview.remove()
        assert not bench.parameters.preview
    elif end == "no parameter node":
        bench.preview.setParameterNode(None)
    elif end == "cleaned up":
        bench.preview.cleanup()
    else:
        bench.parameters.inputVolume = None
    assert (nodes_of_scene(), layers_of_all()) == former


@pytest.mark.parametrize("moment", ["waiting", "asked", "shown"])
def test_deleting_the_input_takes_the_preview_away_at_any_moment(bench, moment):
    import slicer

    from Testing import host

    before = nodes_of_scene()
    node = bench.volume()
    bench.parameters.inputVolume, bench.parameters.preview = node, True
    if moment == "asked":
        host.wait_until(lambda: bench.asked)
    elif moment == "shown":
        bench.wait()
    display = node.GetDisplayNode()
    slicer.mrmlScene.RemoveNode(node)
    slicer.mrmlScene.RemoveNode(display)
    host.process_events(0.6)
    assert nodes_of_scene() == before
    assert all(foreground is None for _, foreground, _ in layers_of_all().values())
    assert bench.text == "Select a volume."


def test_closing_the_scene_takes_the_preview_away(bench):
    import slicer

    from Testing import host

    bench.start()
    tag = slicer.mrmlScene.AddObserver(
        slicer.mrmlScene.StartCloseEvent, lambda caller, event: bench.preview.setParameterNode(None)
    )
    slicer.mrmlScene.Clear(0)
    slicer.mrmlScene.RemoveObserver(tag)
    host.process_events(0.5)
    assert not slicer.util.getNodes("MedRestore preview*")
    assert len(bench.asked) == 1


def test_a_foreground_that_a_person_chose_meanwhile_stays(bench):
    bench.start()
    other = bench.volume(shown=False)
    composite = bench.logic().GetSliceCompositeNode()
    composite.SetForegroundVolumeID(other.GetID())
    composite.SetForegroundOpacity(0.6)
    bench.parameters.preview = False
    assert (composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()) == (other.GetID(), 0.6)


def test_it_is_neither_listed_nor_saved_with_the_scene(bench, tmp_path):
    import slicer

    bench.start()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert bench.layers().GetHideFromEditors()
    assert not hierarchy.GetItemByDataNode(bench.layers())
    path = tmp_path / "scene.mrml"
    slicer.mrmlScene.Commit(str(path))
    text = path.read_text()
    assert "study" in text
    assert "MedRestore preview" not in text
    assert f'id="{bench.layers().GetDisplayNode().GetID()}"' not in text


def test_a_scene_is_saved_with_the_layers_that_were_there_before(bench):
    import slicer

    node = bench.volume()
    bench.parameters.inputVolume = node
    former = layers_of_all()
    bench.parameters.preview = True
    bench.wait()
    slicer.mrmlScene.StartState(slicer.mrmlScene.SaveState)
    assert layers_of_all() == former
    slicer.mrmlScene.EndState(slicer.mrmlScene.SaveState)
    bench.wait()


# Troubles


def test_a_trouble_is_a_quiet_text_and_the_next_change_tries_again(bench):
    from Testing import host

    bench.study.plan["level"] = 1e9
    node = bench.volume()
    bench.parameters.inputVolume = node
    former = layers_of_all()
    bench.parameters.preview = True
    bench.wait(shown=False)
    assert "level" in bench.text
    assert not bench.ui.previewLabel.isHidden()
    assert layers_of_all() == former
    assert host.messages.shown == []
    bench.study.plan["level"] = 20.0
    bench.preview.update()
    bench.wait()


def test_a_study_that_cannot_be_restored_is_a_quiet_text(bench):
    import slicer

    node = bench.volume()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    bench.parameters.inputVolume = node
    node.SetAndObserveTransformNodeID(transform.GetID())
    bench.parameters.preview = True
    bench.wait(shown=False)
    assert bench.text
    assert bench.layers() is None


def test_what_is_missing_is_said(bench):
    bench.study.text = "Reading the study"
    bench.parameters.inputVolume, bench.parameters.preview = bench.volume(), True
    assert bench.text == "Reading the study"
    bench.study.text = ""
    bench.preview.update()
    bench.wait()


def test_a_study_that_no_view_shows_is_said(bench):
    bench.parameters.inputVolume, bench.parameters.preview = bench.volume(shown=False), True
    assert "No slice view shows the input" in bench.text
    bench.show(bench.parameters.inputVolume)
    bench.wait()


def test_without_a_main_window_it_says_so(bench, monkeypatch):
    import slicer

    bench.parameters.inputVolume = bench.volume()
    monkeypatch.setattr(type(slicer.app), "layoutManager", lambda self: None)
    bench.parameters.preview = True
    assert "No slice view" in bench.text


def test_a_lost_worker_is_a_quiet_text_and_the_next_change_finds_another(bench):
    import os
    import signal

    from MedRestorePanel.process import WorkerProcess
    from Testing import host

    own = bench.preview.uploads.worker = WorkerProcess()
    try:
        bench.start()
        os.kill(own.pid, signal.SIGSTOP)
        bench.parameters.strength = 0.5
        host.wait_until(lambda: len(bench.asked) == 2)
        os.kill(own.pid, signal.SIGKILL)
        bench.wait(shown=False)
        assert "worker process stopped" in bench.text
        assert bench.layers() is None
        bench.parameters.strength = 0.4
        bench.wait()
    finally:
        own.close()
