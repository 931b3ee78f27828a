"""A study is enlarged from the panel: the factor is asked for where it counts, and the result lies in its place."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from Testing.support.panel_user import User, add_cine, add_head
from Testing.support.preview_user import SHAPE, place


def corners(node) -> np.ndarray:
    columns, rows, slices = node.GetImageData().GetDimensions()
    ends = ((-0.5, columns - 0.5), (-0.5, rows - 0.5), (0, slices - 1))
    return np.array([place(node, *end) for end in itertools.product(*ends)])


def test_the_factor_is_asked_for_where_the_method_has_one(user: User, head):
    user.open(head, method="adf")
    assert not user.ui.factorComboBox.visible
    assert not user.ui.factorNameLabel.visible
    user.choose(method="bicubic")
    assert user.ui.factorComboBox.visible
    assert user.items("factor") == ["2 times", "3 times", "4 times"]
    assert user.p.factor == "2"
    assert "not measured" in user.ui.statusLabel.text
    user.choose(factor="4")
    user.choose(method="adf")
    assert user.p.factor == ""
    assert not user.ui.factorComboBox.visible
    assert "factor" not in user.panel.study.edits()


def test_the_result_is_larger_in_the_same_place_with_what_was_added(user: User, head):
    import slicer

    from MedRestoreLib import mrml, resampling

    user.open(head, method="bicubic", trustMap=True, keepRemoved=True)
    user.choose(factor="3")
    result = user.apply()
    voxels = slicer.util.arrayFromVolume(head)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(result), resampling.enlarged(voxels, 3).clip(0), atol=0.01)
    np.testing.assert_allclose(corners(result), corners(head), atol=1e-6)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(mrml.removed_of(result)), 0, atol=0.01)
    maps = mrml.trust_of(result)
    assert set(maps) == {"invented"}, "where detail was not measured"
    np.testing.assert_allclose(corners(maps["invented"]), corners(head), atol=1e-6)
    share = slicer.util.arrayFromVolume(maps["invented"])
    assert share.min() >= 0
    assert share.max() <= 1
    assert share.any()
    assert "Enlarged is not measured" in user.ui.evidenceBrowser.plainText
    assert mrml.report_of(result)["enlargement"]["factor"] == 3


def test_a_cine_is_enlarged_in_all_its_frames(user: User):
    from MedRestoreLib import mrml

    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 200, (1, 24, 30, 3), np.uint8) for _ in range(3)]
    node, _ = add_cine(frames)
    user.open(node, method="bicubic")
    result = user.apply()
    sequence = mrml.sequence_of(result)[1]
    assert sequence.GetNumberOfDataNodes() == 3
    assert [sequence.GetNthDataNode(k).GetImageData().GetDimensions() for k in range(3)] == [(60, 48, 1)] * 3
    np.testing.assert_allclose(corners(result), corners(node), atol=1e-6)


@pytest.mark.parametrize(("choice", "together"), [("auto", True), ("apart", False)])
def test_frames_of_a_loop_share_detail_unless_they_shall_not(user: User, choice, together):
    from MedRestoreLib import mrml

    rng = np.random.default_rng(0)
    node, _ = add_cine([rng.integers(0, 200, (1, 24, 30), np.uint8) for _ in range(3)])
    user.open(node, method="enlarge")
    user.choose(together=choice)
    assert mrml.report_of(user.apply())["plan"]["together"] is together


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_the_preview_shows_the_finer_slice_exactly_over_the_original(preview, strength):
    import slicer

    from MedRestoreLib import resampling

    node = preview.volume()
    preview.open(node, strength=strength)
    preview.choose(method="bicubic")
    preview.choose(factor="2")
    preview.switch_on()
    preview.wait()
    layer = preview.layer()
    assert layer.GetImageData().GetDimensions() == (2 * SHAPE[2], 2 * SHAPE[1], 1)
    for i, j in ((-0.5, -0.5), (SHAPE[2] - 0.5, -0.5), (-0.5, SHAPE[1] - 0.5)):
        wanted = place(node, i, j, preview.slice())
        np.testing.assert_allclose(place(layer, 2 * i + 0.5, 2 * j + 0.5, 0), wanted, atol=1e-6)
    fine = resampling.enlarged(slicer.util.arrayFromVolume(node)[preview.slice()], 2)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(layer)[0], fine, atol=0.01)


def test_side_by_side_both_show_the_same_millimetres(user: User, head):
    import slicer

    from MedRestorePanel.slices import sliceLogics

    user.open(head, method="bicubic")
    result = user.apply()
    user.press("sideBySideButton")
    user.rest(0.15)
    logics = sliceLogics()
    shown = [logic.GetSliceCompositeNode().GetBackgroundVolumeID() for logic in logics]
    assert shown == [head.GetID(), result.GetID()]
    views = [logic.GetSliceNode() for logic in logics]

    heights = [node.GetFieldOfView()[1] for node in views]
    assert heights[0] == pytest.approx(heights[1], rel=1e-6)
    first, second = (slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in views)
    np.testing.assert_allclose(first, second, atol=1e-3)
    user.press("formerLayoutButton")


def test_a_preset_keeps_the_factor():
    from MedRestoreLib import presets

    preset = presets.Preset("Twice as fine", method="bicubic", factor=2)
    assert presets.from_json(preset.to_json()) == preset
    assert preset.edits()["factor"] == 2
    with pytest.raises(presets.InvalidPlan, match="does not enlarge"):
        presets.Preset("wrong", method="adf", factor=2)


def test_another_study_starts_with_its_own_size(user: User, head):
    user.open(head, method="bicubic")
    user.choose(factor="4")
    user.open(add_head("next", seed=3))
    assert user.p.factor == ""
    assert user.p.method != "bicubic"
