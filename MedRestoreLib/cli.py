"""The command ``medrestore``: methods, inspect, restore, compare, batch, worker."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import InvalidPlan, MedRestoreError, printable
from .noise import IDS
from .pipeline.device import NAMES

if TYPE_CHECKING:
    from .image import Image
    from .pipeline.restore import Result

app = typer.Typer(
    help="Restore SPECT, MRI and ultrasound studies, with evidence of what was removed. For research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

BAD_INPUT = 2  # exit code

Study = Annotated[Path, typer.Argument(help="DICOM file or folder, NRRD, NIfTI, MHA, PNG or a video.")]
Series = Annotated[str, typer.Option(help="Which DICOM series of a folder that holds several: its number or UID.")]
Modality = Annotated[str, typer.Option(help="NM, MR or US, where the file does not say.")]
ReplaceNan = Annotated[float | None, typer.Option(metavar="VALUE", help="Put VALUE where voxels are NaN or infinite.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
MethodId = Annotated[str, typer.Option(metavar="auto|ID", help="See 'medrestore methods'.")]
NoiseId = Annotated[str, typer.Option(metavar="|".join(("auto", *IDS)), help="Noise model.")]
Level = Annotated[
    str,
    typer.Option(
        metavar="auto|VALUE",
        help="Gaussian σ in the study's unit, Poisson counts per unit, Rician % of the maximum, speckle relative σ.",
    ),
]
Strength = Annotated[float, typer.Option(metavar="0..1", help="0 leaves the study as it is, 1 is the full method.")]
MaskFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Restore only where this image is not zero.")]
DeviceName = Annotated[str, typer.Option(metavar="|".join(NAMES), help="Where to compute.")]
MemoryGb = Annotated[
    float | None, typer.Option("--memory", metavar="GB", help="Memory for one tile, and for the voxels of a file.")
]
Dimensions = Annotated[int | None, typer.Option(metavar="2|3", help="Slice by slice, or in 3-D where the method can.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="A parameter of the method; repeatable."),
]
Removed = Annotated[bool, typer.Option("--removed", help="Also write what was removed, OUT.removed.*")]
WithReport = Annotated[bool, typer.Option("--report", help="Also write the report, OUT.report.html and .json")]
WithFigure = Annotated[
    bool, typer.Option("--figure", help="Also write the figure, OUT.figure.png, and of a cine OUT.film.webp")
]
FigureFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw them, into a PNG file.")]
Reference = Annotated[Path | None, typer.Option(metavar="FILE", help="The clean study, where there is one.")]


@app.command()
def methods(as_json: AsJson = False) -> None:
    """List every method, what it is for and where it comes from."""
    from .methods.catalogue import METHODS

    if as_json:
        columns = ("id", "title", "summary", "citation", "modalities", "noises", "dimensions", "learned", "licence")
        _print_json([{name: getattr(m, name) for name in columns} for m in METHODS])
        return
    rows = [(m.id, m.title, ", ".join(m.modalities), ", ".join(m.noises), m.summary) for m in METHODS]
    _print_table("Methods", ("id", "method", "studies", "noise", "what it does"), rows)


@app.command()
def inspect(
    study: Study,
    series: Series = "",
    modality: Modality = "",
    replace_nan: ReplaceNan = None,
    memory_gb: MemoryGb = None,
    as_json: AsJson = False,
) -> None:
    """Say what a study is, the noise found in it and what is recommended. Writes nothing."""
    from .errors import UnknownNoise
    from .pipeline.plan import estimate_noise, recommend

    image = _read(study, series, modality, replace_nan, memory_gb)
    frames, slices, rows, columns = image.voxels.shape
    noise, estimate = estimate_noise(image)
    found: dict[str, Any] = {
        "modality": image.modality,
        "unit": image.unit,
        "frames": frames,
        "slices": slices,
        "rows": rows,
        "columns": columns,
        "spacing_mm": image.spacing if image.spacing_known else "unknown",
        "colour": image.colour is not None,
        "stored_as": image.source.dtype,
        "minimum": float(image.voxels.min()),
        "maximum": float(image.voxels.max()),
        "total": float(image.voxels.sum(dtype="float64")),
        "noise": noise,
        "level": estimate.level,
        "confidence": estimate.confidence,
        "reason": estimate.reason,
    }
    try:
        plan = recommend(image)
        found |= {"method": plan.method, "why": plan.reason}
    except UnknownNoise as error:
        found |= {"method": None, "why": str(error)}
    if as_json:
        _print_json(found)
    else:
        _print_table(study.name, ("", ""), [(name.replace("_", " "), _shown(value)) for name, value in found.items()])


@app.command()
def restore(
    study: Study,
    out: Annotated[Path, typer.Argument(help="Where to write: a file by suffix, or a folder for a DICOM series.")],
    method: MethodId = "auto",
    noise: NoiseId = "auto",
    level: Level = "auto",
    strength: Strength = 1.0,
    mask: MaskFile = None,
    device: DeviceName = "auto",
    memory_gb: MemoryGb = None,
    dimensions: Dimensions = None,
    options: Options = None,
    series: Series = "",
    modality: Modality = "",
    replace_nan: ReplaceNan = None,
    removed: Removed = False,
    report: WithReport = False,
    figure: WithFigure = False,
    as_json: AsJson = False,
) -> None:
    """Restore a study and write it to OUT; the input is never changed."""
    from .files import studies as files
    from .pipeline import device as devices
    from .pipeline.plan import recommend
    from .pipeline.restore import restore as run

    beside = _companions(out)
    wanted = {"removed": removed, "report": report, "report_json": report, "figure": figure, "film": figure}
    for path in [out, *(beside[name] for name, on in wanted.items() if on)]:
        for read in filter(None, (study, mask)):
            files.check_writable(path, read)
    image = _read(study, series, modality, replace_nan, memory_gb)
    files.check_format(image, out)
    files.check_space(image, out)
    plan = recommend(
        image,
        method=method,
        noise=noise,
        level=_number(level),
        strength=strength,
        mask=None if mask is None else files.read(mask),
        device=device,
        memory_gb=memory_gb,
        dimensions=dimensions,
        options=_by_name(options),
    )
    devices.resolve(plan.device)  # before the progress bar: its absence is one line
    with _progress_bar(study.name) as progress:
        result = run(image, plan, progress=progress)
    written = {"restored": files.write(result.image, out, derivation=result.report.derivation, label=plan.method)}
    if removed:
        written["removed"] = files.write(result.removed, beside["removed"], label="removed")
    pictures = _pictures(image, result, beside) if figure else {}
    written |= pictures
    if report:
        written["report"] = result.report.write(beside["report"], figures=pictures.values())
        written["report_json"] = result.report.write(beside["report_json"])
    if as_json:
        _print_json({"written": {k: str(v) for k, v in written.items()}, "report": result.report.to_dict()})
    else:
        typer.echo(result.report.verdict)
        for what, path in written.items():
            typer.echo(printable(f"{what.replace('_', ' '):12} {path}"))


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="The study before.")],
    after: Annotated[Path, typer.Argument(help="The study after.")],
    reference: Reference = None,
    figure: FigureFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure what changed between two studies; with --reference also how far each is from the truth."""
    from .files import studies as files
    from .reporting import figures
    from .reporting.compare import compare as run

    for source in filter(None, (before, after, reference)) if figure else ():
        files.check_writable(figure, source)
    studies = [files.read(path) for path in (before, after, reference) if path]
    rows = run(*studies)
    if figure:
        draw = figures.compare if reference else figures.before_after
        draw(*studies, figure)
    if as_json:
        _print_json([{"measure": r.measure, "before": r.before, "after": r.after, "unit": r.unit} for r in rows])
    else:
        shown = [(r.measure, _shown(r.before), _shown(r.after), r.unit) for r in rows]
        _print_table(f"{before.name} → {after.name}", ("measure", "before", "after", "unit"), shown)


