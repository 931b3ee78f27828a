"""The training curve: a CSV file with one row per interval, and its plot."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from MedRestoreLib.files import atomic

Row = dict[str, float]


def write(folder: Path, rows: list[Row]) -> None:
    """Write ``curve.csv`` and ``curve.png`` from all rows so far; each file is whole or absent."""
    if not rows:
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, columns, lineterminator="\n")
    table.writeheader()
    table.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)
    atomic.write_bytes(folder / "curve.csv", buffer.getvalue().encode())
    atomic.write_bytes(folder / "curve.png", _picture(rows))


def _picture(rows: list[Row]) -> bytes:
    """Losses above and validation scores below, over steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    for panel, wanted in ((above, _is_loss), (below, _is_score)):
        for name in dict.fromkeys(name for row in rows for name in row if wanted(name)):
            points = [(row["step"], row[name]) for row in rows if name in row]
            panel.plot(*zip(*points, strict=True), label=name)
        if panel.lines:
            panel.legend(fontsize=8)
        panel.grid(alpha=0.3)
    if all(row[name] > 0 for row in rows for name in row if _is_loss(name)):
        above.set_yscale("log")
    above.set_ylabel("loss")
    below.set(xlabel="step", ylabel="validation")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()


def _is_score(name: str) -> bool:
    return name.startswith("val ")


def _is_loss(name: str) -> bool:
    return not _is_score(name) and name not in ("step", "minutes", "rate")
