"""A user before the panel, in Slicer or in what stands in for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from Testing.support.application import Application
    from Testing.support.compare_user import Compare
    from Testing.support.panel_user import User
    from Testing.support.preview_user import Preview


@pytest.fixture(scope="session")
def application() -> Iterator[Application]:
    """The application; all tests of a process share it, as they would share Slicer."""
    from Testing.support.application import Application, HostApplication, is_slicer

    if not is_slicer() and importlib.util.find_spec("slicer") is None:
        pytest.skip("real MRML is absent: slicer-core has no wheel for this Python or this machine")
    running = Application() if is_slicer() else HostApplication()
    yield running
    running.close()


@pytest.fixture
def user(application: Application) -> Iterator[User]:
    """A person before the panel, over an empty scene. No exception may have been seen when they are done."""
    from Testing.support.panel_user import User

    user = User(application)
    yield user
    user.fold_as_before()
    assert not application.errors, "exceptions in connected functions:\n" + "\n".join(application.errors)


@pytest.fixture
def compare(user: User) -> Compare:
    """The Compare section in the user's hands."""
    from Testing.support.compare_user import Compare

    return Compare(user)


@pytest.fixture
def preview(user: User) -> Iterator[Preview]:
    """The preview in the user's hands."""
    from Testing.support.preview_user import Preview

    preview = Preview(user)
    yield preview
    preview.close()


@pytest.fixture
def head(user: User) -> Any:
    """A small magnetic resonance volume in the scene."""
    from Testing.support.panel_user import add_head

    return add_head()
