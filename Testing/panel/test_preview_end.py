"""How a preview ends: the way back, and what it says of troubles."""

from __future__ import annotations

import os
import signal

import pytest

from Testing.support.compare_user import layers_of_all
from Testing.support.panel_user import node_ids

# The way back


@pytest.mark.parametrize("end", ["switched off", "left", "input deselected"])
def test_afterwards_views_and_scene_are_as_before(preview, end):
    import slicer

    node = preview.volume()
    other = preview.volume(shown=False)
    slicer.util.setSliceViewerLayers(foreground=other, foregroundOpacity=0.3)
    preview.open(node)
    former = node_ids(), layers_of_all()
    preview.switch_on()
    assert (node_ids(), layers_of_all()) != former
    preview.choose(level=10.0)
    preview.wait()
    if end == "switched off":
        preview.choose(preview=False)
    elif end == "left":
        preview.user.leave()
        assert not preview.p.preview
        preview.user.come_back()
    else:
        preview.choose(inputVolume=None)
    assert (node_ids(), layers_of_all()) == former


@pytest.mark.parametrize("moment", ["waiting", "asked", "shown"])
def test_deleting_the_input_takes_the_preview_away_at_any_moment(preview, moment):
    import slicer

    before = node_ids()
    node = preview.volume()
    preview.open(node)
    preview.choose(preview=True)
    if moment == "asked":
        preview.user.wait(lambda: preview.asked)
    elif moment == "shown":
        preview.wait()
    display = node.GetDisplayNode()
    slicer.mrmlScene.RemoveNode(node)
    slicer.mrmlScene.RemoveNode(display)
    preview.user.rest(0.6)
    assert node_ids() == before
    assert all(layers[1] is None for layers in layers_of_all().values())
    assert preview.text == "Select a volume."


def test_closing_the_scene_takes_the_preview_away(preview):
    import slicer

    preview.start()
    slicer.mrmlScene.Clear(0)
    preview.user.rest(0.5)
    assert not slicer.util.getNodes("MedRestore preview*")
    assert len(preview.asked) == 1


def test_a_foreground_that_a_person_chose_meanwhile_stays(preview):
    preview.start()
    other = preview.volume(shown=False)
    composite = preview.logic().GetSliceCompositeNode()
    composite.SetForegroundVolumeID(other.GetID())
    composite.SetForegroundOpacity(0.6)
    preview.choose(preview=False)
    assert (composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()) == (other.GetID(), 0.6)


def test_it_is_neither_listed_nor_saved_with_the_scene(preview, tmp_path):
    import slicer

    preview.start()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert preview.layer().GetHideFromEditors()
    assert not hierarchy.GetItemByDataNode(preview.layer())
    path = tmp_path / "scene.mrml"
    slicer.mrmlScene.Commit(str(path))
    text = path.read_text()
    assert "study" in text
    assert "MedRestore preview" not in text
    assert f'id="{preview.layer().GetDisplayNode().GetID()}"' not in text


def test_a_scene_is_saved_with_the_layers_that_were_there_before(preview):
    import slicer

    preview.open(preview.volume())
    former = layers_of_all()
    preview.switch_on()
    slicer.mrmlScene.StartState(slicer.mrmlScene.SaveState)
    assert layers_of_all() == former
    slicer.mrmlScene.EndState(slicer.mrmlScene.SaveState)
    preview.wait()


# Troubles


def test_a_trouble_is_a_quiet_text_and_the_next_change_tries_again(preview):
    preview.open(preview.volume())
    former = layers_of_all()
    preview.p.level = 1e6  # beyond what the slider offers
    preview.choose(preview=True)
    preview.wait(shown=False)
    assert "level" in preview.text
    assert not preview.ui.previewLabel.isHidden()
    assert layers_of_all() == former
    preview.choose(level=20.0)
    preview.wait()


def test_a_study_that_cannot_be_restored_is_a_quiet_text(preview):
    import slicer

    node = preview.volume()
    preview.open(node)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    node.SetAndObserveTransformNodeID(transform.GetID())
    preview.choose(preview=True)
    preview.wait(shown=False)
    assert preview.text
    assert preview.layer() is None


def test_what_is_missing_is_said(preview):
    preview.choose(preview=True)
    assert preview.text == "Select a volume."
    preview.open(preview.volume())
    preview.wait()


def test_without_a_main_window_it_says_so(preview, monkeypatch):
    import slicer

    preview.open(preview.volume())
    monkeypatch.setattr(type(slicer.app), "layoutManager", lambda self: None)
    preview.choose(preview=True)
    assert "No slice view" in preview.text


def test_a_lost_worker_is_a_quiet_text_and_the_next_change_finds_another(preview):
    preview.start()
    worker = preview.user.panel.workers.first
    os.kill(worker.pid, signal.SIGSTOP)
    preview.choose(level=10.0)
    preview.user.wait(lambda: len(preview.asked) == 2)
    os.kill(worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    preview.wait(shown=False)
    assert "worker process stopped" in preview.text
    assert preview.layer() is None
    preview.choose(level=15.0)
    preview.wait()
