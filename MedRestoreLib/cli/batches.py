"""The command for many studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options as opt
from . import screen


def batch(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of studies, searched to the bottom.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the restored studies; made if need be.")],
    method: opt.MethodId = "auto",
    noise: opt.NoiseId = "auto",
    level: opt.Level = "auto",
    strength: opt.Strength = 1.0,
    device: opt.DeviceName = "auto",
    memory_gb: opt.MemoryGb = None,
    options: opt.Options = None,
    as_json: opt.AsJson = False,
) -> None:
    """Restore every study in a folder. What is done is skipped, so a stopped batch is started again to go on."""
    from ..service.batch import batch as run

    edits = {
        "method": method,
        "noise": noise,
        "level": opt.number(level),
        "strength": strength,
        "device": device,
        "memory_gb": memory_gb,
        "options": opt.by_name(options),
    }
    with screen.progress_bar("Batch") as progress:
        rows = run(source, target, progress=progress, **edits)
    if as_json:
        screen.print_json([r.to_dict() for r in rows])
    else:
        shown = [(r.study, r.status, r.method, screen.shown(r.level), screen.shown(r.gain_db), r.message) for r in rows]
        screen.print_table("Batch", ("study", "status", "method", "level", "gain dB", "message"), shown)
    if any(r.status == "failed" for r in rows):
        raise typer.Exit(1)
