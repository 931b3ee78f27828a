"""What users call keeps its name, its arguments and its defaults."""

from __future__ import annotations

import inspect
import re

import MedRestoreLib as mr
from Testing.support.public_api import RECORD, lines


def test_the_public_api_is_the_recorded_one():
    """A change that is meant is recorded with ``python -m Testing.support.public_api``."""
    recorded, found = RECORD.read_text(encoding="utf-8").splitlines(), lines()
    assert {"gone": sorted(set(recorded) - set(found)), "new": sorted(set(found) - set(recorded))} == {
        "gone": [],
        "new": [],
    }
    assert found == recorded, "the order of fields differs"


def test_the_record_holds_every_public_name_and_every_public_member_of_a_class():
    text = RECORD.read_text(encoding="utf-8")
    for name in mr.__all__:
        thing = getattr(mr, name)
        assert re.search(rf"^(class )?{name}\(", text, re.M), name
        members = [m for m in vars(thing) if not m.startswith("_")] if inspect.isclass(thing) else []
        assert not [member for member in members if not re.search(rf"^{name}\.{member}\b", text, re.M)]
