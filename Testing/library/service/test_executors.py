"""A batch on several processes or on a Dask cluster leaves what it leaves on one, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.service.executors import executor_for
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


def rows(studies: Path, target: Path, **where) -> list[tuple[str, str]]:
    with executor_for(**where) as executor:
        found = mr.batch(studies, target, executor=executor, **EDITS)
    return [(row.study, row.status) for row in found]


EXPECTED = [*((f"{number}.nrrd", "restored") for number in range(6)), ("damaged.nrrd", "failed")]


def test_processes_of_this_machine(studies: Path, alone: Path, tmp_path: Path) -> None:
    assert rows(studies, tmp_path / "out", workers=2) == EXPECTED
    assert contents(tmp_path / "out") == contents(alone)
    assert {status for _, status in rows(studies, tmp_path / "out", workers=2)} == {"already done", "failed"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler and two workers, each a process: the path of the scheduler's file, and the workers."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    quiet = {"cwd": REPOSITORY, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*dask, "--no-dashboard", "--scheduler-file", str(file)], **quiet)]
    while not file.exists():
        time.sleep(0.1)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-dashboard"]
    worker += ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path / "dask")]
    processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]
    yield str(file), processes[1:]
    for process in processes:
        process.kill()
        process.wait()


def test_a_cluster(cluster, studies: Path, alone: Path, tmp_path: Path) -> None:
    file, _ = cluster
    assert rows(studies, tmp_path / "out", scheduler=file) == EXPECTED
    assert contents(tmp_path / "out") == contents(alone)


def test_a_worker_that_is_lost_costs_a_retry(cluster, studies: Path, alone: Path, tmp_path: Path) -> None:
    file, workers = cluster
    lost: list[float] = []

    def lose_one(fraction: float, message: str) -> None:
        if not lost and fraction > 0:
            lost.append(fraction)
            workers[0].kill()

    with executor_for(scheduler=file) as executor:
        found = mr.batch(studies, tmp_path / "out", executor=executor, progress=lose_one, **EDITS)
    assert lost
    # The row of a study may be lost with the worker that had restored it; another then finds it done.
    assert [(row.study, row.status.replace("already done", "restored")) for row in found] == EXPECTED
    assert contents(tmp_path / "out") == contents(alone)


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
