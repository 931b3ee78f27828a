"""Stands in for Slicer's application, so that a scripted module's panel and logic can be driven by tests.

Real: MRML, its logics and `slicer.util` (PyPI's ``slicer-core``), and Qt (PySide6, off screen). Stood in for:

* PythonQt's habits over PySide6 (`pythonqt`, `qt`), CTK's and qMRML's widgets as far as used (`ctk`, `mrml_widgets`);
* ``slicer.app``, main window, module selector, layout manager without pictures (`application`, `layout`, `scene`);
* the base classes of scripted modules, their loader and the parameter node wrapper (`scripted_module`, `loader`,
  `parameter_node`), subject hierarchy plugins (`subject_hierarchy`), sample data (`sample_data`), and packages that are
  missing (`dependencies`);
* dialogs, which never wait: tests say what they answer (`messages`).

The stand-ins are strict: what PythonQt would refuse, they refuse. They prove nothing about rendering, about Qt 5, about
Windows and macOS, about loading files through the application's IO manager, or about the parts of real widgets that are
left out. The module's own self-test, run in Slicer, is for that.

Example::

    host.new_scene()
    module = host.load_module("MedRestore/MedRestore.py")
    host.select_module("MedRestore")
    panel = module.widgetRepresentation().self()
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable

import Testing.host.environment  # noqa: F401 - before anything imports Qt
from Testing.host import (
    application,
    ctk,
    dependencies,
    loader,
    messages,
    mrml_widgets,
    parameter_node,
    pythonqt,
    qt,
    sample_data,
    scene,
    scripted_module,
    subject_hierarchy,
)
from Testing.host.dependencies import add_pytorch_utils, packages, torch
from Testing.host.loader import has_module, leave_module, load_module, reload_module, select_module
from Testing.host.messages import answer
from Testing.host.sample_data import load_sample
from Testing.host.scene import close_scene, load_scene, save_scene
from Testing.host.subject_hierarchy import context_menu

__all__ = [
    "add_pytorch_utils",
    "answer",
    "close_scene",
    "context_menu",
    "errors",
    "grab",
    "has_module",
    "leave_module",
    "load_module",
    "load_sample",
    "load_scene",
    "messages",
    "new_scene",
    "packages",
    "process_events",
    "reload_module",
    "save_scene",
    "select_module",
    "start",
    "torch",
    "wait_until",
]

errors = pythonqt.errors


def start():
    """Install ``qt``, ``ctk``, ``slicer.app`` and the rest, once in a process; the application."""
    import slicer

    if not hasattr(slicer, "app"):
        pythonqt.install()
        sys.modules["qt"], sys.modules["ctk"] = qt.make_module(), ctk.make_module()
        for part in (mrml_widgets, loader, scripted_module, parameter_node):
            part.install()
        for part in (dependencies, sample_data, subject_hierarchy):
            part.install()
        slicer.app = application.qSlicerApplication()
        sys.excepthook = _unhandled
    return slicer.app


def _unhandled(*error) -> None:
    """VTK hands over what an observer raised, as PythonQt does with a slot: it is printed, and tests want to know."""
    errors.append("".join(traceback.format_exception(*error)))
    print(errors[-1], file=sys.stderr)


def new_scene():
    """A fresh scene, layout and main window; no message shown, no error seen, nothing missing. The scene."""
    start()
    fresh = scene.new_scene()
    for part in (messages, dependencies, subject_hierarchy):
        part.forget()
    errors.clear()
    return fresh


def process_events(seconds: float = 0.0) -> None:
    """Let Qt work for this long, at least once through."""
    end = time.monotonic() + seconds
    while True:
        start().processEvents()
        start().sendPostedEvents(None, 52)  # deferred deletions, which only an outer event loop would do
        if time.monotonic() >= end:
            return
        time.sleep(0.002)


def wait_until(predicate: Callable[[], object], timeout: float = 120.0) -> None:
    """Let Qt work until ``predicate()`` is true; AssertionError after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"not so after {timeout} s: {predicate}; errors: {errors[-1:]}")
        process_events(0.01)


def grab(widget, path) -> None:
    """Write a picture of ``widget`` as PNG."""
    widget.show()
    process_events(0.05)
    if not widget.grab().save(str(path), "PNG"):
        raise OSError(f"the picture cannot be written: {path}")
