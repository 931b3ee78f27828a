"""Dialogs without a person: what they said is kept in `shown`, and they answer as the test told them with `answer`.

A box that only says something is answered with its one button. A box that asks and was told no answer raises
AssertionError, so that no test decides for the user unawares.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from PySide6 import QtWidgets

_Box = QtWidgets.QMessageBox
_ICONS = {0: "", 1: "information", 2: "warning", 3: "error", 4: "question"}


@dataclass(frozen=True)
class Message:
    """One dialog: ``kind`` is "information", "warning", "error", "question", "file", "pip" or "" (any other dialog)."""

    kind: str
    text: str
    details: str = ""
    title: str = ""


#: What was shown since the scene was last made anew.
shown: list[Message] = []
_answers: deque = deque()


def answer(*values) -> None:
    """What the next dialogs answer, in turn: a button ("Yes" or its number), a path for a file, True to accept."""
    _answers.extend(values)


def forget() -> None:
    """Nothing shown, nothing told."""
    shown.clear()
    _answers.clear()


def told(message: Message, default=None):
    """Keep ``message``; the answer told for it, or ``default``; AssertionError where there is neither."""
    shown.append(message)
    if _answers:
        return _answers.popleft()
    if default is None:
        raise AssertionError(f"a dialog asked, and the test told no answer: {message}")
    return default


def _button(value) -> int:
    return int(getattr(_Box, value)) if isinstance(value, str) else int(value)


def execute(dialog) -> int:
    """What ``exec_()`` of a dialog does."""
    if not isinstance(dialog, _Box):
        return int(told(Message("", dialog.windowTitle), True))
    message = Message(_ICONS[int(dialog.icon)], dialog.text, dialog.detailedText, dialog.windowTitle)
    buttons = int(dialog.standardButtons)
    return _button(told(message, buttons if bin(buttons).count("1") == 1 else _Box.Ok if not buttons else None))


def static_box(kind: str):
    """``qt.QMessageBox.question`` and its like."""

    def show(parent, title, text, buttons=None, default=None):
        if buttons is None:
            buttons = _Box.Yes | _Box.No if kind == "question" else _Box.Ok
        kinds = {"critical": "error"}
        message = Message(kinds.get(kind, kind), text, "", title)
        return _button(told(message, int(buttons) if bin(int(buttons)).count("1") == 1 else None))

    return show


def static_choice(name: str):
    """``qt.QFileDialog.getExistingDirectory`` and its like: PythonQt gives the text alone, "" when cancelled."""

    def choose(parent=None, caption="", *_):
        return str(told(Message("file", caption, "", name)))

    return choose
