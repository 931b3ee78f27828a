"""A batch on several processes or on a Dask cluster leaves what it leaves on one, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.service.batch import Task
from MedRestoreLib.service.cluster import LOST, Cluster
from MedRestoreLib.service.executors import executor_for
from MedRestoreLib.service.inputs import Study, find
from MedRestoreLib.service.needs import needs
from Testing import cluster_trials
from Testing.node_trials import free_port
from Testing.support.paths import REPOSITORY

EDITS = {"method": "bm3d", "noise": "gaussian", "level": 20.0}


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    for number in range(6):
        voxels = np.random.default_rng(number).normal(100, 20, (2, 24, 24)).astype(np.float32)
        mr.write(mr.Image.from_array(voxels, axes="zyx"), folder / f"{number}.nrrd")
    (folder / "damaged.nrrd").write_bytes(b"NRRD0004\n")
    return folder


@pytest.fixture(scope="module")
def alone(studies: Path, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("alone") / "out"
    mr.batch(studies, target, **EDITS)
    return target


def contents(folder: Path) -> dict[str, Any]:
    """Outputs as bytes, and records but for how long it took, and on how many threads."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    for name in [name for name in found if name.endswith(".json")]:
        found[name] = json.loads(found[name], object_hook=_timeless)
    return found


def _timeless(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in ("seconds", "device")}


EXPECTED = [*((f"{number}.nrrd", "restored") for number in range(6)), ("damaged.nrrd", "failed")]


def test_workers_of_this_machine_that_are_killed_cost_what_they_had_begun_alone(tmp_path: Path) -> None:
    """A seeded part of ``python -m Testing.cluster_trials``."""
    pytest.importorskip("distributed")
    pytest.importorskip("cryptography")
    source = cluster_trials.make_studies(tmp_path / "in", 24)
    left = [6]

    def moment(ended: int) -> bool:
        return bool(left) and ended >= left[0] and left.pop(0) > 0

    assert cluster_trials.kills(source, tmp_path, 2, moment) == []
    again = mr.batch(source, tmp_path / "out", **cluster_trials.EDITS)
    assert {row.status for row in again} == {"already done"}


class Dask:
    """A scheduler and workers, each a process."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.workers: list[subprocess.Popen] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def add_worker(self, *options: str) -> None:
        """Start one more."""
        told = [self.address, "--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder / "dask")]
        self.workers.append(self._start("worker", *told, *options))

    def lose_scheduler(self, again: bool) -> None:
        """Kill the scheduler, and start another in its place if ``again``."""
        self.scheduler.kill()
        self.scheduler.wait()
        if again:
            self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))
            self.add_worker("--resources", "MEMORY=2e9")

    def stop(self) -> None:
        """End all of them."""
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()

    def _start(self, kind: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *options]
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    pytest.importorskip("distributed")
    one = Dask(tmp_path)
    one.add_worker("--resources", "MEMORY=2e9")
    yield one
    one.stop()


def test_a_cluster_outlives_a_lost_worker_and_a_lost_scheduler(
    dask: Dask, studies: Path, alone: Path, tmp_path: Path
) -> None:
    dask.add_worker()
    to_lose = [lambda: dask.workers[0].kill(), lambda: dask.lose_scheduler(again=True)]

    def lose(fraction: float, message: str) -> None:
        if to_lose and fraction > 0:
            to_lose.pop(0)()

    with executor_for(scheduler=dask.address) as executor:
        found = mr.batch(studies, tmp_path / "out", executor=executor, progress=lose, **EDITS)
    assert not to_lose
    # The row of a study may be lost with the worker that had restored it; another then finds it done.
    assert [(row.study, row.status.replace("already done", "restored")) for row in found] == EXPECTED
    assert contents(tmp_path / "out") == contents(alone)


def test_a_study_asks_for_what_the_workers_declare(studies: Path, tmp_path: Path) -> None:
    study = next(one for one in find(studies) if isinstance(one, Study))
    task = Task(study, Path("0.nrrd"), tmp_path, EDITS)
    assert needs(task, {}) == {}
    assert needs(print, {"GPU": 1.0}) == {}
    assert needs(task, {"GPU": 2.0, "MEMORY": 1e9}) == {"GPU": 1.0, "MEMORY": pytest.approx(5e8, rel=0.1)}
    assert needs(task, {"MEMORY": 1e8}) == {"MEMORY": 1e8}, "no study waits for a worker that does not exist"
    assert needs(Task(study, Path("0.nrrd"), tmp_path, {"device": "cpu"}), {"GPU": 2.0}) == {}


def test_a_scheduler_that_is_lost_for_good_leaves_rows_that_say_so(dask: Dask, studies: Path, tmp_path: Path) -> None:
    from distributed import Client

    executor = Cluster(lambda: Client(dask.address), patience=0.5)

    def lose(fraction: float, message: str) -> None:
        if fraction > 0 and dask.scheduler.poll() is None:
            dask.lose_scheduler(again=False)

    found = mr.batch(studies, tmp_path / "out", executor=executor, progress=lose, **EDITS)
    executor.shutdown()
    assert len(found) == len(EXPECTED)
    assert {row.status for row in found} == {"restored", "failed"}
    assert sum(row.message == LOST for row in found) >= 3


def test_a_worker_of_another_version_restores_nothing(studies: Path, tmp_path: Path) -> None:
    study = next(one for one in find(studies) if isinstance(one, Study))
    row = Task(study, Path("0.nrrd"), tmp_path, EDITS, version="0.0.1")()
    assert (row.status, "0.0.1" in row.message) == ("failed", True)
    assert not list(tmp_path.iterdir())


def test_nobody_else_reaches_the_workers_of_this_machine() -> None:
    """Who can reach a Dask scheduler runs programs as its user."""
    pytest.importorskip("cryptography")
    distributed = pytest.importorskip("distributed")
    with executor_for(2) as executor:
        address = executor._client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises((OSError, TypeError)):
            distributed.Client(address, security=distributed.Security.temporary(), timeout=120)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"scheduler": "tcp://127.0.0.1:1", "workers": 3}, "give it alone"),
        ({"scheduler": "no address at all"}, "no Dask scheduler answers"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict, words: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(InvalidPlan, match=words), executor_for(**asked):
        pass
