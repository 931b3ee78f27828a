"""The sample studies in Slicer's module Sample Data."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _


def titles() -> dict[str, str]:
    """The samples' names in Sample Data."""
    return {"MedRestoreBoneScan": _("Bone scan"), "MedRestoreHead": _("T1 head"), "MedRestoreCine": _("Cine")}


def registerSampleData(iconsFolder: str) -> None:
    """Small studies for a first try. They are made here: nothing is downloaded, which takes empty texts for files."""
    import SampleData

    from .console import MedRestoreLogic

    for name, title in titles().items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="MedRestore",
            sampleName=title,
            uris="",
            fileNames="",
            nodeNames=title,
            thumbnailFileName=str(Path(iconsFolder) / f"{name}.png"),
            customDownloader=lambda source, name=name: MedRestoreLogic().sample(name),
        )
