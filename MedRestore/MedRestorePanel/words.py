"""The library's messages in the panel's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from MedRestoreLib import MedRestoreError

# What the panel calls the fields that an error names.
FIELDS = {
    "level": _("Noise level"),
    "noise": _("Noise"),
    "method": _("Method"),
    "modality": _("Modality"),
    "mask": _("Only inside"),
    "strength": _("Strength"),
    "dimensions": _("Dimensions"),
    "options": _("Options"),
    "device": _("Device"),
    "memory_gb": _("Memory of a tile (GB)"),
}


def _sentence(message: str) -> str:
    """A message of the library's, which begins in lower case, as a sentence."""
    return message[:1].upper() + message[1:]


def explained(error: MedRestoreError) -> str:
    """What is wrong, what to do, and where in the panel that is done."""
    where = FIELDS.get(error.field)
    return _sentence(str(error)) + (" " + _("See '{field}'.").format(field=where) if where else "")


def inAWord(report: dict[str, Any]) -> str:
    """The word of a report's verdict (``Report.to_dict()``): gain, careful gain, no reliable gain or harm."""
    return report["verdict"].partition(":")[0]
