"""Reports as HTML: one page that needs nothing else, prints on A4 and can be read aloud.

What is rendered are the plain values of ``Report.to_dict``, so that reports kept as JSON can be shown as well.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

CAUTION = "For research use only. Not for diagnosis."

# Suffix → type and caption.
FIGURES = {
    ".png": ("png", "Before, after and removed part, one window for before and after."),
    ".webp": ("webp", "The cine before (left) and after (right), moving, in one window."),
}

STYLE = """
:root { --ink: #1d2328; --soft: #5b6670; --line: #dde2e6; --good: #1b6e4b; --doubt: #9a4a00; }
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


def single(report: Mapping[str, Any], figures: Iterable[str | Path]) -> str:
    """The page of one study, with PNG and WebP files as figures."""
    return _page("Restoration report", _study(report, figures, heading=2))


def summary(studies: Sequence[tuple[str, Mapping[str, Any], Iterable[str | Path]]]) -> str:
    """The page of several: a table, then a section for each ``(title, report, figures)``."""
    rows, sections = [], []
    for number, (title, report, figures) in enumerate(studies, 1):
        rows.append(
            (
                _Html(f'<a href="#study-{number}">{escape(title)}</a>'),
                report["study"].get("modality"),
                report["plan"].get("method"),
                _noise(report["noise"]),
                _gain(report["gain"]),
                _percent(report["totals"]["total"]["percent"]),
                ", ".join((report["audit"] or {}).get("flags", ())) or "none",
            )
        )
        body = _study(report, figures, heading=3)
        sections.append(f'<section id="study-{number}" class="study"><h2>{escape(title)}</h2>{body}</section>')
    head = ("Study", "Modality", "Method", "Noise", "Expected gain", "Change of the total", "Flags")
    return _page("Restored studies", _table(head, rows) + "".join(sections))


def brief(report: Mapping[str, Any]) -> str:
    """The gist of a report as an HTML fragment for a narrow place: the verdict, what to look at, what was kept."""
    parts = [f"<p><b>{escape(report['verdict'])}</b></p>"]
    findings = (report["audit"] or {"findings": {}})["findings"].values()
    for finding in sorted(findings, key=lambda finding: not finding["flagged"]):
        mark = "Look" if finding["flagged"] else "Fine"
        parts.append(f"<p>{mark}: <i>{escape(finding['title'])}.</i> {escape(finding['sentence'])}</p>")
    totals = report["totals"]
    rows = [("Total", *_change(totals["total"]))]
    rows += [(f"Mean, {name}", *_change(mean)) for name, mean in totals["regions"].items()]
    unit = f", {totals['unit']}" if totals["unit"] else ""
    parts.append(_table((f"Kept{unit}", "Before", "After", "Change"), rows))
    parts += [f"<p>{escape(note)}</p>" for note in report["notes"]]
    parts.append(f"<p>{escape(_noise(report['noise']))}; {escape(report['provenance']['method'])} on ")
    parts.append(f"{escape(report['provenance']['device'])}, {_value(report['provenance']['seconds'])} s.</p>")
    parts.append(f"<p><i>{escape(CAUTION)}</i></p>")
    return "".join(parts)


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


def _study(report: Mapping[str, Any], figures: Iterable[str | Path], heading: int) -> str:
    """All sections of one study, from its report as plain values."""
    reliable = bool(report["gain"] and report["gain"]["reliable"])
    parts = [f'<p class="verdict {"gain" if reliable else "doubt"}">{escape(report["verdict"])}</p>']
    parts += [_figure(Path(path)) for path in figures]
    parts.append(_part("What was found", heading, _found(report["study"], report["noise"])))
    plan = {name: value for name, value in report["plan"].items() if name != "estimate"}  # stands under the noise
    parts.append(_part("What was done", heading, _facts(plan)))
    parts.append(_part("What was gained", heading, _gain_table(report["gain"])))
    parts.append(_part("What was removed", heading, _audit_table(report["audit"])))
    parts.append(_part("What was kept", heading, _totals_table(report["totals"])))
    if report["notes"]:
        notes = "".join(f"<li>{escape(note)}</li>" for note in report["notes"])
        parts.append(_part("Notes", heading, f"<ul>{notes}</ul>"))
    parts.append(_part("Provenance", heading, _facts(report["provenance"])))
    return "\n".join(parts)


def _part(title: str, heading: int, body: str) -> str:
    return f"<section><h{heading}>{escape(title)}</h{heading}>{body}</section>"


def _figure(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    kind, caption = FIGURES[path.suffix.lower()]
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _found(study: Mapping[str, Any], noise: Mapping[str, Any]) -> str:
    confidence = noise.get("confidence")
    source = "the study" if noise.get("estimated") else "the user"
    facts = {
        **study,
        "noise": noise.get("title") or noise.get("model"),
        "level": f"{_value(noise.get('level'))} ({noise.get('unit')})",
        "level_from": "nowhere: a usual one, as none could be told" if noise.get("assumed") else source,
        "confidence": None if confidence is None else f"{100 * confidence:.0f} %",
        "reason": noise.get("reason"),
    }
    if "size" in study:
        facts["size"] = f"{' × '.join(map(str, study['size']))} (frames, slices, rows, columns)"
    return _facts(facts)


def _gain_table(gain: Mapping[str, Any] | None) -> str:
    if gain is None or not gain["available"]:
        return f"<p>{escape('The gain was not estimated.' if gain is None else gain['sentence'])}</p>"
    rows = [
        ("Expected gain", _gain(gain)),
        ("Error of the noisy study", _number(gain["input_risk"])),
        ("Expected error of the restored study", _number(gain["expected_risk"])),
        ("Standard error of their difference", _number(gain["standard_error"])),
        ("Best strength", _number(gain["best_strength"])),
        ("Estimator", gain["estimator"]),
    ]
    note = f"<p>{escape(gain['sentence'])} Errors are mean squares, in {escape(gain['domain'])}.</p>"
    return note + _table(("At full strength", "Value"), rows)


def _audit_table(audit: Mapping[str, Any] | None) -> str:
    if audit is None or not audit["findings"]:
        return "<p>No part of the study could be judged.</p>"
    marks = {True: _Html('<span class="flag">Look</span>'), False: _Html('<span class="fine">Fine</span>')}
    rows = []
    for finding in audit["findings"].values():
        measures = "; ".join(f"{_words(k)} {_value(v)}" for k, v in finding["measures"].items())
        rows.append(
            (
                finding["title"],
                marks[finding["flagged"]],
                finding["sentence"],
                _Html(f"<small>{escape(measures)}</small>"),
            )
        )
    note = f"<p>Voxels judged: {audit['voxels']:,}, in planes: {audit['planes']}.</p>"
    return _table(("Question", "", "Answer", "Measures"), rows) + note


def _totals_table(totals: Mapping[str, Any]) -> str:
    unit = f" ({totals['unit']})" if totals["unit"] else ""
    rows = [(f"Total{unit}", "", *_change(totals["total"]))]
    if 1 < len(totals["frames"]) <= 8:
        rows += [(f"Total of frame {n}", "", *_change(frame)) for n, frame in enumerate(totals["frames"], 1)]
    rows += [
        (f"Mean, {name}{unit}", f"{_number(mean['size'])} {totals['size_unit']}", *_change(mean))
        for name, mean in totals["regions"].items()
    ]
    return _table(("Quantity", "Size", "Before", "After", "Change"), rows)


def _change(change: Mapping[str, Any]) -> tuple[str, str, str]:
    return _number(change["before"]), _number(change["after"]), _percent(change["percent"])


def _facts(values: Mapping[str, Any]) -> str:
    return _table(
        None, [(_words(name), _value(value)) for name, value in values.items() if value not in (None, "", {}, [])]
    )


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
    if value is None:
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.4g}"
    return f"{value:,.0f}" if abs(value) >= 1e4 or value == int(value) else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 2) + 0.0:+.2f} %"  # + 0.0: no minus zero


def _gain(gain: Mapping[str, Any] | None) -> str:
    if gain is None or gain["gain_db"] is None:
        return "unknown"
    return f"{gain['gain_db']:+.1f} dB" + ("" if gain["reliable"] else " (not reliable)")


def _noise(noise: Mapping[str, Any]) -> str:
    return f"{noise.get('model')}, {_value(noise.get('level'))}"
