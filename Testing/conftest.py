"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real studies: ``MEDRESTORE_DATA``, or ``shared/data`` beside the repository; skips without it."""
    folder = Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real studies are absent: {folder} is not a folder; set MEDRESTORE_DATA")
    return folder
