"""The SampleData module's registry: what was registered, and loading it as a click on its button does."""

from __future__ import annotations

import sys
import types

import slicer


class SampleDataSource:
    """One sample. As in Slicer, ``uris`` is a text or a list, and all that belongs to its files is as long.

    ``uris=None`` is a TypeError: a sample that is made, not fetched, says ``uris="", fileNames=""``.
    """

    def __init__(
        self,
        sampleName=None,
        sampleDescription=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        checksums=None,
        loadFiles=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFileProperties=None,
    ):
        self.sampleName = sampleName
        self.sampleDescription = sampleDescription or sampleName
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}
        count = 1 if isinstance(uris, str) else len(uris)

        def each(value):
            """As many as there are URIs; one text stands for one file."""
            if isinstance(uris, str):
                return [value]
            return [None] * count if value is None else value

        self.uris, self.fileNames, self.nodeNames = each(uris), each(fileNames), each(nodeNames)
        self.checksums, self.loadFiles, self.loadFileTypes = each(checksums), each(loadFiles), each(loadFileTypes)
        if any(len(one) != count for one in (self.fileNames, self.nodeNames, self.checksums, self.loadFiles)):
            raise ValueError("All fields of sample data source must have the same length")


class SampleDataLogic:
    """The static methods that modules call to register."""

    @staticmethod
    def registerCustomSampleDataSource(category="Custom", **described) -> None:
        known = _sources().setdefault(category, [])
        source = SampleDataSource(**described)
        known[:] = [other for other in known if other.sampleName != source.sampleName] + [source]

    @staticmethod
    def sampleDataSourcesByCategory(category=None):
        return _sources() if category is None else _sources().get(category, [])


def _sources() -> dict[str, list[SampleDataSource]]:
    if not hasattr(slicer.modules, "sampleDataSources"):
        slicer.modules.sampleDataSources = {}
    return slicer.modules.sampleDataSources


def load_sample(category: str, name: str):
    """What the sample's button does: its own downloader is called with the source."""
    source = next(one for one in _sources()[category] if one.sampleName == name)
    return source.customDownloader(source)


def install() -> None:
    module = types.ModuleType("SampleData", __doc__)
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource
    sys.modules[module.__name__] = module
