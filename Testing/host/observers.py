"""VTK observers that go with the widget they serve, and do not keep it alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import vtk
from PySide6 import QtCore

# Every callback that VTK may call, kept from Python's collector: VTK shows it the observers of an object whose Python
# side is garbage, though the object itself lives on in its scene, and calling a torn function crashes the interpreter.
_CALLED_BY_VTK: dict[tuple[object, int], Callable] = {}


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
        tag = thing.AddObserver(event, relay)
        self._seen[key] = thing, tag
        _CALLED_BY_VTK[thing, tag] = relay

    def clear(self) -> None:
        for thing, tag in self._seen.values():
            thing.RemoveObserver(tag)
            _CALLED_BY_VTK.pop((thing, tag), None)
        self._seen.clear()
