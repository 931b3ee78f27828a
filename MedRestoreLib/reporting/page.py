"""Reports as HTML: one page that needs nothing else, prints on A4 and can be read aloud.

Written without a template engine: the panel shows the evidence of a saved scene also in a Slicer in which nothing is
installed yet, and Slicer brings none.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..evidence.blobs import Place
from ..evidence.enlargement import CAUTION as MEASURED
from ..evidence.enlargement import Enlargement
from ..evidence.findings import Audit, Finding
from ..evidence.gain import Gain
from ..evidence.totals import Change, Totals
from ..evidence.verdict import GAIN, HARM
from .report import CAUTION, Report, Study

# Suffix → type and caption.
FIGURES = {
    ".png": ("png", "Before, after and removed part, one window for before and after."),
    ".webp": ("webp", "The cine before (left) and after (right), moving, in one window."),
}

LINKED = 20  # places that a narrow place lists
COLOURS = {GAIN: "gain", HARM: "harm"}  # CSS class of the verdict; "doubt" for the others

STYLE = """
:root { --ink: #1d2328; --soft: #5b6670; --line: #dde2e6; --good: #1b6e4b; --doubt: #9a4a00; --harm: #a3192b; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem; max-width: 62rem; color: var(--ink); background: #fff;
  font: 400 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; border-bottom: 1px solid var(--line); }
