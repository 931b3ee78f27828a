"""Commands about single studies: methods, inspect, restore, compare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import OutputError
from . import options as opt
from . import screen

if TYPE_CHECKING:
    from ..image import Image


def methods(as_json: opt.AsJson = False) -> None:
    """List every method, what it is for and where it comes from."""
    from ..methods.catalogue import METHODS

    if as_json:
        columns = (
            "id",
            "title",
            "summary",
            "citation",
            "modalities",
            "noises",
            "dimensions",
            "factors",
            "learned",
            "licence",
        )
        screen.print_json([{name: getattr(m, name) for name in columns} for m in METHODS])
        return
    rows = [(m.id, m.title, ", ".join(m.modalities), ", ".join(m.noises), m.summary) for m in METHODS]
    screen.print_table("Methods", ("id", "method", "studies", "noise", "what it does"), rows)


def inspect(
    study: opt.Study,
    series: opt.Series = "",
    modality: opt.Modality = "",
    replace_nan: opt.ReplaceNan = None,
    memory_gb: opt.MemoryGb = None,
    as_json: opt.AsJson = False,
) -> None:
    """Say what a study is, the noise found in it and what is recommended. Writes nothing."""
    from ..pipeline.plan import estimate_noise, recommend

    image = read(study, series, modality, replace_nan, memory_gb)
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
    plan = recommend(image)
    found |= {"careful": plan.careful, "method": plan.method, "why": plan.reason}
    if as_json:
        screen.print_json(found)
    else:
        screen.print_table(
            study.name, ("", ""), [(name.replace("_", " "), screen.shown(value)) for name, value in found.items()]
        )


def restore(
    study: opt.Study,
    out: Annotated[Path, typer.Argument(help="Where to write: a file by suffix, or a folder for a DICOM series.")],
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
    series: opt.Series = "",
    modality: opt.Modality = "",
    replace_nan: opt.ReplaceNan = None,
    removed: opt.Removed = False,
    report: opt.WithReport = False,
    figure: opt.WithFigure = False,
    trust: opt.WithTrust = False,
    force: opt.Force = False,
    as_json: opt.AsJson = False,
) -> None:
    """Restore a study and write it to OUT; the input is never changed."""
    from ..files import studies as files
    from ..pipeline import device as devices
    from ..pipeline.plan import recommend
    from ..pipeline.restore import restore as run
    from ..pipeline.trust import check_trust
    from ..pipeline.trust import trust as trust_of
    from ..service import beside

    kinds = opt.kinds(removed=removed, report=report, figure=figure, trust=trust)
    check_outputs([out, *beside.paths(out, kinds).values()], [study, mask], force=force)
    image = read(study, series, modality, replace_nan, memory_gb)
    files.check_format(image, out)
    files.check_space(image, out)
    plan = recommend(
        image,
        method=method,
        noise=noise,
        level=opt.number(level, "--level"),
        strength=opt.number(strength, "--strength"),
        mask=None if mask is None else files.read(mask),
        device=device,
        precision=precision,
        memory_gb=memory_gb,
        dimensions=dimensions,
        together=together,
        adapt=adapt or None,
        factor=factor,
        options=opt.by_name(options),
    )
    if trust:
        check_trust(image, plan)
    devices.resolve(plan.device)  # before the progress bar: its absence is one line
    screen.LOG.info("read: %s voxels, %s", screen.shown(image.voxels.shape), image.modality)
    screen.LOG.info("plan: %s, %s noise of %.4g; %s", plan.method, plan.noise, plan.level, plan.reason)
    with screen.progress_bar(study.name) as progress:
        result = run(image, plan, progress=progress)
        trusted = trust_of(result, plan, progress=progress) if trust and plan.factor == 1 else None
    written = {"restored": files.write(result.image, out, derivation=result.report.derivation, label=plan.method)}
    written |= beside.write(result, out, kinds, trusted)
    screen.LOG.info("restored and written (%s)", ", ".join(written))
    if as_json:
        screen.print_json({"written": {k: str(v) for k, v in written.items()}, "report": result.report.to_dict()})
    else:
        screen.say(result.report.verdict)
        for what, path in written.items():
            screen.say(f"{what.replace('_', ' '):12} {path}")


def compare(
    before: Annotated[Path, typer.Argument(help="The study before.")],
    after: Annotated[Path, typer.Argument(help="The study after.")],
    reference: opt.Reference = None,
    figure: opt.FigureFile = None,
    force: opt.Force = False,
    as_json: opt.AsJson = False,
) -> None:
    """Measure what changed between two studies; with --reference also how far each is from the truth."""
    from ..files import studies as files
    from ..reporting import figures
    from ..reporting.compare import compare as run

    if figure:
        check_outputs([figure], [before, after, reference], force=force)
    first, second = files.read(before), files.read(after)
    truth = None if reference is None else files.read(reference)
    rows = run(first, second, truth)
    if figure and truth is not None:
        figures.compare(first, second, truth, figure)
    elif figure:
        figures.before_after(first, second, figure)
    if as_json:
        screen.print_json([{"measure": r.measure, "before": r.before, "after": r.after, "unit": r.unit} for r in rows])
    else:
        shown = [(r.measure, screen.shown(r.before), screen.shown(r.after), r.unit) for r in rows]
        screen.print_table(f"{before.name} → {after.name}", ("measure", "before", "after", "unit"), shown)


def read(study: Path, series: str, modality: str, replace_nan: float | None, memory_gb: float | None = None) -> Image:
    from ..files import studies as files

    code = opt.modality_code(modality)
    image = files.read(study, series=series or None, replace_nan=replace_nan, memory_gb=memory_gb)
    return replace(image, modality=code) if code else image


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path | None], *, force: bool) -> None:
    """Raise OutputError unless all outputs can be written: never over an input, over what is there only by force."""
    from ..files import studies as files

    for path in outputs:
        for source in filter(None, inputs):
            files.check_writable(path, source)
        if path.exists() and not force:
            raise OutputError(f"{path} is there already; choose another name, or allow to replace it.", field="force")
