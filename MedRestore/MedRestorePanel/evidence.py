"""The Evidence section: what was gained, what was removed, what a person should look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        self._shown = {}
        ui.saveReportButton.clicked.connect(self.onSave)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self._parameterNode = parameterNode

    def update(self) -> None:
        report = self.report()
        if report == self._shown:
            return
        self._shown = report
        self.ui.saveReportButton.enabled = report is not None
        if report is None:
            self.ui.evidenceBrowser.setHtml(_("No restored volume is chosen."))
            return
        from MedRestoreLib.reporting import page
        from MedRestoreLib.reporting.report import Report

        self.ui.evidenceBrowser.setHtml(page.brief(Report.from_dict(report)))

    def report(self) -> dict[str, Any] | None:
        """The report of the result on show, as ``Report.to_dict()`` gives it; None where there is none."""
        node = self._parameterNode.lastOutput if self._parameterNode is not None else None
        if node is None:
            return None
        from MedRestoreLib import mrml

        return mrml.report_of(node)

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
