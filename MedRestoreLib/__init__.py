"""MedRestore: restore SPECT, MRI and ultrasound studies, with evidence of what was removed.

    import MedRestoreLib as mr
    result = mr.restore(mr.read("scan.dcm"))
    mr.write(result.image, "restored.dcm")

Importing this loads neither torch nor scipy: they are imported where they are first needed. ``restore`` and ``batch``
are here the functions, not the modules of the same names.
"""

from . import methods
from .errors import (
    Cancelled,
    InvalidPlan,
    MedRestoreError,
    MissingPackage,
    OutOfMemory,
    OutputError,
    UnknownNoise,
    UnsupportedImage,
    WeightsMissing,
    WorkerStopped,
)
from .files.studies import list_series, read, write
from .image import Image
from .pipeline.plan import Plan, add_noise, estimate_noise, recommend
from .pipeline.restore import Result, restore
from .pipeline.trust import Trust, trust
from .reporting.report import Report
from .service.batch import batch
from .service.client import Worker
from .service.stream import Stream
from .version import __version__ as __version__

__all__ = [
    "Cancelled",
    "Image",
    "InvalidPlan",
    "MedRestoreError",
    "MissingPackage",
    "OutOfMemory",
    "OutputError",
    "Plan",
    "Report",
    "Result",
    "Stream",
    "Trust",
    "UnknownNoise",
    "UnsupportedImage",
    "WeightsMissing",
    "Worker",
    "WorkerStopped",
    "add_noise",
    "batch",
    "estimate_noise",
    "list_series",
    "methods",
    "read",
    "recommend",
    "restore",
    "trust",
    "write",
]
