"""What must hold before Qt and VTK are imported: no screen, enums that are numbers, and the system's libraries."""

from __future__ import annotations

import importlib
import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "2"  # enums are numbers, as in PythonQt

DEBIAN_PACKAGES = "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0"

try:
    importlib.import_module("PySide6.QtWidgets")
    importlib.import_module("slicer.util")
except ImportError as error:
    advice = f"On Debian and Ubuntu: sudo apt-get install {DEBIAN_PACKAGES}"
    raise ImportError(f"The tests of the Slicer module need system libraries ({error}). {advice}") from error
