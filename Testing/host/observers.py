"""VTK observers that go with the widget they serve, and do not keep it alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import vtk
from PySide6 import QtCore


class Observers:
    """What one widget observes; each object and event once."""

    def __init__(self, owner: QtCore.QObject):
        self._seen: dict[tuple[int, int], tuple[object, int]] = {}
        QtCore.QObject.connect(owner, QtCore.SIGNAL("destroyed()"), self.clear)

    def observe(self, thing, event: int, method: Callable, with_node: bool = False) -> None:
        """Call the bound ``method(thing, event)`` on ``event``, with the scene's node third if asked; held weakly."""
        key = id(thing), event
        if key in self._seen:
            return
        weak = weakref.WeakMethod(method)

        def relay(*arguments):
            alive = weak()
            if alive is not None:
                alive(*arguments)

        if with_node:
            relay = vtk.calldata_type(vtk.VTK_OBJECT)(relay)
        self._seen[key] = thing, thing.AddObserver(event, relay)

    def clear(self) -> None:
        for thing, tag in self._seen.values():
            thing.RemoveObserver(tag)
        self._seen.clear()