@app.command()
def batch(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of studies, searched to the bottom.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the restored studies; made if need be.")],
    method: MethodId = "auto",
    noise: NoiseId = "auto",
    level: Level = "auto",
    strength: Strength = 1.0,
    device: DeviceName = "auto",
    memory_gb: MemoryGb = None,
    options: Options = None,
    as_json: AsJson = False,
) -> None:
    """Restore every study in a folder. What is done is skipped, so a stopped batch is started again to go on."""
    from .service.batch import batch as run

    edits = {
        "method": method,
        "noise": noise,
        "level": _number(level),
        "strength": strength,
        "device": device,
        "memory_gb": memory_gb,
        "options": _by_name(options),
    }
    with _progress_bar("Batch") as progress:
        rows = run(source, target, progress=progress, **edits)
    if as_json:
        _print_json([r.to_dict() for r in rows])
    else:
        shown = [(r.study, r.status, r.method, _shown(r.level), _shown(r.gain_db), r.message) for r in rows]
        _print_table("Batch", ("study", "status", "method", "level", "gain dB", "message"), shown)
    if any(r.status == "failed" for r in rows):
        raise typer.Exit(1)


@app.command(hidden=True)
def worker(folder: Annotated[Path, typer.Argument(help="The exchange folder.")]) -> None:
    """Serve restores over standard input and output, for programs (see MedRestoreLib/service/worker.py)."""
    from .service.worker import main as serve

    serve(folder)


