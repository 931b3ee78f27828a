"""What the command line shows: progress, tables, JSON, and what it logs. Names of files are printed safely."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from ..errors import printable

LOG = logging.getLogger("medrestore")  # what is done; never a name of a file or a patient
LINE_SECONDS, LINE_SHARE = 10.0, 0.1  # off a terminal, progress is a line no more often than both say
quiet = False  # whether the user wants neither progress nor summaries


def say(text: str) -> None:
    """Print a line of a summary, unless it should be quiet."""
    if not quiet:
        typer.echo(printable(text))


def print_json(value: Any) -> None:
    """Print a value as JSON, also when it should be quiet: it was asked for."""
    typer.echo(json.dumps(value, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; its first column is never cut, however narrow the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=printable(title))
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(printable(str(cell)) for cell in row))
    Console(markup=False, emoji=False).print(table)  # a file may be called [red] or :smile:


def shown(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return " x ".join(shown(v) for v in value)
    return str(value)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float, str], None]]:
    """A function to call with a fraction and a message: a bar on a terminal, elsewhere a line now and then."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield lambda fraction, message: None
    elif not console.is_terminal:
        yield _Lines(printable(title))
    else:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        description = TextColumn("{task.description}", markup=False)
        with Progress(description, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task(printable(title), total=1.0)

            def update(fraction: float, message: str) -> None:
                bar.update(task, completed=fraction, description=printable(f"{title}: {message}"))

            yield update


class _Lines:
    """Progress in a log file or a pipe."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._said, self._when = 0.0, time.monotonic()

    def __call__(self, fraction: float, message: str) -> None:
        now = time.monotonic()
        if fraction - self._said >= LINE_SHARE and now - self._when >= LINE_SECONDS:
            self._said, self._when = fraction, now
            typer.echo(f"{self._title}: {fraction:.0%}, {printable(message)}", err=True)
