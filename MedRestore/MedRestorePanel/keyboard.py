"""The panel without a mouse: labels lead to their widgets, and Ctrl+Return is Apply."""

from __future__ import annotations

from typing import Any

import qt

APPLY = "Ctrl+Return"


def prepareKeyboard(root: qt.QWidget, ui: Any) -> qt.QShortcut:
    """Let the keyboard reach into widgets that hold others, and give Apply a shortcut within the panel.

    Args:
        root: what holds all of the panel.
        ui: the panel's widgets.

    Returns:
        The shortcut.
    """
    for label in root.findChildren(qt.QLabel):
        buddy = label.buddy()
        if buddy is not None and not _takesKeys(buddy):
            inner = [child for child in buddy.findChildren(qt.QWidget) if _takesKeys(child)]
            if inner:
                buddy.setFocusProxy(inner[-1])  # of a slider with a box for its number, the box
    shortcut = qt.QShortcut(qt.QKeySequence(APPLY), root)
    shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
    shortcut.activated.connect(lambda: ui.applyButton.click())
    return shortcut


def _takesKeys(widget: qt.QWidget) -> bool:
    return int(widget.focusPolicy) != int(qt.Qt.NoFocus)
