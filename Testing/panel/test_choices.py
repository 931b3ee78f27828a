"""The panel's combo boxes: what they offer, and that no value is lost when the offer changes."""

from __future__ import annotations

import itertools
import sys

import pytest

from MedRestoreLib import noise
from MedRestoreLib.methods import catalogue
from Testing.support.paths import PANEL


@pytest.fixture
def choices(slicer_app, monkeypatch):
    """The module under test, importable once the application is there."""
    monkeypatch.syspath_prepend(PANEL)
    from MedRestorePanel import choices

    return choices


@pytest.fixture
def bound(choices):
    """A combo box bound to a parameter: (parameter node, connector, combo box, tag)."""
    import qt
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        method: str

    parameters = Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    box = qt.QComboBox()
    connector = choices.ChoiceConnector(box, fruit(choices, "apple", "pear", "plum"))
    tag = parameters.connectParametersToGui({"method": connector})
    return parameters, connector, box, tag


def fruit(choices, *names):
    return [choices.Choice(f"A {name}", name, f"Tastes of {name}") for name in names]


def labels(box):
    return [box.itemText(index) for index in range(box.count)]


def can_be_chosen(box, index):
    import qt

    return bool(int(box.model().flags(box.model().index(index, 0))) & int(qt.Qt.ItemIsSelectable))


# The connector


def test_choosing_an_item_sets_the_parameter_and_the_other_way_round(bound):
    parameters, _, box, _ = bound
    box.setCurrentIndex(1)
    assert parameters.method == "pear"
    parameters.method = "plum"
    assert box.currentText == "A plum"


def test_an_undecided_value_shows_an_empty_box(bound):
    parameters, connector, box, _ = bound
    assert (box.currentIndex, connector.read()) == (-1, "")
    box.setCurrentIndex(0)
    parameters.method = ""
    assert (box.currentIndex, parameters.method) == (-1, "")


def test_other_choices_keep_the_value_and_tell_nobody(bound, choices):
    parameters, connector, box, _ = bound
    parameters.method = "pear"
    told = []
    box.currentIndexChanged.connect(told.append)
    connector.setChoices(fruit(choices, "quince", "pear"))
    assert (box.currentText, parameters.method, told) == ("A pear", "pear", [])
    assert labels(box) == ["A quince", "A pear"]


def test_a_value_that_is_no_longer_offered_is_kept_and_marked(bound, choices):
    parameters, connector, box, _ = bound
    parameters.method = "pear"
    connector.setChoices(fruit(choices, "apple"))
    assert parameters.method == connector.read() == "pear"
    assert box.currentText == "pear (not available)"
    connector.setChoices(fruit(choices, "apple", "pear"))
    assert labels(box) == ["A apple", "A pear"]
    assert box.currentText == "A pear"


def test_a_value_from_a_saved_scene_that_is_unknown_here_is_kept_and_marked(bound):
    parameters, connector, box, _ = bound
    parameters.method = "durian"
    assert box.currentText == "durian (not available)"
    assert parameters.method == connector.read() == "durian"
    parameters.method = "apple"
    assert labels(box) == ["A apple", "A pear", "A plum"]


def test_headings_and_separators_cannot_be_chosen(bound, choices):
    _, connector, box, _ = bound
    connector.setChoices(
        [choices.heading("From trees"), *fruit(choices, "apple"), choices.SEPARATOR, *fruit(choices, "berry")]
    )
    assert [can_be_chosen(box, index) for index in range(box.count)] == [False, True, False, True]


def test_a_value_is_found_behind_headings_and_separators(bound, choices):
    parameters, connector, box, _ = bound
    connector.setChoices([choices.heading("From bushes"), choices.SEPARATOR, *fruit(choices, "berry", "currant")])
    parameters.method = "currant"
    assert box.currentText == "A currant"
    box.setCurrentIndex(2)
    assert parameters.method == "berry"


def test_tool_tips_explain_the_items(bound):
    import qt

    _, _, box, _ = bound
    assert box.itemData(1, qt.Qt.ToolTipRole) == "Tastes of pear"


