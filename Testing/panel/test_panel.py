"""The whole panel, driven as a user would, on stand-ins of Slicer's application over real Qt and real MRML."""

from __future__ import annotations

import json

import numpy as np
import pytest

from Testing.support.panel_user import (
    add_head,
    change,
    choose,
    exchanged,
    parameters,
    restore,
    wait,
)


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


def test_self_test_of_the_module_passes_here_as_far_as_the_host_goes(module, monkeypatch):
    import sys

    import slicer

    tests = sys.modules[type(module[1]).__module__].MedRestoreTest
    if not hasattr(slicer.app, "coreIOManager"):  # saving whole scenes takes Slicer itself
        monkeypatch.delattr(tests, "test_saved_scene_keeps_the_result_and_the_choices")
    test = tests()
    monkeypatch.setattr(test, "delayDisplay", lambda *arguments: None, raising=False)
    test.runTest()
