"""The Segments section, driven as a user would, over real MRML."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import slicer.util

from Testing import host
from Testing.host.fixtures import MODULE
from Testing.support.segmented import rows

SHAPE = (6, 24, 24)


def disc(shape=SHAPE) -> np.ndarray:
    """A disc in the middle slices."""
    z, y, x = np.indices(shape)
    return ((y - 12) ** 2 + (x - 12) ** 2 <= 36) & (abs(z - shape[0] // 2) <= 1)


def voxels(seed=0, deviation=8.0, shape=SHAPE) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, shape)
    return (100 + 100 * disc(shape) + noise).astype(np.float32)


def add_volume(array: np.ndarray, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    return slicer.util.addVolumeFromArray(array, name=name)


def add_segmentation(volume, masks: dict[str, np.ndarray], name="drawn") -> slicer.vtkMRMLSegmentationNode:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    for label, mask in masks.items():
        segment = node.GetSegmentation().AddEmptySegment("", label)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, segment, volume)
    return node


@pytest.fixture
def panel(slicer_app):
    """The section with the panel's real widgets and parameter node, its study restored; the section is open."""
    host.load_module(MODULE)
    from MedRestorePanel.segments import SegmentsSection

    widget = slicer.util.loadUI(str(MODULE.parent / "Resources" / "UI" / "MedRestore.ui"))
    ui = slicer.util.childWidgetVariables(widget)
    widget.setMRMLScene(slicer.mrmlScene)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = sys.modules["MedRestore"].MedRestoreParameterNode(node)
    errors: list[str] = []

    def volumes():
        before, after = parameters.inputVolume, parameters.lastOutput
        return (None if before is after else before), after, None

    section = SegmentsSection(ui, volumes, showError=errors.append)
    observer = node.AddObserver("ModifiedEvent", lambda *_: section.update())
    parameters.connectGui(ui)
    section.setParameterNode(parameters)
    parameters.inputVolume = add_volume(voxels(), "scan")
    parameters.lastOutput = add_volume(voxels(1, 2.0), "scan restored")
    ui.segmentsCollapsibleButton.collapsed = False
    yield SimpleNamespace(ui=ui, p=parameters, section=section, errors=errors, widget=widget)
    node.RemoveObserver(observer)
    section.cleanup()


def shown(panel) -> slicer.vtkMRMLTableNode | None:
    return panel.ui.segmentsTableView.mrmlTableNode()


def test_buttons_say_what_is_missing_until_nothing_is(panel):
    ui, p = panel.ui, panel.p
    assert not ui.measureSegmentsButton.enabled
    assert "segmentation" in ui.measureSegmentsButton.toolTip
    assert ui.segmentAlikeButton.enabled
    p.segmentationBefore = add_segmentation(p.inputVolume, {"disc": disc()})
    assert ui.measureSegmentsButton.enabled
    assert "contrast" in ui.measureSegmentsButton.toolTip
    result = p.lastOutput
    p.lastOutput = None
    for button in (ui.measureSegmentsButton, ui.segmentAlikeButton):
        assert not button.enabled
        assert "Restore a volume" in button.toolTip
    p.lastOutput, p.inputVolume = result, None
    assert "original" in ui.segmentAlikeButton.toolTip


def test_one_segmentation_is_measured_on_both_volumes(panel):
    p = panel.p
    p.segmentationBefore = add_segmentation(p.inputVolume, {"disc": disc()})
    assert panel.ui.measureSegmentsButton.text == "Measure"
    panel.ui.measureSegmentsButton.click()
    before, after = rows(shown(panel))
    assert [before["Image"], after["Image"]] == ["scan", "scan restored"]
    assert before["Mean"] == pytest.approx(voxels()[disc()].mean(dtype=np.float64))
    assert after["Contrast"] > 2 * before["Contrast"] > 0
    assert not panel.errors


def test_two_segmentations_are_compared(panel):
    p = panel.p
    p.segmentationBefore = add_segmentation(p.inputVolume, {"disc": disc()})
    p.segmentationAfter = add_segmentation(p.lastOutput, {"disc": np.roll(disc(), 2, axis=2)}, "drawn after")
    assert panel.ui.measureSegmentsButton.text == "Compare"
    panel.ui.measureSegmentsButton.click()
    assert 0 < rows(shown(panel))[0]["Dice"] < 1
    p.segmentationAfter = p.segmentationBefore
    assert panel.ui.measureSegmentsButton.text == "Measure"


def test_measuring_twice_gives_one_table_that_shows_the_new_numbers(panel):
    p = panel.p
    p.segmentationBefore = add_segmentation(p.inputVolume, {"disc": disc()})
    panel.ui.measureSegmentsButton.click()
    table, mean = shown(panel), rows(shown(panel))[0]["Mean"]
    slicer.util.arrayFromVolume(p.inputVolume)[...] += 7
    panel.ui.measureSegmentsButton.click()
    assert shown(panel) is table
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1
    assert rows(table)[0]["Mean"] == pytest.approx(mean + 7, abs=1e-3)


def test_the_view_shows_the_table_of_what_is_chosen_and_forgets_a_removed_one(panel):
    p = panel.p
    drawn, other = (add_segmentation(p.inputVolume, {"disc": disc()}, name) for name in ("one", "two"))
    p.segmentationBefore = drawn
    panel.ui.measureSegmentsButton.click()
    table = shown(panel)
    p.segmentationBefore = other
    assert shown(panel) is None
    p.segmentationBefore = drawn
    assert shown(panel) is table
    slicer.mrmlScene.RemoveNode(table)
    assert shown(panel) is None


