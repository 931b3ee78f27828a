"""The application that the panel's tests run in: Slicer itself, or `Testing.host`, which stands in for it.

Tests reach it through this class and through Slicer's own Python interface alone, so that the same files run in both
(``Slicer --python-script Testing/panel/in_slicer.py``).
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODULE = "MedRestore"


class Application:
    """Slicer, already running.

    Attributes:
        errors: tracebacks of exceptions in slots and observers. Slicer prints them and goes on; tests want to know.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        sys.excepthook = lambda *error: self.errors.append("".join(traceback.format_exception(*error)))

    def panel(self) -> Any:
        """The module's panel on show, over an empty scene in the usual layout: its Python half."""
        import slicer

        slicer.mrmlScene.Clear(0)
        if slicer.app.layoutManager() is not None:
            slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        slicer.util.selectModule(MODULE)
        self.errors.clear()
        return slicer.util.getModuleWidget(MODULE)

    def leave(self) -> None:
        """Show another module."""
        import slicer

        slicer.util.selectModule("Data")

    def process_events(self, seconds: float = 0.0) -> None:
        """Let Qt work for this long, at least once through."""
        import slicer

        end = time.monotonic() + seconds
        while True:
            slicer.app.processEvents()
            if time.monotonic() >= end:
                return
            time.sleep(0.002)

    def wait_until(self, predicate: Callable[[], object], timeout: float = 120.0) -> None:
        """Let Qt work until ``predicate()`` is true; AssertionError after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while not predicate():
            assert time.monotonic() < end, f"not so after {timeout} s; errors: {self.errors[-1:]}"
            self.process_events(0.01)

    def save_scene(self, folder: Path) -> Path:
        """Write the scene and its data; the file."""
        import slicer

        path = folder / "scene.mrb"
        assert slicer.util.saveScene(str(path))
        return path

    def load_scene(self, path: Path, add: bool = False) -> None:
        """Load a scene in the place of the present one, or add it to that."""
        import slicer

        if not add:
            slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(path))

    def close(self) -> None:
        """The last test is over."""


class HostApplication(Application):
    """The stand-in. It keeps one window and one panel, as Slicer does, unless another test made it anew."""

    def __init__(self) -> None:
        from Testing import host

        self._host = host
        self.errors = host.errors
        host.start()

    def panel(self) -> Any:
        from Testing.support.paths import MODULE as PATH

        if not self._host.has_module(MODULE):
            self._host.new_scene()
            self._host.load_module(PATH)
        self._host.messages.forget()
        self._host.dependencies.forget()
        return super().panel()

    def leave(self) -> None:
        self._host.leave_module()

    def save_scene(self, folder: Path) -> Path:
        return self._host.save_scene(folder)

    def load_scene(self, path: Path, add: bool = False) -> None:
        self._host.load_scene(path, add)

    def process_events(self, seconds: float = 0.0) -> None:
        self._host.process_events(seconds)

    def close(self) -> None:
        self._host.close_scene()


def is_slicer() -> bool:
    """Whether these tests run inside Slicer."""
    return "PythonQt" in sys.modules or Path(sys.executable).stem.startswith("PythonSlicer")