def main() -> None:
    """Run the command; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except MedRestoreError as error:
        typer.echo(f"Error: {with_flag(error, ''.join(sys.argv[1:2]))}", err=True)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        typer.echo("Stopped; nothing is left half-written.", err=True)
        sys.exit(130)


def with_flag(error: MedRestoreError, command: str) -> str:
    """The error's message, with the flag for the field at fault, if the command of this name has it.

    >>> with_flag(InvalidPlan("too much.", field="memory_gb"), "restore")
    'too much (--memory).'
    """
    found = typer.main.get_command(app).commands.get(command)
    flags = {parameter.name: parameter.opts[0] for parameter in found.params} if found else {}
    flag = flags.get(error.field, "")
    return f"{str(error).removesuffix('.')} ({flag})." if flag.startswith("--") else str(error)


def _read(study: Path, series: str, modality: str, replace_nan: float | None, memory_gb: float | None = None) -> Image:
    from .files.studies import read

    image = read(study, series=series or None, replace_nan=replace_nan, memory_gb=memory_gb)
    return replace(image, modality=modality.upper()) if modality else image


def _number(level: str) -> float | str:
    if level == "auto":
        return level
    try:
        return float(level)
    except ValueError:
        raise InvalidPlan(f"--level takes 'auto' or a number, got '{level}'.") from None


def _by_name(pairs: list[str] | None) -> dict[str, Any]:
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


def _companions(out: Path) -> dict[str, Path]:
    """The files that may go beside OUT, which keeps its suffix where the companion is an image."""
    from .files.formats import removed_suffix, suffix_of

    suffix = suffix_of(out)
    stem = out.name[: len(out.name) - len(suffix)]
    return {
        "removed": out.with_name(f"{stem}.removed{removed_suffix(suffix)}"),
        "report": out.with_name(f"{stem}.report.html"),
        "report_json": out.with_name(f"{stem}.report.json"),
        "figure": out.with_name(f"{stem}.figure.png"),
        "film": out.with_name(f"{stem}.film.webp"),
    }


def _pictures(before: Image, result: Result, beside: dict[str, Path]) -> dict[str, Path]:
    """Write the figure and, of a cine, the film."""
    from .reporting import figures, film

    written = {"figure": figures.before_after(before, result.image, beside["figure"], report=result.report)}
    if film.is_cine(before):
        written["film"] = film.before_after(before, result.image, beside["film"])
    return written


@contextmanager
def _progress_bar(title: str) -> Iterator[Callable[[float, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    description = TextColumn("{task.description}", markup=False)
    columns = (description, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(printable(title), total=1.0)

        def update(fraction: float, message: str) -> None:
            bar.update(task, completed=fraction, description=printable(f"{title}: {message}"))

        yield update


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _print_table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=printable(title))
    for row in rows:
        table.add_row(*(printable(str(cell)) for cell in row))
    Console(markup=False, emoji=False).print(table)  # a file may be called [red] or :smile:


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return " x ".join(_shown(v) for v in value)
    return str(value)
