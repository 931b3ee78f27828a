"""Data that are made once by several processes and kept on disk, one whole file each."""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from MedRestoreLib.files import atomic

EVERY = 100  # files between two lines of progress
MOST = 8  # processes: one that simulates bone scans needs 1 GB

log = logging.getLogger(__name__)


def save(path: Path, array: np.ndarray) -> None:
    """``numpy.save`` in one step: the file is whole or absent."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    atomic.write_bytes(path, buffer.getvalue())


def fill(folder: Path, make: Callable[..., None], jobs: Sequence[tuple[Any, ...]], processes: int, what: str) -> None:
    """Call ``make(*job)`` for each job in ``processes`` processes (0: one per core, at most MOST); progress is logged.

    Args:
        folder: where the files go; made if absent, and freed of files that an earlier run left half written.
        what: the verb and noun of the log's line, such as "Reading frames".
    """
    log.info("%s: %d into %s", what, len(jobs), folder)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.remove_partials(folder)
    for done, _ in enumerate(_called(make, jobs, processes or min(os.cpu_count() or 1, MOST)), 1):
        if done % EVERY == 0:
            log.info("  %d of %d", done, len(jobs))


def _called(make: Callable[..., None], jobs: Sequence[tuple[Any, ...]], processes: int) -> Iterator[None]:
    """Yields as jobs end; an error in one is raised here."""
    if processes == 1:
        yield from (make(*job) for job in jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job in as_completed([pool.submit(make, *job) for job in jobs]):
            yield job.result()
