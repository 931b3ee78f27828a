"""MedRestore: restore SPECT, MRI and ultrasound studies, with evidence of what was removed.

    import MedRestoreLib as mr
    result = mr.restore(mr.read("scan.dcm"))
    mr.write(result.image, "restored.dcm")

Importing this loads neither torch nor scipy: they are imported where they are first needed. ``restore`` and ``batch``
are here the functions, not the modules of the same names.
"""

__version__ = "0.1.0"

from . import methods
from .batch import batch
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
from .exchange import Worker
from .files import list_series, read, write
from .image import Image
from .plan import Plan, add_noise, estimate_noise, recommend
from .report import Report
from .restore import Result, restore

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
    "write",
]
