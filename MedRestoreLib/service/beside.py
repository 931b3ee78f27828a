"""What may be written beside a restored study: the part that was removed, the report, the figure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from ..files import studies as files
from ..files.formats import removed_suffix, suffix_of
from ..pipeline.restore import Result
from ..pipeline.trust import Trust

KINDS = ("removed", "report", "figure", "trust")
LONGEST = ".interval.nii.gz"  # what one of them puts in the place of OUT's suffix


def paths(out: Path, kinds: Collection[str]) -> dict[str, Path]:
    """Where they go, by what they are: "removed", "report" and "report_json", "figure" and, of a cine, "film",
    "interval" and "method_share", or of an enlarged study "invented".

    Args:
        out: where the restored study is written; what goes beside it has its name without its suffix.
        kinds: some of ``KINDS``.
    """
    suffix = suffix_of(out)
    stem = out.name[: len(out.name) - len(suffix)]
    names = {
        "removed": {"removed": f"{stem}.removed{removed_suffix(suffix)}"},
        "report": {"report": f"{stem}.report.html", "report_json": f"{stem}.report.json"},
        "figure": {"figure": f"{stem}.figure.png", "film": f"{stem}.film.webp"},
        "trust": {
            "interval": f"{stem}.interval{removed_suffix(suffix)}",
            "method_share": f"{stem}.method{removed_suffix(suffix)}",
            "invented": f"{stem}.invented{removed_suffix(suffix)}",
        },
    }
    return {what: out.with_name(name) for kind in KINDS if kind in kinds for what, name in names[kind].items()}


def write(result: Result, out: Path, kinds: Collection[str], trusted: Trust | None = None) -> dict[str, Path]:
    """Write them; what was written, by what it is.

    Args:
        trusted: the map, where ``kinds`` has "trust" and the study was not enlarged.

    Raises:
        OutputError: one of them cannot be written.
    """
    where, written = paths(out, kinds), {}
    if "removed" in kinds:
        written["removed"] = files.write(result.removed, where["removed"], label="removed")
    if trusted is not None:
        result = replace(result, report=trusted.report)
        for what, image in (("interval", trusted.half_width), ("method_share", trusted.method_share)):
            written[what] = files.write(image, where[what], label=what.replace("_", " "))
    elif "trust" in kinds:
        written["invented"] = files.write(result.invented, where["invented"], label="invented")
    pictures = _pictures(result, where) if "figure" in kinds else {}
    written |= pictures
    if "report" in kinds:
        written["report"] = result.report.write(where["report"], figures=pictures.values())
        written["report_json"] = result.report.write(where["report_json"])
    return written


def _pictures(result: Result, where: dict[str, Path]) -> dict[str, Path]:
    from ..reporting import figures, film

    before = result.baseline
    written = {"figure": figures.before_after(before, result.image, where["figure"], report=result.report)}
    if film.is_cine(before):
        written["film"] = film.before_after(before, result.image, where["film"])
    return written
