"""The panel can be worked without a mouse, read aloud, and seen in any colours."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest

from Testing.support.paths import PANEL

SLICERS_MENUS = set("FEVH")  # File, Edit, View, Help
SECTIONS = ("segmentsCollapsibleButton", "severalCollapsibleButton", "advancedCollapsibleButton")


@pytest.fixture
def unfolded(user, head):
    """Everything on show."""
    user.open(head, method="adf")
    user.apply()
    for name in SECTIONS:
        getattr(user.ui, name).collapsed = False
    user.rest()
    return user


def widgets(user) -> list:
    return [w for w in vars(user.ui).values() if hasattr(w, "focusPolicy") and not w.name.startswith("qt_")]


def buddies(user) -> dict:
    labels = [w for w in widgets(user) if w.className() == "QLabel"]
    return {label.buddy().name: label.text for label in labels if label.buddy() is not None}


def test_every_widget_that_takes_keys_has_a_name_to_read_aloud(unfolded):
    labelled = buddies(unfolded)
    nameless = [
        widget.name
        for widget in widgets(unfolded)
        if int(widget.focusPolicy) and widget.className() not in ("ctkCollapsibleButton", "QLabel")
        if not (getattr(widget, "text", "") or widget.accessibleName or widget.name in labelled)
        if widget.name not in ("fadeSlider",)
    ]
    assert nameless == []


def test_every_field_has_a_label_that_leads_to_it(unfolded):
    labelled = buddies(unfolded)
    fields = ("ComboBox", "Slider", "SpinBox", "LineEdit", "Selector")
    inside = {"Slider", "SpinBox"}  # of a slider widget
    alone = {w.name for w in widgets(unfolded) if w.name.endswith(fields)} - set(labelled) - inside
    assert alone == {"maskSegmentComboBox", "alikeUpperSpinBox"}, "which stand second in their row"


def test_letters_are_unique_and_leave_slicers_menus_alone(unfolded):
    texts = [getattr(widget, "text", "") for widget in widgets(unfolded)]
    letters = Counter(match[1].upper() for text in texts if (match := re.search(r"&(\w)", text)))
    assert len(letters) > 12
    assert [letter for letter, count in letters.items() if count > 1] == []
    assert not SLICERS_MENUS & set(letters)


def test_tab_goes_through_the_panel_from_top_to_bottom(unfolded):
    import qt

    panel = unfolded.panel.parent
    panel.resize(420, 1600)
    unfolded.rest()
    first = unfolded.ui.inputCollapsibleButton
    places, widget = [], first
    for _ in range(400):
        widget = widget.nextInFocusChain()
        if widget is first:
            break
        if int(widget.focusPolicy) & int(qt.Qt.TabFocus) and widget.visible and panel.isAncestorOf(widget):
            places.append(widget.mapTo(panel, qt.QPoint(0, 0)).y())
    assert len(places) > 40
    assert all(after >= before - 12 for before, after in pairwise(places)), places


def test_a_label_leads_into_a_widget_that_takes_keys(unfolded):
    for name in ("levelSlider", "strengthSlider", "inputSelector"):
        widget = getattr(unfolded.ui, name)
        assert int(widget.focusPolicy) or widget.focusProxy() is not None


def test_ctrl_return_is_apply(unfolded):
    from MedRestoreLib import mrml

    first = unfolded.p.lastOutput
    unfolded.choose(strength=0.5)
    unfolded.panel.shortcut.activated()
    unfolded.wait(lambda: unfolded.p.lastOutput is not first and not unfolded.panel.restoring.isRunning)
    assert mrml.report_of(unfolded.p.lastOutput)["plan"]["strength"] == 0.5


def test_the_panel_has_no_colours_of_its_own():
    """So that it is as light or dark as Slicer is, and nothing is told by a colour alone."""
    sources = [*PANEL.rglob("*.py"), *PANEL.rglob("*.ui")]
    colours = re.compile(r"styleSheet|QColor|QPalette|#[0-9A-Fa-f]{6}\b|\bcolor=|background-color", re.I)
    found = {match for path in sources for match in colours.findall(path.read_text(encoding="utf-8"))}
    assert found == {"#8C8C8C"}, "the grey of the compare views, which no colour vision and no theme changes"
