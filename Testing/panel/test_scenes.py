"""Scenes that are saved, loaded, added and closed while the panel is open: choices and results outlive them."""

from __future__ import annotations

import random

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


def test_the_first_study_that_is_loaded_before_the_open_panel_is_its_input(user):
    assert user.p.inputVolume is None
    first = add_head("first")
    user.wait(lambda: user.p.inputVolume is first)
    add_head("second", seed=1)
    user.wait_until_read()
    assert user.p.inputVolume is first


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


ACTIONS = 500


def test_random_scenes_reloads_presets_and_jobs_raise_nothing_and_leave_no_orphan(user, tmp_path):
    """Whoever saves, loads, adds, closes and reloads in whatever order, while one volume or several are restored."""
    import slicer

    rng, made = random.Random(23), []
    shelf = tmp_path / "presets"

    def settle_in():
        """What a person does once after the panel was made anew: nothing of theirs is asked or kept elsewhere."""
        user.panel.presets.folder = lambda: str(shelf)
        user.panel.presets.askNaming = lambda proposed: proposed._replace(name=f"preset {rng.randrange(3)}")
        user.ui.severalCollapsibleButton.collapsed = False

    def pick_preset():
        box = user.ui.presetComboBox
        if box.enabled and box.count:
            box.setCurrentIndex(rng.randrange(box.count))

    def save_preset():
        user.rest(0.3)  # to be read, mostly: there is nothing to save before
        if user.panel.presets.actions["save"].enabled:
            user.panel.presets.actions["save"].trigger()

    def restore_several():
        user.ui.severalAllButton.click()
        user.rest(0)
        user.ui.severalButton.click()

    def add():
        if len(names()) < 6:
            made.append(add_head(f"volume {len(made)}", seed=len(made), slices=rng.choice((1, 2))))

    def choose():
        box = user.ui.inputSelector
        if box.nodeCount():
            box.setCurrentNode(box.nodeFromIndex(rng.randrange(box.nodeCount())))

    def save():
        user.application.save_scene(tmp_path)

    def load(add=False):
        if (tmp_path / "scene.mrml").exists() and (not add or len(names()) < 6):
            user.application.load_scene(tmp_path / "scene.mrml", add)

    def reload():
        slicer.util.reloadScriptedModule("MedRestore")
        user.panel = slicer.util.getModuleWidget("MedRestore")
        settle_in()

    def leave_and_return():
        user.leave()
        user.rest(0.01)
        user.come_back()

    def delete():
        volumes = slicer.util.getNodesByClass("vtkMRMLVolumeNode")
        if volumes:
            slicer.mrmlScene.RemoveNode(rng.choice(volumes))

    buttons = ("previewCheckBox", "sideBySideButton", "removedButton", "fadeButton", "formerLayoutButton")
    settle_in()
    often = [add, choose, lambda: user.ui.applyButton.click(), restore_several, lambda: user.rest(0.1)]
    actions = [
        *often * 4,
        *[lambda name=name: getattr(user.ui, name).click() for name in buttons],
        *[save, load, lambda: load(add=True), leave_and_return, delete, pick_preset, pick_preset, save_preset],
        lambda: slicer.mrmlScene.Clear(0),
    ]
    for step in range(ACTIONS):
        # A reload starts another worker, which takes a second: now and then is enough.
        action = reload if step % 100 == 99 else rng.choice(actions)
        action()
        user.rest(0.01)
        assert not user.application.errors, f"at step {step}: {user.application.errors[-1]}"
    user.wait_until_read()
    if user.panel.restoring.isRunning:
        user.press("applyButton")
    if user.panel.several.isRunning:
        user.press("severalButton")
    if user.p.preview:
        user.choose(preview=False)
    user.wait(lambda: not user.panel.workers.isBusy)
    user.rest(0.3)
    hidden = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if node.GetHideFromEditors()]
    assert hidden == [], "a preview was left in the scene"
    assert len(user.exchanged()) <= 1, "only the study on show may stay with the worker"
    assert len(slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")) == 1
    assert user.ui.applyButton.enabled == (user.p.inputVolume is not None), "nobody holds the worker any more"
    if not shelf.exists():  # a busy machine may have read no volume in time to save one
        add()
        choose()
        user.wait_until_read()
        save_preset()
    assert {path.suffix for path in shelf.iterdir()} == {".json"}, "nothing half-written"
