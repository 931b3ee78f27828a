"""The library's messages in the panel's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _
from slicer.i18n import translate

if TYPE_CHECKING:
    from MedRestoreLib import MedRestoreError


def _fields() -> dict[str, str]:
    """What the panel calls the fields that an error names."""
    return {
        "level": _("Noise level"),
        "noise": _("Noise"),
        "method": _("Method"),
        "modality": _("Modality"),
        "mask": _("Only inside"),
        "strength": _("Strength"),
        "dimensions": _("Dimensions"),
        "together": _("Frames"),
        "adapt": _("Adapt the network to this study"),
        "factor": _("Enlarge"),
        "options": _("Options"),
        "device": _("Device"),
        "precision": _("Precision"),
        "memory_gb": _("Memory of a tile (GB)"),
    }


def _sentence(message: str) -> str:
    """A message of the library's, which begins in lower case, as a sentence."""
    return message[:1].upper() + message[1:]


def explained(error: MedRestoreError) -> str:
    """What is wrong, what to do, and where in the panel that is done."""
    where = _fields().get(error.field)
    return _sentence(str(error)) + (" " + _("See '{field}'.").format(field=where) if where else "")


def ofLibrary(text: str) -> str:
    """A title, summary or unit of the library's tables in the user's language."""
    return translate("MedRestoreLib", text)


def inAWord(report: dict[str, Any]) -> str:
    """The word of a report's verdict (``Report.to_dict()``): gain, careful gain, no reliable gain or harm."""
    return ofLibrary(report["verdict"].partition(":")[0])
