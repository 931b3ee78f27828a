"""The command for many studies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options as opt
from . import screen

if TYPE_CHECKING:
    from ..service.batch import Row

MOST_LISTED = 100  # studies that are listed on the screen: of more, those alone that were not restored


def batch(
    source: Annotated[str, typer.Argument(metavar="IN", help="Folder of studies, searched to the bottom, or s3://...")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="Folder for the restored studies, or s3://...")],
    method: opt.MethodId = "auto",
    noise: opt.NoiseId = "auto",
    level: opt.Level = "auto",
    strength: opt.Strength = "1",
    mask: opt.MaskFile = None,
    device: opt.DeviceName = "auto",
    precision: opt.Precision = "auto",
    memory_gb: opt.MemoryGb = None,
    dimensions: opt.Dimensions = None,
    together: opt.Together = None,
    adapt: opt.Adapt = False,
    factor: opt.Factor = None,
    options: opt.Options = None,
    modality: opt.Modality = "",
    replace_nan: opt.ReplaceNan = None,
    removed: opt.Removed = False,
    report: opt.WithReport = False,
    figure: opt.WithFigure = False,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Studies that are restored at a time, by processes of this machine.")
    ] = 1,
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
    from ..service.pace import duration

    edits: dict[str, Any] = {
        "method": method,
        "noise": noise,
        "level": opt.number(level, "--level"),
        "strength": opt.number(strength, "--strength"),
        "mask": None if mask is None else files.read(mask),
        "device": device,
        "precision": precision,
        "memory_gb": memory_gb,
        "dimensions": dimensions,
        "together": together,
        "adapt": adapt or None,
        "factor": factor,
        "options": opt.by_name(options),
    }
    begun = time.monotonic()
    say = screen.LOG.info if as_json else screen.say  # JSON stands alone
    with executor_for(workers, scheduler, say) as executor, screen.progress_bar("Batch") as progress:
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
    counts = Counter(row.status for row in rows)
    for status, count in counts.items():
        screen.LOG.info("batch: %d %s", count, status)
    if as_json:
        screen.print_json([r.to_dict() for r in rows])
    elif not screen.quiet:
        _print(rows)
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        screen.say(f"{said} in {duration(time.monotonic() - begun)}; all of them in {target}/{summary.NAME}.html")
    if counts["failed"]:
        raise typer.Exit(1)


def _print(rows: Sequence[Row]) -> None:
    """List the studies, or of many those that were not restored."""
    listed = rows if len(rows) <= MOST_LISTED else [row for row in rows if row.status in ("failed", "skipped")]
    cells = [
        (row.study, row.status, row.method, screen.shown(row.level), screen.shown(row.gain_db), row.message)
        for row in listed[:MOST_LISTED]
    ]
    if cells:
        screen.print_table("Batch", ("study", "status", "method", "level", "gain dB", "message"), cells)
