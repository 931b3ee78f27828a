"""Whether the frames of a series help each other is asked where they can, and what was chosen is done."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.support.panel_user import User, add_cine, add_head


def series(frames: int) -> object:
    """One object with another contrast in each frame: 4 slices of 24 x 30, Rician noise of 8 of about 200."""
    rng = np.random.default_rng(0)
    z, y, x = np.mgrid[:4, -1:1:24j, -1:1:30j]
    whole, part = x**2 + y**2 < 0.7, (x - 0.2) ** 2 + y**2 < 0.2
    clean = [120.0 * whole + (80 - 10 * frame) * part + 0 * z for frame in range(frames)]
    noisy = [np.hypot(one + 8 * rng.normal(size=one.shape), 8 * rng.normal(size=one.shape)) for one in clean]
    return add_cine([one.astype(np.float32) for one in noisy], "diffusion", "MR")[0]


@pytest.mark.parametrize(("choice", "together"), [("together", True), ("apart", False)])
def test_frames_are_restored_as_was_chosen(user: User, choice, together):
    from MedRestoreLib import mrml

    user.open(series(4), method="adf", level=4.0)
    assert user.ui.togetherComboBox.visible
    assert user.items("together") == ["As recommended", "Together", "Each for itself"]
    assert "together" not in user.panel.study.edits(), "the series itself tells"
    user.choose(together=choice)
    assert user.panel.study.edits()["together"] is together
    plan = mrml.report_of(user.apply())["plan"]
    assert plan["together"] is together


def test_frames_are_not_asked_about_where_they_cannot_help_each_other(user: User, head):
    user.open(head, method="adf")
    assert not user.ui.togetherComboBox.visible
    assert not user.ui.togetherLabel.visible
    node = series(4)
    user.open(node, method="adf")
    user.choose(together="together")
    user.choose(wholeSequence=False)
    assert not user.ui.togetherComboBox.visible, "one frame is alone"
    assert "together" not in user.panel.study.edits()
    user.choose(wholeSequence=True, method="general")
    assert not user.ui.togetherComboBox.visible, "a network was trained on frames, not on mixtures of them"
    user.open(add_head("other"), method="adf")
    user.open(node)
    assert user.p.together == "auto", "another study is another choice"
