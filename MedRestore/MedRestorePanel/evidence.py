"""The Evidence section: whether the study is better, in one word and one sentence; the rest when it is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from .settings import exportFolder
from .slices import showPlace
from .words import explained

if TYPE_CHECKING:
    from .parameters import MedRestoreParameterNode


class EvidenceSection:
    """Shows the report that the restored volume carries, and writes it, or the volume as derived DICOM.

    Args:
        ui: the panel's widgets.
        say: called with a sentence for the user.

    Attributes:
        askFile, askFolder: ask for a place to write to; "" when the user declines.
    """

    def __init__(self, ui: Any, *, say: Callable[[str], None]) -> None:
        self.ui = ui
        self.say = say
        self.askFile, self.askFolder = self._askFile, self._askFolder
        self._exportToolTips = {name: getattr(ui, name).toolTip for name in ("exportButton", "databaseButton")}
        self._parameterNode = None
        self._shown: dict[str, Any] | None = None
        self._shownOf: str | None = ""  # the result's node; two results may have equal reports
        ui.saveReportButton.clicked.connect(self.onSave)
        ui.detailsButton.toggled.connect(self.onDetails)
        ui.exportButton.clicked.connect(self.onExport)
        ui.databaseButton.clicked.connect(self.onDatabase)
        ui.evidenceBrowser.anchorClicked.connect(self.onLink)

    def setParameterNode(self, parameterNode: MedRestoreParameterNode | None) -> None:
        self._parameterNode = parameterNode

    def update(self) -> None:
        report, node = self.report(), None if self._parameterNode is None else self._parameterNode.lastOutput
        shownOf = None if node is None else node.GetID()
        if (report, shownOf) == (self._shown, self._shownOf):
            return
        self._shown, self._shownOf = report, shownOf
        for button in (self.ui.saveReportButton, self.ui.detailsButton):
            button.enabled = report is not None
        self._updateExport()
        if report is None:
            self.ui.verdictLabel.text = _("No restored volume is chosen.")
            self.ui.detailsButton.checked = False
            return
        from MedRestoreLib.reporting import page
        from MedRestoreLib.reporting.report import Report

        told = Report.from_dict(report)
        self.ui.verdictLabel.text = page.verdict(told)
        self.ui.evidenceBrowser.setHtml(page.brief(told))

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

    def onLink(self, link: qt.QUrl) -> None:
        """Mark where something was lost or added, and bring the views to the place that was clicked."""
        from MedRestoreLib import mrml

        node = self._parameterNode.lastOutput
        marks = mrml.mark_places(node)
        number = int(link.fragment().removeprefix("place-"))
        sequence = mrml.sequence_of(node)
        if sequence[0] is not None:
            sequence[0].SetSelectedItemNumber(mrml.listed_places(node)[number].voxel[0])
        place = [0.0, 0.0, 0.0]
        marks.GetNthControlPointPositionWorld(number, place)
        showPlace(place)

    def onExport(self) -> None:
        """Write the result as derived DICOM into a new folder below the one that is asked for."""
        from MedRestoreLib import MedRestoreError, mrml

        place = self.askFolder()
        if not place or self._shown is None:
            return
        folder = _free(Path(place) / f"MedRestore_{self._shown['plan']['method']}")
        try:
            with slicer.util.WaitCursor():
                mrml.export_dicom(self._parameterNode.lastOutput, folder)
        except MedRestoreError as error:
            self.say(explained(error))
        else:
            self.say(_("Derived DICOM was written to {folder}.").format(folder=folder))

    def onDatabase(self) -> None:
        """Add the result as a derived series to Slicer's DICOM database, which keeps a copy of the files."""
        from MedRestoreLib import MedRestoreError, mrml

        node = self._parameterNode.lastOutput
        try:
            with slicer.util.WaitCursor(), tempfile.TemporaryDirectory() as place:
                isAdded = _importDicom(mrml.export_dicom(node, Path(place) / "series"))
        except MedRestoreError as error:
            self.say(explained(error))
            return
        said = _("'{name}' is in the DICOM database, as a series of its own beside its source.")
        failed = _("'{name}' could not be added to the DICOM database: Slicer's log says why.")
        self.say((said if isAdded else failed).format(name=node.GetName()))

    def _updateExport(self) -> None:
        """A result can be exported where the files of its source are in Slicer's DICOM database."""
        from MedRestoreLib import mrml

        node = None if self._shown is None else self._parameterNode.lastOutput
        can = node is not None and bool(mrml.source_files(node))
        missing = _("The study was not loaded from Slicer's DICOM database.")
        for button, toolTip in self._exportToolTips.items():
            getattr(self.ui, button).enabled = can
            getattr(self.ui, button).toolTip = toolTip if can or node is None else missing

    def onSave(self) -> None:
        from MedRestoreLib import MedRestoreError
        from MedRestoreLib.reporting.report import Report

        path, report = self.askFile(), self.report()
        if not path or report is None:
            return
        try:
            Report.from_dict(report).write(path if Path(path).suffix else f"{path}.html")
        except MedRestoreError as error:
            self.say(explained(error))

    def cleanup(self) -> None:
        self._parameterNode = None

    def _askFile(self) -> str:
        title, kinds = _("Save report"), _("Page (*.html);;JSON (*.json)")
        proposed = str(Path(exportFolder()) / "MedRestore report.html")
        return qt.QFileDialog.getSaveFileName(None, title, proposed, kinds)

    def _askFolder(self) -> str:
        return qt.QFileDialog.getExistingDirectory(None, _("Folder for the derived DICOM"), exportFolder())


def _importDicom(folder: Path) -> bool:
    """Whether Slicer has taken the files of a folder into its database."""
    from DICOMLib import DICOMUtils

    return bool(DICOMUtils.importDicom(str(folder), copyFiles=True))


def _free(folder: Path) -> Path:
    """The folder, or where it is there already the first of its name and a number."""
    numbered = (folder.with_name(f"{folder.name}_{number}") for number in range(2, 1000))
    return next(path for path in (folder, *numbered) if not path.exists())
