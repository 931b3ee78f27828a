"""Keeps pytest's search for examples out of what imports slicer, where PyPI has no slicer-core for this machine."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("slicer") else ["MedRestoreLib/mrml/*"]
