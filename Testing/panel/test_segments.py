"""The Segments section: what was segmented is measured on the original and on the restored volume."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from Testing.support.compare_user import as_result
from Testing.support.panel_user import add_cine, add_segment, add_volume, select_frame

SHAPE = (6, 24, 24)


def disc(shape=SHAPE) -> np.ndarray:
    """A disc in the middle slices."""
    z, y, x = np.indices(shape)
    return ((y - 12) ** 2 + (x - 12) ** 2 <= 36) & (abs(z - shape[0] // 2) <= 1)


def voxels(seed=0, deviation=8.0, shape=SHAPE) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, shape)
    return (100 + 100 * disc(shape) + noise).astype(np.float32)


def add_result(seed: int, deviation: float, name: str = "scan restored", factor: float = 1.0, source=None):
    node = add_volume(voxels(seed, deviation) * factor, name, shown=False)
    as_result(node, node if source is None else source)
    return node


def draw(volume, *masks: np.ndarray, name: str = "drawn"):
    """A segmentation with a segment for each mask."""
    segmentation = None
    for number, mask in enumerate(masks):
        segmentation, _ = add_segment(volume, mask, "disc" if number == 0 else "rest", segmentation)
    segmentation.SetName(name)
    return segmentation


@pytest.fixture
def segments(user):
    """The user, with a study restored and the section open."""
    user.choose(inputVolume=add_volume(voxels(), "scan"))
    user.choose(lastOutput=add_result(1, 2.0, source=user.p.inputVolume))
    user.ui.segmentsCollapsibleButton.collapsed = False
    user.rest()
    return user


def table(user):
    return user.ui.segmentsTableView.mrmlTableNode()


def rows(node) -> list[dict]:
    """A table's rows by the names of its columns, in the columns' own types."""
    columns = [node.GetTable().GetColumn(c) for c in range(node.GetNumberOfColumns())]
    return [{c.GetName(): c.GetValue(r) for c in columns} for r in range(node.GetNumberOfRows())]


def test_buttons_say_what_is_missing_until_nothing_is(segments):
    ui, p = segments.ui, segments.p
    assert not ui.measureSegmentsButton.enabled
    assert "segmentation" in ui.measureSegmentsButton.toolTip
    assert ui.segmentAlikeButton.enabled
    segments.choose(segmentationBefore=draw(p.inputVolume, disc()))
    assert ui.measureSegmentsButton.enabled
    assert "contrast" in ui.measureSegmentsButton.toolTip
    result = p.lastOutput
    segments.choose(lastOutput=None)
    for button in (ui.measureSegmentsButton, ui.segmentAlikeButton):
        assert not button.enabled
        assert "Restore a volume" in button.toolTip
    as_result(result, result)
    segments.choose(lastOutput=result, inputVolume=None)
    assert "original" in ui.segmentAlikeButton.toolTip


def test_one_segmentation_is_measured_on_both_volumes(segments):
    segments.choose(segmentationBefore=draw(segments.p.inputVolume, disc()))
    assert segments.ui.measureSegmentsButton.text == "Measure"
    segments.press("measureSegmentsButton")
    before, after = rows(table(segments))
    assert [before["Image"], after["Image"]] == ["scan", "scan restored"]
    assert before["Mean"] == pytest.approx(voxels()[disc()].mean(dtype=np.float64))
    assert after["Contrast"] > 2 * before["Contrast"] > 0


def test_headings_hold_a_unit_once_and_a_contrast_that_does_not_exist_is_empty(segments):
    """A segment that fills the volume has no background to stand out from."""
    from MedRestoreLib.mrml import column_of

    study = segments.p.inputVolume
    segments.choose(segmentationBefore=draw(study, np.ones(SHAPE, bool)))
    segments.press("measureSegmentsButton")
    model = segments.ui.segmentsTableView.model()
    titles = [str(model.headerData(k, qt_horizontal())) for k in range(model.columnCount())]
    assert "Volume [mL]" in titles
    assert all(title.count("[") <= 1 and "(m" not in title for title in titles)
    column = titles.index("Contrast to background (CNR)")
    assert [model.index(row, column).data() for row in range(2)] == ["", ""]
    assert np.isnan(column_of(table(segments), "Contrast")).all()
    assert column_of(table(segments), "Mean")[0] == pytest.approx(voxels().mean(), rel=1e-3)


def qt_horizontal():
    import qt

    return qt.Qt.Horizontal


def test_two_segmentations_are_compared(segments):
    p = segments.p
    segments.choose(segmentationBefore=draw(p.inputVolume, disc()))
    segments.choose(segmentationAfter=draw(p.lastOutput, np.roll(disc(), 2, axis=2), name="drawn after"))
    assert segments.ui.measureSegmentsButton.text == "Compare"
    segments.press("measureSegmentsButton")
    assert 0 < rows(table(segments))[0]["Dice"] < 1
    segments.choose(segmentationAfter=segments.p.segmentationBefore)
    assert segments.ui.measureSegmentsButton.text == "Measure"


def test_measuring_twice_gives_one_table_that_shows_the_new_numbers(segments):
    import slicer

    segments.choose(segmentationBefore=draw(segments.p.inputVolume, disc()))
    segments.press("measureSegmentsButton")
    first, mean = table(segments), rows(table(segments))[0]["Mean"]
    slicer.util.arrayFromVolume(segments.p.inputVolume)[...] += 7
    segments.press("measureSegmentsButton")
    assert table(segments) is first
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1
    assert rows(first)[0]["Mean"] == pytest.approx(mean + 7, abs=1e-3)


def test_the_view_shows_the_table_of_what_is_chosen_and_forgets_a_removed_one(segments):
    import slicer

    drawn, other = (draw(segments.p.inputVolume, disc(), name=name) for name in ("one", "two"))
    segments.choose(segmentationBefore=drawn)
    segments.press("measureSegmentsButton")
    measured = table(segments)
    segments.choose(segmentationBefore=other)
    assert table(segments) is None
    segments.choose(segmentationBefore=drawn)
    assert table(segments) is measured
    slicer.mrmlScene.RemoveNode(measured)
    segments.rest()
    assert table(segments) is None


def test_thresholds_are_proposed_when_the_section_opens_and_a_persons_own_stay(segments):
    assert 100 < segments.p.alikeLower < 200
    assert segments.p.alikeUpper >= voxels().max()
    assert segments.ui.alikeLowerSpinBox.value == segments.p.alikeLower
    segments.choose(alikeLower=123.4)
    segments.choose(lastOutput=add_result(2, 3.0, "another result", source=segments.p.inputVolume))
    assert segments.p.alikeLower == pytest.approx(123.4)
    other = add_volume(voxels() / 1000, "another study")
    segments.choose(inputVolume=other, lastOutput=add_result(2, 3.0, "its result", 0.001, source=other))
    assert 0.1 < segments.p.alikeLower < 0.2
    assert segments.ui.alikeLowerSpinBox.value == segments.p.alikeLower


def test_thresholds_outlive_a_visit_to_another_module(segments):
    segments.choose(alikeLower=111.0, alikeUpper=190.0)
    segments.leave()
    segments.come_back()
    segments.rest()
    assert (segments.p.alikeLower, segments.p.alikeUpper) == (111.0, 190.0)


def test_segmenting_both_alike_chooses_and_compares_what_was_made(segments):
    import slicer

    segments.press("segmentAlikeButton")
    segments.rest()
    p = segments.p
    assert [p.segmentationBefore.GetName(), p.segmentationAfter.GetName()] == ["scan (before)", "scan (after)"]
    row = rows(table(segments))[0]
    assert row["Dice"] > 0.95
    assert row["Mean after"] == pytest.approx(200, abs=5)
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    segments.choose(alikeLower=195.0)
    segments.press("segmentAlikeButton")
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    assert rows(table(segments))[0]["Dice"] < row["Dice"]


def test_a_threshold_that_selects_nothing_is_an_error_in_words(segments):
    import slicer

    nodes = slicer.mrmlScene.GetNumberOfNodes()
    segments.choose(alikeUpper=20000.0, alikeLower=10000.0)
    segments.press("segmentAlikeButton")
    assert "between 10000 and 20000" in segments.ui.statusLabel.text
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    segments.choose(alikeUpper=20.0)
    assert not segments.ui.segmentAlikeButton.enabled
    assert "above the upper" in segments.ui.segmentAlikeButton.toolTip


def test_growing_asks_for_seeds_and_grows_them_on_both_volumes(segments):
    ui, study = segments.ui, segments.p.inputVolume
    grow = sys.modules["MedRestorePanel.parameters"].AlikeMethod.GROW
    assert not ui.seedsSelector.enabled
    segments.choose(alikeMethod=grow)
    assert ui.seedsSelector.enabled
    assert not ui.alikeLowerSpinBox.enabled
    assert "seeds" in ui.segmentAlikeButton.toolTip
    core, border = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    core[3, 10:15, 10:15], border[:, 0], border[0] = True, True, True
    segments.choose(seeds=draw(study, core, name="one seed"))
    segments.press("segmentAlikeButton")
    assert "at least two" in ui.statusLabel.text
    segments.choose(seeds=draw(study, core, border, name="seeds"))
    segments.press("segmentAlikeButton")
    found = rows(table(segments))
    assert [row["Segment"] for row in found] == ["disc", "rest"]
    assert found[0]["Volume after"] == pytest.approx(disc().sum() / 1000, rel=0.02)


def test_single_slices_and_frames_on_show_are_measured(segments):
    shape = (1, 24, 24)
    cines = [
        add_cine([voxels(frame, deviation, shape) for frame in range(3)], name, "CT")
        for name, deviation in (("cine", 8.0), ("cine restored", 2.0))
    ]
    as_result(cines[1][0], cines[0][0])
    segments.choose(inputVolume=cines[0][0], lastOutput=cines[1][0])
    segments.choose(segmentationBefore=draw(cines[0][0], disc(shape)))
    for frame in (0, 2):
        for _, browser in cines:
            select_frame(browser, frame)
        segments.press("measureSegmentsButton")
        expected = voxels(frame, 8.0, shape)[disc(shape)].mean(dtype=float)
        assert rows(table(segments))[0]["Mean"] == pytest.approx(expected)
    segments.press("segmentAlikeButton")
    assert rows(table(segments))[0]["Dice"] > 0.9


def test_removing_what_is_chosen_disables_and_closing_the_scene_leaves_nothing(segments):
    import slicer

    p = segments.p
    segments.choose(segmentationBefore=draw(p.inputVolume, disc()))
    segments.press("measureSegmentsButton")
    assert table(segments) is not None
    slicer.mrmlScene.RemoveNode(segments.p.segmentationBefore)
    segments.rest()
    assert not segments.ui.measureSegmentsButton.enabled
    slicer.mrmlScene.RemoveNode(segments.p.lastOutput)
    segments.rest()
    assert not segments.ui.segmentAlikeButton.enabled
    segments.choose(segmentationBefore=draw(segments.p.inputVolume, disc()))
    slicer.mrmlScene.Clear(False)
    segments.rest()
    assert table(segments) is None
