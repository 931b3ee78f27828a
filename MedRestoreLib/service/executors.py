"""Who restores the studies of a batch: this process, processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InvalidPlan, MissingPackage
from ..version import __version__

RETRIES = 3  # of a study whose worker was lost, before it is restored here
_ANSWERS = 30  # seconds in which a scheduler answers
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")  # read on their first import


@contextmanager
def executor_for(
    workers: int = 1, scheduler: str = "", say: Callable[[str], None] = lambda line: None
) -> Iterator[Executor | None]:
    """The executor for ``batch``; None for this process.

    Args:
        workers: processes of this machine; they share its processor's threads.
        scheduler: address of a Dask scheduler, or the path of its scheduler file. Its workers see the folders of the
            batch under the same paths, and have this version of MedRestore.
        say: told where the cluster's dashboard is.

    Raises:
        InvalidPlan: both are given, the scheduler does not answer, or its workers have another version.
        MissingPackage: distributed is not installed.
    """
    if scheduler and workers > 1:
        raise InvalidPlan("a scheduler has workers of its own: give it alone.", field="workers")
    if scheduler:
        with _client(scheduler) as client:
            say(f"{len(client.scheduler_info(n_workers=-1)['workers'])} workers; dashboard: {client.dashboard_link}")
            yield client.get_executor(retries=RETRIES, pure=False)
    elif workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
        context = multiprocessing.get_context("spawn")  # torch and ITK do not survive a fork
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_limit, initargs=(threads,)) as pool:
            yield pool
    else:
        yield None


def _limit(threads: int) -> None:
    """Before torch and ITK are imported in a process: how many threads they use there."""
    for name in THREADS:
        os.environ[name] = str(min(threads, int(os.environ.get(name, threads))))


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingPackage("distributed is not installed: run 'pip install \"medrestore[cluster]\"'.") from error
    told = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        client = Client(**told, timeout=_ANSWERS)
    except Exception as error:  # OSError, TimeoutError or ValueError, of several libraries
        raise InvalidPlan(f"no Dask scheduler answers at {scheduler}.", field="scheduler") from error
    with client:
        client.wait_for_workers(1, timeout=_ANSWERS)
        others = {version for version in client.run(_version).values() if version != __version__}
        if others:
            found = ", ".join(sorted(others))
            raise InvalidPlan(f"the workers have MedRestore {found}, this is {__version__}.", field="scheduler")
        yield client


def _version() -> str:
    return __version__