.brand { margin: 0; width: 100%; color: var(--soft); letter-spacing: .06em; font-size: .85rem; }
h1 { margin: 0 0 .6rem; font-weight: 300; font-size: 2rem; flex: 1; }
h2 { margin: 2rem 0 .5rem; font-weight: 400; font-size: 1.25rem; }
h3 { margin: 1.4rem 0 .4rem; font-weight: 600; font-size: 1rem; }
.caution, footer { color: var(--soft); font-size: .85rem; }
.verdict { margin: 1.5rem 0; padding: .8rem 1.1rem; border-left: 4px solid; background: #f6f8f9; font-size: 1.1rem; }
.verdict.gain { border-color: var(--good); } .verdict.doubt { border-color: var(--doubt); }
.verdict.harm { border-color: var(--harm); }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .9rem .32rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; }
tbody th { font-weight: 400; width: 15rem; } td { overflow-wrap: anywhere; } small { color: var(--soft); }
.flag, .fine { white-space: nowrap; color: var(--good); } .flag { color: var(--doubt); font-weight: 600; }
.study { margin-top: 3rem; border-top: 1px solid var(--line); } a { color: inherit; }
footer { margin-top: 2.5rem; }
@media print { @page { size: A4; margin: 16mm; } body { padding: 0; font-size: 10pt; }
  .study { break-before: page; } figure, tr, .verdict { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""


def single(report: Report, figures: Iterable[str | Path]) -> str:
    """The page of one study, with PNG and WebP files as figures."""
    return _page("Restoration report", _study(report, figures, heading=2))


def summary(studies: Sequence[tuple[str, Report, Iterable[str | Path]]]) -> str:
    """The page of several: a table, then a section for each ``(title, report, figures)``."""
    rows, sections = [], []
    for number, (title, report, figures) in enumerate(studies, 1):
        rows.append(
            (
                _Html(f'<a href="#study-{number}">{escape(title)}</a>'),
                report.study.modality,
                report.plan["method"],
                f"{report.noise.model}, {_number(report.noise.level)}",
                report.expected_gain,
                _percent(report.totals.total),
                ", ".join(report.flags).lower() or "none",
            )
        )
        body = _study(report, figures, heading=3)
        sections.append(f'<section id="study-{number}" class="study"><h2>{escape(title)}</h2>{body}</section>')
    head = ("Study", "Modality", "Method", "Noise", "Gain", "Change of the total", "Flags")
    return _page("Restored studies", _table(head, rows) + "".join(sections))


def table_page(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The page of one table; cells that are None are empty."""
    return _page(title, f"<h1>{escape(title)}</h1>" + _table(head, ([_value(v) for v in row] for row in rows)))


def verdict(report: Report) -> str:
    """The verdict as an HTML fragment, its word in bold."""
    word, _, sentence = report.verdict.partition(":")
    return f"<b>{escape(word)}:</b>{escape(sentence)}"


def brief(report: Report) -> str:
    """The gist of a report as an HTML fragment for a narrow place: the verdict, what to look at, what was kept."""
    parts = [f"<p>{verdict(report)}</p>"]
    findings = () if report.audit is None else report.audit.findings.values()
    for finding in sorted(findings, key=lambda finding: not finding.flagged):
        parts.append(f"<p>{_mark(finding)}: <i>{escape(finding.title)}.</i> {escape(finding.sentence)}</p>")
    parts.append(_place_links(() if report.audit is None else report.audit.places, report.study))
    if report.trust is not None:
        parts.append(f"<p>{escape(report.trust.sentence)}</p>")
    unit = f", {report.totals.unit}" if report.totals.unit else ""
    rows = [("Total", *_change(report.totals.total))]
    rows += [(f"Mean, {name}", *_change(mean)) for name, mean in report.totals.regions.items()]
    parts.append(_table((f"Kept{unit}", "Before", "After", "Change"), rows))
    parts += [f"<p>{escape(note)}</p>" for note in report.notes]
    made = report.provenance
    parts.append(f"<p>{escape(report.noise.summary)}; {escape(made.method)} on {escape(made.device)}, ")
    parts.append(f"{_number(made.seconds)} s.</p><p><i>{escape(CAUTION)}</i></p>")
    return "".join(parts)


def _place_links(places: Sequence[Place], study: Study) -> str:
    """Where something was lost or added: links ``#place-NUMBER``, counted from 0, for a window that can go there."""
    frames, slices = study.size[:2]
    unit = "mm" if study.spacing_mm else "voxels"
    rows = []
    for number, place in enumerate(places[:LINKED]):
        frame = f", frame {place.voxel[0] + 1}" if frames > 1 else ""
        at = f"slice {place.voxel[1] + 1}{frame}" if slices > 1 else f"row {place.voxel[2] + 1}{frame}"
        text = f"{place.change}, {place.polarity}, {_number(place.width_mm)} {unit} wide, {at}"
        rows.append(f'<a href="#place-{number}">{number + 1}. {text}</a>')
    more = [f"{len(places) - LINKED} more are marked."] if len(places) > LINKED else []
    return f"<p>Click a place to see it:<br>{'<br>'.join(rows + more)}</p>" if rows else ""


class _Html(str):
    """Text that is HTML already."""


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · MedRestore</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><p class="brand">MedRestore</p><h1>{escape(title)}</h1>'
        f'<p class="caution">{escape(CAUTION)}</p></header>\n<main>\n{body}\n</main>\n'
        f"<footer><p>{escape(CAUTION)}</p></footer>\n</body>\n</html>\n"
    )


def _study(report: Report, figures: Iterable[str | Path], heading: int) -> str:
    """All sections of one study."""
    study, noise = report.study, report.noise
    size = f"{' × '.join(map(str, study.size))} (frames, slices, rows, columns)"
    level = {"noise": noise.title, "level": f"{_number(noise.level)} ({noise.unit})", "level_is": noise.source}
    # The estimate stands under the noise, the ranking in a table of its own.
    plan = {name: value for name, value in report.plan.items() if name not in ("estimate", "ranking")}
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    sections = {
        "What was found": _facts({**vars(study), "size": size, **level, "reason": noise.reason}),
        "What was done": _facts(plan),
        "Why this method": _ranking_table(report.plan.get("ranking") or ()),
        "What was gained": _gain_table(report.gain),
        "How far to trust it": "" if report.trust is None else f"<p>{escape(report.trust.sentence)}</p>",
        "What was enlarged": _enlargement(report.enlargement),
        "What was removed": "" if report.enlargement is not None else _audit_table(report.audit),
        "What was kept": _totals_table(report.totals),
        "Notes": f"<ul>{notes}</ul>" if notes else "",
        "Provenance": _facts(vars(report.provenance)),
    }
    return "\n".join(
        [
            f'<p class="verdict {COLOURS.get(report.judgement.word, "doubt")}">{escape(report.verdict)}</p>',
            *(_figure(Path(path)) for path in figures),
            *(f"<section><h{heading}>{title}</h{heading}>{body}</section>" for title, body in sections.items() if body),
        ]
    )


def _figure(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    kind, caption = FIGURES[path.suffix.lower()]
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _gain_table(gain: Gain | None) -> str:
    if gain is None or not gain.available:
        return f"<p>{escape(_sentence('the gain was not estimated.' if gain is None else gain.sentence))}</p>"
    rows = [
        ("Expected gain", _decibels(gain.gain_db)),
        ("At least, with 95 % probability", _decibels(gain.least_db)),
        ("At most", _decibels(gain.most_db)),
        ("Reliable", gain.reliable),
        ("Error of the noisy study", gain.input_risk),
        ("Expected error of the restored study", gain.expected_risk),
        ("Standard error of their difference", gain.standard_error),
        ("Best strength", gain.best_strength),
        ("Estimator", gain.estimator),
    ]
    note = f"<p>{escape(_sentence(gain.sentence))} Errors are mean squares, in {escape(gain.domain)}.</p>"
    return note + _table(("At full strength", "Value"), rows)


def _ranking_table(ranking: Sequence[Mapping[str, Any]]) -> str:
    """The comparison of methods on the study itself; "" where there was none."""
    if not ranking:
        return ""
    best = min(ranking, key=lambda row: row["score"])
    rows = [
        (
            row["method"],
            f"{row['score']:.4f}",
            f"{row['score'] - best['score']:+.4f} ± {2 * row['error']:.4f}",
            f"{100 * row['removed']:.0f} %",
            f"{row['strength']:.2f}",
        )
        for row in ranking
    ]
    note = (
        f"<p>{escape(_sentence(ranking[0]['measure']))}, on pieces of this study; less is better. Of methods that are "
        "equal but for chance, the gentlest is recommended: it stands first.</p>"
    )
    head = ("Method", "Expected error", "Above the least", "Of the noise's variance removed", "Best strength")
    return note + _table(head, rows)


def _audit_table(audit: Audit | None) -> str:
    if audit is None or not audit.findings:
        return "<p>No part of the study could be judged.</p>"
    rows = []
    for finding in audit.findings.values():
        mark = f'<span class="{"flag" if finding.flagged else "fine"}">{_mark(finding)}</span>'
        measures = "; ".join(f"{_words(name)} {_value(value)}" for name, value in finding.measures.items())
        rows.append((finding.title, _Html(mark), finding.sentence, _Html(f"<small>{escape(measures)}</small>")))
    note = f"<p>Voxels judged: {audit.voxels:,}, in planes: {audit.planes}.</p>"
    return _table(("Test", "", "Outcome", "Measures"), rows) + note


def _enlargement(enlargement: Enlargement | None) -> str:
    if enlargement is None:
        return ""
    frame, number, row, column = enlargement.place
    rows = [
        ("Rows and columns, times", str(enlargement.factor), ""),
        (
            "Agreement with the study when reduced again",
            f"{enlargement.consistency_db:.1f} dB",
            f"{enlargement.bicubic_db:.1f} dB",
        ),
        ("Largest difference", _number(enlargement.largest), ""),
        ("Where", f"frame {frame + 1}, slice {number + 1}, row {row + 1}, column {column + 1} of the study", ""),
        (
            "Share of the variance finer than the study's pixels",
            f"{100 * enlargement.finer:.2g} %",
            f"{100 * enlargement.bicubic_finer:.2g} %",
        ),
    ]
    return f"<p>{escape(MEASURED)}</p>" + _table(("Measure", "Result", "Bicubic enlargement"), rows)


def _totals_table(totals: Totals) -> str:
    unit = f" ({totals.unit})" if totals.unit else ""
    rows = [(f"Total{unit}", "", *_change(totals.total))]
    if 1 < len(totals.frames) <= 8:
        rows += [(f"Total of frame {n}", "", *_change(frame)) for n, frame in enumerate(totals.frames, 1)]
    rows += [
        (f"Mean, {name}{unit}", f"{_number(totals.sizes[name])} {totals.size_unit}", *_change(mean))
        for name, mean in totals.regions.items()
    ]
    return _table(("Quantity", "Size", "Before", "After", "Change"), rows)


def _mark(finding: Finding) -> str:
    return "Look" if finding.flagged else "Fine"


def _change(change: Change) -> tuple[str, str, str]:
    return _number(change.before), _number(change.after), _percent(change)


def _facts(values: Mapping[str, Any]) -> str:
    return _table(None, [(_words(name), value) for name, value in values.items() if not _empty(value)])


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, Mapping, list, tuple)) and not value)


def _table(head: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> str:
    """An HTML table whose first column names the rows."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head or ())
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td>{_cell(value)}</td>" for value in others)
        lines.append(f'<tr><th scope="row">{_cell(first)}</th>{cells}</tr>')
    top = f"<thead><tr>{titles}</tr></thead>" if titles else ""
    return f'<div class="scroll"><table>{top}<tbody>{"".join(lines)}</tbody></table></div>'


def _cell(value: Any) -> str:
    return value if isinstance(value, _Html) else escape(_value(value))


def _sentence(part: str) -> str:
    return part[:1].upper() + part[1:]


def _decibels(gain: float | None) -> str:
    return "–" if gain is None else f"{gain:+.1f} dB"


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_value(v)}" for name, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _number(value) if isinstance(value, float) or value is None else str(value)


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.4g}"
    return f"{value:,.0f}" if abs(value) >= 1e4 or value == int(value) else f"{value:.4g}"


def _percent(change: Change) -> str:
    return "–" if change.percent is None else f"{round(change.percent, 2) + 0.0:+.2f} %"  # + 0.0: no minus zero
