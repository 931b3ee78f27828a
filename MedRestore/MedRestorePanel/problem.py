"""Report a problem: versions, the machine, the last messages and the worker's last words, without anybody's identity.

A person reads the text before anything leaves the computer; nothing is sent from here.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode
    from .workers import Workers

ISSUES = "https://github.com/MedRestore/SlicerMedRestore/issues"
PACKAGES = ("torch", "numpy", "scipy", "SimpleITK", "pydicom", "safetensors", "nibabel", "opencv-python-headless")
CHOICES = (
    "modality",
    "method",
    "noise",
    "level",
    "strength",
    "dimensions",
    "together",
    "adapt",
    "factor",
    "device",
    "precision",
    "memory",
    "wholeSequence",
)
LOG_LINES = 40
SHORTEST = 3  # characters: what is shorter is no name that tells anything, and would cut words apart

# Our folders and those of Python's packages: what stands behind them tells where in the code, and of nobody.
_CODE = re.compile(
    r".*[\\/]((?:MedRestoreLib|MedRestorePanel|SubjectHierarchyPlugins|site-packages)[\\/].*|MedRestore\.py)"
)
_QUOTED_PATH = re.compile(r"""(["'])((?:[A-Za-z]:[\\/]|[\\/]|~[\\/])[^"'\n]*)\1""")
# A name in a path is taken out before it: what stands behind it belongs to the path, too.
_PATH = re.compile(r"""(?<![\w.<>])(?:[A-Za-z]:[\\/]|\\\\|~?/)(?:<name>|[^\s"'<>|:,;])+""")
_UID = re.compile(r"\b\d(?:\.\d+){5,}\b")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_NAME = re.compile(r"\b[\w'-]+(?:\^[\w'. -]*)+")  # as DICOM writes it: Doe^Jane
_DATE = re.compile(r"\b(?:19|20)\d\d[-./]?(?:0[1-9]|1[0-2])[-./]?(?:0[1-9]|[12]\d|3[01])\b")


class ProblemReport:
    """Gathers the text and shows it.

    Args:
        workers: whose last words belong in it.
        said: called without arguments, gives the sentence below the panel's button.

    Attributes:
        askFile: asks where to save; "" when the user declines.
        dialog: the window on show, None before.
    """

    def __init__(self, ui: Any, workers: Workers, *, said: Callable[[], str]) -> None:
        self.ui, self.workers, self.said = ui, workers, said
        self.askFile = _askFile
        self.dialog: ProblemDialog | None = None
        self._parameterNode = None
        ui.problemButton.clicked.connect(self.onProblem)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self._parameterNode = parameterNode

    def update(self) -> None:
        """Nothing of it is on show."""

    def cleanup(self) -> None:
        self._close()
        self._parameterNode = None

    def onProblem(self) -> None:
        """Show the text; what to do with it is up to the person."""
        self._close()
        self.dialog = ProblemDialog(self.text(), lambda: self.askFile())
        self.dialog.show()

    def _close(self) -> None:
        if self.dialog is not None:
            self.dialog.close()
            self.dialog.deleteLater()
        self.dialog = None

    def text(self) -> str:
        """What helps to understand a problem, and tells of nobody."""
        sections = {
            "What happened, and what did you expect?": ["(please write it here)"],
            "Versions": _versions(),
            "Computer": _computer(),
            "Panel": [*self._choices(), _unquoted(f"said: {self.said()}")],
            "Worker": [_unquoted(self.workers.details) or "said nothing"],
            "Log": [_unquoted(line) for line in _logged()],
        }
        text = "\n\n".join("\n".join([f"## {title}", *lines]) for title, lines in sections.items())
        return anonymous(text, _names()) + "\n"

    def _choices(self) -> Iterator[str]:
        """The choices, but no node and no text that a person wrote."""
        p = self._parameterNode
        if p is None:
            return
        for name in CHOICES:
            yield f"{name}: {getattr(p, name)}"
        volume = p.inputVolume
        if volume is not None and volume.GetImageData() is not None:
            data = volume.GetImageData()
            yield f"volume: {volume.GetClassName()}, {data.GetDimensions()}, {data.GetScalarTypeAsString()}"


class ProblemDialog(qt.QDialog):
    """The text, and what a person may do with it.

    Args:
        text: the report.
        askFile: asks where to save it; "" when the user declines.
    """

    def __init__(self, text: str, askFile: Callable[[], str]) -> None:
        qt.QDialog.__init__(self, slicer.util.mainWindow())
        self.setWindowTitle(_("Report a problem"))
        self.askFile = askFile
        column = qt.QVBoxLayout(self)
        explained = qt.QLabel(
            _(
                "Nothing is sent. The text holds no names, paths or patient data as far as a program can tell. Read "
                "it, then copy it into a new issue, or save it and mail it."
            )
        )
        explained.wordWrap = True
        column.addWidget(explained)
        self.edit = qt.QPlainTextEdit()
        self.edit.plainText = text
        self.edit.setMinimumSize(560, 360)
        column.addWidget(self.edit)
        row = qt.QHBoxLayout()
        self.copyButton = self._button(row, _("&Copy"), self.onCopy)
        self.saveButton = self._button(row, _("&Save..."), self.onSave)
        self.issuesButton = self._button(row, _("&Open the list of issues"), self.onIssues)
        self.closeButton = self._button(row, _("C&lose"), self.close)
        column.addLayout(row)

    def onCopy(self) -> None:
        slicer.app.clipboard().setText(self.edit.plainText)

    def onSave(self) -> None:
        path = self.askFile()
        if path:
            from MedRestoreLib import MedRestoreError
            from MedRestoreLib.files import atomic

            try:
                atomic.write_bytes(Path(path), self.edit.plainText.encode())
            except MedRestoreError as error:
                slicer.util.errorDisplay(str(error), parent=self)

    def onIssues(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl(ISSUES))

    def _button(self, row: qt.QHBoxLayout, text: str, slot: Callable[[], object]) -> qt.QPushButton:
        button = qt.QPushButton(text)
        button.clicked.connect(lambda: slot())
        row.addWidget(button)
        return button


def anonymous(text: str, names: Iterable[str] = ()) -> str:
    """A text without names, paths, UIDs, addresses and dates.

    Args:
        names: of nodes, people and computers, to be taken out wherever they stand.
    """
    for name in sorted({n.strip() for n in names if len(n.strip()) >= SHORTEST}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "<name>", text, flags=re.IGNORECASE)
    text = _QUOTED_PATH.sub(lambda match: f"{match[1]}{_shortened(match[2])}{match[1]}", text)
    text = _PATH.sub(lambda match: _shortened(match[0]), text)
    for pattern, instead in ((_UID, "<uid>"), (_ADDRESS, "<address>"), (_NAME, "<name>"), (_DATE, "<date>")):
        text = pattern.sub(instead, text)
    return text


def _unquoted(text: str) -> str:
    """Without what stands in quotes: it may be the name of a node that is there no more."""
    return re.sub(r"'[^\n]*?'(?!\w)", "'<name>'", text)


def _shortened(path: str) -> str:
    """Of a file of code its place in its package; of any other that there was one."""
    code = _CODE.fullmatch(path)
    return code[1].replace("\\", "/") if code else "<path>"


def _names() -> Iterator[str]:
    """What may stand for a person or a place: names of nodes, of the user and the computer, and patients' data."""
    scene = slicer.mrmlScene
    for number in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(number)
        if not node.GetSingletonTag() and not node.IsA("vtkMRMLColorNode"):
            yield node.GetName() or ""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if hierarchy is not None:
        yield from _namesIn(hierarchy)
    yield platform.node()
    yield Path.home().name
    try:
        yield getpass.getuser()
    except (OSError, KeyError):  # nobody in particular
        return


def _namesIn(hierarchy: slicer.vtkMRMLSubjectHierarchyNode) -> Iterator[str]:
    import vtk

    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    for number in range(items.GetNumberOfIds()):
        item = items.GetId(number)
        yield hierarchy.GetItemName(item)
        for attribute in hierarchy.GetItemAttributeNames(item):
            if attribute.startswith("DICOM.Patient"):
                yield from re.split(r"[\^=]", hierarchy.GetItemAttribute(item, attribute))


def _versions() -> Iterator[str]:
    from MedRestoreLib.version import __version__

    yield f"MedRestore {__version__}"
    yield f"Slicer {slicer.app.applicationVersion}, revision {slicer.app.revision}"
    yield f"Python {platform.python_version()}"
    for name in PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name}: not installed"


def _computer() -> Iterator[str]:
    yield f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} processors"
    yield f"locale {slicer.app.applicationLocaleName}, encoding {sys.getfilesystemencoding()}"


def _logged() -> list[str]:
    """The last lines of Slicer's log that speak of us."""
    model = slicer.app.errorLogModel()
    lines = [model.logEntryDescription(row) for row in range(model.logEntryCount())]
    return [line for line in lines if "MedRestore" in line][-LOG_LINES:] or ["nothing about MedRestore"]


def _askFile() -> str:
    title, kind = _("Save the report of a problem"), _("Text (*.md)")
    return qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, "MedRestore problem.md", kind)
