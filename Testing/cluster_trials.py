"""What a batch on several workers must bear: ``python -m Testing.cluster_trials [--studies 500] [--workers 4] ...``.

*Kills*: workers are killed at intervals while a batch runs. Every study must be done, equal to one machine's bytes,
and none may be restored twice; only what a killed worker had begun may be begun again. *Overhead*: what a batch costs
beyond reading, restoring and writing each study, here and on one worker.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.service.batch import Row, Task
from MedRestoreLib.service.executors import executor_for, on_this_machine
from Testing.kills import snapshot
from Testing.support.paths import REPOSITORY
from training.simulate.dicom import as_mr, as_nm

NAMES = {"alone": "restored alone", "batch": "a batch adds here", "worker": "a batch adds on a worker"}
MEASURED = 100  # studies that the overhead is measured with
EDITS: dict[str, Any] = {"method": "adf", "noise": "gaussian", "level": 20.0}


def make_studies(folder: Path, count: int) -> Path:
    """Small studies in four formats, some in each of several folders, one in a hundred damaged."""
    for number in range(count):
        place = folder / f"{number // 20:03d}"
        place.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(number).normal(100, 20, (2, 32, 32)).clip(1, 255)
        image = mr.Image.from_array(values.astype(np.float32), axes="zyx", modality="MR")
        kind = number % 10
        if number % 100 == 99:
            (place / f"{number}.nrrd").write_bytes(b"NRRD0004\n")
        elif kind == 0:
            as_mr(image, place / f"{number}")
        elif kind == 1:
            planar = mr.Image.from_array(values[0].astype(np.float32), modality="NM", unit="counts")
            as_nm(planar, place / f"{number}.dcm")
        else:
            mr.write(image, place / f"{number}.{'nii.gz' if kind < 4 else 'nrrd'}")
    return folder


@dataclass(frozen=True)
class Noted:
    """A task that notes in a file when it begins and how it ends."""

    task: Task
    notes: Path

    def __call__(self) -> Row:
        self._note("begun")
        row = self.task()
        self._note(row.status)
        return row

    def _note(self, what: str) -> None:
        with self.notes.open("ab", buffering=0) as stream:
            stream.write(f"{self.task.output}\t{what}\n".encode())


class Noting(Executor):
    """An executor whose tasks are noted; what else it is given passes as it is."""

    def __init__(self, executor: Executor, notes: Path) -> None:
        self._executor, self._notes = executor, notes

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As of every Executor."""
        return self._executor.submit(Noted(fn, self._notes) if isinstance(fn, Task) else fn, *args, **kwargs)


def worker_processes() -> list[int]:
    """The workers that are children of this process."""
    import psutil

    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


