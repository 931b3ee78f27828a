"""Slicer's nodes and the library: volumes, sequences and segmentations in, restored nodes beside them out.

    from MedRestoreLib import mrml
    restored = mrml.restore(volume_node)

The only part of the library that imports ``slicer`` and ``vtk``; it knows nothing of Qt, so it also runs on the package
``slicer-core`` without the application. Arrays are NumPy's; geometry is LPS in an ``Image`` and RAS in nodes.
"""

from .alike import default_thresholds, segment_alike
from .dicom import export_dicom, source_files
from .hierarchy import modality_of, restorable_volumes, set_modality, study_volumes
from .masks import mask_of
from .output import Output
from .places import listed_places, mark_places
from .provenance import report_of
from .restore import Outcome, restore, restore_study
from .results import places_of, put_into_folder, removed_of, source_of, trust_of
from .samples import sample
from .segments import compare, measure, table_of
from .sequences import sequence_of
from .study import describe, frames_of, image_of, modified, whole_study
from .tables import column_of

__all__ = [
    "Outcome",
    "Output",
    "column_of",
    "compare",
    "default_thresholds",
    "describe",
    "export_dicom",
    "frames_of",
    "image_of",
    "listed_places",
    "mark_places",
    "mask_of",
    "measure",
    "modality_of",
    "modified",
    "places_of",
    "put_into_folder",
    "removed_of",
    "report_of",
    "restorable_volumes",
    "restore",
    "restore_study",
    "sample",
    "segment_alike",
    "sequence_of",
    "set_modality",
    "source_files",
    "source_of",
    "study_volumes",
    "table_of",
    "trust_of",
    "whole_study",
]
