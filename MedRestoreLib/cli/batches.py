"""The command for many studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as opt
from . import screen


def batch(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of studies, searched to the bottom.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the restored studies; made if need be.")],
    method: opt.MethodId = "auto",
    noise: opt.NoiseId = "auto",
    level: opt.Level = "auto",
    strength: opt.Strength = "1",
    mask: opt.MaskFile = None,
    device: opt.DeviceName = "auto",
    memory_gb: opt.MemoryGb = None,
    dimensions: opt.Dimensions = None,
    options: opt.Options = None,
    modality: opt.Modality = "",
    replace_nan: opt.ReplaceNan = None,
    removed: opt.Removed = False,
    report: opt.WithReport = False,
    figure: opt.WithFigure = False,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Studies that are restored at a time.")] = 1,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS|FILE", help="A Dask scheduler whose workers restore, or its file.")
    ] = "",
    as_json: opt.AsJson = False,
) -> None:
    """Restore every study in a folder; all series of it. What is done is skipped: start a stopped batch again to go on.

    OUT/summary.csv and OUT/summary.html say what became of each.
    """
    from ..files import studies as files
    from ..service import summary
    from ..service.batch import batch as run
    from ..service.executors import executor_for

    edits: dict[str, Any] = {
        "method": method,
        "noise": noise,
        "level": opt.number(level, "--level"),
        "strength": opt.number(strength, "--strength"),
        "mask": None if mask is None else files.read(mask),
        "device": device,
        "memory_gb": memory_gb,
        "dimensions": dimensions,
        "options": opt.by_name(options),
    }
    with executor_for(workers, scheduler, screen.say) as executor, screen.progress_bar("Batch") as progress:
        rows = run(
            source,
            target,
            executor=executor,
            progress=progress,
            modality=opt.modality_code(modality),
            replace_nan=replace_nan,
            beside=opt.kinds(removed=removed, report=report, figure=figure),
            **edits,
        )
    summary.write(rows, target)
    for status in dict.fromkeys(row.status for row in rows):
        screen.LOG.info("batch: %d %s", sum(row.status == status for row in rows), status)
    if as_json:
        screen.print_json([r.to_dict() for r in rows])
    elif not screen.quiet:
        shown = [(r.study, r.status, r.method, screen.shown(r.level), screen.shown(r.gain_db), r.message) for r in rows]
        screen.print_table("Batch", ("study", "status", "method", "level", "gain dB", "message"), shown)
    if any(r.status == "failed" for r in rows):
        raise typer.Exit(1)
