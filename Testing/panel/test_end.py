"""The whole panel: how a job ends, and that nothing is left behind whatever a person does meanwhile."""

from __future__ import annotations

import random

from Testing.support.panel_user import (
    add_head,
    change,
    choose,
    exchanged,
    nodes,
    parameters,
    restore,
    wait,
)


def test_cancel_leaves_nothing(head, panel):
    choose(panel, head, method="wnnm")
    volumes = nodes()
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Cancel"
    wait(lambda: panel.worker.conversation.current is not None)
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Apply"
    wait(lambda: not panel.worker.isBusy, 10)
    assert nodes() == volumes
    assert "Cancelled" in panel.ui.statusLabel.text
    restore(panel)


def test_a_job_goes_on_when_another_study_is_chosen(head, panel):
    choose(panel, head, method="adf")
    other = add_head("other", seed=1)
    panel.ui.applyButton.click()
    panel.ui.inputSelector.setCurrentNode(other)
    wait(lambda: not panel.restoring.isRunning)
    assert nodes()[-2].startswith("T1 restored")
    wait(lambda: panel.study._request is None and not panel.worker.isBusy)
    assert len(exchanged(panel)) == 1, "the first study is not needed any more"


def test_a_study_let_go_before_it_was_sent_ends_the_job(head, panel):
    choose(panel, head, method="adf")
    panel.uploads.forget()  # as if the voxels had changed: Apply has to send them again
    panel.ui.applyButton.click()
    panel.uploads.forget()
    assert not panel.restoring.isRunning
    assert "another study" in panel.ui.statusLabel.text
    restore(panel)


def test_deleting_the_input_ends_the_job(head, panel):
    import slicer

    choose(panel, head, method="wnnm")
    panel.ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(head)
    assert not panel.restoring.isRunning
    wait(lambda: not panel.worker.isBusy, 10)
    assert nodes() == []
    assert "deleted" in panel.ui.statusLabel.text


def test_closing_the_scene_ends_the_job(head, panel):
    import slicer

    from Testing import host

    choose(panel, head, method="wnnm")
    panel.ui.applyButton.click()
    slicer.mrmlScene.Clear(0)
    host.process_events(0.1)
    assert not panel.restoring.isRunning
    wait(lambda: not panel.worker.isBusy, 10)
    assert nodes() == []
    restored_after = add_head("next")
    choose(panel, restored_after, method="adf")
    assert restore(panel).GetName().startswith("next")


def test_a_worker_that_dies_is_a_message_and_the_next_job_works(head, panel):
    import os
    import signal

    choose(panel, head, method="wnnm")
    panel.ui.applyButton.click()
    wait(lambda: panel.worker.conversation.current is not None)
    os.kill(panel.worker.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    wait(lambda: not panel.restoring.isRunning, 10)
    assert "worker process stopped" in panel.ui.statusLabel.text
    assert parameters(panel).lastOutput is None
    change(panel, method="adf")
    restore(panel)


def test_reload_gives_a_working_panel_and_no_second_worker(head, module):
    from Testing import host

    choose(module[1], head)
    old = module[1].worker
    host.reload_module(module[0].name)
    panel = module[0].widgetRepresentation().self()
    assert panel is not module[1]
    assert old.pid is None
    choose(panel, head, method="adf")
    restore(panel)


def test_going_to_another_module_and_back_lets_the_job_run(head, module):
    from Testing import host

    panel = module[1]
    choose(panel, head, method="wnnm")
    panel.ui.applyButton.click()
    host.leave_module()
    host.select_module(module[0].name)
    assert panel.restoring.isRunning
    wait(lambda: not panel.restoring.isRunning)
    assert parameters(panel).lastOutput is not None


def test_two_hundred_random_actions_leave_nothing_behind(head, module):
    """Whatever a person clicks, in whatever order, while jobs run."""
    import slicer

    from Testing import host

    panel, rng, made = module[1], random.Random(20), [head]

    def add():
        if len(made) < 4:
            made.append(add_head(f"volume {len(made)}", seed=len(made), slices=rng.choice((1, 2, 9))))

    def delete():
        if len(made) > 1:
            slicer.mrmlScene.RemoveNode(made.pop(rng.randrange(len(made))))

    def delete_result():
        if parameters(panel).lastOutput is not None:
            slicer.mrmlScene.RemoveNode(parameters(panel).lastOutput)

    def leave_and_return():
        host.leave_module()
        host.process_events(0.02)
        host.select_module(module[0].name)

    def close():
        made.clear()
        slicer.mrmlScene.Clear(0)
        host.process_events(0.02)
        made.append(add_head())

    def pick(name):
        box = getattr(panel.ui, name)
        if box.count:
            box.setCurrentIndex(rng.randrange(box.count))

    actions = [
        *[lambda: panel.ui.applyButton.click()] * 6,
        *[lambda: panel.ui.inputSelector.setCurrentNode(rng.choice(made))] * 3,
        *[lambda name=name: pick(name) for name in ("methodComboBox", "noiseComboBox", "modalityComboBox")],
        lambda: pick("dimensionsComboBox"),
        lambda: setattr(parameters(panel), "level", rng.choice((0.5, 3.0, 20.0))),
        lambda: setattr(parameters(panel), "strength", rng.random()),
        lambda: setattr(parameters(panel), "fade", rng.random()),
        *[
            lambda name=name: getattr(panel.ui, name).click()
            for name in ("previewCheckBox", "keepRemovedCheckBox", "sideBySideButton", "removedButton", "fadeButton")
        ],
        *[lambda name=name: getattr(panel.ui, name).click() for name in ("formerLayoutButton", "estimateButton")],
        *[
            lambda name=name: getattr(panel.ui, name).click()
            for name in ("segmentAlikeButton", "measureSegmentsButton")
        ],
        *[add, delete, delete_result, leave_and_return, close],
        *[lambda: host.process_events(0.2)] * 4,
    ]
    for step in range(200):
        rng.choice(actions)()
        host.process_events(0.01)
        assert not host.errors, f"at step {step}: {host.errors[-1]}"
    if panel.restoring.isRunning:
        panel.ui.applyButton.click()
    panel.ui.previewCheckBox.checked = False
    wait(lambda: not panel.worker.isBusy, 20)
    host.process_events(0.5)
    assert not host.errors
    hidden = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if node.GetHideFromEditors()]
    assert hidden == [], "a preview was left in the scene"
    assert len(exchanged(panel)) <= 1, "only the study on show may stay with the worker"
    folder = panel.worker.exchange.folder
    panel.cleanup()
    assert not folder.exists()
