"""A network is adapted to the study where the panel is asked to, and the evidence tells what became of it."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.support.panel_user import User, add_head, add_volume


def scan() -> object:
    """A whole-body scan's size of counts: an even field with sharp edges, 60 counts a pixel, 1 x 64 x 64."""
    rng = np.random.default_rng(0)
    clean = np.full((1, 64, 64), 2.0)
    clean[:, 12:52, 12:52] = 60
    return add_volume(rng.poisson(clean).astype(np.int16), "scan", modality="NM")


def test_a_network_is_adapted_where_it_is_asked_for(user: User):
    from MedRestoreLib import mrml

    user.open(scan(), method="emanet")
    assert user.ui.adaptCheckBox.visible
    assert "adapt" not in user.panel.study.edits()
    user.choose(adapt=True)
    report = mrml.report_of(user.apply())
    assert report["plan"]["adapt"]
    assert report["adaptation"]["steps"] > 0
    assert report["notes"][0].startswith("The network was")
    assert "The network was" in user.ui.evidenceBrowser.plainText
    user.open(add_head("other"), method="general")
    assert not user.p.adapt, "another study is another choice"


@pytest.mark.parametrize("method", ["bm3d", "adf"])
def test_a_method_that_learns_nothing_is_not_adapted(user: User, head, method):
    user.open(head, method="general", noise="rician")
    assert not user.ui.adaptCheckBox.visible, "magnitudes cannot be divided"
    user.choose(noise="gaussian", adapt=True)
    assert user.panel.study.edits()["adapt"]
    user.choose(method=method)
    assert not user.ui.adaptCheckBox.visible
    assert "adapt" not in user.panel.study.edits()
