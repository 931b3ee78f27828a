"""Fixtures that every test may use."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from Testing.support.paths import REPOSITORY

# No example fails because the machine is busy.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

collect_ignore = [str(p) for p in Path(__file__).parent.glob("host/*.py")]  # importing them starts Qt


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real studies: ``MEDRESTORE_DATA``, or ``shared/data`` beside the repository; skips without it."""
    folder = Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real studies are absent: {folder} is not a folder; set MEDRESTORE_DATA")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of small pictures to train on; see ``Testing.support.small_trainings``."""
    from Testing.support.small_trainings import write_pictures

    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def slicer_app():
    """Slicer's application as `Testing.host` stands in for it, with a fresh scene; skips without slicer-core."""
    if importlib.util.find_spec("slicer") is None:
        pytest.skip("real MRML is absent: slicer-core has no wheel for this Python or this machine")
    from Testing.host.fixtures import fresh_application

    yield from fresh_application()


@pytest.fixture
def module(slicer_app):
    """The module as Slicer loads it, its panel on show: (module, panel, logic)."""
    from Testing.host.fixtures import loaded_module

    return loaded_module()
