"""Runs the panel's tests inside Slicer, where the module is loaded, and ends it with their exit code:

    Slicer --no-splash --additional-module-paths MedRestore --python-script Testing/panel/in_slicer.py

pytest has to be installed in Slicer's Python. The tests close the scene: start a Slicer for them alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WORKED_BY_A_USER = ("panel", "end", "preview", "preview_end", "views", "views_end", "segments")
WORKED_BY_A_USER += ("several", "settings", "problem", "keyboard")


def main() -> int:
    """What pytest gives: 0 when all is well."""
    import pytest

    sys.path.insert(0, str(REPOSITORY))
    files = [str(REPOSITORY / "Testing" / "panel" / f"test_{name}.py") for name in WORKED_BY_A_USER]
    return pytest.main([*files, "-p", "no:cacheprovider", "--rootdir", str(REPOSITORY), *sys.argv[1:]])


if __name__ == "__main__":
    import slicer

    slicer.util.exit(int(main()))
