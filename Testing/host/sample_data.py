"""The SampleData module's registry: what was registered, and loading it as a click on its button does."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass

import slicer


@dataclass
class SampleDataSource:
    sampleName: str | None = None
    sampleDescription: str | None = None
    uris: object = None
    fileNames: object = None
    nodeNames: object = None
    checksums: object = None
    loadFiles: object = None
    customDownloader: object = None
    thumbnailFileName: str | None = None
    loadFileTypes: object = None
    loadFileProperties: object = None


class SampleDataLogic:
    """The static methods that modules call to register."""

    @staticmethod
    def registerCustomSampleDataCategory(category, title=None) -> None:
        _sources().setdefault(category, [])

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
        loadFileType=None,
    ) -> None:
        source = SampleDataSource(
            sampleName, sampleName, uris, fileNames, nodeNames, checksums, loadFiles, customDownloader,
            thumbnailFileName, loadFileTypes or loadFileType, loadFileProperties or {},
        )  # fmt: skip
        known = _sources().setdefault(category, [])
        known[:] = [other for other in known if other.sampleName != sampleName] + [source]


def _sources() -> dict[str, list[SampleDataSource]]:
    if not hasattr(slicer.modules, "sampleDataSources"):
        slicer.modules.sampleDataSources = {}
    return slicer.modules.sampleDataSources


def load_sample(category: str, name: str):
    """What the sample's button does: its own downloader is called with the source."""
    return next(one for one in _sources()[category] if one.sampleName == name).customDownloader(_named(category, name))


def _named(category: str, name: str) -> SampleDataSource:
    return next(one for one in _sources()[category] if one.sampleName == name)


def install() -> None:
    module = types.ModuleType("SampleData", __doc__)
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource
    sys.modules[module.__name__] = module
