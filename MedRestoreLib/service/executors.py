"""Who restores the studies of a batch: this process, workers of this machine, or those of a cluster; both by Dask."""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import InvalidPlan, MissingPackage
from ..version import __version__
from .cluster import Cluster
from .needs import needs

_ANSWERS = 30  # seconds in which a scheduler answers
_LOOK_SECONDS = 5.0
_RESTART_SECONDS = 60  # in which a nanny has its worker back, also on a busy machine
_ARRIVE = 600  # seconds in which the first worker joins it, which may wait for its turn on a cluster
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
        _demand_dask()
        told = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
        with _connected(lambda: _client(told, scheduler, say), say) as cluster:
            yield cluster
    elif workers > 1:
        with on_this_machine(workers, say) as cluster:
            yield cluster
    else:
        yield None


@contextmanager
def on_this_machine(workers: int, say: Callable[[str], None] = lambda line: None) -> Iterator[Cluster]:
    """A cluster of so many processes, which ends with the block; MissingPackage as for ``executor_for``."""
    _demand_dask()
    import distributed

    # A nanny replaces a worker that dies; ``_kept`` replaces a nanny whose worker died before it had begun. Memory is
    # not limited: a study may need more than its worker's share. Keys of its own keep other users of this machine out,
    # who could else run programs in the workers.
    local = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=0,
        host="127.0.0.1",
        protocol="tls://",
        security=distributed.Security.temporary(),
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,  # they hold names of studies
        env=_threads(max(1, (os.cpu_count() or 1) // workers)),
    )
    with local, _kept(local, workers), _connected(lambda: distributed.Client(local), say) as cluster:
        yield cluster


@contextmanager
def _kept(local: Any, workers: int) -> Iterator[None]:
    """Keep the number of workers while the block runs."""
    import dask

    over = threading.Event()

    def keep() -> None:
        while not over.wait(_LOOK_SECONDS):
            local.scale(workers)

    thread = threading.Thread(target=keep, daemon=True)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": f"{_RESTART_SECONDS}s"}):
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _demand_dask() -> None:
    for package in ("distributed", "cryptography"):
        if importlib.util.find_spec(package) is None:
            raise MissingPackage(f"{package} is not installed: run 'pip install \"medrestore[cluster]\"'.")


@contextmanager
def _connected(connect: Callable[[], Any], say: Callable[[str], None]) -> Iterator[Cluster]:
    offered: dict[str, float] = {}

    def client() -> Any:
        made = connect()
        workers = made.scheduler_info(n_workers=-1)["workers"].values()
        for name, amount in chain.from_iterable(worker["resources"].items() for worker in workers):
            offered[name] = max(offered.get(name, 0.0), amount)
        say(f"{len(workers)} workers; dashboard: {made.dashboard_link}")
        return made

    cluster = Cluster(client, lambda call: needs(call, offered))
    try:
        yield cluster
    finally:
        cluster.shutdown()


def _threads(most: int) -> dict[str, str]:
    """How many threads torch and ITK use in a worker: what the user allows, at most its share."""
    return {name: str(min(most, int(os.environ.get(name, most)))) for name in THREADS}


def _client(told: dict[str, str], scheduler: str, say: Callable[[str], None]) -> Any:
    from distributed import Client

    try:
        client = Client(**told, timeout=_ANSWERS)
    except Exception as error:  # OSError, TimeoutError or ValueError, of several libraries
        raise InvalidPlan(f"no Dask scheduler answers at {scheduler}.", field="scheduler") from error
    try:
        if not client.scheduler_info(n_workers=1)["workers"]:
            say("Waiting for the first worker.")
        _check(client, scheduler)
    except BaseException:
        client.close()
        raise
    return client


def _check(client: Any, scheduler: str) -> None:
    """Raise InvalidPlan if there are no workers, or not with this version."""
    try:
        client.wait_for_workers(1, timeout=_ARRIVE)
        others = {version for version in client.run(_version).values() if version != __version__}
    except TimeoutError as error:
        raise InvalidPlan(f"the Dask scheduler at {scheduler} has no workers.", field="scheduler") from error
    except ImportError as error:
        raise InvalidPlan(f"the workers at {scheduler} lack MedRestore.", field="scheduler") from error
    if others:
        found = ", ".join(sorted(others))
        raise InvalidPlan(f"the workers have MedRestore {found}, this is {__version__}.", field="scheduler")


def _version() -> str:
    return __version__
