"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import modalities
from ..errors import InvalidPlan
from ..noise import IDS
from ..pipeline.device import NAMES, PRECISIONS

Study = Annotated[
    Path,
    typer.Argument(
        help="DICOM file or folder, NRRD, NIfTI, ANALYZE, Interfile, MetaImage, PNG, TIFF, JPEG, BMP or a video."
    ),
]
Series = Annotated[
    str, typer.Option(metavar="N|UID", help="Which DICOM series of a folder that holds several: its number or UID.")
]
Modality = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"{', '.join(row.code for row in modalities.MODALITIES)} or a word such as MRI or ultrasound, where the "
        "file does not say.",
    ),
]
ReplaceNan = Annotated[float | None, typer.Option(metavar="VALUE", help="Put VALUE where voxels are NaN or infinite.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there already.")]
MethodId = Annotated[str, typer.Option(metavar="auto|ID", help="See 'medrestore methods'.")]
NoiseId = Annotated[str, typer.Option(metavar="|".join(("auto", *IDS)), help="Noise model.")]
Level = Annotated[
    str,
    typer.Option(
        metavar="auto|VALUE",
        help="Gaussian σ in the study's unit, Poisson counts per unit, Rician % of the maximum, speckle relative σ.",
    ),
]
Strength = Annotated[
    str,
    typer.Option(metavar="auto|0..1", help="0 leaves the study as it is, 1 is the full method; auto what serves best."),
]
MaskFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Restore only where this image is not zero.")]
DeviceName = Annotated[str, typer.Option(metavar="|".join(NAMES), help="Where to compute.")]
Precision = Annotated[
    str,
    typer.Option(metavar="|".join(PRECISIONS), help="In which networks calculate; auto where bfloat16 is worth it."),
]
MemoryGb = Annotated[
    float | None, typer.Option("--memory", metavar="GB", help="Memory for one tile, and for the voxels of a file.")
]
Dimensions = Annotated[int | None, typer.Option(metavar="2|3", help="Slice by slice, or in 3-D where the method can.")]
Together = Annotated[
    bool | None,
    typer.Option("--together/--apart", help="Whether frames of one object help each other; left out, the study tells."),
]
Adapt = Annotated[
    bool,
    typer.Option("--adapt", help="A network first learns on the study; used so only if the study says it is better."),
]
Factor = Annotated[
    int | None, typer.Option(metavar="2|3|4", help="Enlarge: so many times as many rows and columns. Not for counts.")
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="A parameter of the method; repeatable."),
]
Removed = Annotated[bool, typer.Option("--removed", help="Also write what was removed, OUT.removed.*")]
WithReport = Annotated[bool, typer.Option("--report", help="Also write the report, OUT.report.html and .json")]
WithFigure = Annotated[
    bool, typer.Option("--figure", help="Also write the figure, OUT.figure.png, and of a cine OUT.film.webp")
]
WithTrust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Also write how far each voxel is to be trusted, OUT.interval.* and OUT.method.*; takes 4 times as "
        "long. Of an enlarged study OUT.invented.*: where its detail was not measured.",
    ),
]
FigureFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw them, into a PNG file.")]
Reference = Annotated[Path | None, typer.Option(metavar="FILE", help="The clean study, where there is one.")]


def kinds(**wanted: bool) -> tuple[str, ...]:
    """What shall be written beside a restored study (``service.beside``): the names of the flags that are set."""
    return tuple(name for name, on in wanted.items() if on)


def modality_code(text: str) -> str:
    """The DICOM code of what was typed; "" for "".

    Raises:
        InvalidPlan: no such modality is known.

    >>> modality_code("MRI"), modality_code("us"), modality_code("xa")
    ('MR', 'US', 'OT')
    """
    try:
        return modalities.named(text).code if text else ""
    except KeyError:
        codes = ", ".join(row.code for row in modalities.MODALITIES)
        raise InvalidPlan(
            f"there is no modality '{text}'; give one of {codes}, or a word such as MRI, PET or ultrasound.",
            field="modality",
        ) from None


def number(typed: str, flag: str) -> float | str:
    """What was typed for a flag: "auto" or a number; InvalidPlan for anything else."""
    if typed == "auto":
        return typed
    try:
        return float(typed)
    except ValueError:
        raise InvalidPlan(f"{flag} takes 'auto' or a number, got '{typed}'.") from None


def by_name(pairs: list[str] | None) -> dict[str, Any]:
    """The values of NAME=VALUE, as JSON has them (``8``, ``true``, ``[1, 2]``) or else text; the plan checks them."""
    options = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not (equals and name.isidentifier()):
            raise InvalidPlan(f"--option takes NAME=VALUE, got '{pair}'.")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options
