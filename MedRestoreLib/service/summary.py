"""The summary of a batch: one line for each study, as a table for programs and as a page for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.studies import write_text
from .stores import filled

if TYPE_CHECKING:
    from .batch import Row

NAME = "summary"  # of the files, which have the suffixes .csv and .html


def write(rows: Sequence[Row], target: str | Path) -> None:
    """Write ``summary.csv`` and ``summary.html``.

    Args:
        rows: what ``batch`` returned.
        target: that of the batch.

    Raises:
        OutputError: they cannot be written.
    """
    from ..reporting import page

    values = [row.to_dict() for row in rows]
    head = list(values[0]) if values else []
    table = io.StringIO()
    writer = csv.DictWriter(table, head)
    writer.writeheader()
    writer.writerows(values)
    title = f"{len(rows)} studies"
    cells = [[row[name] for name in head] for row in values]
    html = page.table_page(title, [name.replace("_", " ") for name in head], cells)
    with filled(target) as place:
        write_text(place / f"{NAME}.csv", table.getvalue())
        write_text(place / f"{NAME}.html", html)
