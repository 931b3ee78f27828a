"""The queue of a node: what it acknowledged it keeps, over kills and concurrency, and gives out once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from MedRestoreLib.node.queue import Conflict, Queue
from Testing.support.paths import REPOSITORY


@pytest.fixture
def queue(tmp_path: Path):
    made = Queue(tmp_path / "queue.sqlite")
    yield made
    made.close()


def add(queue: Queue, number: int, series: str = "1", rule: str = "all") -> None:
    queue.add(f"{series}.{number}", series, Path(f"{number}.dcm"), f"hash{number}", {"modality": "NM"}, rule)


def test_a_series_is_due_when_it_is_quiet_or_complete(queue: Queue) -> None:
    add(queue, 1)
    assert queue.begin(quiet_seconds=60) is None
    assert queue.begin(quiet_seconds=0).uid == "1"
    assert queue.begin(quiet_seconds=0) is None
    add(queue, 1, series="2")
    queue.complete(["2"])
    assert queue.begin(quiet_seconds=60).uid == "2"


def test_a_series_no_rule_fits_is_never_due(queue: Queue) -> None:
    add(queue, 1, rule="")
    assert queue.begin(0) is None
    assert queue.figures()["series"]["ignored"] == 1


def test_what_comes_during_the_work_makes_it_void(queue: Queue) -> None:
    add(queue, 1)
    work = queue.begin(0)
    add(queue, 2)
    assert not queue.finish(work, [Path("a.dcm")], ["ARCHIVE"])
    assert queue.waiting() == []
    again = queue.begin(0)
    assert (again.generation, again.attempts) == (2, 1)
    assert queue.finish(again, [Path("b.dcm")], ["ARCHIVE", "OTHER"])
    assert [one.file for one in queue.waiting()] == [Path("b.dcm")]


def test_the_same_instance_is_known_and_another_of_its_uid_is_a_conflict(queue: Queue) -> None:
    assert not queue.knows("1.1", "hash1")
    add(queue, 1)
    assert queue.knows("1.1", "hash1")
    with pytest.raises(Conflict):
        queue.knows("1.1", "other")


def test_deliveries_wait_until_they_are_sent_or_given_up(queue: Queue) -> None:
    add(queue, 1)
    queue.finish(queue.begin(0), [Path("a.dcm"), Path("b.dcm")], ["ARCHIVE"])
    first, second = queue.waiting()
    queue.postpone(first, 1000, "busy")
    queue.sent(second)
    assert queue.waiting() == []
    assert queue.troubles() == [("1", "waiting for ARCHIVE", "busy")]
    assert queue.forget(0) == []  # something is waiting
    queue.give_up(first, "gone")
    ((uid, files),) = queue.forget(0)
    assert (uid, set(files)) == ("1", {Path("1.dcm"), Path("a.dcm"), Path("b.dcm")})
    assert queue.figures()["deliveries"] == {"waiting": 0, "sent": 0, "failed": 0}


def test_each_series_goes_to_one_worker(queue: Queue) -> None:
    for number in range(60):
        add(queue, 1, series=str(number))
    got: list[str] = []

    def work() -> None:
        while (one := queue.begin(0)) is not None:
            got.append(one.uid)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=int) == [str(number) for number in range(60)]


def test_what_was_added_is_there_after_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from MedRestoreLib.node.queue import Queue
queue = Queue(Path({str(tmp_path / "queue.sqlite")!r}))
for number in range(50):
    queue.add(f"1.{{number}}", "1", Path(f"{{number}}.dcm"), "hash", {{}}, "all")
    print(number, flush=True)
queue.begin(0)
os.kill(os.getpid(), 9)
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert killed.returncode != 0
    queue = Queue(tmp_path / "queue.sqlite")
    assert len(queue.files_of("1")) == len(killed.stdout.split()) == 50
    queue.resume()
    assert queue.begin(60).attempts == 2
    queue.close()
