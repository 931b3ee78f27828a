"""What archives cost on clusters: ``python -m Testing.cluster_scale`` prints the tables of docs/scale.md.

*Measured*: real studies, each restored in a process of its own: processor time on one thread, memory, bytes in and out.
*Scheduler*: how many tasks a second pass from the batch over a scheduler to workers that have nothing to do, and back.
*Simulated*: an archive on any number of workers, by discrete events. It is checked against a real scheduler with as
many workers that sleep.
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from MedRestoreLib.service.cluster import Cluster
from MedRestoreLib.service.pace import duration
from MedRestoreLib.service.spread import ended
from Testing.support.paths import REPOSITORY

STUDIES = {
    "planar bone scan, 256 x 1024": "nuclear/bone_scan_whole_body.dcm",
    "reconstructed SPECT, 128 x 128 x 44": "nuclear/quality_control/Jaszack.dcm",
    "MR head, clinical FLAIR": "mri/ms_slovenia/patient01_study1_FLAIR.nii.gz",
    "MR head, 64 slices of 384 x 274": "mri/t1w_dicom",
    "ultrasound still, 480 x 640": "ultrasound/dicom/US1_UNCI.dcm",
    "ultrasound cine, 30 frames": "ultrasound/dicom/cine_30_frames_ybr.dcm",
}
WORKERS = (1, 10, 100, 1000)
SPREAD = 0.3  # how the studies of a kind differ in cost: the standard deviation of its logarithm
LIFE_HOURS = 24.0  # after which a worker is lost, on average
RESTART_SECONDS = 20.0


@dataclass(frozen=True)
class Cost:
    """What one study costs: processor seconds on one thread, peak memory, and bytes that are read and written."""

    seconds: float
    memory: int
    read: int
    written: int


def measure(study: Path) -> Cost:
    """The cost of a study by the recommended method: the second of two runs, as of a worker that is warm."""
    run = subprocess.run(
        [sys.executable, "-m", "Testing.cluster_scale", "--one", str(study)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return Cost(**json.loads(run.stdout))


def _one(study: Path) -> dict[str, Any]:
    """What ``measure`` runs in a process of its own."""
    import resource

    import MedRestoreLib as mr

    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "in"
        source.mkdir()
        for file in [study] if study.is_file() else sorted(study.iterdir()):
            (source / file.name).symlink_to(file)
        for out in ("first", "second"):
            before = time.process_time()
            rows = mr.batch(source, Path(place) / out)
            seconds = time.process_time() - before
        assert [row.status for row in rows] == ["restored"], rows
        written = sum(file.stat().st_size for file in (Path(place) / "second").rglob("*") if file.is_file())
        read = sum(file.stat().st_size for file in source.iterdir())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "memory": memory, "read": read, "written": written}


@contextmanager
def sleepers(count: int) -> Iterator[Cluster]:
    """A real scheduler and client, and so many workers, all of them threads of this process."""
    import distributed

    groups = max(1, count // 50)
    local = distributed.LocalCluster(
        n_workers=groups,
        threads_per_worker=count // groups,
        processes=False,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )
    with local:
        cluster = Cluster(lambda: distributed.Client(local))
        try:
            yield cluster
        finally:
            cluster.shutdown()


def passed(cluster: Cluster, calls: Sequence[Callable[[], Any]]) -> float:
    """Seconds until all calls have come back."""
    begun = time.perf_counter()
    assert sum(1 for _ in ended(calls, cluster, lambda: None)) == len(calls)
    return time.perf_counter() - begun


def simulate(
    seconds: float, studies: int, workers: int, rate: float, *, life_hours: float = LIFE_HOURS, seed: int = 0
) -> float:
    """How long an archive takes, by discrete events.

    The scheduler hands out tasks one after the other, ``rate`` a second, each to the worker that is free first. Workers
    are lost as nuclei decay; the task of one that is lost is handed out anew, and another worker starts.

    Args:
        seconds: mean cost of a study; studies differ log-normally, by ``SPREAD``.
        studies: how many.
        workers: how many.
        rate: tasks a second of the scheduler.
        life_hours: mean life of a worker; infinity for ever.
        seed: of the random numbers.

    Returns:
        Seconds from the first study to the last.
    """
    chance = random.Random(seed)
    free = [0.0] * workers
    left, handed_out, end = studies, 0.0, 0.0
    while left:
        begin = max(heapq.heappop(free), handed_out)
        handed_out = begin + 1.0 / rate
        cost = chance.lognormvariate(-SPREAD * SPREAD / 2, SPREAD) * seconds
        life = 3600.0 * life_hours * chance.expovariate(1.0)
        if life < cost:
            heapq.heappush(free, handed_out + life + RESTART_SECONDS)
            continue
        left -= 1
        end = max(end, handed_out + cost)
        heapq.heappush(free, handed_out + cost)
    return end


def check(rate: float, seconds: float, rounds: int) -> None:
    """Compare the simulation with workers that sleep."""
    print("\n| workers | tasks | real | simulated |\n|---|---|---|---|")
    for workers in (10, 100, 1000):
        count = workers * rounds
        chance = random.Random(0)
        costs = [chance.lognormvariate(-SPREAD * SPREAD / 2, SPREAD) * seconds for _ in range(count)]
        with sleepers(workers) as cluster:
            real = passed(cluster, [partial(time.sleep, cost) for cost in costs])
        told = simulate(seconds, count, workers, rate, life_hours=float("inf"))
        print(f"| {workers} | {count} of {seconds:g} s | {real:.1f} s | {told:.1f} s |", flush=True)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    data = os.environ.get("MEDRESTORE_DATA", REPOSITORY / "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(data))
    parser.add_argument("--studies", type=int, default=100_000, help="of the archives that are simulated")
    parser.add_argument("--sleep", type=float, default=5.0, help="mean seconds of a sleeping worker's task")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(_one(asked.one.resolve())))
        return
    with sleepers(8) as cluster:
        passed(cluster, [int] * 500)
        rate = 5000 / passed(cluster, [int] * 5000)
    print(f"The scheduler passes {rate:.0f} tasks a second.")
    check(rate, asked.sleep, rounds=4)
    print("\n| study | seconds | memory, GB | read, MB | written, MB |\n|---|---|---|---|---|")
    costs = {}
    for name, path in STUDIES.items():
        cost = costs[name] = measure(asked.data / path)
        bytes_ = f"{cost.read / 1e6:.1f} | {cost.written / 1e6:.1f}"
        print(f"| {name} | {cost.seconds:.1f} | {cost.memory / 1e9:.1f} | {bytes_} |", flush=True)
    print(f"\n| {asked.studies:,} of | {' | '.join(f'{n} workers' for n in WORKERS)} | MB/s a worker |")
    print("|---" * (len(WORKERS) + 2) + "|")
    for name, cost in costs.items():
        times = [simulate(cost.seconds, asked.studies, workers, rate) for workers in WORKERS]
        traffic = 1e-6 * (cost.read + cost.written) / cost.seconds
        print(f"| {name} | {' | '.join(map(duration, times))} | {traffic:.2f} |", flush=True)


if __name__ == "__main__":
    main()
