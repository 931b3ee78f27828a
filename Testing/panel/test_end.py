"""The whole panel: how a job ends, and that nothing is left behind whatever a person does meanwhile."""

from __future__ import annotations

import os
import random
import signal

from Testing.support.panel_user import User, add_head, names

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def begin(user: User, study, **choices) -> None:
    """A job that takes long enough to be disturbed."""
    user.open(study, **{"method": "wnnm", **choices})
    user.press("applyButton")


def idle(user: User) -> None:
    user.wait(lambda: not user.panel.workers.isBusy)


def test_cancel_leaves_nothing(user, head):
    begin(user, head)
    volumes = names()
    assert user.ui.applyButton.text == "C&ancel"
    user.wait(lambda: user.ui.progressBar.value > 0)
    user.press("applyButton")
    assert user.ui.applyButton.text == "&Apply"
    idle(user)
    assert names() == volumes
    assert "Cancelled" in user.ui.statusLabel.text
    user.apply()


def test_cancel_before_the_first_voxel_is_fetched_leaves_no_file(user, head, monkeypatch):
    import qt

    from MedRestorePanel import stepping

    def run(generator, *callbacks):
        if generator.__name__ == "fetching":
            qt.QTimer.singleShot(0, user.ui.applyButton.click)  # it comes before the first step
        return begun(generator, *callbacks)

    begun = stepping.run
    user.open(head, method="adf")
    before = user.exchanged()
    monkeypatch.setattr(stepping, "run", run)
    user.press("applyButton")
    user.wait(lambda: "Cancelled" in user.ui.statusLabel.text)
    idle(user)
    assert user.exchanged() == before


def test_a_job_goes_on_when_another_study_is_chosen(user, head):
    user.open(head, method="adf")
    other = add_head("other", seed=1)
    user.press("applyButton")
    user.ui.inputSelector.setCurrentNode(other)
    user.wait(lambda: not user.panel.restoring.isRunning)
    assert names()[-2].startswith("T1 restored")
    user.wait_until_read()
    idle(user)
    assert len(user.exchanged()) == 1, "the first study is not needed any more"


def test_during_a_job_another_study_is_read_and_previewed(user, head):
    begin(user, head)
    user.wait(lambda: user.ui.progressBar.value > 0)
    job = user.panel.workers.first.pid
    os.kill(job, signal.SIGSTOP)  # as if it took an hour
    user.open(add_head("other", seed=1), method="adf")
    user.choose(preview=True)
    user.wait(lambda: slicer_nodes("MedRestore preview") and not user.ui.previewLabel.text)
    assert user.panel.restoring.isRunning
    assert user.ui.applyButton.text == "C&ancel"
    os.kill(job, signal.SIGCONT)
    user.wait(lambda: not user.panel.restoring.isRunning)
    assert user.panel.workers.first.pid == job
    assert user.p.lastOutput.GetName().startswith("T1 restored")
    user.choose(preview=False, method="bm3d")
    user.press("estimateButton")
    user.wait_until_read()
    assert user.panel.workers._second is None, "the second worker has nothing more to do"


def slicer_nodes(name: str) -> list:
    import slicer

    return [node for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if node.GetName() == name]


def test_a_study_let_go_before_it_was_sent_ends_the_job(user, head):
    user.open(head, method="adf")
    user.panel.workers.forget()  # as if the voxels had changed: Apply has to send them again
    user.press("applyButton")
    user.panel.workers.forget()
    assert not user.panel.restoring.isRunning
    assert "another study" in user.ui.statusLabel.text
    user.apply()


def test_deleting_the_input_ends_the_job(user, head):
    import slicer

    begin(user, head)
    slicer.mrmlScene.RemoveNode(head)
    assert not user.panel.restoring.isRunning
    idle(user)
    assert names() == []
    assert "deleted" in user.ui.statusLabel.text


