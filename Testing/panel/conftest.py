"""What a user of the panel has before them."""

from __future__ import annotations

import pytest


@pytest.fixture
def panel(module):
    """The panel's Python half."""
    return module[1]


@pytest.fixture
def head(slicer_app):
    """A small magnetic resonance volume in the scene."""
    from Testing.support.panel_user import add_head

    return add_head()
