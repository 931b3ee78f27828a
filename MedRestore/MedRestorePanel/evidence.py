"""The Evidence section: whether the study is better, in one word and one sentence; the rest when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import qt
from slicer.i18n import tr as _

from .words import explained

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode


class EvidenceSection:
    """Shows the report that the restored volume carries, and writes it to a file.

    Args:
        ui: the panel's widgets.
        showError: called with a sentence for the user.
        askFile: asks for a file name to write to; "" when the user declines.
    """

    def __init__(self, ui: Any, *, showError: Callable[[str], None], askFile: Callable[[], str] | None = None) -> None:
        self.ui = ui
        self.showError = showError
        self.askFile = askFile or self._askFile
        self._parameterNode = None
        self._shown: dict[str, Any] | None = {}
        ui.saveReportButton.clicked.connect(self.onSave)
        ui.detailsButton.toggled.connect(self.onDetails)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self._parameterNode = parameterNode

    def update(self) -> None:
        report = self.report()
        if report == self._shown:
            return
        self._shown = report
        for button in (self.ui.saveReportButton, self.ui.detailsButton):
            button.enabled = report is not None
        if report is None:
            self.ui.verdictLabel.text = _("No restored volume is chosen.")
            self.ui.detailsButton.checked = False
            return
        from MedRestoreLib.reporting import page
        from MedRestoreLib.reporting.report import Report

        self.ui.verdictLabel.text = f"<b>{escape(_word(report))}.</b> {escape(report['verdict'])}"
        self.ui.evidenceBrowser.setHtml(page.brief(Report.from_dict(report)))

    def report(self) -> dict[str, Any] | None:
        """The report of the result on show, as ``Report.to_dict()`` gives it; None where there is none."""
        node = self._parameterNode.lastOutput if self._parameterNode is not None else None
        if node is None:
            return None
        from MedRestoreLib import mrml

        return mrml.report_of(node)

    def onDetails(self, asked: bool) -> None:
        """Unfold what was removed and kept, or fold it away."""
        self.ui.evidenceBrowser.visible = asked

    def onSave(self) -> None:
        from MedRestoreLib import MedRestoreError
        from MedRestoreLib.reporting.report import Report

        path, report = self.askFile(), self.report()
        if not path or report is None:
            return
        try:
            Report.from_dict(report).write(path if Path(path).suffix else f"{path}.html")
        except MedRestoreError as error:
            self.showError(explained(error))

    def cleanup(self) -> None:
        self._parameterNode = None

    def _askFile(self) -> str:
        title, kinds = _("Save report"), _("Page (*.html);;JSON (*.json)")
        return qt.QFileDialog.getSaveFileName(None, title, "MedRestore report.html", kinds)


def _word(report: dict[str, Any]) -> str:
    """The verdict in a word."""
    gain, audit = report.get("gain") or {}, report.get("audit") or {}
    if audit.get("flags"):
        return _("Look closely")
    return _("Better") if gain.get("reliable") else _("Unsure")