def test_thresholds_are_proposed_when_the_section_opens_and_a_persons_own_stay(panel):
    ui, p = panel.ui, panel.p
    assert 100 < p.alikeLower < 200
    assert p.alikeUpper >= voxels().max()
    assert ui.alikeLowerSpinBox.value == p.alikeLower
    ui.alikeLowerSpinBox.value = 123.4
    p.lastOutput = add_volume(voxels(2, 3.0), "another result")
    assert p.alikeLower == pytest.approx(123.4)
    p.lastOutput = add_volume(voxels(2, 3.0) / 1000, "another result")
    p.inputVolume = add_volume(voxels() / 1000, "another study")
    assert 0.1 < p.alikeLower < 0.2
    assert ui.alikeLowerSpinBox.value == p.alikeLower


def test_thresholds_of_a_loaded_scene_stay(panel):
    panel.p.alikeLower, panel.p.alikeUpper = 111.0, 190.0
    panel.section.setParameterNode(None)
    panel.section.setParameterNode(panel.p)
    panel.section.update()
    assert (panel.p.alikeLower, panel.p.alikeUpper) == (111.0, 190.0)


def test_segmenting_both_alike_chooses_and_compares_what_was_made(panel):
    ui, p = panel.ui, panel.p
    ui.segmentAlikeButton.click()
    assert not panel.errors
    assert [p.segmentationBefore.GetName(), p.segmentationAfter.GetName()] == ["scan (before)", "scan (after)"]
    row = rows(shown(panel))[0]
    assert row["Dice"] > 0.95
    assert row["Mean after"] == pytest.approx(200, abs=5)
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    ui.alikeLowerSpinBox.value = 195.0
    ui.segmentAlikeButton.click()
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    assert rows(shown(panel))[0]["Dice"] < row["Dice"]


def test_a_threshold_that_selects_nothing_is_an_error_in_words(panel):
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    panel.ui.alikeUpperSpinBox.value = 20000.0
    panel.ui.alikeLowerSpinBox.value = 10000.0
    panel.ui.segmentAlikeButton.click()
    assert "between 10000 and 20000" in panel.errors[0]
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    panel.ui.alikeUpperSpinBox.value = 20.0
    assert not panel.ui.segmentAlikeButton.enabled
    assert "above the upper" in panel.ui.segmentAlikeButton.toolTip


def test_growing_asks_for_seeds_and_grows_them_on_both_volumes(panel):
    ui, p = panel.ui, panel.p
    assert not ui.seedsSelector.enabled
    ui.alikeMethodComboBox.currentIndex = 1
    assert ui.seedsSelector.enabled
    assert not ui.alikeLowerSpinBox.enabled
    assert "seeds" in ui.segmentAlikeButton.toolTip
    core, border = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    core[3, 10:15, 10:15], border[:, 0], border[0] = True, True, True
    p.seeds = add_segmentation(p.inputVolume, {"disc": core}, "one seed")
    ui.segmentAlikeButton.click()
    assert "at least two" in panel.errors.pop()
    p.seeds = add_segmentation(p.inputVolume, {"disc": core, "rest": border}, "seeds")
    ui.segmentAlikeButton.click()
    assert not panel.errors
    found = rows(shown(panel))
    assert [row["Segment"] for row in found] == ["disc", "rest"]
    assert found[0]["Volume after"] == pytest.approx(disc().sum() / 1000, rel=0.02)


def test_single_slices_and_frames_on_show_are_measured(panel):
    p = panel.p
    shape = (1, 24, 24)
    browsers = []
    for name, field, deviation in (("cine", "inputVolume", 8.0), ("cine restored", "lastOutput", 2.0)):
        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        for frame in range(3):
            volume = add_volume(voxels(frame, deviation, shape), f"{name} {frame}")
            sequence.SetDataNodeAtValue(volume, str(frame))
            slicer.mrmlScene.RemoveNode(volume)
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        setattr(p, field, browser.GetProxyNode(sequence))
        browsers.append(browser)
    p.segmentationBefore = add_segmentation(p.inputVolume, {"disc": disc(shape)})
    for frame in (0, 2):
        for browser in browsers:
            browser.SetSelectedItemNumber(frame)
            slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        panel.ui.measureSegmentsButton.click()
        assert rows(shown(panel))[0]["Mean"] == pytest.approx(voxels(frame, 8.0, shape)[disc(shape)].mean(dtype=float))
    panel.ui.segmentAlikeButton.click()
    assert not panel.errors
    assert rows(shown(panel))[0]["Dice"] > 0.9


def test_removing_what_is_chosen_disables_and_closing_the_scene_leaves_nothing(panel):
    p = panel.p
    p.segmentationBefore = add_segmentation(p.inputVolume, {"disc": disc()})
    panel.ui.measureSegmentsButton.click()
    assert shown(panel) is not None
    panel.section.setParameterNode(None)
    assert shown(panel) is None, "a scene that is about to close must not be held"
    panel.section.setParameterNode(p)
    slicer.mrmlScene.RemoveNode(p.segmentationBefore)
    assert not panel.ui.measureSegmentsButton.enabled
    slicer.mrmlScene.RemoveNode(p.lastOutput)
    assert not panel.ui.segmentAlikeButton.enabled
    panel.section.setParameterNode(None)
    slicer.mrmlScene.Clear(False)
    assert shown(panel) is None
    panel.section.update()
