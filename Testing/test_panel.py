"""The whole panel, driven as a user would, on stand-ins of Slicer's application over real Qt and real MRML."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from Testing.panel_user import add_head, change, choose, exchanged, nodes, parameters, restore, wait

MODULE = Path(__file__).resolve().parent.parent / "MedRestore"
UI = MODULE / "Resources" / "UI" / "MedRestore.ui"


@pytest.fixture
def panel(module):
    return module[1]


@pytest.fixture
def head(slicer_app):
    return add_head()


def test_every_widget_that_the_code_names_is_in_the_ui_file():
    names = {widget.get("name") for widget in ElementTree.parse(UI).iter("widget")}
    sources = [MODULE / "MedRestore.py", *(MODULE / "MedRestorePanel").glob("*.py")]
    used = {name for path in sources for name in re.findall(r"\bui\.(\w+)", path.read_text())}
    assert len(used) > 30
    assert used <= names


def test_every_field_is_bound_to_exactly_one_widget(panel):
    bound = [
        prop.findtext("string")
        for widget in ElementTree.parse(UI).iter("widget")
        for prop in widget.findall("property")
        if prop.get("name") in ("SlicerParameterName", "MedRestoreParameterName")
    ]
    assert len(bound) == len(set(bound))
    # The removed part is no choice of the user: it belongs to the result on show.
    assert set(bound) | {"removedVolume"} == set(type(parameters(panel)).allParameters)
    assert set(panel.study.connectors) <= set(bound)


def test_choosing_a_volume_tells_what_it_is_and_what_is_recommended(head, panel):
    choose(panel, head)
    p = parameters(panel)
    assert (p.modality, p.noise) == ("MR", "rician")
    assert p.level == pytest.approx(100 * 8 / 220, rel=0.3)
    assert "64 × 64 × 4" in panel.ui.recognisedLabel.text
    assert "%" in panel.ui.levelLabel.text
    assert panel.ui.methodComboBox.currentText.endswith("(recommended)")
    assert panel.ui.applyButton.enabled


def test_a_result_lies_beside_its_input_with_geometry_window_and_evidence(head, panel):
    import slicer
    import vtk

    head.GetDisplayNode().SetAutoWindowLevel(False)
    head.GetDisplayNode().SetWindowLevel(150, 90)
    before = slicer.util.arrayFromVolume(head).copy()
    choose(panel, head, method="adf")
    restored = restore(panel)
    matrices = [vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()]
    head.GetIJKToRASMatrix(matrices[0]), restored.GetIJKToRASMatrix(matrices[1])
    difference = [matrices[0].GetElement(i, j) - matrices[1].GetElement(i, j) for i in range(4) for j in range(4)]
    assert np.abs(difference).max() < 1e-6
    assert (restored.GetDisplayNode().GetWindow(), restored.GetDisplayNode().GetLevel()) == (150, 90)
    assert np.array_equal(slicer.util.arrayFromVolume(head), before)
    assert slicer.util.arrayFromVolume(restored)[2, 20:30, 20:30].std() < 0.7 * before[2, 20:30, 20:30].std()
    removed = parameters(panel).removedVolume
    sums = slicer.util.arrayFromVolume(restored) + slicer.util.arrayFromVolume(removed)
    assert np.allclose(sums, before, atol=1e-3)
    assert json.loads(restored.GetAttribute("MedRestore.report"))["plan"]["method"] == "adf"
    assert "error" in panel.ui.evidenceBrowser.plainText
    assert exchanged(panel) == [panel.uploads._upload.path.name], "only the study stays, for the next request"


def test_the_panel_restores_what_the_console_restores(head, panel):
    import slicer

    choose(panel, head, method="adf")
    shown = restore(panel)
    level = parameters(panel).level
    direct = panel.logic.restore(head, method="adf", noise="rician", level=level)
    arrays = [slicer.util.arrayFromVolume(node) for node in (shown, direct)]
    assert np.allclose(*arrays, atol=1e-4 * arrays[0].max())


def test_a_person_s_choices_outlive_a_new_estimate(head, panel):
    choose(panel, head, method="bm3d", strength=0.5)
    panel.ui.estimateButton.click()
    wait(lambda: panel.study._request is None)
    assert (parameters(panel).method, parameters(panel).strength) == ("bm3d", 0.5)


def test_another_noise_model_gets_a_level_of_its_own(head, panel):
    choose(panel, head, method="bm3d")
    rician = parameters(panel).level
    change(panel, noise="gaussian")
    wait(lambda: panel.study._request is None and parameters(panel).level > 0)
    assert 2 < parameters(panel).level < 12, "in the study's unit; air, where Rician noise is narrower, counts too"
    assert parameters(panel).level != rician


def test_a_volume_without_a_modality_is_asked_about_and_the_answer_is_kept(panel):
    from MedRestoreLib import mrml

    node = add_head("unknown")
    mrml.set_modality(node, "")
    choose(panel, node)
    assert parameters(panel).noise == "gaussian"
    change(panel, modality="MR")
    wait(lambda: parameters(panel).noise == "rician")
    assert mrml.modality_of(node) == "MR"


def test_a_level_that_cannot_be_told_has_to_be_given(panel):
    import slicer

    from MedRestoreLib import mrml

    ramp = np.add.outer(np.arange(64.0), np.arange(64.0)).astype(np.float32)[None]
    node = slicer.util.addVolumeFromArray(ramp, name="ramp")
    mrml.set_modality(node, "MR")
    choose(panel, node)
    assert not panel.ui.applyButton.enabled
    assert "level" in panel.ui.statusLabel.text
    change(panel, level=2.0)
    assert panel.ui.applyButton.enabled


def test_a_network_that_finds_the_level_itself_does_not_ask_for_one(panel):
    import slicer

    from MedRestoreLib import mrml

    ramp = np.add.outer(np.arange(64.0), np.arange(64.0)).astype(np.float32)[None]
    node = slicer.util.addVolumeFromArray(ramp, name="ramp")
    mrml.set_modality(node, "US")
    choose(panel, node)
    assert parameters(panel).level == 0
    assert "by itself" in panel.ui.levelLabel.text
    restored = restore(panel)
    assert mrml.report_of(restored)["plan"]["method"] == "unet_att_small"
    change(panel, method="srad")
    assert "level" in panel.study.missing()


def test_cancel_leaves_nothing(head, panel):
    choose(panel, head, method="wnnm")
    volumes = nodes()
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Cancel"
    wait(lambda: panel.worker._current is not None)
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
    wait(lambda: panel.worker._current is not None)
    os.kill(panel.worker.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    wait(lambda: not panel.restoring.isRunning, 10)
    assert "worker process stopped" in panel.ui.statusLabel.text
    assert parameters(panel).lastOutput is None
    change(panel, method="adf")
    restore(panel)


def test_a_study_that_cannot_be_restored_is_a_sentence(panel):
    import slicer

    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    panel.ui.inputSelector.setCurrentNode(empty)
    wait(lambda: panel.ui.recognisedLabel.text)
    assert not panel.ui.applyButton.enabled
    assert "empty" in panel.ui.recognisedLabel.text or "no voxels" in panel.ui.recognisedLabel.text.lower()
    constant = slicer.util.addVolumeFromArray(np.ones((1, 32, 32), np.float32), name="constant")
    panel.ui.inputSelector.setCurrentNode(constant)
    wait(lambda: "same value" in panel.ui.recognisedLabel.text)
    assert not panel.ui.applyButton.enabled


def test_all_frames_of_a_sequence_are_restored_beside_it(panel):
    import slicer

    from MedRestoreLib import mrml

    shown = mrml.sample("MedRestoreCine")
    choose(panel, shown, method="adf")
    assert panel.ui.wholeSequenceCheckBox.visible
    restored = restore(panel)
    browser, sequence = mrml.sequence_of(restored)
    original = mrml.sequence_of(shown)
    assert browser is original[0]
    assert sequence.GetNumberOfDataNodes() == original[1].GetNumberOfDataNodes()
    assert panel.evidence.report() is not None
    assert slicer.util.arrayFromVolume(restored).shape == slicer.util.arrayFromVolume(shown).shape


def test_inside_a_segment_only(head, panel):
    import slicer

    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "where")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(head)
    inside = np.zeros((4, 64, 64), np.uint8)
    inside[:, 10:40, 10:40] = 1
    segment = segmentation.GetSegmentation().AddEmptySegment("box", "box")
    slicer.util.updateSegmentBinaryLabelmapFromArray(inside, segmentation, segment, head)
    choose(panel, head, method="adf", maskSegmentation=segmentation)
    assert not panel.ui.applyButton.enabled, "which segment?"
    change(panel, maskSegment=segment)
    before = slicer.util.arrayFromVolume(head)
    after = slicer.util.arrayFromVolume(restore(panel))
    assert np.array_equal(after[inside == 0], before[inside == 0])
    assert not np.array_equal(after, before)


def test_a_scene_that_was_loaded_keeps_its_choices(head, panel):
    from Testing import host

    choose(panel, head, method="bm3d", strength=0.4, level=7.0)
    node = parameters(panel).parameterNode
    panel.setParameterNode(None)
    host.process_events(0.05)
    panel.initializeParameterNode()
    assert panel._parameterNode.parameterNode is node
    wait(lambda: panel.study._request is None and panel.study.recommended)
    p = parameters(panel)
    assert (p.method, p.strength, p.level) == ("bm3d", 0.4, 7.0)


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


def test_report_is_saved_as_a_page_and_as_json(head, panel, tmp_path):
    choose(panel, head, method="adf")
    restore(panel)
    for name, mark in (("report.html", "<!doctype html>"), ("report.json", '"verdict"')):
        panel.evidence.askFile = lambda name=name: str(tmp_path / name)
        panel.ui.saveReportButton.click()
        assert mark in (tmp_path / name).read_text()
    panel.evidence.askFile = lambda: str(tmp_path / "missing" / "report.html")
    panel.ui.saveReportButton.click()
    assert "cannot be written" in panel.ui.statusLabel.text


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


def test_self_test_of_the_module_passes_here_as_far_as_the_host_goes(module, monkeypatch):
    import sys

    import slicer

    tests = sys.modules[type(module[1]).__module__].MedRestoreTest
    if not hasattr(slicer.app, "coreIOManager"):  # saving whole scenes takes Slicer itself
        monkeypatch.delattr(tests, "test_saved_scene_keeps_the_result_and_the_choices")
    test = tests()
    monkeypatch.setattr(test, "delayDisplay", lambda *arguments: None, raising=False)
    test.runTest()
