"""The extension installs with Slicer's own macros: every file that is needed, and no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from Testing import package

SOURCES = [os.environ.get(name, "") for name in ("SLICER_SOURCE_DIR", "CTK_SOURCE_DIR")]


@pytest.mark.skipif(not all(SOURCES), reason="SLICER_SOURCE_DIR and CTK_SOURCE_DIR name no source checkouts")
def test_what_is_installed_is_what_should_be(tmp_path):
    slicer, ctk = (Path(source).resolve() for source in SOURCES)
    assert package.install(slicer, ctk, tmp_path) == package.expected()


def test_what_should_be_installed_is_the_module_the_library_and_the_weights():
    files = package.expected()
    for path in ("MedRestore.py", "MedRestorePanel/study.py", "MedRestoreLib/__init__.py"):
        assert f"{package.MODULES}/{path}" in files
    for path in ("Resources/UI/MedRestore.ui", "Resources/weights/manifest.toml"):
        assert f"{package.MODULES}/{path}" in files
    assert not [path for path in files if "training" in path or "Testing" in path or path.endswith(".ts")]