def test_closing_the_scene_ends_the_job(user, head):
    import slicer

    begin(user, head)
    slicer.mrmlScene.Clear(0)
    user.rest(0.1)
    assert not user.panel.restoring.isRunning
    idle(user)
    assert names() == []
    user.open(add_head("next"), method="adf")
    assert user.apply().GetName().startswith("next")


def test_a_worker_that_dies_is_a_message_and_the_next_job_works(user, head):
    begin(user, head)
    user.wait(lambda: user.ui.progressBar.value > 0)
    os.kill(user.panel.workers.first.pid, KILL)
    user.wait(lambda: not user.panel.restoring.isRunning)
    assert "worker process stopped" in user.ui.statusLabel.text
    assert user.p.lastOutput is None
    user.choose(method="adf")
    user.apply()


def test_reload_gives_a_working_panel_and_no_second_worker(user, head):
    import slicer

    user.open(head)
    old = user.panel
    slicer.util.reloadScriptedModule("MedRestore")
    user.panel = slicer.util.getModuleWidget("MedRestore")
    assert user.panel is not old
    assert old.workers.first.pid is None
    user.open(head, method="adf")
    user.apply()


def test_going_to_another_module_and_back_lets_the_job_run(user, head):
    begin(user, head)
    user.leave()
    user.come_back()
    assert user.panel.restoring.isRunning
    user.wait(lambda: not user.panel.restoring.isRunning)
    assert user.p.lastOutput is not None


def test_two_hundred_random_actions_leave_nothing_behind(user, head):
    """Whatever a person clicks, in whatever order, while jobs run."""
    import slicer

    rng, made, ui = random.Random(20), [head], user.ui

    def add():
        if len(made) < 4:
            made.append(add_head(f"volume {len(made)}", seed=len(made), slices=rng.choice((1, 2, 9))))

    def delete():
        if len(made) > 1:
            slicer.mrmlScene.RemoveNode(made.pop(rng.randrange(len(made))))

    def delete_result():
        if user.p.lastOutput is not None:
            slicer.mrmlScene.RemoveNode(user.p.lastOutput)

    def leave_and_return():
        user.leave()
        user.rest(0.02)
        user.come_back()

    def close():
        made.clear()
        slicer.mrmlScene.Clear(0)
        user.rest(0.02)
        made.append(add_head())

    def pick(name):
        box = getattr(ui, name)
        if box.enabled and box.count:
            box.setCurrentIndex(rng.randrange(box.count))

    buttons = ("previewCheckBox", "keepRemovedCheckBox", "sideBySideButton", "removedButton", "fadeButton")
    buttons += ("formerLayoutButton", "estimateButton", "segmentAlikeButton", "measureSegmentsButton")
    boxes = ("methodComboBox", "noiseComboBox", "modalityComboBox", "dimensionsComboBox")
    actions = [
        *[ui.applyButton.click] * 6,
        *[lambda: ui.inputSelector.setCurrentNode(rng.choice(made))] * 3,
        *[lambda name=name: pick(name) for name in boxes],
        *[lambda name=name: getattr(ui, name).click() for name in buttons],
        lambda: setattr(ui.levelSlider, "value", rng.choice((0.5, 3.0, 20.0))),
        lambda: setattr(ui.strengthSlider, "value", rng.random()),
        lambda: setattr(ui.fadeSlider, "value", rng.random()),
        *[add, delete, delete_result, leave_and_return, close],
        *[lambda: user.rest(0.2)] * 4,
    ]
    for step in range(200):
        rng.choice(actions)()
        user.rest(0.01)
        assert not user.application.errors, f"at step {step}: {user.application.errors[-1]}"
    if user.panel.restoring.isRunning:
        ui.applyButton.click()
    ui.previewCheckBox.checked = False
    idle(user)
    user.rest(0.5)
    hidden = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if node.GetHideFromEditors()]
    assert hidden == [], "a preview was left in the scene"
    assert len(user.exchanged()) <= 1, "only the study on show may stay with the worker"