def test_a_disconnected_box_changes_nothing(bound):
    parameters, _, box, tag = bound
    parameters.disconnectGui(tag)
    box.setCurrentIndex(1)
    assert parameters.method == ""


# What is offered


def values(items):
    return [item.value for item in items if item.value is not None]


def headings(items):
    return [item.label for item in items if item.value is None]


def test_the_recommended_method_comes_first_and_says_so(choices):
    items = choices.methods("MR", "rician", "prinlm3d")
    assert items[0].value == "prinlm3d"
    assert "(recommended)" in items[0].label
    assert "(recommended)" not in "".join(item.label for item in items[1:])


def test_every_method_is_offered_exactly_once(choices):
    every = sorted(method.id for method in catalogue.METHODS)
    modalities, noises, recommended = ["", "NM", "US", "CT"], ["", "poisson", "speckle"], ["", "bm3d", "nllr"]
    for case in itertools.product(modalities, noises, recommended):
        assert sorted(values(choices.methods(*case))) == every, case


def test_methods_made_for_the_modality_come_before_the_others(choices):
    items = choices.methods("US", "gaussian", "bm3d")
    assert headings(items) == ["Made for such studies", "Made for other studies", "For other noise", "To enlarge"]
    starts = [items.index(choices.heading(label)) for label in headings(items)]
    groups = [items[start:stop] for start, stop in zip(starts, [*starts[1:], None], strict=True)]
    fit, unfit, unable, enlarging = ([catalogue.find(id) for id in values(group)] for group in groups)
    assert fit
    assert all("gaussian" in row.noises and "US" in row.modalities for row in fit)
    assert unfit
    assert all("gaussian" in row.noises and "US" not in row.modalities for row in unfit)
    assert unable
    assert all("gaussian" not in row.noises for row in unable)
    assert enlarging == [row for row in catalogue.METHODS if row.factors]


def test_a_modality_without_methods_of_its_own_gets_those_for_any(choices):
    assert choices.methods("CT", "gaussian") == choices.methods("OT", "gaussian")


def test_a_method_is_explained_by_its_sentence_and_source(choices):
    item = choices.methods("NM", "poisson", "bm3d")[0]
    assert catalogue.find("bm3d").summary in item.toolTip
    assert catalogue.find("bm3d").citation in item.toolTip


def test_only_noise_that_the_method_handles_is_offered(choices):
    for method in catalogue.METHODS:
        assert set(values(choices.noises(method.id))) == set(method.noises)
    assert values(choices.noises("unknown")) == values(choices.noises("")) == list(noise.IDS)
    assert all(item.toolTip.startswith("Level: ") for item in choices.noises(""))


def test_only_dimensions_that_the_method_has_are_offered(choices):
    assert values(choices.dimensions("bm3d")) == ["auto", "2"]
    assert values(choices.dimensions("bm4d")) == ["auto", "3"]
    assert values(choices.dimensions("")) == ["auto", "2", "3"]


def test_only_factors_that_the_method_has_are_offered(choices):
    assert values(choices.factors("bicubic")) == ["2", "3", "4"]
    assert values(choices.factors("bm3d")) == values(choices.factors("")) == []


def test_modalities_start_with_the_question(choices):
    assert values(choices.modalities()) == ["", "NM", "MR", "US", "PT", "CT", "OT"]


def test_devices_are_listed_by_what_is_there(choices, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert values(choices.devices()) == ["auto", "cpu", "cuda"]
    assert values(choices.devices({"cpu": "16 threads"})) == ["auto", "cpu"]
    found = choices.devices({"cpu": "", "cuda": "NVIDIA RTX A4000"})
    assert found[-1] == choices.Choice("NVIDIA GPU: NVIDIA RTX A4000", "cuda")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert values(choices.devices()) == ["auto", "cpu", "mps"]


def test_segments_are_offered_by_name(choices):
    import slicer

    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    ids = [segmentation.GetSegmentation().AddEmptySegment("", name) for name in ("Liver", "Lesion")]
    assert choices.segments(segmentation) == [choices.Choice("Liver", ids[0]), choices.Choice("Lesion", ids[1])]
    assert choices.segments(None) == []
