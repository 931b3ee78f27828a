"""Studies of a batch whose process crashed, each tried again in a process that may crash without harm."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .exchange import search_path

if TYPE_CHECKING:
    from .batch import Row, Task
    from .stores import Distant

CRASHED = (
    "the process that restored it crashed (killed, out of memory, or a damaged file); restore it alone to see why, "
    "or with a lighter method such as adf."
)


def rows(tasks: Sequence[Task | Distant]) -> Iterator[Row]:
    """The rows of tasks, in order. They share a process of their own until one crashes it, and the next get another."""
    left = list(tasks)
    while left:
        with subprocess.Popen(
            [sys.executable, "-P", "-c", "from MedRestoreLib.service.rescue import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search_path()},
        ) as process:
            tasks_to, rows_from = process.stdin, process.stdout
            assert tasks_to is not None
            assert rows_from is not None
            try:
                pickle.dump(left, tasks_to)
                tasks_to.close()
                while left:
                    row = pickle.load(rows_from)
                    left.pop(0)
                    yield row
            except (OSError, EOFError, pickle.UnpicklingError):
                process.kill()
            except BaseException:
                process.kill()
                raise
        if left:
            yield left.pop(0).failed(CRASHED)


def serve() -> None:
    """The process: tasks come on standard input, and their rows go to standard output as they are done."""
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # whatever else prints goes to standard error
        for task in pickle.load(sys.stdin.buffer):
            pickle.dump(task(), replies)
            replies.flush()