@contextlib.contextmanager
def _threads_of_one(workers: int) -> Iterator[None]:
    """Compute with as many threads as one of so many workers does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(before, max(1, (os.cpu_count() or 1) // workers)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def kills(source: Path, folder: Path, workers: int, moment: Callable[[int], bool], seed: int = 0) -> list[str]:
    """Run a batch on workers of which one is killed now and then.

    Args:
        source: the studies.
        folder: for what is made.
        workers: how many.
        moment: given how many studies have ended, whether to kill a worker now; asked several times a second.
        seed: which worker is killed.

    Returns:
        What went wrong.
    """
    alone, target, notes = folder / "alone", folder / "out", folder / "notes.txt"
    with _threads_of_one(workers):  # the records say how many
        expected = [(row.study, row.status) for row in mr.batch(source, alone, **EDITS)]
    chance, killed, ended = random.Random(seed), [0], [0]
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.05):
            if moment(ended[0]) and (there := worker_processes()):
                os.kill(chance.choice(there), 9)
                killed[0] += 1

    def progress(fraction: float, message: str) -> None:
        ended[0] = round(fraction * len(expected))

    killer = threading.Thread(target=kill)
    begun = time.monotonic()
    with executor_for(workers) as executor:
        assert executor is not None
        killer.start()
        try:
            rows = mr.batch(source, target, executor=Noting(executor, notes), progress=progress, **EDITS)
        finally:
            over.set()
            killer.join()
    seconds = time.monotonic() - begun
    faults = []
    # The row of a study may be lost with the worker that had restored it; another then finds it done.
    found = [(row.study, row.status.replace("already done", "restored")) for row in rows]
    if found != expected:
        faults.append(f"rows differ: {sorted(set(found) ^ set(expected))[:5]}")
    if snapshot(target) != snapshot(alone):
        faults.append("the files are not those of one machine")
    counts = Counter(tuple(line.split("\t")) for line in notes.read_text().splitlines())
    twice = sum(count > 1 for (_, what), count in counts.items() if what == "restored")
    lost = sum(count if what == "begun" else -count for (_, what), count in counts.items())
    print(f"{len(rows)} studies on {workers} workers in {seconds:.1f} s, {killed[0]} killed; begun and lost: {lost}")
    if twice:
        faults.append(f"{twice} studies were restored twice")
    if lost > killed[0]:
        faults.append(f"{lost} studies were lost by {killed[0]} kills")
    if not killed[0]:
        faults.append("no worker was killed")
    return faults


def overhead(source: Path, folder: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Milliseconds a study: of the clock, and of the processor in all processes, which a busy machine does not stretch.

    Args:
        source: the studies.
        folder: for what is made.
        rounds: in which the runs take turns; the medians count.

    Returns:
        Of reading, restoring and writing alone; and what a batch adds to it, here and on one worker.
    """
    only = folder / "only"
    only.mkdir()
    for path in [path for path in sorted(source.rglob("*.nrrd")) if path.stat().st_size > 20][:MEASURED]:
        shutil.copy(path, only)
    count = len(list(only.iterdir()))

    def plain(out: Path) -> None:
        out.mkdir()
        for path in sorted(only.iterdir()):
            image = mr.read(path)
            mr.write(mr.restore(image, mr.recommend(image, **EDITS)).image, out / path.name)

    def timed(run: Callable[[Path], Any]) -> tuple[float, float]:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            clock, processor = time.perf_counter(), _processor_seconds()
            run(Path(place) / "out")
            seconds = time.perf_counter() - clock, _processor_seconds() - processor
            return 1e3 * seconds[0] / count, 1e3 * seconds[1] / count

    with on_this_machine(1) as executor:
        runs = {
            "alone": plain,
            "batch": lambda out: mr.batch(only, out, **EDITS),
            "worker": lambda out: mr.batch(only, out, executor=executor, **EDITS),
        }
        turns = [{name: timed(run) for name, run in runs.items()} for _ in range(rounds + 1)][1:]  # one warms up
    middle = {name: np.median([turn[name] for turn in turns], axis=0) for name in runs}
    added = {name: middle[name] - middle["alone"] for name in ("batch", "worker")}
    return {name: (float(clock), float(cpu)) for name, (clock, cpu) in {"alone": middle["alone"], **added}.items()}


def _processor_seconds() -> float:
    import psutil

    here = psutil.Process()
    times = [one.cpu_times() for one in (here, *here.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def slurm(folder: Path) -> list[str]:
    """Run a batch by the files for SLURM, whose ``sbatch`` and ``scancel`` are stood in for; what went wrong."""
    deploy, commands = REPOSITORY / "deploy", folder / "bin"
    commands.mkdir()
    submit = f"bash $1 >{folder}/job.log 2>&1 & echo $! >>{commands}/jobs; echo Submitted batch job $!"
    for name, text in {"sbatch": submit, "scancel": "kill $1"}.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    told = {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    told["DASK_CONFIG"] = str(deploy / "slurm.yaml")
    command = [sys.executable, str(deploy / "slurm.py"), "1"]
    source, file = make_studies(folder / "in", 5), folder / "scheduler.json"
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **told}) as cluster:
        try:
            while not (file.is_file() and (commands / "jobs").is_file()):
                if cluster.poll() is not None:
                    return ["deploy/slurm.py ended"]
                time.sleep(0.2)
            with executor_for(scheduler=str(file)) as executor:
                rows = mr.batch(source, folder / "out", executor=executor, **EDITS)
        finally:
            cluster.terminate()
            for job in (commands / "jobs").read_text().split() if (commands / "jobs").is_file() else []:
                with contextlib.suppress(OSError):
                    os.kill(int(job), signal.SIGKILL)
    return [] if {row.status for row in rows} == {"restored"} else [f"by SLURM: {rows}"]


def main() -> int:
    """Run the trials; 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that measure the overhead; 0 for none")
    parser.add_argument("--slurm", action="store_true", help="run the files for SLURM instead")
    asked = parser.parse_args()
    last = [time.monotonic()]

    def moment(ended: int) -> bool:
        if time.monotonic() - last[0] < asked.every:
            return False
        last[0] = time.monotonic()
        return True

    with tempfile.TemporaryDirectory(prefix="cluster-trials-") as place:
        folder = Path(place)
        if asked.slurm:
            faults = slurm(folder)
            print(f"{len(faults)} faults", *faults)
            return 1 if faults else 0
        source = make_studies(folder / "in", asked.studies)
        if asked.rounds:
            for name, (clock, cpu) in overhead(source, folder, asked.rounds).items():
                print(f"{NAMES[name]}: {clock:.1f} ms a study by the clock, {cpu:.1f} ms of the processor")
        last[0] = time.monotonic()
        faults = kills(source, folder, asked.workers, moment)
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
