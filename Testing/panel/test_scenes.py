"""Scenes that are saved, loaded, added and closed while the panel is open: choices and results outlive them."""

from __future__ import annotations

import pytest

from Testing.support.panel_user import User, add_head, names


def saved(user: User, folder, **choices):
    """A scene file with a study, its result and the panel's choices."""
    user.open(add_head(), **{"method": "adf", "level": 7.0, "strength": 0.4, **choices})
    user.apply()
    return user.application.save_scene(folder)


@pytest.mark.parametrize("former", ["empty", "other study"])
def test_a_loaded_scene_brings_its_choices_and_its_result(user, tmp_path, former):
    path = saved(user, tmp_path)
    user.application.load_scene(path)
    user.wait_until_read()
    if former == "other study":
        user.open(add_head("other", seed=1), method="bm3d")
        user.application.load_scene(path)
        user.wait_until_read()
    assert names() == ["T1", "T1 restored (Anisotropic diffusion)", "T1 removed"]
    assert user.ui.inputSelector.currentNode().GetName() == "T1"
    assert user.p.inputVolume is user.ui.inputSelector.currentNode()
    assert (user.p.modality, user.p.method, user.p.level, user.p.strength) == ("MR", "adf", 7.0, 0.4)
    assert user.ui.resultSelector.currentNode().GetName().startswith("T1 restored")
    assert user.ui.sideBySideButton.enabled
    assert user.ui.saveReportButton.enabled
    assert user.ui.applyButton.enabled
    user.press("removedButton")
    user.press("formerLayoutButton")


def test_a_scene_added_to_another_leaves_the_panel_usable(user, tmp_path):
    path = saved(user, tmp_path)
    user.application.load_scene(path, add=True)
    user.wait_until_read()
    assert len(names()) == 6
    assert user.p.inputVolume is not None
    user.open(add_head("third", seed=2), method="adf")
    user.apply()


def test_a_scene_loaded_during_a_job_ends_it(user, tmp_path):
    path = saved(user, tmp_path)
    user.open(user.p.inputVolume, method="wnnm")
    user.press("applyButton")
    user.application.load_scene(path)
    user.wait_until_read()
    assert not user.panel.restoring.isRunning
    assert len(names()) == 3


def test_our_layout_in_a_loaded_scene_can_be_left(user, tmp_path):
    """A scene saved while comparing comes back with our layout, and with nobody who remembers the one before."""
    import slicer

    saved(user, tmp_path)
    user.press("sideBySideButton")
    user.rest()
    path = user.application.save_scene(tmp_path)
    user.application.load_scene(path)
    user.rest(0.3)
    if user.ui.formerLayoutButton.enabled:
        user.press("formerLayoutButton")
    layout = slicer.app.layoutManager().layoutLogic().GetLayoutNode().GetViewArrangement()
    assert layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
