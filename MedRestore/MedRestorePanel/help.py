"""Where the documentation is."""

from __future__ import annotations

from slicer.i18n import tr as _

README = "https://github.com/MedRestore/SlicerMedRestore"


def helpLinks() -> str:
    """Links to the chapters that people ask for, as rich text."""
    chapters = {
        "tutorial": _("Tutorial"),
        "the-panel": _("The panel"),
        "troubleshooting": _("Troubleshooting"),
        "methods": _("Methods"),
    }
    return " · ".join(f'<a href="{README}#{anchor}">{title}</a>' for anchor, title in chapters.items())
