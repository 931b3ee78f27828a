"""What the fixtures `slicer_app` and `module` do; `Testing/conftest.py` names them and starts nothing by itself."""

from __future__ import annotations

import os
from pathlib import Path

from Testing import host
from Testing.support.paths import MODULE


def fresh_application():
    """Yield the application. Afterwards: no exception seen in a slot, no process left, every window deleted."""
    host.new_scene()
    before = _children()
    yield host.start()
    host.close_scene()
    host.process_events()
    assert not host.errors, "exceptions in connected functions:\n" + "\n".join(host.errors)
    left = _children() - before
    assert not left, f"processes were left behind: {left}"


def loaded_module():
    """The module and its panel on show: (module, the panel's Python half, its logic)."""
    module = host.load_module(MODULE)
    host.select_module(module.name)
    assert not host.errors, "the panel cannot be entered:\n" + "\n".join(host.errors)
    panel = module.widgetRepresentation().self()
    return module, panel, panel.logic


def _children() -> set[str]:
    """The numbers of the living child processes; nothing outside Linux."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return {one for one in (listed.read_text().split() if listed.exists() else []) if not _has_ended(one)}


def _has_ended(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
